/**
 * The full comparison with Hugging Face `tokenizers`, run by hand: texts of a
 * JSON-lines file {"text"}, and as many random ones as asked for, out of
 * characters that normalisers and grapheme rules trip over.
 *
 *   node --import tsx test/compare/tokenizer.ts [--random 100000] [--seed 1] [FILE...]
 */
import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Tokenizer } from "tokenizers";
import { randomFrom } from "../../bench/lib/chat.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    random: { type: "string", default: "50000" },
    seed: { type: "string", default: "1" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const random = randomFrom(Number(values.seed));
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;

/** Ranges that the rules speak of: marks, joiners, controls, Indic, Hangul, emoji, compatibility forms, spaces. */
const ranges: readonly (readonly [number, number])[] = [
  [0x00, 0x7f],
  [0x80, 0x17f],
  [0x300, 0x36f],
  [0x590, 0x6ff],
  [0x900, 0x97f],
  [0xe00, 0xe4e],
  [0x1100, 0x11ff],
  [0x1e00, 0x1fff],
  [0x2000, 0x206f],
  [0x20d0, 0x214f],
  [0x2460, 0x24ff],
  [0x2581, 0x2581],
  [0x3000, 0x30ff],
  [0x3300, 0x33ff],
  [0x4e00, 0x4e80],
  [0xac00, 0xac80],
  [0xfb00, 0xfdff],
  [0xfe00, 0xfe0f],
  [0xff00, 0xffef],
  [0x1d400, 0x1d4ff],
  [0x1f1e6, 0x1f1ff],
  [0x1f300, 0x1f64f],
  [0xe0020, 0xe007f],
];
const favourites = [0x20, 0x20, 0x65, 0x301, 0x200d, 0xaa, 0xff9e, 0x94d, 0x915, 0x600, 0xd, 0xa];

function randomText(): string {
  const length = 1 + Math.floor(random() * 24);
  let text = "";
  for (let index = 0; index < length; index++) {
    const [from, to] = pick(ranges);
    const point = random() < 0.3 ? pick(favourites) : from + Math.floor(random() * (to - from + 1));
    text += String.fromCodePoint(point);
  }
  return text;
}

const texts = positionals.flatMap((file) =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).text as string),
);
for (let index = 0; index < Number(values.random); index++) texts.push(randomText());
const tokenizerJson = `${values.model}/tokenizer.json`;
const reference = Tokenizer.fromFile(tokenizerJson);
const lines: string[] = [];
for (const text of texts) {
  lines.push(JSON.stringify({ text, ids: (await reference.encode(text)).getIds() }));
}
console.log(`seed ${values.seed}`);
// The packed form, which is what the daemon uses.
const args = [values.model, "--check"];
const options: ExecFileSyncOptions = {
  input: lines.join("\n"),
  stdio: ["pipe", "inherit", "inherit"],
};
execFileSync("build/Release/ghostai-tokenize", args, options);
