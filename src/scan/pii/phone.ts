/**
 * Telephone numbers, judged by libphonenumber's full metadata: in international form, in the form
 * that North America writes, and in national form where a word for telephone stands near, of the
 * countries where its language is spoken.
 */
import { type CountryCode, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { endOfMatch, type Found } from "./finder.ts";

const international = /\+\(?\d(?:[ .\-/()\u00a0]{0,2}\d){6,14}(?![\w@])/y;
const zeros = /00[1-9](?:[ \-/()\u00a0]{0,2}\d){8,14}(?![\w@])/y;
const northAmerican =
  /(?:1[ .-])?(?:\([2-9]\d{2}\) ?[2-9]\d{2}[ .-]\d{4}|[2-9]\d{2}([.-])[2-9]\d{2}\1\d{4})(?![\w@]|[.-]\d)/y;
const national = /\(?\d(?:[ .\-/()\u00a0]{0,2}\d){6,13}(?![\w@])/y;

/** Words for telephone, and the countries whose numbers may follow. */
const languages: readonly (readonly [words: RegExp, countries: readonly CountryCode[]])[] = [
  [/phone|mobile|\bcell|\bcall|\btext|whatsapp|\btel\b|\bfax/i, ["US", "GB", "IN", "AU"]],
  [/telefon|handy|mobil|rufnummer|\btel\b/i, ["DE", "AT", "CH", "PL", "TR"]],
  [/t[ée]l[ée]phone|portable|\bt[ée]l\b|appel/i, ["FR", "BE", "CH"]],
  [/tel[ée]fono|m[óo]vil|celular|ll[áa]m/i, ["ES", "MX", "AR", "CO", "CL"]],
  [/telefono|cellulare|chiam/i, ["IT"]],
  [/telefone|celular|telem[óo]vel|\bligue|whatsapp/i, ["BR", "PT"]],
  [/telefoon|mobiel|\bbel\b/i, ["NL", "BE"]],
  [/telefon|kom[óo]rk|zadzwo/i, ["PL"]],
  [/телефон|тел\.|звон|мобильн/i, ["RU"]],
  [/telefon|\bcep\b|\bara/i, ["TR"]],
  [/هاتف|جوال|موبايل|اتصل/, ["EG", "SA", "AE"]],
  [/फ़ोन|फोन|मोबाइल|कॉल/, ["IN"]],
  [/电话|手机|致电/, ["CN"]],
  [/電話|手機/, ["TW", "HK", "JP"]],
  [/電話|携帯/, ["JP"]],
  [/전화|휴대폰|핸드폰|연락처/, ["KR"]],
];
const anyWord = new RegExp(languages.map(([words]) => words.source).join("|"), "gi");
/** Characters before a number in which such a word may stand. */
const wordReach = 32;
/** A date or a span of years has the digits of a short number. */
const date = /^(?:(?:19|20)\d\d[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d\d)/;

/**
 * Numbers asked about in one text. One question costs ten microseconds; a text of thousands of
 * numbers that are none must not cost seconds, so after these the form alone decides: some order
 * numbers are told as telephone numbers rather than a telephone number let through.
 */
export const questionsMax = 200;

export class PhoneFinder {
  readonly #text: string;
  #questions = 0;
  /** Where words for telephone begin, ascending; looked for when the first number could need one. */
  #words: readonly number[] | undefined;
  /** The first of them that is not before what was asked last: places are asked in order. */
  #word = 0;

  /** @param text walked from its start to its end */
  constructor(text: string) {
    this.#text = text;
  }

  /** @param at where a `+` is */
  internationalAt(at: number): Found | undefined {
    if (/[\w+]/.test(this.#text.charAt(at - 1)) || !/[\d(]/.test(this.#text.charAt(at + 1))) {
      return undefined;
    }
    return this.#longest(at, international, (number) => [[number, undefined]]);
  }

  /** @param at where a group of `length` digits begins */
  groupAt(at: number, length: number): Found | undefined {
    const text = this.#text;
    const before = text.charAt(at - 1);
    if (at > 1 && "-/+".includes(before) && /\w/.test(text.charAt(at - 2))) return undefined;
    const start = before === "(" ? at - 1 : at;
    if (length === 3 || length === 1) {
      const found = this.#longest(start, northAmerican, (number) => [[number, "US"]]);
      if (found !== undefined) return found;
    }
    if (text.startsWith("00", at)) {
      return this.#longest(at, zeros, (number) => [[`+${number.slice(2)}`, undefined]]);
    }
    if (!this.#hasWordBefore(start)) return undefined;
    let countries: Set<CountryCode> | undefined;
    return this.#longest(start, national, (number) => {
      if (date.test(number)) return [];
      countries ??= countriesOf(text.slice(Math.max(0, start - wordReach), start));
      return Array.from(countries, (country) => [number, country]);
    });
  }

  #hasWordBefore(start: number): boolean {
    this.#words ??= Array.from(this.#text.matchAll(anyWord), ({ index }) => index);
    while ((this.#words[this.#word] ?? start) < start) this.#word++;
    return (this.#words[this.#word - 1] ?? Number.NEGATIVE_INFINITY) >= start - wordReach;
  }

  /** What the expression matches, less groups at its end where the whole is no number. */
  #longest(
    start: number,
    pattern: RegExp,
    readings: (number: string) => readonly (readonly [string, CountryCode | undefined])[],
  ): Found | undefined {
    const end = endOfMatch(pattern, this.#text, start);
    if (end === -1) return undefined;
    let number = this.#text.slice(start, end);
    for (let shorter = 0; shorter < 3; shorter++) {
      for (const [written, country] of readings(number)) {
        if (this.#isNumber(written, country)) {
          return { id: "phone", start, end: start + number.length };
        }
      }
      const cut = lastGroup(number);
      if (cut < digitsMin) break;
      number = number.slice(0, cut);
    }
    return undefined;
  }

  #isNumber(number: string, country: CountryCode | undefined): boolean {
    if (++this.#questions > questionsMax) return true;
    const options = country === undefined ? {} : { defaultCountry: country };
    const parsed = parsePhoneNumberFromString(number, { ...options, extract: false });
    return parsed?.isValid() === true;
  }
}

/** Whose numbers may follow the words of a text. */
function countriesOf(near: string): Set<CountryCode> {
  return new Set(languages.flatMap(([words, countries]) => (words.test(near) ? countries : [])));
}

/** Fewer characters are no number worth asking about. */
const digitsMin = 7;

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

/** Where the last group of digits and what separates it begin. */
function lastGroup(number: string): number {
  let at = number.length;
  while (at > 0 && isDigit(number, at - 1)) at--;
  while (at > 0 && !isDigit(number, at - 1)) at--;
  return at;
}
