/**
 * Personal data.
 *
 * Finds: e-mail addresses, telephone numbers (libphonenumber), bank accounts (IBAN), payment cards
 * (check digit and issuer), public IP addresses, and the numbers of more than forty countries' people with
 * their check digits (pii/national.ts).
 * Ignores: numbers that fail their check, dates, order numbers, versions, private and documentation
 * addresses, file names with an `@`, logins in addresses, senders that nobody reads; a number whose form
 * or check says little counts only where a word near it names it.
 * Hit: "IBAN DE89 3704 0044 0532 0130 00". Near miss: the same with another last digit.
 *
 * Scores are below what flags: whether such data may pass is the operator's to say, and most people who
 * write their address to a model mean to. The text is walked once, from digit group to digit group; each
 * kind is asked only at a place that can begin it.
 */
import type { MappedText } from "../text/edits.ts";
import { ipv4At, ipv6At } from "./pii/address.ts";
import { cardAt } from "./pii/card.ts";
import { emailAt } from "./pii/email.ts";
import type { Found } from "./pii/finder.ts";
import { ibanAt } from "./pii/iban.ts";
import { NationalIdFinder } from "./pii/national.ts";
import { PhoneFinder } from "./pii/phone.ts";
import type { Finding, FoundIn, ScanInput, Scanner } from "./scanner.ts";

const kinds: Readonly<Record<string, { readonly score: number; readonly message: string }>> = {
  email: { score: 0.2, message: "This part is an e-mail address" },
  phone: { score: 0.2, message: "This part is a telephone number" },
  iban: { score: 0.4, message: "This part is a bank account number" },
  card: { score: 0.45, message: "This part is a payment card number" },
  ip: { score: 0.1, message: "This part is a public IP address" },
  "national-id": { score: 0.4, message: "This part is a number that a state gives to a person" },
};

/** Findings of one kind in a scan; a text made of hits says no more with the next one. */
const scanHitsMax = 50;
/** More digits in a row are no number of anybody. */
const groupLengthMax = 19;

const digit = 1;
const letter = 2;
const other = 0;
const classes = new Uint8Array(128);
for (const character of "0123456789") classes[character.charCodeAt(0)] = digit;
for (const character of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") {
  classes[character.charCodeAt(0)] = letter;
}
const [at, colon, plus] = [..."@:+"].map((character) => {
  classes[character.charCodeAt(0)] = 3;
  return character.charCodeAt(0);
});

const kindOf = (id: string) => id.split(".")[0] ?? id;

/** Whether a group of digits goes on with a number: after its point, or as a later part of an address. */
function isFraction(text: string, start: number): boolean {
  const before = text.charCodeAt(start - 2);
  return start > 1 && text.charAt(start - 1) === "." && classes[before] === digit;
}

/** The finders that remember something of one text. */
class Finders {
  readonly #text: string;
  readonly #nationalIds: NationalIdFinder;
  readonly #phones: PhoneFinder;

  constructor(text: string) {
    this.#text = text;
    this.#nationalIds = new NationalIdFinder(text);
    this.#phones = new PhoneFinder(text);
  }

  /** Whatever begins with a group of digits, the surest first. */
  digitsAt(start: number, length: number, phones: boolean): Found | undefined {
    const text = this.#text;
    return (
      (length === 4 || length >= 12 ? cardAt(text, start) : undefined) ??
      this.#nationalIds.digitsAt(start, length) ??
      (length <= 3 && text.charAt(start + length) === "." ? ipv4At(text, start) : undefined) ??
      (phones ? this.#phones.groupAt(start, length) : undefined)
    );
  }

  /** Whatever begins with some letters and then a digit. */
  lettersAt(start: number, letters: number): Found | undefined {
    const iban = letters === 2 ? ibanAt(this.#text, start) : undefined;
    return iban ?? this.#nationalIds.lettersAt(start, letters);
  }

  plusAt(index: number): Found | undefined {
    return this.#phones.internationalAt(index);
  }
}

/**
 * Hits in one text in order, none over another.
 *
 * @param hitsMax hits of one kind
 */
function hitsIn(text: string, hitsMax: number): { found: readonly Found[]; isCut: boolean } {
  const found: Found[] = [];
  const counts = new Map<string, number>();
  const finders = new Finders(text);
  const isFull = (kind: string) => (counts.get(kind) ?? 0) > hitsMax;
  /** Where the word at hand began; a word is letters, digits and underscores. */
  let wordStart = 0;
  let hasDigit = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const kind = code < 128 ? (classes[code] as number) : other;
    if (kind === letter) continue;
    let hit: Found | undefined;
    if (kind !== digit) {
      if (code === at) hit = emailAt(text, index);
      else if (code === colon) hit = ipv6At(text, index);
      else if (code === plus && !isFull("phone")) hit = finders.plusAt(index);
      wordStart = index + 1;
      hasDigit = false;
    } else if (!hasDigit) {
      hasDigit = true;
      if (index > wordStart) hit = finders.lettersAt(wordStart, index - wordStart);
      else {
        let end = index + 1;
        while ((classes[text.charCodeAt(end)] ?? other) === digit) end++;
        const length = end - index;
        if (length <= groupLengthMax && !isFraction(text, index))
          hit = finders.digitsAt(index, length, !isFull("phone"));
        // The digits of the group begin nothing else.
        if (hit === undefined) index = end - 1;
      }
    }
    if (hit === undefined) continue;
    const count = (counts.get(kindOf(hit.id)) ?? 0) + 1;
    counts.set(kindOf(hit.id), count);
    if (count <= hitsMax) {
      // An address ends in an `@` only later: what was taken for a number in it gives way.
      while ((found.at(-1)?.end ?? 0) > hit.start) found.pop();
      found.push(hit);
    }
    index = hit.end - 1;
    wordStart = hit.end;
    hasDigit = false;
  }
  return { found, isCut: [...counts.keys()].some(isFull) };
}

/**
 * Personal data in one reading.
 *
 * @param hitsMax most hits of one kind
 * @returns the findings, and whether some were left out
 */
export function findPersonalData(reading: MappedText, hitsMax: number): FoundIn {
  const { found, isCut } = hitsIn(reading.text, hitsMax);
  const findings = found.map(({ id, start: from, end: to }): Finding => {
    const { score, message } = kinds[kindOf(id)] as { score: number; message: string };
    const [start, end] = reading.toOriginal(from, to);
    return { scanner: "pii", label: `pii/${id}`, score, start, end, message };
  });
  return { findings, isCut };
}

export const piiScanner: Scanner = {
  name: "pii",
  scan: ({ readings }: ScanInput) =>
    readings.flatMap((reading) => findPersonalData(reading, scanHitsMax).findings),
};
