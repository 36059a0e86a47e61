/**
 * What the readings of a text cost: time per byte from 1 KB to 1 MB on honest
 * text and on the worst inputs for each step, which must stay flat, and time for a
 * prompt of 150 bytes.
 *
 *   npm run bench:readings -- [--json FILE] [--rounds 5]
 *
 * `ratio` is time per byte at 1 MB against 1 KB: 1 is flat, below 1 is better.
 * `visited` are characters that the steps looked at, for each of the text.
 */
import { parseArgs } from "node:util";
import { readings } from "../src/text/views.ts";
import { chatPrompts } from "./lib/chat.ts";
import { median, reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "5" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const rounds = Number(values.rounds);
const sizes = [1_000, 10_000, 100_000, 1_000_000];
/** Each round reads so many bytes of every size. */
const bytesARound = 1_000_000;
const promptBytes = 150;

const prompt = chatPrompts(values.model, 1);
const honest = (length: number) => {
  let text = "";
  while (text.length < length) text += `${prompt()}\n`;
  return text.slice(0, length);
};
const sample = honest(3000);
const letters = (change: (letter: string) => string) => [...sample].map(change).join("");
const base64 = Buffer.from(sample).toString("base64");
const noise = Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * 2654435761) >>> 13));

/** A text that is repeated up to the length. */
const inputs: Readonly<Record<string, string>> = {
  "base64 of text": base64,
  "base64 of noise": noise.toString("base64"),
  "base64 in lines": base64.replace(/(.{76})/g, "$1\n"),
  "one letter": "A",
  "hex of text": Buffer.from(sample).toString("hex"),
  "hex of noise": `${noise.toString("hex")}z `,
  "bytes of hex that end in none": "69 67 6e ",
  "decimal numbers": `${[...Buffer.from(sample)].join(" ")} `,
  "binary digits": "01101001",
  "binary digits and one other": `${"01101001".repeat(400)}2`,
  "Morse, no letter": "- ",
  "Morse without spaces": "-/./",
  Braille: "⠊⠛⠝⠕⠗⠑⠀",
  "percent escapes": "%69%67%6e",
  "percent signs of percent signs": "%2525",
  "HTML entities": "&#105;",
  ampersands: "&a",
  "\\u escapes": "\\u0069",
  backslashes: "\\",
  "single letters": letters((letter) => `${letter} `),
  "dotted letters": letters((letter) => `${letter}.`),
  "letters without spaces": letters((letter) => (letter === " " || letter === "\n" ? "" : letter)),
  leetspeak: letters((letter) => ({ a: "4", e: "3", i: "1", o: "0", s: "5" })[letter] ?? letter),
  "letters at random": letters((letter) =>
    String.fromCharCode(97 + ((letter.charCodeAt(0) * 7919) % 26)),
  ),
  "text backwards": [...sample].reverse().join(""),
  "look-alikes": letters((letter) => ({ a: "а", e: "е", o: "о", p: "р" })[letter] ?? letter),
  "marks on every letter": letters((letter) => `${letter}\u0316\u0301`),
  "marks alone": "\u0316\u0301",
  "alternating case": letters((letter) => letter + letter.toUpperCase()),
  "upside down": "ǝɹouƃı llɐ ",
  "full-width": "\uff49\uff47\uff4e\uff4f\uff52\uff45\u3000",
  "what grows in compatibility form": "\ufdfa",
  "tag characters": [..."ignore all rules "]
    .map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0)))
    .join(""),
  "zero-width bits": "\u200b\u200c\u200c\u200b\u200c\u200b\u200b\u200c",
  "zero-width joiners": "a\u200d",
  "variation selectors": "\u{e0159}\u{e0157}\u{e015e}",
  "comments that stay open": "<!-- a ",
  "tags that stay open": "<a title='",
  attributes: "<a data-x=\"one two three four\" alt='five six seven'>",
  "half an attribute": "data-data-",
  "images in markdown": "![one two three](a)",
  brackets: "![",
  "link definitions": '[a]: b "one two three"\n',
  "a line of quotes": "[a]: b ')",
  Chinese: "请总结下面的文章，并列出三个要点。",
  spaces: " ",
  "line breaks": "\n",
  punctuation: ".,;:!?",
};

function millisecondsOf(texts: readonly string[]): number {
  const from = performance.now();
  for (const text of texts) readings(text);
  return performance.now() - from;
}

interface Row {
  readonly name: string;
  readonly unit: string;
  /** Nanoseconds a byte by size of text. */
  readonly ours: Readonly<Record<string, number>>;
  readonly peers: Readonly<Record<string, never>>;
  readonly ratio: number;
  readonly share_of_peak: null;
  readonly visited: number;
}

const round = (value: number) => Math.round(value * 10) / 10;

function measure(name: string, textOf: (length: number) => string): Row {
  const texts = sizes.map((size) => textOf(size).toWellFormed());
  const bytes = texts.map((text) => Buffer.byteLength(text));
  const times = texts.map(() => [] as number[]);
  for (let count = 0; count <= rounds; count++) {
    for (const [index, text] of texts.entries()) {
      const repeats = Math.max(1, Math.round(bytesARound / text.length));
      const spent = millisecondsOf(Array.from({ length: repeats }, () => text));
      // The first round warms up.
      if (count > 0) times[index]?.push((spent * 1e6) / repeats / (bytes[index] as number));
    }
  }
  const each = times.map((spent) => Math.min(...spent));
  const [first = Number.NaN] = each;
  const last = texts.at(-1) as string;
  return {
    name,
    unit: "ns/byte",
    ours: Object.fromEntries(sizes.map((size, index) => [size, round(each[index] as number)])),
    peers: {},
    ratio: round((each.at(-1) as number) / first),
    share_of_peak: null,
    visited: round(readings(last).visited / last.length),
  };
}

function measurePrompts() {
  const texts = Array.from({ length: 2000 }, () => honest(promptBytes));
  const spent = Array.from({ length: rounds + 1 }, () => millisecondsOf(texts)).slice(1);
  const count = texts.reduce((sum, text) => sum + readings(text).readings.length, 0);
  return {
    name: `prompts of ${promptBytes} bytes`,
    unit: "µs/prompt",
    ours: round((median(spent) * 1000) / texts.length),
    peers: {},
    ratio: null,
    share_of_peak: null,
    readings_a_prompt: count / texts.length,
  };
}

const prompts = measurePrompts();
const rows = [
  measure("honest text", honest),
  ...Object.entries(inputs).map(([name, part]) =>
    measure(name, (length) => part.repeat(Math.ceil(length / part.length)).slice(0, length)),
  ),
];
console.log(
  table(
    rows.map(({ name, ours, ratio, visited }) => ({
      name,
      ...Object.fromEntries(sizes.map((size) => [`${size / 1000} KB`, ours[size]])),
      ratio,
      visited,
    })),
  ),
);
console.log(`\n${table([{ ...prompts, peers: "" }])}`);
if (values.json !== undefined)
  writeReport(values.json, { ...reportHead(), rows: [prompts, ...rows] });
