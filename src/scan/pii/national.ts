/**
 * Numbers that states give to people. Each is told by its form and its check digits; a form that other
 * numbers have too, or a check that one number in ten passes by chance, counts only where a word
 * names the number.
 *
 * The check digits are those that the issuers publish (collected with sources in the python-stdnum
 * project's documentation). They are written out here since a scanner asks about thousands of numbers
 * that are none, and the libraries that know these formats make an exception of each, at 20 to 80
 * microseconds; the tests hold them against such a library.
 */
import {
  isDate,
  isLuhn,
  isMod11Of2,
  isMod11Of10,
  isVerhoeff,
  remainder,
  weighted,
} from "./digits.ts";
import { endOfMatch, type Found, isNamed } from "./finder.ts";

export interface NationalNumber {
  /** Country and name, for example `es-dni`. */
  readonly id: string;
  /**
   * What a number begins with: `d8` eight digits, `d3-` three digits and a hyphen (`_` for a space),
   * `l2` two letters and then a digit.
   */
  readonly begins: readonly string[];
  readonly pattern: RegExp;
  /** @param compact the number without separators, in upper case */
  readonly isValid: (compact: string) => boolean;
  /** Words that must stand near. */
  readonly context?: RegExp;
  /** What needs no word: a form that nothing else has. */
  readonly alone?: RegExp;
  /** Characters of the number before the place at which the expression is tried. */
  readonly before?: number;
}

const number = (text: string, from: number, to: number) => Number(text.slice(from, to));

/** YYMMDD at a place. */
function hasDate(
  digits: string,
  at = 0,
  monthOffsets: readonly number[] = [0],
  dayOffsets: readonly number[] = [0],
): boolean {
  const month = number(digits, at + 2, at + 4);
  const day = number(digits, at + 4, at + 6);
  return monthOffsets.some((months) =>
    dayOffsets.some((days) => isDate(month - months, day - days)),
  );
}

/** DDMMYY at the start. */
const hasDayFirst = (digits: string, dayOffset = 0) =>
  isDate(number(digits, 2, 4), number(digits, 0, 2) - dayOffset);

const lastDigit = (digits: string) => Number(digits.at(-1));
/** Eleven less the remainder is the last digit; ten and eleven are what the issuer says. */
function isMod11(digits: string, weights: readonly number[], ten: number, eleven = 0): boolean {
  const check = 11 - (weighted(digits, weights) % 11);
  return (check === 11 ? eleven : check === 10 ? ten : check) === lastDigit(digits);
}

const isOneDigit = (digits: string) => /^(\d)\1*$/.test(digits);

function isSpanishLetter(digits: string, letter: string): boolean {
  return "TRWAGMYFPDXBNJZSQVHLCKE"[Number(digits) % 23] === letter;
}

function isSpanishForeigner(compact: string): boolean {
  const digits = "XYZ".indexOf(compact.charAt(0)) + compact.slice(1, 8);
  return isSpanishLetter(digits, compact.charAt(8));
}

/** Prefixes that were never given (HM Revenue and Customs, National Insurance Manual NIM39110). */
function isBritishInsurance(compact: string): boolean {
  return !/^(?:BG|GB|KN|NK|NT|TN|ZZ)/.test(compact);
}

function isFrench(compact: string): boolean {
  const body = compact.slice(0, 13).replace("2A", "19").replace("2B", "18");
  return 97 - remainder(body, 97) === Number(compact.slice(13));
}

/** Values of characters at odd places (Decreto Ministeriale 12 March 1974, no. 2227). */
const italianOdd = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

function isItalian(compact: string): boolean {
  let sum = 0;
  for (let at = 0; at < 15; at++) {
    const code = compact.charCodeAt(at);
    const value = code < 58 ? code - 48 : code - 65;
    sum += at % 2 === 0 ? (italianOdd[value] as number) : value;
  }
  return compact.charCodeAt(15) === 65 + (sum % 26);
}

/** Of the first ten digits one occurs twice or three times, the others once or never. */
function isGerman(digits: string): boolean {
  const counts = [..."0123456789"].map((one) => digits.slice(0, 10).split(one).length - 1);
  const repeated = counts.filter((count) => count > 1);
  return (
    repeated.length === 1 &&
    (repeated[0] as number) <= 3 &&
    digits[0] !== "0" &&
    isMod11Of10(digits)
  );
}

function isBelgian(digits: string): boolean {
  const body = digits.slice(0, 9);
  const check = Number(digits.slice(9));
  return hasDate(digits) && [body, `2${body}`].some((row) => 97 - remainder(row, 97) === check);
}

function isNorwegian(digits: string): boolean {
  if (!hasDayFirst(digits) && !hasDayFirst(digits, 40)) return false;
  const first = (11 - (weighted(digits, [3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11)) % 11;
  return first === Number(digits[9]) && isMod11(digits, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 10);
}

function isBrazilian(digits: string): boolean {
  if (isOneDigit(digits)) return false;
  const first = ((11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11) % 10;
  const second = ((11 - (weighted(digits, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11) % 10;
  return first === Number(digits[9]) && second === Number(digits[10]);
}

function isTurkish(digits: string): boolean {
  const odd = weighted(digits, [1, 0, 1, 0, 1, 0, 1, 0, 1]);
  const even = weighted(digits, [0, 1, 0, 1, 0, 1, 0, 1]);
  const tenth = (((odd * 7 - even) % 10) + 10) % 10;
  return tenth === Number(digits[9]) && (odd + even + tenth) % 10 === lastDigit(digits);
}

/** Estonia and Lithuania: two rows of weights, the second where the first leaves ten. */
function isBaltic(digits: string): boolean {
  const first = weighted(digits, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
  const check = first < 10 ? first : (weighted(digits, [3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11) % 10;
  return check === lastDigit(digits) && hasDate(digits, 1);
}

function isSingaporean(compact: string): boolean {
  const series = compact.charAt(0);
  const offset = series === "M" ? 3 : "TG".includes(series) ? 4 : 0;
  const rest = (weighted(compact.slice(1, 8), [2, 7, 6, 5, 4, 3, 2]) + offset) % 11;
  const letters = "ST".includes(series)
    ? "JZIHGFEDCBA"
    : series === "M"
      ? "XWUTRQPNJLK"
      : "XWUTRQPNMLK";
  const place = series === "M" ? 10 - rest : rest;
  return (series === "M" ? "KLJNPQRTUWX"[place] : letters[rest]) === compact.charAt(8);
}

const taiwaneseLetters = "ABCDEFGHJKLMNPQRSTUVXYWZIO";

function isTaiwanese(compact: string): boolean {
  const letter = 10 + taiwaneseLetters.indexOf(compact.charAt(0));
  const sum =
    Math.floor(letter / 10) +
    (letter % 10) * 9 +
    weighted(compact.slice(1), [8, 7, 6, 5, 4, 3, 2, 1, 1]);
  return sum % 10 === 0;
}

function isHongKong(compact: string): boolean {
  const body = compact.slice(0, -1).padStart(8, " ");
  let sum = 0;
  for (let at = 0; at < 8; at++) {
    const code = body.charCodeAt(at);
    const value = code === 32 ? 36 : code < 58 ? code - 48 : code - 55;
    sum += value * (9 - at);
  }
  const check = (11 - (sum % 11)) % 11;
  return compact.at(-1) === (check === 10 ? "A" : String(check));
}

const curpDigits = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ";

function isMexican(compact: string): boolean {
  let sum = 0;
  // The letter Ñ, written & here, has a value of its own between N and O.
  for (let at = 0; at < 17; at++) sum += curpDigits.indexOf(compact.charAt(at)) * (18 - at);
  return (10 - (sum % 10)) % 10 === lastDigit(compact) && hasDate(compact, 4);
}

function isChilean(compact: string): boolean {
  const body = compact.slice(0, -1).padStart(8, "0");
  const rest = 11 - (weighted(body, [3, 2, 7, 6, 5, 4, 3, 2]) % 11);
  return compact.at(-1) === (rest === 11 ? "0" : rest === 10 ? "K" : String(rest));
}

function isCzech(digits: string): boolean {
  if (!hasDate(digits, 0, [0, 50, 20, 70]) || digits.length !== 10) return false;
  return remainder(digits.slice(0, 9), 11) % 10 === lastDigit(digits);
}

function isIrish(compact: string): boolean {
  const second = compact.length > 8 && compact.charAt(8) !== "W" ? compact.charCodeAt(8) - 64 : 0;
  const rest = (weighted(compact, [8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23;
  return "WABCDEFGHIJKLMNOPQRSTUV"[rest] === compact.charAt(7);
}

function isRussianSnils(digits: string): boolean {
  const sum = weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
  return (sum % 101) % 100 === Number(digits.slice(9)) && !isOneDigit(digits);
}

function isKorean(digits: string): boolean {
  return hasDate(digits) && isMod11(digits, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5], 0, 1);
}

function isAmerican(digits: string): boolean {
  // Area 000, 666 and from 900 up, group 00 and serial 0000 were never given (Social Security Administration).
  return /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digits) && !isOneDigit(digits);
}

const swiss = (digits: string) =>
  weighted(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0;

function isRomanianCheck(digits: string): boolean {
  const rest = weighted(digits, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
  return (rest === 10 ? 1 : rest) === lastDigit(digits);
}

const separators = /[^A-Za-z0-9]+/g;

/** Nothing of a word or number goes on after it. */
const end = "(?![\\w@]|[.-]\\d)";

function row(
  id: string,
  begins: string,
  pattern: RegExp,
  isValid: (compact: string) => boolean,
  needs: Pick<NationalNumber, "context" | "alone" | "before"> = {},
): NationalNumber {
  return {
    id,
    begins: begins.split(" "),
    pattern: new RegExp(`(?:${pattern.source})${end}`, "y"),
    isValid,
    ...needs,
  };
}

export const nationalNumbers: readonly NationalNumber[] = [
  row("ar-cuil", "d2-", /2[03-7]-\d{8}-\d/, (text) =>
    isMod11(text, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 9),
  ),
  row(
    "au-tfn",
    "d9 d3- d3_",
    /\d{3}([ -]?)\d{3}\1\d{3}/,
    (text) => weighted(text, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
    { context: /\btfn\b|tax file/i },
  ),
  row("be-nn", "d11 d2. d6- d6. d6_", /\d{2}(\.?)[01]\d\1[0-3]\d[-. ]?\d{3}[-. ]?\d{2}/, isBelgian),
  row(
    "bg-egn",
    "d10",
    /\d{10}/,
    (text) =>
      (weighted(text, [2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11) % 10 === lastDigit(text) &&
      hasDate(text, 0, [0, 20, 40]),
    { context: /егн|\begn\b/i },
  ),
  row("br-cpf", "d11 d3.", /\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11}/, isBrazilian, {
    context: /\bcpf\b/i,
    alone: /[.]/,
  }),
  row("ca-sin", "d9 d3- d3_", /[1-79]\d{2}([ -]?)\d{3}\1\d{3}/, (text) => isLuhn(text), {
    context: /\bsin\b|social insurance|assurance sociale|\bnas\b/i,
  }),
  row("ch-ahv", "d13 d3. d3_", /756([. ]?)\d{4}\1\d{4}\1\d{2}/, swiss),
  row("cl-rut", "d1. d2. d7- d8-", /\d{1,2}\.\d{3}\.\d{3}-[\dKk]|\d{7,8}-[\dKk]/, isChilean, {
    context: /\br\.?u\.?[tn]\b/i,
    alone: /[.]/,
  }),
  row(
    "cn-ric",
    "d18 d17",
    /[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]/,
    isMod11Of2,
  ),
  row("cz-rc", "d6/", /\d{2}[0-3578]\d[0-3]\d\/\d{4}/, isCzech),
  row("de-steuer-id", "d11 d2_", /\d{2}( ?)\d{3}\1\d{3}\1\d{3}/, isGerman, {
    context: /steuer|identifikationsnummer|\bidnr\b|tax id|\btin\b/i,
  }),
  row("dk-cpr", "d6- d6_ d10", /[0-3]\d[01]\d{3}[- ]?\d{4}/, (text) => hasDayFirst(text), {
    context: /\bcpr\b|personnummer/i,
  }),
  row("ee-ik", "d11", /[1-8]\d{10}/, isBaltic, { context: /isikukood|personal code/i }),
  row(
    "es-dni",
    "d8",
    /\d{8}[- ]?[A-Z]/,
    (text) => isSpanishLetter(text.slice(0, 8), text.charAt(8)),
    { context: /\bdni\b|\bnif\b|identidad/i, alone: /\d-?[A-Z]/ },
  ),
  row("es-nie", "l1", /[XYZ]\d{7}-?[A-Z]/, isSpanishForeigner),
  row("es-nie", "d7", /(?<=(?<!\w)[XYZ]-)\d{7}-?[A-Z]/, isSpanishForeigner, { before: 2 }),
  row(
    "fi-hetu",
    "d6",
    /[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]/,
    (text) =>
      hasDayFirst(text) &&
      "0123456789ABCDEFHJKLMNPRSTUVWXY"[Number(text.slice(0, 6) + text.slice(-4, -1)) % 31] ===
        text.at(-1),
  ),
  row(
    "fr-nir",
    "d15 d13 d1. d1_ d5",
    /[12]([ .]?)\d{2}\1(?:0[1-9]|1[0-2]|[2-9]\d)\1(?:\d{2}|2[AB])\1\d{3}\1\d{3}[ .]?\d{2}/,
    isFrench,
  ),
  row(
    "gb-nhs",
    "d10 d3- d3_",
    /\d{3}([ -]?)\d{3}\1\d{4}/,
    (text) => isMod11(text, [10, 9, 8, 7, 6, 5, 4, 3, 2], 10),
    { context: /\bnhs\b/i },
  ),
  row("gb-nino", "l2", /[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]/, isBritishInsurance),
  row(
    "gb-nino",
    "d2_",
    /(?<=(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] )\d{2} \d{2} \d{2} [A-D]/,
    isBritishInsurance,
    { before: 3 },
  ),
  row("gr-amka", "d11", /[0-3]\d[01]\d{8}/, (text) => hasDayFirst(text) && isLuhn(text), {
    context: /αμκα|\bamka\b/i,
  }),
  row("hk-id", "l1 l2", /[A-Z]{1,2}\d{6}\([0-9A]\)/, isHongKong),
  row("hr-oib", "d11", /\d{11}/, isMod11Of10, { context: /\boib\b/i }),
  row("ie-pps", "d7", /\d{7}[A-W][A-IW]?/, isIrish, { context: /\bpps/i }),
  row("il-id", "d9", /\d{9}/, (text) => isLuhn(text), {
    context: /תעודת זהות|ת"?ז|teudat|israeli id/i,
  }),
  row("in-aadhaar", "d12 d4- d4_", /[2-9]\d{3}([ -]?)\d{4}\1\d{4}/, isVerhoeff, {
    context: /aadha+r|uidai|आधार/i,
  }),
  row("in-pan", "l5", /[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]/, () => true, {
    context: /\bpan\b|permanent account/i,
  }),
  row(
    "it-cf",
    "l6",
    /[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]|[a-z]{6}\d{2}[a-ehlmprst]\d{2}[a-z]\d{3}[a-z]/,
    isItalian,
  ),
  row(
    "jp-my-number",
    "d12 d4- d4_",
    /\d{4}([ -]?)\d{4}\1\d{4}/,
    (text) => {
      const rest = weighted(text, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
      return (rest <= 1 ? 0 : 11 - rest) === lastDigit(text);
    },
    { context: /my ?number|マイナンバー|個人番号/i },
  ),
  row("kr-rrn", "d6- d13", /\d{2}[01]\d[0-3]\d-?\d{7}/, isKorean, {
    context: /주민|resident registration|\brrn\b/i,
    alone: /-/,
  }),
  row("lt-ak", "d11", /[1-6]\d{10}/, isBaltic, { context: /asmens kod/i }),
  row(
    "mx-curp",
    "l4",
    /[A-Z][AEIOUX][A-Z]{2}\d{2}[01]\d[0-3]\d[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[A-Z0-9]\d/,
    isMexican,
  ),
  row(
    "nl-bsn",
    "d9 d4. d3_",
    /\d{9}|\d{4}\.\d{2}\.\d{3}|\d{3} \d{3} \d{3}/,
    (text) =>
      (weighted(text, [9, 8, 7, 6, 5, 4, 3, 2]) - lastDigit(text)) % 11 === 0 && !isOneDigit(text),
    { context: /\bbsn\b|burgerservice|sofi-?nummer/i },
  ),
  row("no-fnr", "d11 d6_", /[0-7]\d[01]\d{3} ?\d{5}/, isNorwegian),
  row(
    "pl-pesel",
    "d11",
    /\d{11}/,
    (text) =>
      (10 - (weighted(text, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)) % 10 === lastDigit(text) &&
      hasDate(text, 0, [0, 20, 40, 60, 80]),
    { context: /pesel/i },
  ),
  row(
    "pt-nif",
    "d9 d3_",
    /[1-35689]\d{2}( ?)\d{3}\1\d{3}/,
    (text) => isMod11(text, [9, 8, 7, 6, 5, 4, 3, 2], 0),
    { context: /\bnif\b|contribuinte/i },
  ),
  row("ro-cnp", "d13", /[1-9]\d{12}/, (text) => hasDate(text, 1) && isRomanianCheck(text), {
    context: /\bcnp\b|numeric personal/i,
  }),
  row("ru-snils", "d3- d11", /\d{3}-\d{3}-\d{3}[ -]\d{2}|\d{11}/, isRussianSnils, {
    context: /снилс|\bsnils\b/i,
    alone: /-/,
  }),
  row(
    "se-personnummer",
    "d6- d6+ d8- d8+ d10 d12",
    /(?:19|20)?\d{2}[01]\d[0-9]\d[-+]?\d{4}/,
    (text) => {
      const digits = text.replace(/\D/g, "").slice(-10);
      return hasDate(digits, 0, [0], [0, 60]) && isLuhn(digits);
    },
    { context: /person-?(?:nummer|nr)|samordning/i, alone: /[-+]/ },
  ),
  row("sg-nric", "l1", /[STFGM]\d{7}[A-Z]/, isSingaporean),
  row(
    "th-id",
    "d1- d13",
    /[1-8](-?)\d{4}\1\d{5}\1\d{2}\1\d/,
    (text) =>
      (11 - (weighted(text, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 10 ===
      lastDigit(text),
    { context: /บัตรประชาชน|เลขประจำตัว|thai id/i, alone: /-/ },
  ),
  row("tr-tckn", "d11", /[1-9]\d{10}/, isTurkish, { context: /kimlik|\btckn\b|\bt\.?c\.?\b/i }),
  row("tw-id", "l1", /[A-Z][1289]\d{8}/, isTaiwanese, { context: /身分證|身份證|national id/i }),
  row("us-ssn", "d3- d3_ d9", /\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4}|\d{9}/, isAmerican, {
    context: /\bssn\b|social security/i,
    alone: /-/,
  }),
  row("za-id", "d13", /\d{2}[01]\d[0-3]\d{5}[012]\d{2}/, (text) => hasDate(text) && isLuhn(text), {
    context: /south africa|\bsa id\b|id number|identity/i,
  }),
];

/** Rows by what begins a number, so that a place is asked about few of them. */
class Rows {
  readonly #byBeginning = new Map<string, NationalNumber[]>();

  constructor(rows: readonly NationalNumber[]) {
    for (const national of rows) {
      for (const begin of national.begins) {
        const key = begin.replace("_", " ");
        this.#byBeginning.set(key, [...(this.#byBeginning.get(key) ?? []), national]);
      }
    }
  }

  /** Of each count of digits or letters up to 19. */
  table(kind: "d" | "l", after = ""): (readonly NationalNumber[])[] {
    return lengths.map((length) => this.#byBeginning.get(`${kind}${length}${after}`) ?? []);
  }
}

const lengths = Array.from({ length: 20 }, (_, length) => length);

function tablesOf(rows: Rows) {
  const separated = new Map(
    [..." -./+"].map((separator) => [separator, rows.table("d", separator)]),
  );
  return { digits: rows.table("d"), letters: rows.table("l"), separated };
}

const needsName = ({ context, alone }: NationalNumber) =>
  context !== undefined && alone === undefined;
const unnamed = tablesOf(new Rows(nationalNumbers.filter((national) => !needsName(national))));
const all = tablesOf(new Rows(nationalNumbers));
const anyName = new RegExp(
  nationalNumbers.flatMap(({ context }) => context?.source ?? []).join("|"),
  "i",
);

function firstOf(rows: readonly NationalNumber[], text: string, at: number): Found | undefined {
  for (const { id, pattern, isValid, context, alone, before = 0 } of rows) {
    const end = endOfMatch(pattern, text, at);
    if (end === -1) continue;
    const start = at - before;
    const written = text.slice(start, end);
    if (!isValid(written.replace(separators, "").toUpperCase())) continue;
    const isPlain = context !== undefined && alone?.test(written) !== true;
    if (isPlain && !isNamed(text, start, end, context)) continue;
    return { id: `national-id.${id}`, start, end };
  }
  return undefined;
}

export class NationalIdFinder {
  readonly #text: string;
  /** Without the name of any number, those that need one are not asked about; looked for at the first digit. */
  #tables: typeof all | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  get #rows(): typeof all {
    this.#tables ??= anyName.test(this.#text) ? all : unnamed;
    return this.#tables;
  }

  /** @param at where a group of `length` digits begins, 19 at most */
  digitsAt(at: number, length: number): Found | undefined {
    const { digits, separated } = this.#rows;
    const after = separated.get(this.#text.charAt(at + length))?.[length] ?? [];
    return firstOf(digits[length] ?? [], this.#text, at) ?? firstOf(after, this.#text, at);
  }

  /** @param at where a word begins with `letters` letters and then a digit */
  lettersAt(at: number, letters: number): Found | undefined {
    return firstOf(this.#rows.letters[letters] ?? [], this.#text, at);
  }
}
