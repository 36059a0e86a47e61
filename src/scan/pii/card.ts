/** Payment card numbers: the check digit, and an issuer's range and length by credit-card-type. */
import creditCardType from "credit-card-type";
import { isLuhn } from "./digits.ts";
import { endOfMatch, type Found, isNamed } from "./finder.ts";

const pattern =
  /(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{12,19})(?![\w@]|[.-]\d)/y;
/** Lengths that other numbers have more often than cards: they count where a word says so. */
const usualLength = /^(?:3[47]\d{13}|3[0689]\d{12}|\d{16})$/;
const context =
  /card|visa|master|amex|maestro|karte|tarjeta|carte|carta\b|cart[aã]o|kaart|kart|карт|信用卡|银行卡|卡号|カード|카드/i;
/** The library takes all that begins with 6 for Maestro; these are the ranges that its issuer published. */
const maestro = /^(?:5018|5020|5038|5893|6304|6759|676[1-3])/;

function hasIssuer(digits: string): boolean {
  return creditCardType(digits).some(
    ({ type, lengths }) =>
      lengths.includes(digits.length) && (type !== "maestro" || maestro.test(digits)),
  );
}

/** @param at where a group of digits begins */
export function cardAt(text: string, at: number): Found | undefined {
  const end = endOfMatch(pattern, text, at);
  if (end === -1) return undefined;
  const digits = text.slice(at, end).replace(/[ -]/g, "");
  if (!isLuhn(digits)) return undefined;
  if (!usualLength.test(digits) && !isNamed(text, at, end, context)) return undefined;
  if (!hasIssuer(digits)) return undefined;
  return { id: "card", start: at, end };
}
