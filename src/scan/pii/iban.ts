/** Bank account numbers (ISO 13616): country, its length, its structure and the check digits, by ibantools. */
import { countrySpecs, isValidIBAN } from "ibantools";
import type { Found } from "./finder.ts";

const lengths = new Map(
  Object.entries(countrySpecs).map(([country, { chars }]) => [country, chars ?? 0]),
);

/** @param at where two letters and two digits begin a word */
export function ibanAt(text: string, at: number): Found | undefined {
  const length = lengths.get(text.slice(at, at + 2).toUpperCase()) ?? 0;
  if (length === 0 || !/^\d\d$/.test(text.slice(at + 2, at + 4))) return undefined;
  let compact = "";
  let end = at;
  for (; compact.length < length; end++) {
    const character = text.charAt(end);
    if (/[A-Za-z0-9]/.test(character)) compact += character;
    else if (!/[ \u00a0-]/.test(character) || !/[A-Za-z0-9]/.test(text.charAt(end + 1))) {
      return undefined;
    }
  }
  if (/[A-Za-z0-9]/.test(text.charAt(end)) || !isValidIBAN(compact.toUpperCase())) return undefined;
  return { id: "iban", start: at, end };
}
