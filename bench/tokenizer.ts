/**
 * The tokenizer against Hugging Face `tokenizers` on the same texts, one thread
 * on one pinned core each, taking turns.
 *
 *   npm run bench:tokenizer -- [--json FILE] [--rounds 5] [--passes 5] [--texts JSONL]
 *
 * `--texts` takes JSON lines {"text"}; without it the English prompts are made of
 * the vocabulary's words and the mixed ones are the tokenizer's golden texts.
 * The peer is called once a text, and once for all of them (its batch call, one
 * thread); its faster way counts. In each turn either takes the fastest of its passes. The ids of
 * both are compared in the same run.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { chatPrompts } from "./lib/chat.ts";
import { lastCore, runOnCore } from "./lib/core.ts";
import { installedVersion, missingText } from "./lib/peers.ts";
import { median, type Row, reportHead, reportText, round, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    texts: { type: "string" },
    rounds: { type: "string", default: "5" },
    passes: { type: "string", default: "5" },
    model: { type: "string", default: "models/ghostai-small" },
    /** Runs as the peer's process: `time` or `ids`. */
    peer: { type: "string" },
  },
});
const tokenizerJson = `${values.model}/tokenizer.json`;
const peerPackage = "tokenizers";
const hasPeer = installedVersion(peerPackage) !== undefined;
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "");

interface PeerMs {
  readonly single: number;
  readonly batch: number;
}

/** The peer, as a process of its own so that it can be pinned, on the texts of standard input. */
async function servePeer(): Promise<void> {
  const { Tokenizer } = await import("tokenizers");
  const tokenizer = Tokenizer.fromFile(tokenizerJson);
  const texts = linesOf(readFileSync(0, "utf8")).map((line) => JSON.parse(line).text as string);
  if (values.peer === "ids") {
    for (const text of texts) console.log(JSON.stringify((await tokenizer.encode(text)).getIds()));
    return;
  }
  const single: number[] = [];
  const batch: number[] = [];
  for (let pass = 0; pass < Number(values.passes); pass++) {
    let from = performance.now();
    for (const text of texts) await tokenizer.encode(text);
    single.push(performance.now() - from);
    from = performance.now();
    await tokenizer.encodeBatch(texts);
    batch.push(performance.now() - from);
  }
  const ms: PeerMs = { single: Math.min(...single), batch: Math.min(...batch) };
  console.log(JSON.stringify(ms));
}

function peer(does: "time" | "ids", input: string): string {
  const script = ["--import", "tsx", fileURLToPath(import.meta.url), "--peer", does];
  const options = ["--model", values.model, "--passes", values.passes];
  const env = { ...process.env, RAYON_NUM_THREADS: "1", TOKENIZERS_PARALLELISM: "false" };
  return runOnCore(lastCore(), process.execPath, [...script, ...options], { input, env });
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
      name: "mixed: golden texts, 30 languages and adversarial",
      texts: linesOf(golden).map((line) => JSON.parse(line).text),
    },
  ];
}

interface TokenizerRow extends Row {
  readonly texts: number;
  readonly bytes_a_text: number;
  readonly microseconds_a_text: number;
  readonly ratio_of_rounds: readonly number[];
  /** Texts whose ids differ from the peer's; null without it. */
  readonly texts_with_other_ids: number | null;
}

function textsWithOtherIds(input: string): number {
  const options = { input, encoding: "utf8", maxBuffer: 1 << 30 } as const;
  const ours = linesOf(execFileSync("build/Release/ghostai-tokenize", [values.model], options));
  const peers = linesOf(peer("ids", input));
  if (ours.length !== peers.length)
    throw new Error(`Expected ids of ${peers.length} texts but ours are of ${ours.length}`);
  const same = (a: string, b: string) => JSON.stringify(JSON.parse(a)) === b;
  return ours.filter((line, at) => !same(line, peers[at] ?? "")).length;
}

function measure({ name, texts }: Corpus): TokenizerRow {
  const input = texts.map((text) => JSON.stringify({ text })).join("\n");
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const ours: number[] = [];
  const peers: PeerMs[] = [];
  const args = [values.model, "--bench", values.passes];
  for (let turn = 0; turn < Number(values.rounds); turn++) {
    const timed = runOnCore(lastCore(), "build/Release/ghostai-tokenize", args, { input });
    ours.push(JSON.parse(timed).ms);
    if (hasPeer) peers.push(JSON.parse(peer("time", input)));
  }
  const oursMs = median(ours);
  const single = median(peers.map((ms) => ms.single));
  const batch = median(peers.map((ms) => ms.batch));
  const rate = (milliseconds: number) => round(bytes / 1e3 / milliseconds);
  return {
    name,
    unit: "MB/s",
    ours: rate(oursMs),
    peers: hasPeer
      ? { "tokenizers, one at a time": rate(single), "tokenizers, batch": rate(batch) }
      : {},
    ratio: hasPeer ? round(Math.min(single, batch) / oursMs) : null,
    share_of_peak: null,
    texts: texts.length,
    bytes_a_text: Math.round(bytes / texts.length),
    microseconds_a_text: round((oursMs * 1000) / texts.length),
    ratio_of_rounds: peers.map((ms, at) =>
      round(Math.min(ms.single, ms.batch) / (ours[at] ?? Number.NaN)),
    ),
    texts_with_other_ids: hasPeer ? textsWithOtherIds(input) : null,
  };
}

function main(): void {
  const report = {
    ...reportHead(),
    missing_peers: hasPeer ? [] : [missingText(peerPackage)],
    core: lastCore(),
    rounds: Number(values.rounds),
    peer: hasPeer ? `${peerPackage} ${installedVersion(peerPackage)}` : null,
    rows: corpora().map(measure),
  };
  const columns = [
    { title: "texts", value: (row: TokenizerRow) => row.texts },
    { title: "bytes a text", value: (row: TokenizerRow) => row.bytes_a_text },
    { title: "us a text", value: (row: TokenizerRow) => row.microseconds_a_text },
    { title: "other ids", value: (row: TokenizerRow) => row.texts_with_other_ids },
  ];
  console.log(reportText(report, { columns }));
  if (values.json !== undefined) writeReport(values.json, report);
  const differing = report.rows.filter((row) => (row.texts_with_other_ids ?? 0) > 0);
  if (differing.length > 0) {
    console.error(`Expected the peer's ids but they differ: ${differing.map(({ name }) => name)}`);
    process.exitCode = 1;
  }
}

await (values.peer === undefined ? main() : servePeer());
