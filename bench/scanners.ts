/**
 * What the scanners cost: each of src/scan/index.ts and all together, in MB a second on long texts,
 * and in microseconds on a prompt of 150 bytes against the model's pass over 32 tokens.
 *
 *   npm run bench:scanners -- [--json FILE] [--seconds 1] [--model models/ghostai-small]
 *
 * The texts: prose of words from the model's vocabulary; log lines and code; texts full of hits; texts
 * made of what almost is a hit, for each scanner the form that costs it most. Readings are made
 * once and not timed. The model's pass is measured in the same run, on the same core, by
 * build/Release/ghostai-forward; the peer's figure in a row is that pass, the ratio is pass over
 * scanners, and `share_of_pass` is what the scanners add to it.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type ScanInput, scan, scanners } from "../src/scan/index.ts";
import { readings } from "../src/text/views.ts";
import { chatTexts, randomFrom } from "./lib/chat.ts";
import { median, reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    seconds: { type: "string", default: "1" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const textBytes = 100_000;
const promptBytes = 150;
const promptTokens = 32;
const random = randomFrom(11);
const digits = (count: number) =>
  Array.from({ length: count }, () => Math.floor(random() * 10)).join("");
const letters = (count: number) =>
  Array.from({ length: count }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join("");

function filled(piece: () => string): string {
  let text = "";
  while (text.length < textBytes) text += piece();
  return text;
}

/** Lines of a service's log: times, addresses, numbers, hashes. */
const logLine = () =>
  `2026-11-${10 + Math.floor(random() * 18)}T10:${digits(2)}:12.${digits(3)}Z INFO worker[${digits(4)}] ` +
  `10.0.${digits(2)}.${digits(2)} GET /v1/items/${digits(7)}?page=${digits(1)} 200 ${digits(3)}ms trace=${letters(8)}${digits(8)}\n`;

/** Sources of this repository: real code. */
const code = ["src/scan/secrets.ts", "src/scan/phrases.ts", "src/http/server.ts", "src/log/log.ts"]
  .map((file) => readFileSync(file, "utf8"))
  .join("\n");

interface CaseFile {
  readonly hits: readonly (readonly string[])[];
}

/** The texts of the scanners' case files, joined where a file writes them in pieces. */
function caseTexts(): string {
  const files = ["signatures", "unicode", "secrets", "pii"];
  return files
    .flatMap((file) => {
      const { hits } = JSON.parse(readFileSync(`test/data/${file}.json`, "utf8")) as CaseFile;
      return hits.map(([text = ""]) => text.replace(/[·«»]/g, ""));
    })
    .join("\n");
}

const repeated = (text: string) => text.repeat(Math.ceil(textBytes / text.length));
const prose = chatTexts(values.model, 5, () => 20);

const texts: readonly (readonly [name: string, text: string])[] = [
  ["prose", filled(() => `${prose()}. `)],
  ["log lines", filled(logLine)],
  ["code", repeated(code)],
  ["full of hits", repeated(caseTexts())],
  ["almost signatures", repeated("ignore all previous ignore the previous you are now the ")],
  ["almost hidden text", repeated("a\u200bb\u200dc \u202a\u202c ")],
  [
    "almost secrets",
    repeated("ghp_sk-ant-AKIAxoxb-eyJhbGci.eyJ password=token: -----BEGIN ://a:b "),
  ],
  ["almost keys of an issuer", filled(() => `aws secret datadog key ${letters(32)} `)],
  ["almost telephone numbers", repeated("+999 123 45678 call 12345 phone 0123 00999 12345678 ")],
  [
    "almost numbers of people",
    filled(() => `${digits(11)} ${digits(9)} ${digits(3)}-${digits(2)}-${digits(3)} `),
  ],
  ["almost cards", filled(() => `4${digits(3)} ${digits(4)} ${digits(4)} ${digits(3)} `)],
  ["almost addresses", repeated("a@b @c.d x@y.1 1.2.3.400 2001:db8::1 a::b ")],
];

const inputOf = (text: string): ScanInput => ({
  text,
  origin: "user",
  readings: readings(text).readings,
});

/** Median milliseconds of one call, over the time that was asked for. */
function timed(call: () => void): number {
  const until = performance.now() + (Number(values.seconds) * 1000) / 4;
  const times: number[] = [];
  for (let warmUp = 0; warmUp < 5; warmUp++) call();
  while (performance.now() < until || times.length < 5) {
    const from = performance.now();
    call();
    times.push(performance.now() - from);
  }
  return median(times);
}

/** The model's pass over a window of 32 tokens, milliseconds. */
function modelPassMs(): number {
  const args = [values.model, "--tokens", String(promptTokens), "--seconds", values.seconds];
  const output = execFileSync("build/Release/ghostai-forward", args, { encoding: "utf8" });
  const [line = "{}"] = output.trim().split("\n");
  return (JSON.parse(line) as { ms_median: number }).ms_median;
}

const round = (value: number) => Math.round(value * 100) / 100;

const everything = { name: "all", scan };
const rows = texts.flatMap(([name, text]) => {
  const input = inputOf(text);
  const bytes = Buffer.byteLength(text);
  return [...scanners, everything].map((scanner) => ({
    name: `${scanner.name}, ${name}`,
    unit: "MB/s",
    ours: round(bytes / 1000 / timed(() => scanner.scan(input))),
    peers: {},
    ratio: null,
    share_of_peak: null,
  }));
});

/** Different prompts, so that no branch is learnt from one of them. */
const prompts = Array.from({ length: 200 }, () => {
  let text = prose();
  while (text.length < promptBytes) text += ` ${prose()}`;
  return inputOf(text.slice(0, promptBytes));
});
const pass = modelPassMs();
const promptRows = [...scanners, everything].map((scanner) => {
  const ms = timed(() => {
    for (const prompt of prompts) scanner.scan(prompt);
  });
  const ours = (ms * 1000) / prompts.length;
  return {
    name: `${scanner.name}, a prompt of ${promptBytes} bytes`,
    unit: "us",
    ours: round(ours),
    peers: { [`model's pass over ${promptTokens} tokens`]: round(pass * 1000) },
    ratio: round((pass * 1000) / ours),
    share_of_pass: round(ours / (pass * 1000)),
    share_of_peak: null,
  };
});

const columns = [...scanners, everything].map(({ name }) => name);
console.log(
  table(
    texts.map(([name]) => ({
      "MB/s": name,
      ...Object.fromEntries(
        columns.map((column) => [
          column,
          rows.find((row) => row.name === `${column}, ${name}`)?.ours,
        ]),
      ),
    })),
  ),
);
console.log();
console.log(
  table(promptRows.map(({ name, ours, share_of_pass }) => ({ name, us: ours, share_of_pass }))),
);
console.log(`\nThe model's pass over ${promptTokens} tokens: ${round(pass)} ms`);
if (values.json !== undefined) {
  writeReport(values.json, { ...reportHead(), rows: [...rows, ...promptRows] });
}
