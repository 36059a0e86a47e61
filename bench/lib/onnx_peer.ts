/**
 * onnxruntime-node as a peer: a process of its own on the measured core, which
 * holds the model in every variant and times them when asked.
 *
 * This file is that process too. It reads JSON lines: first the token ids of texts, to calibrate
 * on and to compare logits on; it answers with the logits. Then each line names a length, and it
 * answers with the milliseconds of one pass for every variant.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import {
  calibrationOnnx,
  encoderOnnx,
  type Range,
  type Ranges,
  readSource,
  type Source,
  variants,
} from "./encoder_onnx.ts";
import { Graph } from "./onnx.ts";
import { median } from "./report.ts";

export interface PeerTexts {
  /** Token ids of texts whose activations give the ranges of static quantisation. */
  readonly calibration: readonly (readonly number[])[];
  /** Token ids of texts whose logits are compared. */
  readonly compared: readonly (readonly number[])[];
  /** Token ids that are timed: the first ones, as many as a length asks for. */
  readonly timed: readonly number[];
}

export interface PeerStart {
  /** Of each variant, one for each compared text. */
  readonly logits: Readonly<Record<string, readonly number[]>>;
}

/** Milliseconds of one pass by variant; `call` is a graph that does nothing. */
export type PeerTimes = Readonly<Record<string, number>>;

export class OnnxPeer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  /** @param preload library that is loaded before everything else, or nothing */
  constructor(core: string, modelFolder: string, preload: string) {
    const script = ["--import", "tsx", fileURLToPath(import.meta.url), "--model", modelFolder];
    const env = preload === "" ? process.env : { ...process.env, LD_PRELOAD: preload };
    this.#process = spawn("taskset", ["-c", core, process.execPath, ...script], { env });
    this.#process.stderr.pipe(process.stderr);
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async #ask<Answer>(question: object): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("Expected an answer of the peer's process but it ended");
    return JSON.parse(value) as Answer;
  }

  start(texts: PeerTexts): Promise<PeerStart> {
    return this.#ask(texts);
  }

  /** @param seconds for how long each variant runs */
  time(tokens: number, seconds: number): Promise<PeerTimes> {
    return this.#ask({ tokens, seconds });
  }

  end(): void {
    this.#process.stdin.end();
  }
}

// ---- the process -----------------------------------------------------------

type Runtime = typeof import("onnxruntime-node");
type Feed = (ids: readonly number[]) => Readonly<Record<string, Tensor>>;

function openSession(ort: Runtime, file: Buffer): Promise<InferenceSession> {
  return ort.InferenceSession.create(file, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  });
}

async function calibrate(
  ort: Runtime,
  source: Source,
  texts: PeerTexts["calibration"],
  feed: Feed,
): Promise<Ranges> {
  const { file, tensors } = calibrationOnnx(source);
  const session = await openSession(ort, file);
  const ranges = new Map<string, Range>();
  for (const ids of texts) {
    const results = await session.run(feed(ids));
    const valueIn = (name: string) => Number(results[name]?.data[0]);
    for (const { key, smallest, largest } of tensors) {
      const known = ranges.get(key) ?? { smallest: Infinity, largest: -Infinity };
      ranges.set(key, {
        smallest: Math.min(known.smallest, valueIn(smallest)),
        largest: Math.max(known.largest, valueIn(largest)),
      });
    }
  }
  await session.release();
  return ranges;
}

/** What a call costs that computes next to nothing: the tokens' ids given back. */
function callGraph(): Buffer {
  const graph = new Graph();
  const [same = ""] = graph.node("Identity", ["ids"]);
  return graph.model([["ids", "int64", [1, "tokens"]]], [[same, "int64", [1, "tokens"]]]);
}

/** The median run's milliseconds. As much time goes into warming up at most. */
async function timeRuns(run: () => Promise<unknown>, seconds: number): Promise<number> {
  const warm = performance.now() + seconds * 1000;
  for (let runs = 0; runs < 10 && performance.now() < warm; runs++) await run();
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until || times.length < 3) {
    const from = performance.now();
    await run();
    times.push(performance.now() - from);
  }
  return median(times);
}

async function serve(modelFolder: string): Promise<void> {
  const ort = await import("onnxruntime-node");
  const answer = (value: PeerStart | PeerTimes) => console.log(JSON.stringify(value));
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const texts = JSON.parse((await lines.next()).value) as PeerTexts;
  const ids = [...texts.calibration, ...texts.compared, texts.timed].flat();
  const vocabulary = [...new Set(ids)].sort((a, b) => a - b);
  const index = new Map(vocabulary.map((id, at) => [id, at]));
  const feed: Feed = (list) => {
    const local = BigInt64Array.from(list, (id) => BigInt(index.get(id) ?? 0));
    return { ids: new ort.Tensor("int64", local, [1, list.length]) };
  };
  const source = readSource(modelFolder, vocabulary);
  const ranges = await calibrate(ort, source, texts.calibration, feed);
  const sessions: { name: string; session: InferenceSession }[] = [];
  const logits: Record<string, number[]> = {};
  for (const variant of variants) {
    const { name } = variant;
    const session = await openSession(ort, encoderOnnx(source, variant, ranges));
    sessions.push({ name, session });
    const ofTexts: number[] = [];
    for (const text of texts.compared) {
      const results = await session.run(feed(text));
      ofTexts.push(Number(Object.values(results)[0]?.data[0]));
    }
    logits[name] = ofTexts;
  }
  sessions.push({ name: "call", session: await openSession(ort, callGraph()) });
  answer({ logits });
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    const { tokens, seconds } = JSON.parse(line.value) as { tokens: number; seconds: number };
    const input = feed(texts.timed.slice(0, tokens));
    const times: Record<string, number> = {};
    for (const { name, session } of sessions)
      times[name] = await timeRuns(() => session.run(input), seconds);
    answer(times);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { model: { type: "string", default: "" } } });
  await serve(values.model);
}
