/**
 * The forward pass of one window against onnxruntime-node on the same weights:
 * fp32 and int8 in the forms of its quantiser (lib/encoder_onnx.ts), one thread
 * each, on one pinned core, taking turns length by length. The fastest int8 form
 * at each length is the peer.
 *
 *   npm run bench:model -- [--json FILE] [--rounds 5] [--slice 0.25] [--tokens 16,32,64,128]
 *     [--kernels NAME,NAME]
 *
 * Ours computes the last layer for the first token only, which is all that the
 * head reads; onnxruntime runs the graph as an exporter writes it. Both are
 * given ids, so no tokenizer is timed.
 *
 * The share of the peak is of the loop of bench:kernels that does nothing but that kernel's dot
 * product, measured in each turn before and after; what of a pass is counted stands in lib/pass.ts.
 *
 * A kernel for a lesser processor than this one is measured against a peer that sees that lesser
 * processor (lib/hide_avx512.c): onnxruntime chooses its own kernels by CPUID.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chatPrompts } from "./lib/chat.ts";
import { lastCore, runOnCore } from "./lib/core.ts";
import { isInt8Peer, variants } from "./lib/encoder_onnx.ts";
import { kernelSets } from "./lib/kernels.ts";
import { OnnxPeer, type PeerStart, type PeerTexts, type PeerTimes } from "./lib/onnx_peer.ts";
import { passMacs } from "./lib/pass.ts";
import { installedVersion, missingText } from "./lib/peers.ts";
import {
  median,
  type Row,
  reportHead,
  reportText,
  round,
  table,
  writeReport,
} from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "5" },
    /** Seconds that each variant runs in each turn. */
    slice: { type: "string", default: "0.25" },
    tokens: { type: "string", default: "16,32,64,128" },
    kernels: { type: "string" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const lengths = values.tokens.split(",").map(Number);
const rounds = Number(values.rounds);
const slice = Number(values.slice);
const core = lastCore();
const peerPackage = "onnxruntime-node";
const calibrationTexts = 256;
const comparedTexts = 64;
const int8Peers = variants.filter(isInt8Peer).map(({ name }) => name);
const comparedPeers = ["fp32", ...int8Peers];
const sameWork = variants.filter(({ firstTokenLast }) => firstTokenLast).map(({ name }) => name);

const linesOf = (output: string) => output.trim().split("\n");

/** Token ids of prompts of English words: some to calibrate on, others to compare and to time. */
function textsOf(): PeerTexts {
  const next = chatPrompts(values.model, 1);
  const count = calibrationTexts + comparedTexts + 64;
  const input = Array.from({ length: count }, () => JSON.stringify({ text: next() })).join("\n");
  const output = execFileSync("build/Release/ghostai-tokenize", [values.model], {
    input,
    encoding: "utf8",
  });
  // A word may be two tokens after another one: the window is the model's bound.
  const ids = linesOf(output).map((line) => (JSON.parse(line) as number[]).slice(0, 128));
  return {
    calibration: ids.slice(0, calibrationTexts),
    compared: ids.slice(calibrationTexts, calibrationTexts + comparedTexts),
    timed: ids.slice(calibrationTexts + comparedTexts).flat(),
  };
}

interface Turn {
  /** Milliseconds of a pass. */
  readonly ms: number;
  /** Multiply-accumulates a second of the dot product alone, at the same time. */
  readonly peak: number;
}

function peakOf(kernels: string): number {
  const args = ["--peaks", "--kernels", kernels, "--rounds", "3"];
  return JSON.parse(runOnCore(core, "build/Release/ghostai-kernels-bench", args)).peak * 1e9;
}

/** The peak is the larger one of before and after: one that was disturbed would flatter the share. */
function timeOurs(kernels: string, tokens: number): Turn {
  const before = peakOf(kernels);
  const args = [values.model, "--kernels", kernels, "--tokens", String(tokens)];
  const timed = [...args, "--seconds", String(slice)];
  const { ms_median } = JSON.parse(runOnCore(core, "build/Release/ghostai-forward", timed));
  return { ms: ms_median, peak: Math.max(before, peakOf(kernels)) };
}

function ourLogits(kernels: string, texts: PeerTexts["compared"]): number[] {
  const args = [values.model, "--ids", "--kernels", kernels];
  const input = texts.map((ids) => JSON.stringify(ids)).join("\n");
  const options = { input, encoding: "utf8" } as const;
  return linesOf(execFileSync("build/Release/ghostai-forward", args, options)).map(Number);
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

interface Round {
  readonly ours: Readonly<Record<string, Turn>>;
  readonly asItIs: PeerTimes;
  readonly lesser: PeerTimes;
}

interface ModelRow extends Row {
  readonly kernels: string;
  readonly tokens: number;
  /** Which of `peers` is the fastest int8 one. */
  readonly fastest_int8_peer: string | null;
  /** The ratio in each round alone. */
  readonly ratio_of_rounds: readonly number[];
  /** int8 forms that compute the last layer for the first token alone, as ours does. */
  readonly same_work: Readonly<Record<string, number>>;
  readonly ratio_at_same_work: number | null;
  /** What onnxruntime is told that the processor is. */
  readonly peer_sees: string;
  /** Multiply-accumulates a second of this kernel's dot product alone. */
  readonly peak: number | null;
  /** What the pass would take at the peak, milliseconds. */
  readonly limit_ms: number | null;
}

function notMeasured(kernels: string, tokens: number, why: string): ModelRow {
  return {
    name: `${kernels}, ${tokens} tokens`,
    unit: "ms",
    kernels,
    tokens,
    ours: null,
    peers: {},
    ratio: null,
    share_of_peak: null,
    not_measured: why,
    fastest_int8_peer: null,
    ratio_of_rounds: [],
    same_work: {},
    ratio_at_same_work: null,
    peer_sees: "",
    peak: null,
    limit_ms: null,
  };
}

/** The name of the shortest of those times; null without one. */
function fastestOf(times: PeerTimes, names: readonly string[]): string | null {
  const known = names.filter((name) => times[name] !== undefined);
  const [first, ...others] = known;
  if (first === undefined) return null;
  const timeOf = (name: string) => times[name] ?? Number.NaN;
  return others.reduce((best, name) => (timeOf(name) < timeOf(best) ? name : best), first);
}

function measuredRow(
  kernels: string,
  tokens: number,
  turns: readonly Round[],
  seesLesser: boolean,
): ModelRow {
  const ours = turns.map((turn) => turn.ours[kernels] as Turn);
  const peers = turns.map((turn) => (seesLesser ? turn.lesser : turn.asItIs));
  const ms = median(ours.map((turn) => turn.ms));
  const peak = median(ours.map((turn) => turn.peak));
  const macs = passMacs(sizes, tokens);
  const timesOf = (names: readonly string[]) =>
    Object.fromEntries(
      names
        .filter((name) => peers[0]?.[name] !== undefined)
        .map((name) => [name, round(median(peers.map((turn) => turn[name] ?? Number.NaN)))]),
    );
  const times = timesOf(comparedPeers);
  const atSameWork = timesOf(sameWork);
  const fastest = fastestOf(times, int8Peers);
  const ratioTo = (all: PeerTimes, name: string | null) =>
    name === null ? null : round((all[name] ?? Number.NaN) / ms);
  const ratioOfRound = (turn: Turn, at: number) => {
    const ofRound = peers[at] ?? {};
    return round((ofRound[fastestOf(ofRound, int8Peers) ?? ""] ?? Number.NaN) / turn.ms);
  };
  return {
    name: `${kernels}, ${tokens} tokens`,
    unit: "ms",
    kernels,
    tokens,
    ours: round(ms),
    peers: times,
    ratio: ratioTo(times, fastest),
    share_of_peak: round(median(ours.map((turn) => macs / (turn.ms / 1000) / turn.peak))),
    fastest_int8_peer: fastest,
    ratio_of_rounds: fastest === null ? [] : ours.map(ratioOfRound),
    same_work: atSameWork,
    ratio_at_same_work: ratioTo(atSameWork, fastestOf(atSameWork, sameWork)),
    peer_sees: seesLesser ? "AVX2 at most" : "this processor",
    peak: Math.round(peak),
    limit_ms: round((macs / peak) * 1000),
  };
}

/** Mean distance of logits from fp32's, over the compared texts. */
function errorsOf(logits: PeerStart["logits"]): Record<string, number> {
  const reference = logits.fp32 ?? [];
  const errorOf = (list: readonly number[]) =>
    list.reduce((sum, logit, at) => sum + Math.abs(logit - (reference[at] ?? Number.NaN)), 0) /
    list.length;
  return Object.fromEntries(
    Object.entries(logits).map(([name, list]) => [name, round(errorOf(list))]),
  );
}

/** Every form of the peer at every length, as one processor shows them. */
function peerTable(rows: readonly ModelRow[], errors: Readonly<Record<string, number>>): string {
  const shown = variants.map(({ name }) => ({
    "onnxruntime, ms": name,
    ...Object.fromEntries(
      rows.map((row) => [`${row.tokens} tokens`, row.peers[name] ?? row.same_work[name]]),
    ),
    "logits off by": errors[name],
  }));
  return `peer sees ${rows[0]?.peer_sees}\n${table(shown)}`;
}

const sizes = JSON.parse(readFileSync(`${values.model}/config.json`, "utf8"));
const sets = kernelSets().filter(
  ({ name }) => values.kernels === undefined || values.kernels.split(",").includes(name),
);
const measured = sets.filter(({ notMeasured: why }) => why === undefined).map(({ name }) => name);
const hasPeer = installedVersion(peerPackage) !== undefined;
const hides = hasPeer && kernelSets()[0]?.name === "avx512vnni" && canHideAvx512();
/** The kernels of a processor that onnxruntime can be made to see instead of this one. */
const lesserKernels = hides && measured.includes("avx2") ? "avx2" : undefined;

const texts = textsOf();
const folder = mkdtempSync(join(tmpdir(), "ghostai-bench-"));
const asItIs = hasPeer ? new OnnxPeer(core, values.model, "") : undefined;
const lesser =
  lesserKernels === undefined ? undefined : new OnnxPeer(core, values.model, buildHiding(folder));
const started = await asItIs?.start(texts);
const startedLesser = await lesser?.start(texts);

const turns = new Map<number, Round[]>(lengths.map((tokens) => [tokens, []]));
for (let at = 0; at < rounds; at++) {
  for (const tokens of lengths) {
    turns.get(tokens)?.push({
      ours: Object.fromEntries(measured.map((name) => [name, timeOurs(name, tokens)])),
      asItIs: (await asItIs?.time(tokens, slice)) ?? {},
      lesser: (await lesser?.time(tokens, slice)) ?? {},
    });
  }
}
asItIs?.end();
lesser?.end();
rmSync(folder, { recursive: true });

const rows = sets.flatMap(({ name, notMeasured: why }) =>
  lengths.map((tokens) =>
    why === undefined
      ? measuredRow(name, tokens, turns.get(tokens) ?? [], name === lesserKernels)
      : notMeasured(name, tokens, why),
  ),
);
const ofOurs = Object.fromEntries(measured.map((name) => [name, ourLogits(name, texts.compared)]));
const errors = started === undefined ? {} : errorsOf({ ...started.logits, ...ofOurs });
const lesserErrors = startedLesser === undefined ? {} : errorsOf(startedLesser.logits);
const calls = [...turns.values()].flat().flatMap(({ asItIs: { call } }) => call ?? []);
const report = {
  ...reportHead(),
  missing_peers: hasPeer ? [] : [missingText(peerPackage)],
  core,
  rounds,
  slice_seconds: slice,
  peer: hasPeer ? `${peerPackage} ${installedVersion(peerPackage)}` : null,
  /** What a call of the peer costs that computes nothing; it is in each of its times. */
  peer_call_ms: hasPeer ? round(median(calls)) : null,
  logit_errors: errors,
  logit_errors_without_avx512: lesserErrors,
  rows,
};
console.log(
  reportText(report, {
    peers: [],
    columns: [
      { title: "limit", value: (row) => row.limit_ms },
      { title: "fastest int8", value: (row) => row.peers[row.fastest_int8_peer ?? ""] },
      { title: "fp32", value: (row) => row.peers.fp32 },
      { title: "the fastest is", value: (row) => row.fastest_int8_peer },
      { title: "ratio at same work", value: (row) => row.ratio_at_same_work?.toFixed(2) },
    ],
  }),
);
if (hasPeer) {
  for (const [kernels, ofPeer] of [
    [measured.find((name) => name !== lesserKernels), errors],
    [lesserKernels, lesserErrors],
  ] as const) {
    if (kernels === undefined) continue;
    const ofKernels = rows.filter((row) => row.kernels === kernels);
    console.log(`\n${peerTable(ofKernels, ofPeer)}`);
  }
  const own = measured.map((name) => `${name} ${errors[name]}`).join(", ");
  console.log(`\nlogits off fp32's, mean of ${comparedTexts} texts: ours ${own}`);
}
if (values.json !== undefined) writeReport(values.json, report);
