/** Addresses of machines on the public internet. Private, reserved and documentation ranges name nobody. */
import { isIPv4, isIPv6 } from "node:net";
import { endOfMatch, type Found } from "./finder.ts";

function numberOf(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** IANA's special-purpose addresses (RFC 6890 and its updates), and public resolvers that everybody writes about: first and last. */
const nobodys: readonly (readonly [number, number])[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  "1.1.1.1/32",
  "1.0.0.1/32",
  "8.8.8.8/32",
  "8.8.4.4/32",
  "9.9.9.9/32",
].map((network) => {
  const [first = "", bits] = network.split("/");
  return [numberOf(first), numberOf(first) + 2 ** (32 - Number(bits)) - 1];
});

const ipv4 = /\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)/y;
/** Four numbers with dots after these are a version. */
const version = /(?:\bv|ver(?:sion)?|release|firmware|build|[A-Za-z]\/)[\s.:]{0,2}$/i;
/** Networks end in zero and stand for nobody in particular; four single digits number a section. */
const nothing = /\.0$|^\d(?:\.\d){3}$/;
const ipv6 = /[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?![\w:])/y;
/** 2001::/23 and the documentation's 2001:db8::/32. */
const ipv6Special = /^2001:(?:0?db8|0?[01]?[0-9a-f]{0,2}):/i;

/** @param at where a group of one to three digits begins, with a dot after it */
export function ipv4At(text: string, at: number): Found | undefined {
  if (text.charAt(at - 1) === "-") return undefined;
  const end = endOfMatch(ipv4, text, at);
  const address = text.slice(at, end);
  if (end === -1 || !isIPv4(address) || nothing.test(address)) return undefined;
  const number = numberOf(address);
  if (nobodys.some(([first, last]) => first <= number && number <= last)) return undefined;
  if (version.test(text.slice(Math.max(0, at - 12), at))) return undefined;
  return { id: "ip", start: at, end };
}

/** @param colon where a colon is, the first one of its run of hexadecimal groups */
export function ipv6At(text: string, colon: number): Found | undefined {
  let start = colon;
  while (start > colon - 4 && /[0-9A-Fa-f]/.test(text.charAt(start - 1))) start--;
  // All public ones begin with 2000 to 3fff so far (RFC 4291, global unicast).
  if (start !== colon - 4 || !/[23]/.test(text.charAt(start))) return undefined;
  if (/[\w:.]/.test(text.charAt(start - 1))) return undefined;
  const end = endOfMatch(ipv6, text, start);
  const address = text.slice(start, end);
  if (end === -1 || !isIPv6(address) || ipv6Special.test(address)) return undefined;
  return { id: "ip", start, end };
}
