/**
 * An operator's secrets in a text: canaries planted in a system prompt, and the
 * prompt itself.
 *
 * Finds: each string whatever its case, spacing and punctuation, split over
 * lines or letter by letter, backwards, in rot13, hexadecimal, base64 at any
 * alignment, with digits for letters, and percent-encoded or escaped; of a
 * system prompt rows of its words, in whatever order its sentences come.
 * Ignores: texts of origin `system`, where both belong; single sentences that a
 * prompt shares with others.
 * Hit: for "swordfish-7731", "s w o r d f i s h 7 7 3 1". Near miss: "A swordfish is 7 feet long."
 *
 * Neither the strings nor the prompts are kept: of each form of a string there
 * is the random-keyed hash of eight of its characters and of all, and a keyed
 * SHA-256 that a hit is verified by; of a prompt the keyed hashes of its rows of
 * words. A form takes about 260 bytes, a row 350: for the most that the options
 * allow about 60 MB. Time is linear in the text and does not depend on how many
 * canaries there are.
 */
import { createHmac, randomBytes } from "node:crypto";
import { z } from "zod";
import type { Reading } from "../text/views.ts";
import { words } from "../text/words.ts";
import type { Finding, ScanInput, Scanner } from "./scanner.ts";

/** Characters that are looked up together; a shorter string would be found by chance. */
const windowLength = 8;
const stringLengthMax = 1024;
const stringsMax = 10_000;
/** Words of a prompt that are compared together; where each character is a word, more of them. */
const rowLength = 5;
const denseRowLength = 9;
const promptLengthMax = 200_000;
const promptsLengthMax = 500_000;

const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
  error: "expected up to 64 of a-z, 0-9, '.', '_' and '-'",
});

/** Settings of the canary scanner. Errors name the canary and never show its text. */
export const canaryOptionsSchema = z
  .strictObject({
    /** Strings that nobody outside should see. */
    canaries: z
      .array(z.strictObject({ name, text: z.string().max(stringLengthMax) }))
      .max(stringsMax)
      .default([]),
    /** System prompts. */
    prompts: z
      .array(z.strictObject({ name, text: z.string().max(promptLengthMax) }))
      .max(100)
      .default([]),
    /** Score of a string that was found, and of a prompt that was found whole. */
    score: z.number().min(0).max(1).default(0.97),
  })
  .superRefine(({ canaries, prompts }, context) => {
    const names = new Set<string>();
    for (const { name: each } of [...canaries, ...prompts]) {
      if (names.has(each)) {
        context.addIssue({ code: "custom", message: `canary ${each} is there twice` });
      }
      names.add(each);
    }
    for (const { name: each, text } of canaries) {
      const length = fold(text).text.length;
      if (length < windowLength) {
        const message = `expected at least ${windowLength} letters or digits for canary ${each} but received ${length}`;
        context.addIssue({ code: "custom", message });
      }
    }
    const together = prompts.reduce((sum, { text }) => sum + text.length, 0);
    if (together > promptsLengthMax) {
      const message = `expected at most ${promptsLengthMax} characters of prompts but received ${together}`;
      context.addIssue({ code: "custom", message });
    }
    for (const { name: each, text } of prompts) {
      const length = words(text).length;
      if (length < 2 * rowLength) {
        const message = `expected at least ${2 * rowLength} words for prompt ${each} but received ${length}`;
        context.addIssue({ code: "custom", message });
      }
    }
  });
export type CanaryOptions = z.input<typeof canaryOptionsSchema>;

/** A text in a form for comparing, and where each of its code units came from. */
interface Stream {
  readonly text: string;
  readonly from: Uint32Array;
}

/** Digits and signs that stand for letters. */
const leet: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  l: "i",
  "3": "e",
  "4": "a",
  "@": "a",
  "5": "s",
  $: "s",
  "7": "t",
  "!": "i",
};
/** What each ASCII character becomes in the folded stream; 0 is left out. */
const foldedAscii = new Uint16Array(128);
/** The same in the stream of base64 characters, whose case tells. */
const base64Ascii = new Uint16Array(128);
for (let code = 0; code < 128; code++) {
  const character = String.fromCharCode(code).toLowerCase();
  const folded = leet[character] ?? (/[a-z0-9]/.test(character) ? character : "");
  foldedAscii[code] = folded === "" ? 0 : folded.charCodeAt(0);
  if (/[A-Za-z0-9+/]/.test(String.fromCharCode(code))) base64Ascii[code] = code;
}
base64Ascii["-".charCodeAt(0)] = "+".charCodeAt(0);
base64Ascii["_".charCodeAt(0)] = "/".charCodeAt(0);

/** A punctuation mark that stands for a letter is one only inside a word; elsewhere it ends a sentence. */
function isMark(text: string, at: number): boolean {
  return !/[\p{L}\p{N}]/u.test(text[at + 1] ?? "");
}

function stream(text: string, table: Uint16Array, keepsLetters: boolean): Stream {
  const units = new Uint16Array(text.length);
  const from = new Uint32Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    let unit: number;
    if (code < 128) {
      unit = table[code] as number;
      if (code === 33 && unit !== 0 && isMark(text, at)) unit = 0;
    } else {
      unit = keepsLetters ? foldOther(code) : 0;
    }
    if (unit === 0) continue;
    units[length] = unit;
    from[length] = at;
    length++;
  }
  return { text: decodeUnits(units.subarray(0, length)), from: from.subarray(0, length) };
}

function decodeUnits(units: Uint16Array): string {
  return Buffer.from(units.buffer, units.byteOffset, units.byteLength).toString("utf16le");
}

/** What each other code unit becomes, once it was asked for; `unasked` until then. */
const foldedOthers = new Uint32Array(0x10000).fill(0xffffffff);
const unasked = 0xffffffff;

/** A letter or digit in lower case; surrogates are kept as they are, everything else is left out. */
function foldOther(code: number): number {
  const known = foldedOthers[code] as number;
  if (known !== unasked) return known;
  const character = String.fromCharCode(code);
  let folded = 0;
  if (code >= 0xd800 && code <= 0xdfff) folded = code;
  else if (/[\p{L}\p{N}]/u.test(character)) {
    const lower = character.toLowerCase();
    folded = lower.length === 1 ? lower.charCodeAt(0) : code;
  }
  foldedOthers[code] = folded;
  return folded;
}

const fold = (text: string) => stream(text, foldedAscii, true);
const inBase64 = (text: string) => stream(text, base64Ascii, false);

/** Percent-encoding, escapes of JavaScript and JSON, numbers of C, character references. */
const escaped =
  /%[0-9a-f]{2}|\b0x[0-9a-f]{2}\b|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|&#x[0-9a-f]{1,5};?|&#\d{1,6};?/gi;
const hasEscaped = /%[0-9a-f]{2}|\b0x[0-9a-f]{2}\b|\\[xu][0-9a-f]{2}|&#/i;

/** The text with each ASCII character that was escaped in its place, padded so that offsets stay. */
function unescaped(text: string): string {
  return text.replace(escaped, (part) => {
    const isDecimal = /^&#\d/.test(part);
    const code = Number.parseInt(
      part.replace(/^(?:%|0x|\\x|\\u|&#x|&#)/i, ""),
      isDecimal ? 10 : 16,
    );
    // Blanks are left out of both streams.
    return (code < 128 ? String.fromCharCode(code) : " ").padEnd(part.length, " ");
  });
}

function rot13(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const base = letter <= "Z" ? 65 : 97;
    return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base);
  });
}

/** What of a string's base64 does not depend on its neighbours, when `shift` bytes stand before it. */
function base64At(text: string, shift: number): string {
  const bytes = Buffer.from(text, "utf8");
  const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
    .toString("base64")
    .replace(/=+$/, "");
  const first = Math.ceil((shift * 8) / 6);
  const last = Math.floor(((shift + bytes.length) * 8) / 6);
  return encoded.slice(first, last);
}

/** One form of a canary in one of the two streams. */
interface Form {
  readonly name: string;
  readonly length: number;
  /** Where its window begins. */
  readonly windowAt: number;
  readonly hash: number;
  readonly hmac: string;
}

/** Rolling polynomial hash modulo 2^32 with a random odd base. */
class Hasher {
  readonly #base: number;
  /** Of the base up to each length. */
  readonly #powers: Uint32Array;

  constructor(lengthMax: number) {
    this.#base = (randomBytes(4).readUInt32LE() | 1) >>> 0;
    this.#powers = new Uint32Array(lengthMax + 1);
    this.#powers[0] = 1;
    for (let length = 1; length <= lengthMax; length++) {
      this.#powers[length] = Math.imul(this.#powers[length - 1] as number, this.#base);
    }
  }

  /** Hashes of all beginnings of a text: one more entry than it has code units. */
  prefixes(text: string): Uint32Array {
    const prefixes = new Uint32Array(text.length + 1);
    let hash = 0;
    for (let at = 0; at < text.length; at++) {
      hash = (Math.imul(hash, this.#base) + text.charCodeAt(at) + 1) | 0;
      prefixes[at + 1] = hash;
    }
    return prefixes;
  }

  /** Hash of `length` code units at a place. */
  at(prefixes: Uint32Array, place: number, length: number): number {
    const before = Math.imul(prefixes[place] as number, this.#powers[length] as number);
    return ((prefixes[place + length] as number) - before) >>> 0;
  }
}

/** Mixes the bits of a polynomial hash, whose low ones are weak. */
function bucketOf(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> 16;
}

/** Occurrences of one form in one reading that are verified; the rest says no more. */
const occurrencesMax = 3;

/** Windows by how many forms have them; two that share a place are counted as one. */
const windowCounts = 1 << 20;

/** Forms of one stream, found by the hash of eight of their characters. */
class FormTable {
  readonly #hasher: Hasher;
  readonly #key: Buffer;
  readonly #forms = new Map<number, Form[]>();
  /** One mark for each bucket that some window falls in: most places of a text are dismissed by it. */
  readonly #filter = new Uint8Array(0x10000);

  /** @param named folded forms, each with its canary's name */
  constructor(hasher: Hasher, key: Buffer, named: readonly (readonly [string, string])[]) {
    this.#hasher = hasher;
    this.#key = key;
    const counts = new Uint16Array(windowCounts);
    const windowsOf = (text: string): number[] => {
      const prefixes = hasher.prefixes(text);
      const places = Math.max(0, text.length - windowLength + 1);
      return Array.from({ length: places }, (_, at) => hasher.at(prefixes, at, windowLength));
    };
    for (const [, text] of named) {
      for (const window of windowsOf(text))
        counts[window % windowCounts] = (counts[window % windowCounts] as number) + 1;
    }
    for (const [name, text] of named) {
      const windows = windowsOf(text);
      // The rarest window, the last of them: what many canaries share, or many keys begin with, tells nothing.
      let windowAt = 0;
      for (const [at, window] of windows.entries()) {
        const best = windows[windowAt] as number;
        const isRarer =
          (counts[window % windowCounts] as number) <= (counts[best % windowCounts] as number);
        if (isRarer) windowAt = at;
      }
      const window = windows[windowAt];
      if (window !== undefined) this.#add(name, text, window, windowAt);
    }
  }

  #hmac(text: string): string {
    return createHmac("sha256", this.#key).update(text, "utf16le").digest("base64");
  }

  #add(name: string, text: string, window: number, windowAt: number): void {
    const hash = this.#hasher.at(this.#hasher.prefixes(text), 0, text.length);
    const form = { name, length: text.length, windowAt, hash, hmac: this.#hmac(text) };
    const known = this.#forms.get(window);
    if (known === undefined) this.#forms.set(window, [form]);
    else if (!known.some((each) => each.name === name && each.hmac === form.hmac)) known.push(form);
    this.#filter[bucketOf(window)] = 1;
  }

  /** Calls `found` with the places of forms in a stream's text. */
  find(text: string, found: (name: string, start: number, end: number) => void): void {
    if (this.#forms.size === 0 || text.length < windowLength) return;
    const prefixes = this.#hasher.prefixes(text);
    const verified = new Map<Form, number>();
    for (let at = 0; at + windowLength <= text.length; at++) {
      const window = this.#hasher.at(prefixes, at, windowLength);
      if (this.#filter[bucketOf(window)] === 0) continue;
      for (const form of this.#forms.get(window) ?? []) {
        const start = at - form.windowAt;
        if (start < 0 || start + form.length > text.length) continue;
        if (this.#hasher.at(prefixes, start, form.length) !== form.hash) continue;
        const count = verified.get(form) ?? 0;
        if (count >= occurrencesMax) continue;
        verified.set(form, count + 1);
        const end = start + form.length;
        if (this.#hmac(text.slice(start, end)) === form.hmac) found(form.name, start, end);
      }
    }
  }
}

/** A system prompt as the hashes of its rows of words. */
interface Prompt {
  readonly name: string;
  readonly rows: number;
  readonly rowLength: number;
}

/** Scripts whose characters are words: a row of them says less. */
const dense =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u;

class PromptTable {
  readonly #seed: readonly [number, number];
  /** Row's hash to the prompts that have it, each with the row's number among its own. */
  readonly #rows = new Map<number, readonly (readonly [prompt: number, row: number])[]>();
  readonly #filter = new Uint8Array(0x10000);
  readonly #prompts: Prompt[] = [];
  readonly #lengths = new Set<number>();

  constructor() {
    const seed = randomBytes(8);
    this.#seed = [seed.readUInt32LE(0), seed.readUInt32LE(4)];
  }

  #wordHash(word: string): number {
    let hash = this.#seed[0];
    for (let at = 0; at < word.length; at++) {
      hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
      hash ^= hash >>> 13;
    }
    return hash >>> 0;
  }

  /** 53 bits over the words [from, from + length). */
  #rowHash(hashes: Uint32Array, from: number, length: number): number {
    let first = this.#seed[1];
    let second = length;
    for (let at = from; at < from + length; at++) {
      first = Math.imul(first ^ (hashes[at] as number), 0x85ebca6b);
      first ^= first >>> 15;
      second = Math.imul(second, 31) + (hashes[at] as number);
    }
    return (first >>> 0) * 0x200000 + ((second >>> 0) >>> 11);
  }

  #hashes(row: readonly { readonly word: string }[]): Uint32Array {
    return Uint32Array.from(row, ({ word }) => this.#wordHash(word));
  }

  add(name: string, text: string): void {
    const row = words(text);
    const characters = row.filter(({ word }) => dense.test(word)).length;
    const length = characters > row.length / 2 ? denseRowLength : rowLength;
    const hashes = this.#hashes(row);
    const own = new Set<number>();
    for (let at = 0; at + length <= row.length; at++) own.add(this.#rowHash(hashes, at, length));
    const prompt = this.#prompts.length;
    for (const [number, hash] of [...own].entries()) {
      this.#rows.set(hash, [...(this.#rows.get(hash) ?? []), [prompt, number]]);
      this.#filter[bucketOf(hash % 0x100000000)] = 1;
    }
    this.#lengths.add(length);
    this.#prompts.push({ name, rows: own.size, rowLength: length });
  }

  /** Calls `found` with each prompt that rows of a text are from: how many different ones, and which part they span. */
  find(
    text: string,
    found: (prompt: Prompt, rows: number, start: number, end: number) => void,
  ): void {
    if (this.#prompts.length === 0) return;
    const row = words(text);
    const hashes = this.#hashes(row);
    const seen = new Map<number, { rows: Set<number>; first: number; last: number }>();
    for (const length of this.#lengths) {
      for (let at = 0; at + length <= row.length; at++) {
        const hash = this.#rowHash(hashes, at, length);
        if (this.#filter[bucketOf(hash % 0x100000000)] === 0) continue;
        for (const [prompt, number] of this.#rows.get(hash) ?? []) {
          const match = seen.get(prompt) ?? { rows: new Set(), first: at, last: at };
          match.rows.add(number);
          match.first = Math.min(match.first, at);
          match.last = Math.max(match.last, at + length - 1);
          seen.set(prompt, match);
        }
      }
    }
    for (const [prompt, { rows, first, last }] of seen) {
      found(
        this.#prompts[prompt] as Prompt,
        rows.size,
        row[first]?.start ?? 0,
        row[last]?.end ?? 0,
      );
    }
  }
}

/**
 * Score of a prompt of which some rows were found. One sentence is no leak: many
 * prompts begin alike, and who asks about a topic uses its words.
 */
function leakScore(prompt: Prompt, rows: number, whole: number): number {
  const share = rows / prompt.rows;
  const leaked = rows + prompt.rowLength - 1;
  if (leaked < 2 * rowLength && share < 1) return 0;
  if (share >= 0.6) return whole;
  if (share >= 0.25 || leaked >= 80) return Math.min(whole, 0.85);
  if (share >= 0.1 && leaked >= 20) return Math.min(whole, 0.6);
  return Math.min(whole, 0.3);
}

const stringMessage = "This part is a canary of the operator's";
const promptMessage = "This part repeats a system prompt of the operator's";

/** Builds the canary scanner; without canaries it finds nothing. @throws ZodError where an option is not what the schema expects */
export function canaryScanner(options: CanaryOptions = {}): Scanner {
  const { canaries, prompts, score } = canaryOptionsSchema.parse(options);
  // Hexadecimal doubles a string's bytes, of which a code unit has up to three.
  const hasher = new Hasher(6 * stringLengthMax + 2);
  const key = randomBytes(32);
  const foldedForms: [string, string][] = [];
  const encodedForms: [string, string][] = [];
  for (const { name: each, text } of canaries) {
    for (const form of [text, rot13(text), Buffer.from(text, "utf8").toString("hex")]) {
      const { text: row } = fold(form);
      // Backwards code unit by code unit: a pair that is turned around with the rest matches all the same.
      foldedForms.push([each, row], [each, row.split("").reverse().join("")]);
    }
    for (const shift of [0, 1, 2]) encodedForms.push([each, base64At(text, shift)]);
  }
  const folded = new FormTable(hasher, key, foldedForms);
  const encoded = new FormTable(hasher, key, encodedForms);
  const table = new PromptTable();
  for (const { name: each, text } of prompts) table.add(each, text);

  const scanReading = (reading: Reading): Finding[] => {
    const best = new Map<string, Finding>();
    const add = (label: string, risk: number, from: number, to: number, message: string) => {
      const [start, end] = reading.toOriginal(from, to);
      const known = best.get(label);
      if (known !== undefined && known.score >= risk) return;
      best.set(label, { scanner: "canary", label, score: risk, start, end, message });
    };
    const search = (text: string) => {
      for (const [forms, { text: row, from }] of [
        [folded, fold(text)],
        [encoded, inBase64(text)],
      ] as const) {
        forms.find(row, (each, start, end) => {
          const [first = 0, last = 0] = [from[start], from[end - 1]];
          add(`canary/${each}`, score, first, last + 1, stringMessage);
        });
      }
    };
    if (canaries.length > 0) {
      search(reading.text);
      if (hasEscaped.test(reading.text)) search(unescaped(reading.text));
    }
    table.find(reading.text, (prompt, rows, start, end) => {
      const risk = leakScore(prompt, rows, score);
      if (risk > 0) add(`canary/${prompt.name}`, risk, start, end, promptMessage);
    });
    return [...best.values()];
  };
  return {
    name: "canary",
    scan: ({ readings, origin }: ScanInput) =>
      // The system's own text is where they belong.
      origin === "system" ? [] : readings.flatMap(scanReading),
  };
}
