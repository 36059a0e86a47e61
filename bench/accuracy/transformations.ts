/**
 * What people do to a text so that a filter does not see what a model reads.
 * Written by what the disguises are, knowing nothing of how the readings undo them.
 */

/** `letters` are still letters, `encoding` is another writing of the characters, `hiding` puts the text where nobody looks. */
export type Kind = "letters" | "encoding" | "hiding";

export interface Transformation {
  readonly name: string;
  readonly kind: Kind;
  readonly apply: (text: string) => string;
  /** Pairs are made of these. */
  readonly inPairs: boolean;
  /** Its result means nothing once letters, digits or case change. */
  readonly fragile?: boolean;
  /** Changes digits or case, so that it would destroy what is fragile. */
  readonly destroys?: boolean;
}

const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });
/** Characters as people see them. */
const graphemes = (text: string) => [...segmenter.segment(text)].map(({ segment }) => segment);
const characters = (text: string) => [...text];
const perWord = (text: string, change: (word: string) => string) => text.replace(/\S+/gu, change);
const bytes = (text: string) => [...Buffer.from(text)];
const hexadecimal = (byte: number) => byte.toString(16).padStart(2, "0");
const swap = (from: string, to: string) => {
  const letters = characters(to);
  const map = new Map(characters(from).map((letter, index) => [letter, letters[index] as string]));
  return (text: string) =>
    characters(text)
      .map((letter) => map.get(letter) ?? letter)
      .join("");
};
const shiftedBy = (first: number, upper: number, lower: number) => (text: string) =>
  text.replace(/[A-Za-z]/g, (letter) => {
    const code = letter.charCodeAt(0);
    const isUpper = code < 0x5b;
    return String.fromCodePoint(first + (isUpper ? upper + code - 0x41 : lower + code - 0x61));
  });

const rot13 = swap(
  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
  "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
);
const backwards = (text: string) => graphemes(text).reverse().join("");
const cyrillic = swap(
  "aceiopsxyABCEHIKMOPTX",
  "\u0430\u0441\u0435\u0456\u043e\u0440\u0455\u0445\u0443\u0410\u0412\u0421\u0415\u041d\u0406\u041a\u041c\u041e\u0420\u0422\u0425",
);
const upsideDownLetters = swap(
  "abcdefghijklmnopqrstuvwxyz.!?",
  "\u0250q\u0254p\u01dd\u025f\u0183\u0265\u1d09\u027e\u029el\u026fuodb\u0279s\u0287n\u028c\u028dx\u028ez\u02d9\u00a1\u00bf",
);
const smallCapitals = swap(
  "abcdefghijklmnopqrstuvwxyz",
  "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u01eb\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21x\u028f\u1d22",
);
const leetspeak = swap("aeiostAEIOST", "431057431057");
const marks = ["\u0316", "\u0301", "\u0334", "\u0323", "\u030a"];
const morse: Readonly<Record<string, string>> = Object.fromEntries(
  "a.- b-... c-.-. d-.. e. f..-. g--. h.... i.. j.--- k-.- l.-.. m-- n-. o--- p.--. q--.- r.-. s... t- u..- v...- w.-- x-..- y-.-- z--.. 0----- 1.---- 2..--- 3...-- 4....- 5..... 6-.... 7--... 8---.. 9----."
    .split(" ")
    .map((entry) => [entry[0], entry.slice(1)]),
);
const page = (body: string) =>
  `<html><head><title>Our garden</title></head><body><h1>Spring</h1>\n<p>The tulips came up early this year, and so did the slugs.</p>\n${body}\n<p>Write to us if you want some bulbs.</p></body></html>`;
const carrier = "The tulips came up early this year, and so did the slugs.";

const letters: readonly Transformation[] = [
  { name: "look-alikes", kind: "letters", inPairs: true, apply: cyrillic },
  {
    name: "half look-alikes",
    kind: "letters",
    inPairs: false,
    apply: (text) =>
      characters(text)
        .map((letter, at) => (at % 2 === 0 ? cyrillic(letter) : letter))
        .join(""),
  },
  { name: "full-width", kind: "letters", inPairs: true, apply: shiftedBy(0xff00, 0x21, 0x41) },
  { name: "mathematical bold", kind: "letters", inPairs: false, apply: shiftedBy(0x1d400, 0, 26) },
  { name: "circled", kind: "letters", inPairs: false, apply: shiftedBy(0x24b6, 0, 26) },
  {
    name: "small capitals",
    kind: "letters",
    inPairs: false,
    destroys: true,
    apply: (text) => smallCapitals(text.toLowerCase()),
  },
  {
    name: "upside down",
    kind: "letters",
    inPairs: false,
    destroys: true,
    apply: (text) => backwards(upsideDownLetters(text.toLowerCase())),
  },
  {
    name: "buried in marks",
    kind: "letters",
    inPairs: true,
    apply: (text) =>
      characters(text)
        .map((letter, at) =>
          /[A-Za-z]/.test(letter) ? letter + marks[at % 5] + marks[(at + 2) % 5] : letter,
        )
        .join(""),
  },
  {
    name: "alternating case",
    kind: "letters",
    inPairs: true,
    destroys: true,
    apply: (text) =>
      characters(text)
        .map((letter, at) => (at % 2 === 0 ? letter.toLowerCase() : letter.toUpperCase()))
        .join(""),
  },
  { name: "leetspeak", kind: "letters", inPairs: true, destroys: true, apply: leetspeak },
  {
    name: "spaced, words wider",
    kind: "letters",
    inPairs: true,
    apply: (text) =>
      text
        .split(/\s+/)
        .map((word) => graphemes(word).join(" "))
        .join("   "),
  },
  {
    name: "spaced",
    kind: "letters",
    inPairs: false,
    apply: (text) => graphemes(text.replace(/\s+/g, "")).join(" "),
  },
  {
    name: "dotted",
    kind: "letters",
    inPairs: true,
    apply: (text) => perWord(text, (word) => graphemes(word).join(".")),
  },
  {
    name: "hyphenated",
    kind: "letters",
    inPairs: false,
    apply: (text) => perWord(text, (word) => graphemes(word).join("-")),
  },
  {
    name: "without spaces",
    kind: "letters",
    inPairs: false,
    apply: (text) => text.replace(/\s+/g, ""),
  },
  {
    name: "cut by zero-width spaces",
    kind: "letters",
    inPairs: true,
    apply: (text) => characters(text).join("\u200b"),
  },
  { name: "rot13", kind: "letters", inPairs: true, apply: rot13 },
  { name: "reversed", kind: "letters", inPairs: true, apply: backwards },
  {
    name: "words reversed",
    kind: "letters",
    inPairs: false,
    apply: (text) => perWord(text, backwards),
  },
];

const encodings: readonly Transformation[] = [
  {
    name: "base64",
    kind: "encoding",
    inPairs: true,
    fragile: true,
    apply: (text) => Buffer.from(text).toString("base64"),
  },
  {
    name: "base64 word by word",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) => perWord(text, (word) => Buffer.from(word).toString("base64")),
  },
  {
    name: "base64 twice",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) => Buffer.from(Buffer.from(text).toString("base64")).toString("base64"),
  },
  {
    name: "hex",
    kind: "encoding",
    inPairs: true,
    fragile: true,
    apply: (text) => Buffer.from(text).toString("hex"),
  },
  {
    name: "hex, spaced",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) => bytes(text).map(hexadecimal).join(" "),
  },
  {
    name: "hex, 0x",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) =>
      bytes(text)
        .map((byte) => `0x${hexadecimal(byte)}`)
        .join(" "),
  },
  {
    name: "\\x escapes",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) =>
      bytes(text)
        .map((byte) => `\\x${hexadecimal(byte)}`)
        .join(""),
  },
  {
    name: "URL, all",
    kind: "encoding",
    inPairs: true,
    fragile: true,
    apply: (text) =>
      bytes(text)
        .map((byte) => `%${hexadecimal(byte).toUpperCase()}`)
        .join(""),
  },
  {
    name: "URL",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) => encodeURIComponent(text),
  },
  {
    name: "URL twice",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) => encodeURIComponent(encodeURIComponent(text)),
  },
  {
    name: "HTML entities",
    kind: "encoding",
    inPairs: true,
    fragile: true,
    apply: (text) =>
      characters(text)
        .map((letter) => `&#${letter.codePointAt(0)};`)
        .join(""),
  },
  {
    name: "HTML entities, hex",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) =>
      characters(text)
        .map((letter) => `&#x${letter.codePointAt(0)?.toString(16)};`)
        .join(""),
  },
  {
    name: "\\u escapes",
    kind: "encoding",
    inPairs: true,
    fragile: true,
    apply: (text) =>
      text
        .split("")
        .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .join(""),
  },
  {
    name: "binary",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) =>
      bytes(text)
        .map((byte) => byte.toString(2).padStart(8, "0"))
        .join(" "),
  },
  {
    name: "decimal",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) => bytes(text).join(" "),
  },
  {
    name: "Morse",
    kind: "encoding",
    inPairs: false,
    fragile: true,
    apply: (text) =>
      text
        .toLowerCase()
        .split(/\s+/)
        .map((word) =>
          characters(word)
            .map((letter) => morse[letter] ?? "")
            .filter((code) => code !== "")
            .join(" "),
        )
        .join(" / "),
  },
];

/** A byte in a variation selector: the first 16 are in one block, the rest in another. */
const selectorOf = (byte: number) =>
  String.fromCodePoint(byte < 16 ? 0xfe00 + byte : 0xe00f0 + byte);
const bitsOf = (text: string, zero: string, one: string) =>
  bytes(text)
    .map((byte) => byte.toString(2).padStart(8, "0").replaceAll("0", zero).replaceAll("1", one))
    .join("");

const hidings: readonly Transformation[] = [
  {
    name: "tag characters",
    kind: "hiding",
    inPairs: true,
    apply: (text) =>
      `${carrier}${characters(text)
        .map((letter) =>
          letter >= " " && letter <= "~"
            ? String.fromCodePoint(0xe0000 + (letter.codePointAt(0) as number))
            : letter,
        )
        .join("")}`,
  },
  {
    name: "zero-width bits",
    kind: "hiding",
    inPairs: true,
    apply: (text) => `The${bitsOf(text, "\u200b", "\u200c")}${carrier.slice(3)}`,
  },
  {
    name: "invisible operators",
    kind: "hiding",
    inPairs: false,
    apply: (text) => `The${bitsOf(text, "\u2062", "\u2064")}${carrier.slice(3)}`,
  },
  {
    name: "variation selectors",
    kind: "hiding",
    inPairs: true,
    apply: (text) => `\u{1f337}${bytes(text).map(selectorOf).join("")} ${carrier}`,
  },
  {
    name: "HTML comment",
    kind: "hiding",
    inPairs: true,
    apply: (text) => page(`<!-- ${text} -->`),
  },
  {
    name: "alt attribute",
    kind: "hiding",
    inPairs: true,
    apply: (text) => page(`<img src="tulip.jpg" alt="${text.replaceAll('"', "'")}">`),
  },
  {
    name: "not displayed",
    kind: "hiding",
    inPairs: true,
    apply: (text) => page(`<div style="display:none">${text}</div>`),
  },
  {
    name: "markdown comment",
    kind: "hiding",
    inPairs: false,
    apply: (text) =>
      `# Spring\n\n${carrier}\n\n[//]: # (${text.replace(/\s+/g, " ")})\n\nWrite to us.`,
  },
  {
    name: "link title",
    kind: "hiding",
    inPairs: false,
    apply: (text) =>
      `${carrier} See [our bulbs](https://tulips.example/bulbs "${text.replace(/\s+/g, " ").replaceAll('"', "'")}").`,
  },
];

export const transformations: readonly Transformation[] = [...letters, ...encodings, ...hidings];

/** First `inner`, then `outer`. */
export interface Pair {
  readonly inner: Transformation;
  readonly outer: Transformation;
}

/** Whether somebody who knows both could still read the result. */
function isReadable({ inner, outer }: Pair): boolean {
  if (inner === outer) return false;
  // rot13 turns the letters that were left alone and not the look-alikes between them.
  if (outer.name === "rot13" && inner.name === "look-alikes") return false;
  // Tag characters spell ASCII alone.
  const isAscii = Buffer.byteLength(inner.apply("Ab c")) === inner.apply("Ab c").length;
  if (outer.name === "tag characters" && !isAscii) return false;
  // Letters that stand apart are no longer between two others, and a page is not written in letters.
  if (outer.kind === "letters")
    return (
      inner.kind === "letters" ||
      (inner.kind === "encoding" &&
        !outer.destroys &&
        inner.name === "base64" &&
        [
          "rot13",
          "reversed",
          "spaced, words wider",
          "full-width",
          "cut by zero-width spaces",
        ].includes(outer.name))
    );
  // Hidden text inside hidden text is not in the reach of whoever reads the outer.
  return outer.kind !== "hiding" || inner.kind !== "hiding";
}

export const pairs: readonly Pair[] = transformations
  .filter(({ inPairs }) => inPairs)
  .flatMap((inner) =>
    transformations.filter(({ inPairs }) => inPairs).map((outer) => ({ inner, outer })),
  )
  .filter(isReadable);
