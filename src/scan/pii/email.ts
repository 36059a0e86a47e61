/** E-mail addresses, found from their `@`. */
import { endOfMatch, type Found } from "./finder.ts";

const localLengthMax = 64;
const localCharacter = /[\p{L}\p{N}._%+'-]/u;
const domain =
  /@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}(?:[A-Za-z]{2,24}|xn--[a-z0-9-]{2,40}|[^\P{L}A-Za-z]{2,10})(?![\p{L}\p{N}_-])/uy;
/** Names of images in two resolutions (`logo@2x.png`) and of files, not domains. */
const fileEnding = /\.(?:png|jpe?g|gif|svg|webp|avif|css|jsx?|tsx|json|html?)$/i;
/** Nobody reads these: accounts of machines, addresses to which nobody answers. */
const nobody = /^(?:git|no-?reply|do-?not-?reply|donotreply|mailer-daemon)$/i;

/** @param at where an `@` is */
export function emailAt(text: string, at: number): Found | undefined {
  let start = at;
  while (start > 0 && at - start < localLengthMax && localCharacter.test(text.charAt(start - 1))) {
    start--;
  }
  while (/[.'%+-]/.test(text.charAt(start))) start++;
  if (start >= at || /\.\.|\.$/.test(text.slice(start, at))) return undefined;
  const end = endOfMatch(domain, text, at);
  if (end === -1 || fileEnding.test(text.slice(at, end))) return undefined;
  // What stands between `//` and `@` is a login of an address: `https://name:password@host`.
  if (/[:/]/.test(text.charAt(start - 1)) && isAddressLogin(text, start)) return undefined;
  if (nobody.test(text.slice(start, at))) return undefined;
  return { id: "email", start, end };
}

function isAddressLogin(text: string, start: number): boolean {
  return /\/\/[^\s/]{0,64}$/.test(text.slice(Math.max(0, start - 70), start));
}
