/** Whose address: the client's own, where trusted proxies stand between. */
import { type BlockList, isIP, SocketAddress } from "node:net";

/** @returns the four or sixteen bytes of an address as text, an IPv4 address in IPv6 as IPv4; empty for no bytes */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return "";
  const isMapped =
    bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (isMapped) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  // The longest run of zeros, of equal ones the first, is left out once, as RFC 5952 writes it.
  const text = groups.join(":");
  const [longest] = [...text.matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length);
  if (longest === undefined) return text;
  const before = text.slice(0, longest.index).replace(/:$/, "");
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, "");
  return `${before}::${after}`;
}

export function isLoopback(address: string): boolean {
  return address === "::1" || /^127\./.test(address);
}

export function isTrusted(address: string, trusted: BlockList): boolean {
  const version = isIP(address);
  return version !== 0 && trusted.check(address, version === 4 ? "ipv4" : "ipv6");
}

/** @returns the address in the one spelling that the log and rules know; nothing where the text is none */
function canonicalAddress(text: string): string | undefined {
  const version = isIP(text);
  if (version === 0) return undefined;
  if (version === 4) return text;
  const { address } = new SocketAddress({ address: text, family: "ipv6" });
  return address.replace(/^::ffff:(?=[\d.]+$)/, "");
}

/**
 * Reads X-Forwarded-For from the right: each trusted proxy vouches for the entry
 * that it added, and the first address that is not a proxy's is the client's. An
 * entry that is no address ends the walk: what stands left of it is anybody's.
 *
 * @param peer address of the connection
 */
export function clientAddress(peer: string, forwardedFor: string, trusted: BlockList): string {
  let address = peer;
  const hops = forwardedFor
    .split(",")
    .map((hop) => hop.trim())
    .filter((hop) => hop !== "");
  while (isTrusted(address, trusted)) {
    const hop = hops.pop();
    if (hop === undefined) break;
    const bare = /^\[(.*)\](?::\d+)?$/.exec(hop)?.[1] ?? hop.replace(/^([\d.]+):\d+$/, "$1");
    const canonical = canonicalAddress(bare);
    if (canonical === undefined) break;
    address = canonical;
  }
  return address;
}
