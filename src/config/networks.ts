/** Lists of addresses and networks, as a setting spells them. */
import { BlockList, isIP } from "node:net";

interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

function networkOf(text: string): Network | undefined {
  const [address = "", prefixText, ...rest] = text.split("/");
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  if (version === 0 || rest.length > 0) return undefined;
  const prefix = prefixText === undefined ? bits : Number(prefixText);
  const isPrefix = prefixText === undefined || /^\d{1,3}$/.test(prefixText);
  if (!isPrefix || prefix > bits) return undefined;
  return { address, prefix, family: version === 4 ? "ipv4" : "ipv6" };
}

function entries(list: string): string[] {
  return list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** Whether each entry of a comma-separated list is an address or a network. */
export function isNetworkList(list: string): boolean {
  return entries(list).every((entry) => networkOf(entry) !== undefined);
}

/** @returns what tells whether an address lies in one of the list's networks; entries that are none are left out */
export function networks(list: string): BlockList {
  const found = new BlockList();
  for (const entry of entries(list)) {
    const network = networkOf(entry);
    if (network !== undefined) found.addSubnet(network.address, network.prefix, network.family);
  }
  return found;
}
