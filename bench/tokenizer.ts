/**
 * The tokenizer against Hugging Face `tokenizers` on the same texts, one thread
 * on one pinned core each, taking turns.
 *
 *   npm run bench:tokenizer -- [--json FILE] [--texts JSONL]
 *
 * `--texts` takes JSON lines {"text"}; without it the English prompts are made of
 * the vocabulary's words and the mixed ones are the tokenizer's golden texts.
 * The peer is called once a text, and once for all of them (its batch call, one
 * thread); its faster way counts. Its ids are compared too.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { chatPrompts } from "./lib/chat.ts";
import { median, reportHead, table, writeReport } from "./lib/report.ts";

const rounds = 5;
const core = "1";
const { values } = parseArgs({
  options: {
    json: { type: "string" },
    texts: { type: "string" },
    model: { type: "string", default: "models/ghostai-small" },
    peer: { type: "boolean", default: false },
  },
});
const tokenizerJson = `${values.model}/tokenizer.json`;
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "");

/** Run as a process of its own so that it can be pinned: times the peer on the texts of standard input. */
async function timePeer(): Promise<void> {
  const { Tokenizer } = await import("tokenizers");
  const tokenizer = Tokenizer.fromFile(tokenizerJson);
  const texts = linesOf(readFileSync(0, "utf8")).map((line) => JSON.parse(line).text as string);
  const single: number[] = [];
  const batch: number[] = [];
  for (let round = 0; round < 3; round++) {
    let from = performance.now();
    for (const text of texts) await tokenizer.encode(text);
    single.push(performance.now() - from);
    from = performance.now();
    await tokenizer.encodeBatch(texts);
    batch.push(performance.now() - from);
  }
  console.log(JSON.stringify({ single: Math.min(...single), batch: Math.min(...batch) }));
}

function pinned(command: string, args: readonly string[], input: string): string {
  const options = {
    input,
    encoding: "utf8",
    maxBuffer: 1 << 30,
    env: { ...process.env, RAYON_NUM_THREADS: "1", TOKENIZERS_PARALLELISM: "false" },
  } as const;
  return execFileSync("taskset", ["-c", core, command, ...args], options);
}

interface Corpus {
  readonly name: string;
  readonly texts: readonly string[];
}

function corpora(): Corpus[] {
  if (values.texts !== undefined) {
    const texts = linesOf(readFileSync(values.texts, "utf8")).map((line) => JSON.parse(line).text);
    return [{ name: "texts given", texts }];
  }
  const prompt = chatPrompts(values.model, 1);
  const golden = gunzipSync(readFileSync("test/golden/tokenizer.jsonl.gz")).toString("utf8");
  return [
    { name: "prompts of English words", texts: Array.from({ length: 3000 }, prompt) },
    {
      name: "golden texts, 30 languages and adversarial",
      texts: linesOf(golden).map((line) => JSON.parse(line).text),
    },
  ];
}

function measure({ name, texts }: Corpus) {
  const input = texts.map((text) => JSON.stringify({ text })).join("\n");
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const ours: number[] = [];
  const peers: { single: number; batch: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const timed = pinned("build/Release/ghostai-tokenize", [values.model, "--bench", "5"], input);
    ours.push(JSON.parse(timed).ms);
    const script = ["--import", "tsx", "bench/tokenizer.ts", "--peer", "--model", values.model];
    peers.push(JSON.parse(pinned(process.execPath, script, input)));
  }
  const rate = (milliseconds: number) => bytes / 1e3 / milliseconds;
  const peerMs = Math.min(
    median(peers.map(({ single }) => single)),
    median(peers.map(({ batch }) => batch)),
  );
  const oursMs = median(ours);
  return {
    name,
    unit: "MB/s",
    texts: texts.length,
    bytes_a_text: Math.round(bytes / texts.length),
    ours: round(rate(oursMs)),
    microseconds_a_text: round((oursMs * 1000) / texts.length),
    peers: {
      "tokenizers, one at a time": round(rate(median(peers.map(({ single }) => single)))),
      "tokenizers, batch": round(rate(median(peers.map(({ batch }) => batch)))),
    },
    ratio: round(peerMs / oursMs),
  };
}

const round = (value: number) => Math.round(value * 100) / 100;

if (values.peer) {
  await timePeer();
} else {
  const rows = corpora().map(measure);
  console.log(table(rows.map(({ peers, ...row }) => ({ ...row, ...peers }))));
  if (values.json !== undefined) {
    writeReport(values.json, {
      ...reportHead(),
      rows,
    });
  }
}
