/**
 * The forward pass of one window against onnxruntime-node on the same weights:
 * fp32 and dynamic int8 in all its variants, one thread each, on one pinned
 * core, taking turns. The fastest int8 variant at each length is the peer.
 *
 *   npm run bench:model -- [--json FILE] [--rounds 5]
 *
 * Ours computes the last layer for the first token only, which is all that the
 * head reads; onnxruntime runs the graph as an exporter writes it. Both are
 * given ids, so no tokenizer is timed.
 *
 * A kernel for a lesser processor than this one is measured against a peer that sees that lesser
 * processor (lib/hide_avx512.c): onnxruntime chooses its own kernels by CPUID.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { randomFrom } from "./lib/chat.ts";
import { encoderOnnx, variants } from "./lib/encoder_onnx.ts";
import { median, reportHead, table, writeReport } from "./lib/report.ts";

const lengths = [16, 32, 64, 128];
const core = "1";
const { values } = parseArgs({
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "5" },
    model: { type: "string", default: "models/ghostai-small" },
    peer: { type: "boolean", default: false },
  },
});

type Times = Record<string, Record<number, number>>;

function idsOf(tokens: number): number[] {
  const random = randomFrom(tokens);
  return Array.from({ length: tokens }, () => 10 + Math.floor(random() * 40_000));
}

/** Medians over a third of a second, milliseconds. */
async function timeRuns(run: () => Promise<unknown>): Promise<number> {
  for (let warmUp = 0; warmUp < 10; warmUp++) await run();
  const times: number[] = [];
  const until = performance.now() + 330;
  while (performance.now() < until || times.length < 5) {
    const from = performance.now();
    await run();
    times.push(performance.now() - from);
  }
  return median(times);
}

/** The peer's process: on each line of input it times every variant at every length. */
async function servePeer(): Promise<void> {
  const ort = await import("onnxruntime-node");
  const sessions = [];
  for (const variant of variants) {
    const options = {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
    } as const;
    const session = await ort.InferenceSession.create(encoderOnnx(values.model, variant), options);
    sessions.push({ name: variant.name, session });
  }
  const feed = (tokens: number) => ({
    ids: new ort.Tensor("int64", BigInt64Array.from(idsOf(tokens), BigInt), [1, tokens]),
  });
  const logits: Record<string, number> = {};
  for (const { name, session } of sessions) {
    const result = await session.run(feed(32));
    logits[name] = Number(Object.values(result)[0]?.data[0]);
  }
  console.log(JSON.stringify({ logits }));
  for await (const _ of createInterface({ input: process.stdin })) {
    const times: Times = {};
    for (const { name, session } of sessions) {
      const ofVariant: Record<number, number> = {};
      for (const tokens of lengths)
        ofVariant[tokens] = await timeRuns(() => session.run(feed(tokens)));
      times[name] = ofVariant;
    }
    console.log(JSON.stringify(times));
  }
}

function timeOurs(kernels: string): Record<number, number> {
  const args = [
    values.model,
    "--kernels",
    kernels,
    "--tokens",
    lengths.join(","),
    "--seconds",
    "0.33",
  ];
  const output = execFileSync("taskset", ["-c", core, "build/Release/ghostai-forward", ...args], {
    encoding: "utf8",
  });
  const rows = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return Object.fromEntries(rows.map(({ tokens, ms_median }) => [tokens, ms_median]));
}

function ourLogit(kernels: string): number {
  const args = [values.model, "--ids", "--kernels", kernels];
  const input = JSON.stringify(idsOf(32));
  return Number(execFileSync("build/Release/ghostai-forward", args, { input, encoding: "utf8" }));
}

function kernelsHere(): string[] {
  const script =
    "console.log(JSON.stringify(require('./build/Release/ghostai.node').system.kernels()))";
  const { available } = JSON.parse(
    execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }),
  );
  return available;
}

/** A peer in a process of its own, asked for one turn at a time. */
class Peer {
  readonly #process;
  readonly #lines;

  /** @param preload library that is loaded before everything else, or nothing */
  constructor(preload: string) {
    const script = ["--import", "tsx", "bench/model.ts", "--peer", "--model", values.model];
    const env = preload === "" ? process.env : { ...process.env, LD_PRELOAD: preload };
    this.#process = spawn("taskset", ["-c", core, process.execPath, ...script], {
      stdio: ["pipe", "pipe", "inherit"],
      env,
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async #next() {
    return JSON.parse((await this.#lines.next()).value as string);
  }

  async logits(): Promise<Record<string, number>> {
    return (await this.#next()).logits;
  }

  turn(): Promise<Times> {
    this.#process.stdin.write("\n");
    return this.#next();
  }

  end(): void {
    this.#process.stdin.end();
  }
}

/** Whether a process here can be shown a processor without AVX-512. */
function canHideAvx512(): boolean {
  return / cpuid_fault\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
}

/** Compiles the library that hides AVX-512 into `folder`; @returns its path. */
function buildHiding(folder: string): string {
  const library = join(folder, "hide_avx512.so");
  const source = "bench/lib/hide_avx512.c";
  execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"]);
  return library;
}

const round = (value: number) => Math.round(value * 1000) / 1000;

async function main(): Promise<void> {
  const kernels = kernelsHere();
  const folder = mkdtempSync(join(tmpdir(), "ghostai-bench-"));
  const asItIs = new Peer("");
  const lesser =
    kernels[0] === "avx512vnni" && canHideAvx512() ? new Peer(buildHiding(folder)) : undefined;
  const logits = await asItIs.logits();
  const lesserLogits = await lesser?.logits();
  const ours: Times[] = [];
  const turns: { asItIs: Times; lesser: Times | undefined }[] = [];
  for (let turn = 0; turn < Number(values.rounds); turn++) {
    ours.push(Object.fromEntries(kernels.map((name) => [name, timeOurs(name)])));
    turns.push({ asItIs: await asItIs.turn(), lesser: await lesser?.turn() });
  }
  asItIs.end();
  lesser?.end();
  rmSync(folder, { recursive: true });
  const middle = (runs: readonly Times[], name: string, tokens: number) =>
    median(runs.map((run) => run[name]?.[tokens] ?? Number.NaN));
  const rows = kernels.flatMap((name) => {
    const isLesser = name === "avx2" && lesser !== undefined;
    const peers = turns.map((turn) => (isLesser ? (turn.lesser ?? turn.asItIs) : turn.asItIs));
    return lengths.map((tokens) => {
      const ms = middle(ours, name, tokens);
      const timesOf = variants.map(
        (variant) => [variant.name, round(middle(peers, variant.name, tokens))] as const,
      );
      const int8 = timesOf.filter(([variant]) => variant.startsWith("int8"));
      const fastest = int8.reduce((best, entry) => (entry[1] < best[1] ? entry : best));
      const ratios = ours.map((run, turn) => {
        const best = Math.min(
          ...int8.map(([variant]) => peers[turn]?.[variant]?.[tokens] ?? Number.NaN),
        );
        return best / (run[name]?.[tokens] ?? Number.NaN);
      });
      return {
        name: `${name}, ${tokens} tokens`,
        unit: "ms",
        peer_sees: isLesser ? "this processor without AVX-512 and AVX-VNNI" : "this processor",
        ours: round(ms),
        peers: Object.fromEntries(timesOf),
        fastest_int8_peer: fastest[0],
        ratio: round(fastest[1] / ms),
        ratio_of_rounds: ratios.map(round),
      };
    });
  });
  const report = {
    ...reportHead(),
    core,
    rounds: Number(values.rounds),
    logits_at_32_tokens_without_avx512: lesserLogits ?? "not measured",
    logits_at_32_tokens: {
      ...logits,
      ...Object.fromEntries(kernels.map((name) => [name, ourLogit(name)])),
    },
    kernels_not_measured: ["neondot: not on this processor"],
    rows,
  };
  const shown = rows.map(({ name, ours: ms, peers: all, fastest_int8_peer, ratio, peer_sees }) => ({
    name,
    "ours ms": ms,
    "onnxruntime int8 ms": all[fastest_int8_peer],
    ratio,
    "onnxruntime fp32 ms": all.fp32,
    "its variant": fastest_int8_peer,
    "peer sees": peer_sees,
  }));
  console.log(table(shown));
  console.log(report.logits_at_32_tokens);
  if (values.json !== undefined) writeReport(values.json, report);
}

await (values.peer ? servePeer() : main());
