/**
 * Parts of a text that are written in another encoding of characters, decoded in
 * their place: URL and quoted-printable bytes, HTML entities, escapes of
 * programming languages, base64, base32, hexadecimal, numbers of characters,
 * Morse code and Braille.
 */
import { decodeHTML } from "entities";
import type { Edit } from "./edits.ts";
import { type Layer, peeled } from "./layer.ts";
import { likeness, looksLikeLanguage } from "./likeness.ts";

const utf8 = new TextDecoder("utf-8");

/** Bytes as text: what is no UTF-8 is U+FFFD, so that one broken byte hides nothing. */
const decodeBytes = (bytes: Uint8Array) => utf8.decode(bytes);

/** Of a decoded text, at least this share is letters, marks, digits, spaces and common punctuation. */
const textShareMin = 0.75;
const textCharacters = /[\p{L}\p{M}\p{N}\p{Zs}\p{Cf}\r\n\t.,;:!?'"()\-$@%&#*+/=<>_]/gu;
/** Words, not a random row of letters: something separates them, or the script has no spaces. */
const words = /\p{L}{2}[\s\p{P}]+\p{L}|[\p{Lo}]{4}/u;
/** What bytes that are no text nearly always have: something that is not UTF-8, or a control character. */
const noise = /[\ufffd\p{Cn}]|(?![\r\n\t])\p{Cc}/u;
/** So many characters without noise are no chance, whatever they say: they may be disguised in turn. */
const quietLengthMin = 12;

/** Whether decoded bytes are text rather than noise. */
function isText(text: string): boolean {
  if (!noise.test(text)) return text.length >= quietLengthMin || words.test(text) || isWord(text);
  if (!words.test(text)) return false;
  return (text.match(textCharacters)?.length ?? 0) >= text.length * textShareMin;
}

/** A single word of some language, for short parts of which each was encoded by itself. */
function isWord(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z' ,.!?]{2,}$/.test(text)) return false;
  const { letters, score } = likeness(text);
  return score >= letters * 0.3;
}

/** Edits that replace each match by what `decode` makes of it; undefined keeps it. */
function replacing(
  text: string,
  pattern: RegExp,
  decode: (match: string) => string | undefined,
): Edit[] {
  const edits: Edit[] = [];
  for (const { 0: match, index } of text.matchAll(pattern)) {
    const replacement = decode(match);
    if (replacement === undefined || replacement === match) continue;
    edits.push({ start: index, end: index + match.length, replacement });
  }
  return edits;
}

function bytesOf(digits: string): string {
  return decodeBytes(Buffer.from(digits, "hex"));
}

/** Fewer escapes than this hide no order, and honest texts have a few. */
const escapesMin = 3;

const urlBytes = /(?:%[0-9A-Fa-f]{2})+/g;
const quotedBytes = /(?:=[0-9A-F]{2})+/g;

const url: Layer = (text) => {
  if (!/[%=][0-9A-Fa-f]{2}/.test(text)) return undefined;
  const bytes = (match: string) => bytesOf(match.replace(/[%=]/g, ""));
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0;
  if (count(/%[0-9A-Fa-f]{2}/g) >= escapesMin) {
    // In a form's encoding a plus is a space.
    const isForm = !/\s/.test(text);
    const pattern = isForm ? /(?:%[0-9A-Fa-f]{2})+|\+/g : urlBytes;
    return peeled(
      "url",
      replacing(text, pattern, (match) => (match === "+" ? " " : bytes(match))),
    );
  }
  if (count(/=[0-9A-F]{2}/g) < escapesMin) return undefined;
  return peeled("url", replacing(text, quotedBytes, bytes));
};

const entity = /&(?:#[xX][0-9A-Fa-f]{1,6}|#[0-9]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});?/g;
/** What every web page has, which hides nothing. */
const commonEntity = /^&(?:amp|lt|gt|quot|apos|nbsp|#39|#x27|#x2F|#160|#34|#38)\b/i;

const entities: Layer = (text) => {
  if (!/&[#A-Za-z]/.test(text)) return undefined;
  const all = text.match(entity) ?? [];
  if (all.filter((match) => !commonEntity.test(match)).length < escapesMin) return undefined;
  return peeled("entities", replacing(text, entity, decodeHTML));
};

const escaped =
  /(?:\\x[0-9A-Fa-f]{2})+|\\u\{[0-9A-Fa-f]{1,6}\}|(?:[\\%]u[0-9A-Fa-f]{4})+|U\+[0-9A-Fa-f]{4,6} ?|(?:\\[0-3][0-7]{2})+/g;

function unescaped(match: string): string | undefined {
  if (match.startsWith("\\x")) return bytesOf(match.replace(/\\x/g, ""));
  if (/^\\[0-7]/.test(match)) {
    const bytes = match
      .slice(1)
      .split("\\")
      .map((digits) => Number.parseInt(digits, 8));
    return decodeBytes(Uint8Array.from(bytes));
  }
  if (/^[\\%]u[0-9A-Fa-f]/.test(match)) {
    const units = match.slice(2).split(/[\\%]u/);
    return units.map((digits) => String.fromCharCode(Number.parseInt(digits, 16))).join("");
  }
  const point = Number.parseInt(match.replace(/^(?:\\u\{|U\+)/, ""), 16);
  return point > 0x10ffff ? undefined : String.fromCodePoint(point);
}

const escapes: Layer = (text) => {
  if (!/\\[xu0-3]|%u|U\+/.test(text)) return undefined;
  const edits = replacing(text, escaped, (match) => unescaped(match)?.toWellFormed());
  const decoded = edits.reduce((sum, { replacement }) => sum + replacement.length, 0);
  return decoded < escapesMin ? undefined : peeled("escapes", edits);
};

/** Characters of base64 or base64url, in lines; 16 of them hold 12 bytes. Written backwards, the padding leads. */
const base64Run =
  /={0,2}[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{16,})*(?:\r?\n[A-Za-z0-9+/_-]{1,15}(?![A-Za-z0-9+/_-]))?={0,2}/g;
/** Of shorter ones only what begins as ASCII letters and spaces do in base64. */
const base64Word =
  /(?<![A-Za-z0-9+/_=-])(?:[I-Za-e][A-Za-z0-9+/]{3}){1,3}(?:[I-Za-e][A-Za-z0-9+/]{1,2}={0,2})?(?![A-Za-z0-9+/_=-])/g;
/** Where there are such words, any others, padded as the standard says. */
const base64Short =
  /(?<![A-Za-z0-9+/_=-])(?:[A-Za-z0-9+/]{4}){0,8}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})(?![A-Za-z0-9+/_=-])/g;
const wordCharacters = /^[\x20-\x7e\u00c0-\u024f\u2018-\u201d]+$/;
/** Characters between two words that belong together, and around them. */
const base64WordReach = 32;
/** Characters of a run that are decoded first, to see whether the rest is worth it. */
const probeLength = 64;

const rot13 = (text: string) =>
  text.replace(/[A-Za-z]/g, (letter) => {
    const code = letter.charCodeAt(0);
    return String.fromCharCode(code + ((code & 31) <= 13 ? 13 : -13));
  });
const backwards = (text: string) => text.split("").reverse().join("");

/** Bytes in digits of some base as text; undefined where they are none. */
function fromDigits(run: string, encoding: "base64" | "hex"): string | undefined {
  const probe = decodeBytes(Buffer.from(run.slice(0, probeLength), encoding));
  if ((probe.match(textCharacters)?.length ?? 0) < probe.length / 2) return undefined;
  const text = decodeBytes(Buffer.from(run, encoding));
  return isText(text) ? text : undefined;
}

const fromBase64 = (run: string) => fromDigits(run, "base64");

/** The run as it is, backwards, and under rot13: base64 looks like nothing in any of them. */
function decodeRun(run: string): { text: string; from: number } | undefined {
  const joined = run.replace(/[\r\n]/g, "");
  const from = joined.search(/[^=]/);
  const digits = joined.slice(from);
  const text = fromBase64(digits) ?? fromBase64(rot13(digits));
  if (text !== undefined) return { text, from };
  const turned = fromBase64(backwards(joined).replace(/^=+/, ""));
  return turned === undefined ? undefined : { text: turned, from: 0 };
}

/** Words that were each encoded by itself: two that surely were, near each other, and all around them. */
function base64Words(text: string): Edit[] {
  const edits: Edit[] = [];
  const sure = replacing(text, base64Word, (run) => {
    const decoded = decodeBytes(Buffer.from(run, "base64"));
    return isWord(decoded) ? decoded : undefined;
  });
  for (let first = 0, last = 0; first < sure.length; first = ++last) {
    const endOf = (index: number) => (sure[index]?.end ?? 0) + base64WordReach;
    while (last + 1 < sure.length && (sure[last + 1] as Edit).start <= endOf(last)) last++;
    // One such word is chance.
    if (first === last) continue;
    const from = Math.max(edits.at(-1)?.end ?? 0, (sure[first] as Edit).start - base64WordReach);
    const around = replacing(text.slice(from, endOf(last)), base64Short, (run) => {
      const decoded = decodeBytes(Buffer.from(run, "base64"));
      return wordCharacters.test(decoded) ? decoded : undefined;
    });
    for (const { start, end, replacement } of around) {
      edits.push({ start: from + start, end: from + end, replacement });
    }
  }
  return edits;
}

const base64: Layer = (text) => {
  const edits: Edit[] = [];
  for (const { 0: run, index } of text.matchAll(base64Run)) {
    // The last, shorter line may be the run's end or the first word after it.
    const shorter = run.search(/\r?\n[^\r\n]{1,17}$/);
    for (const length of shorter > 0 ? [run.length, shorter] : [run.length]) {
      const found = decodeRun(run.slice(0, length));
      if (found === undefined) continue;
      edits.push({ start: index + found.from, end: index + length, replacement: found.text });
      break;
    }
  }
  if (edits.length > 0) return peeled("base64", edits);
  return peeled("base64", base64Words(text));
};

const base32Run = /(?<![A-Za-z0-9])[A-Z2-7]{16,}={0,6}(?![A-Za-z0-9=])/g;

function fromBase32(run: string): string | undefined {
  const digits = run.replace(/=+$/, "");
  const bytes = new Uint8Array(Math.floor((digits.length * 5) / 8));
  let bits = 0;
  let value = 0;
  let at = 0;
  for (let index = 0; index < digits.length; index++) {
    const code = digits.charCodeAt(index);
    value = ((value << 5) | (code >= 0x41 ? code - 0x41 : code - 0x32 + 26)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (value >> bits) & 0xff;
    }
  }
  const text = decodeBytes(bytes);
  return isText(text) ? text : undefined;
}

const base32: Layer = (text) => peeled("base32", replacing(text, base32Run, fromBase32));

/** Pairs of hexadecimal digits, in groups; six bytes at least. */
const hexRun =
  /(?<![0-9A-Za-z])(?:0x)?[0-9A-Fa-f]{2,}(?:[ ,:;-]{1,2}(?:0x)?[0-9A-Fa-f]{2,})*(?![0-9A-Za-z])/g;
const hexDigitsMin = 12;

function fromHex(run: string): string | undefined {
  if (run.length < hexDigitsMin) return undefined;
  const groups = run.replace(/0x/g, "").split(/[ ,:;-]+/);
  if (groups.some((group) => group.length % 2 === 1)) return undefined;
  if (groups.reduce((sum, group) => sum + group.length, 0) < hexDigitsMin) return undefined;
  // Where each group is one byte, what separates them is not a space of the text.
  const areBytes = groups.every((group) => group.length === 2);
  if (areBytes || groups.length === 1) {
    const text = fromDigits(groups.join(""), "hex");
    // Without a letter they may be decimal numbers as well.
    const isUnclear = areBytes && !/[A-Fa-f]/.test(run);
    return text === undefined || (isUnclear && !looksLikeLanguage(text)) ? undefined : text;
  }
  const text = groups.map(bytesOf).join(" ");
  return isText(text) ? text : undefined;
}

const hex: Layer = (text) => peeled("hex", replacing(text, hexRun, fromHex));

const decimalRun = /(?<![0-9])[0-9]{2,3}(?:[ ,;]{1,2}[0-9]{2,3}){5,}(?![0-9])/g;
const binaryRun = /(?<![0-9])(?:(?:[01]{8}){6,}|[01]{7,8}(?:[ ,]{1,2}[01]{7,8}){5,})(?![0-9])/g;

function fromNumbers(run: string, radix: 8 | 10): string | undefined {
  const numbers = run.split(/[ ,;]+/).map((digits) => Number.parseInt(digits, radix));
  if (!numbers.every((number) => number >= 10 && number <= 255)) return undefined;
  const text = decodeBytes(Uint8Array.from(numbers));
  return isText(text) ? text : undefined;
}

function fromBinary(run: string): string | undefined {
  const digits = run.replace(/[ ,]/g, "");
  const groups = /[ ,]/.test(run) ? run.split(/[ ,]+/) : (digits.match(/[01]{8}/g) ?? []);
  const text = decodeBytes(Uint8Array.from(groups.map((group) => Number.parseInt(group, 2))));
  return isText(text) ? text : undefined;
}

const codes: Layer = (text) => {
  const binary = replacing(text, binaryRun, fromBinary);
  if (binary.length > 0) return peeled("codes", binary);
  const decimal = replacing(
    text,
    decimalRun,
    (run) => fromNumbers(run, 10) ?? (/[89]/.test(run) ? undefined : fromNumbers(run, 8)),
  );
  return peeled("codes", decimal);
};

const morseLetters = new Map<string, string>();
for (const row of [
  ".- a -... b -.-. c -.. d . e ..-. f --. g .... h .. i .--- j -.- k .-.. l -- m -. n --- o .--. p --.- q",
  ".-. r ... s - t ..- u ...- v .-- w -..- x -.-- y --.. z .---- 1 ..--- 2 ...-- 3 ....- 4 ..... 5",
  "-.... 6 --... 7 ---.. 8 ----. 9 ----- 0 .-.-.- . --..-- , ..--.. ? .----. ' -.-.-- ! -..-. / -....- -",
]) {
  const parts = row.split(" ");
  for (let at = 0; at < parts.length; at += 2) {
    morseLetters.set(parts[at] as string, parts[at + 1] as string);
  }
}
const morseRun =
  /(?<!\S)[.\u00b7\u2022_\u2013\u2212-]{1,6}(?:[ /|]{1,7}[.\u00b7\u2022_\u2013\u2212-]{1,6}){5,}(?!\S)/g;

function fromMorse(run: string): string | undefined {
  const plain = run.replace(/[\u00b7\u2022]/g, ".").replace(/[_\u2013\u2212]/g, "-");
  let text = "";
  for (const [sign] of plain.matchAll(/[.-]+| *[/|] *| {2,}| /g)) {
    if (/^[.-]/.test(sign)) {
      const letter = morseLetters.get(sign);
      if (letter === undefined) return undefined;
      text += letter;
    } else if (sign !== " ") text += " ";
  }
  return looksLikeLanguage(text) ? text : undefined;
}

const morse: Layer = (text) => peeled("morse", replacing(text, morseRun, fromMorse));

const brailleLetters = "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵";
const brailleRun = /[\u2801-\u283f][\u2800-\u283f]*/g;

const braille: Layer = (text) => {
  if (!/[\u2801-\u283f]{2}/.test(text)) return undefined;
  const letters = (run: string) =>
    run.replace(/[\u2800-\u283f]/g, (cell) => {
      const at = brailleLetters.indexOf(cell);
      return at === -1 ? " " : String.fromCharCode(0x61 + at);
    });
  return peeled("braille", replacing(text, brailleRun, letters));
};

/** In the order in which they are tried: what needs the fewest characters to be sure comes first. */
export const encodings: readonly Layer[] = [
  url,
  entities,
  escapes,
  hex,
  codes,
  base32,
  base64,
  morse,
  braille,
];
