/**
 * Text that nobody sees: spelled in tag characters, as bits in zero-width
 * characters, or as bytes in variation selectors.
 */
import { applyEdits, type Edit, type MappedText } from "./edits.ts";
import { looksLikeLanguage } from "./likeness.ts";

/** A flag of a region as emoji have it: its tags spell the region and hide nothing. */
export const flagTags = /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}/gu;
/** Two or more, be they cut up by zero-width characters. */
const tagRun =
  /[\u{e0020}-\u{e007e}](?:[\u200b-\u200d\u2060-\u2064\ufeff]*[\u{e0020}-\u{e007e}])+/gu;
const hasTag = /[\u{e0020}-\u{e007e}]/u;

const tagsFrom = 0xe0000;

/** Text spelled in tag characters, all runs together. */
export function tagText(text: string): MappedText | undefined {
  if (!hasTag.test(text)) return undefined;
  const plain = text.replace(flagTags, (flag) => " ".repeat(flag.length));
  const edits: Edit[] = [];
  let at = 0;
  for (const { 0: run, index } of plain.matchAll(tagRun)) {
    edits.push({ start: at, end: index, replacement: edits.length === 0 ? "" : " " });
    let offset = index;
    for (const character of run) {
      const point = character.codePointAt(0) as number;
      const replacement = point > tagsFrom ? String.fromCodePoint(point - tagsFrom) : "";
      edits.push({ start: offset, end: offset + character.length, replacement });
      offset += character.length;
    }
    at = index + run.length;
  }
  if (edits.length === 0) return undefined;
  edits.push({ start: at, end: text.length, replacement: "" });
  return applyEdits(text, edits);
}

const utf8 = new TextDecoder("utf-8");
/** Zero-width characters that no rule of a script asks for more than one of at a place. */
const zeroWidth = /[\u200b-\u200d\u2060-\u2064\ufeff]/g;
const bitsMin = 32;
const selector = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
const hasSelectors = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{2}/u;
const bytesMin = 4;
/** So many characters without a broken one are no chance. */
const textLengthMin = 8;

/** Where each sign of a hidden text stands. */
interface Signs {
  readonly values: readonly number[];
  readonly start: number;
  readonly end: number;
}

function signsOf(text: string, pattern: RegExp, numberOf: (sign: string) => number): Signs {
  const values: number[] = [];
  let [start, end] = [-1, -1];
  for (const { 0: sign, index } of text.matchAll(pattern)) {
    values.push(numberOf(sign));
    if (start === -1) start = index;
    end = index + sign.length;
  }
  return { values, start, end };
}

/** Every part of it stands for the whole: a letter of eight bits has no place worth naming. */
function asWhole(text: string | undefined, { start, end }: Signs): MappedText | undefined {
  if (text === undefined) return undefined;
  return { text, toOriginal: () => [start, end] };
}

function readable(bytes: readonly number[]): string | undefined {
  const text = utf8.decode(Uint8Array.from(bytes)).replace(/\0+$/, "");
  const broken = text.match(/[\p{Cc}\p{Cn}\ufffd]/gu)?.length ?? 0;
  if (broken === 0 && text.length >= textLengthMin) return text;
  return broken * 8 <= text.length && looksLikeLanguage(text) ? text : undefined;
}

/** Numbers of `width` digits to a base, the first digit the highest. */
function grouped(digits: readonly number[], base: number, width: number): number[] {
  const numbers: number[] = [];
  for (let at = 0; at + width <= digits.length; at += width) {
    let number = 0;
    for (let offset = 0; offset < width; offset++) {
      number = number * base + (digits[at + offset] as number);
    }
    numbers.push(number);
  }
  return numbers;
}

/** The schemes that tools use: how many signs there are, and how many of them make a number. */
const schemes = [
  { base: 2, width: 8 },
  { base: 2, width: 7 },
  { base: 2, width: 16 },
  { base: 4, width: 4 },
] as const;

/** Bits in zero-width characters, whichever of them is 0 and which 1; a third one separates letters. */
export function bitText(text: string): MappedText | undefined {
  const signs = signsOf(text, zeroWidth, (sign) => sign.charCodeAt(0));
  if (signs.values.length < bitsMin) return undefined;
  const counts = new Map<number, number>();
  for (const value of signs.values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const frequent = [...counts].sort((a, b) => b[1] - a[1]).map(([value]) => value);
  for (const { base, width } of schemes) {
    if (frequent.length < base) continue;
    const alphabet = frequent.slice(0, base).sort((a, b) => a - b);
    for (const order of [alphabet, alphabet.toReversed()]) {
      const digits = signs.values
        .map((value) => order.indexOf(value))
        .filter((digit) => digit !== -1);
      const numbers = grouped(digits, base, width);
      const found =
        width === 16
          ? readable([...Buffer.from(String.fromCharCode(...numbers.slice(0, 8192)))])
          : readable(numbers);
      if (found !== undefined) return asWhole(found, signs);
    }
  }
  return undefined;
}

/** Bytes in variation selectors: the first 16 are 0 to 15, the supplement goes on from there. */
export function selectorText(text: string): MappedText | undefined {
  if (!hasSelectors.test(text)) return undefined;
  const signs = signsOf(text, selector, (sign) => {
    const point = sign.codePointAt(0) as number;
    return point <= 0xfe0f ? point - 0xfe00 : point - 0xe0100 + 16;
  });
  if (signs.values.length < bytesMin) return undefined;
  const bits = signs.values.every((value) => value <= 1) ? grouped(signs.values, 2, 8) : undefined;
  return asWhole(readable(bits ?? signs.values), signs);
}
