/**
 * `score()` as JavaScript calls it, against the forward pass alone: what queue, threads, crossing
 * and event loop cost, and how long prompts wait. Texts of 32 tokens, no two alike, without early
 * exits, one inference thread on the last core, the event loop on the first.
 *
 *   npm run bench:score -- [--json FILE] [--seconds 10] [--rounds 3]
 *
 * - Rate: 16 calls under way at any time, in turns with `ghostai-forward`, which runs passes of 32
 *   tokens back to back on the same core. Calls that wait are merged two at a time, which makes a
 *   pass a little cheaper, so the share may exceed 1.
 * - Latency at 80 % of the forward pass's rate, and what long documents do to it at 30 %: open loop.
 *   A time counts from the moment at which the prompt was due, whether or not earlier ones were
 *   answered (no coordinated omission). The loop asks the clock between all turns instead of using
 *   timers, whose millisecond would be most of the result. Arrivals are evenly spaced, or at random
 *   (Poisson). With the latter a queue builds up whoever serves it, so the peer is a server without
 *   any overhead: the same arrivals, one pass each, first come first served.
 * - Crossing: the addon over a model without work (lib/no_model.cc), so that a call is all that it
 *   is otherwise (arguments, submission, queue, inference thread, wake, promise) but for tokenizer
 *   and encoder. In a burst, 2,000 calls are submitted, and once all are done elsewhere, answered:
 *   what the event loop itself has to do for a call, without a wait. With 256 under way at any time
 *   the threads also wake each other, which a model with work to do makes rare; one at a time each
 *   call pays for a sleep and a wake of both. There it is wall time, and processor time of the event
 *   loop's thread as the kernel counts it.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Model, openModel } from "../src/model/model.ts";
import { type Native, native, readScore } from "../src/model/native.ts";
import { chatTexts, randomFrom } from "./lib/chat.ts";
import { summarise } from "./lib/openloop.ts";
import { median, reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const promptTokens = 32;
const documentTokens = 10_000;
const inFlight = 16;

const cores = native().system.allowedCores();
const core = cores.at(-1) ?? 0;
const round = (value: number) => Math.round(value * 1000) / 1000;

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peers: Readonly<Record<string, number>>;
  /** Ours by the peer, or as the name says. */
  readonly ratio: number | null;
  readonly share_of_peak: number | null;
}
const rows: Row[] = [];
function add(row: Partial<Row> & Pick<Row, "name" | "unit" | "ours">): void {
  rows.push({ peers: {}, ratio: null, share_of_peak: null, ...row, ours: round(row.ours) });
}

function openOne(): Model {
  return openModel({
    path: values.model,
    kernels: "",
    cores: [core],
    threads: 1,
    queueMax: 100_000,
    windowsMax: 192,
    earlyExit: false,
    queueWaitMsMax: () => 600_000,
  });
}

async function score(model: Model, text: string): Promise<number> {
  const request = { deadlineMs: 600_000, admission: { isAdmitted: true }, signal: undefined };
  const [scored] = await Promise.all(model.score([[text]], request));
  return scored?.tokens ?? 0;
}

/** Makes texts ahead of the time that is measured. */
function prepared(make: () => string, count: number): () => string {
  const texts = Array.from({ length: count }, make);
  return () => texts.pop() ?? make();
}

/** Median of a pass, milliseconds. */
function passMs(): number {
  const args = [values.model, "--tokens", String(promptTokens), "--seconds", "1"];
  const command = ["-c", String(core), "build/Release/ghostai-forward", ...args];
  return JSON.parse(execFileSync("taskset", command, { encoding: "utf8" })).ms_median;
}

/** Answers a second with `inFlight` calls under way. */
async function closedLoop(model: Model, text: () => string): Promise<number> {
  const start = performance.now();
  const until = start + (seconds * 1000) / rounds;
  let answers = 0;
  const lane = async () => {
    while (performance.now() < until) {
      await score(model, text());
      answers++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return (answers * 1000) / (performance.now() - start);
}

/** Times at which prompts are due, milliseconds from the start. */
function arrivals(rate: number, random: (() => number) | undefined): number[] {
  const due: number[] = [];
  for (let at = 0; at < seconds * 1000; ) {
    due.push(at);
    at += ((random === undefined ? 1 : -Math.log(1 - random())) * 1000) / rate;
  }
  return due;
}

/** Sends a prompt at each of the times. @returns milliseconds from each one's due time to its answer */
async function openLoop(
  model: Model,
  due: readonly number[],
  text: () => string,
): Promise<number[]> {
  const start = performance.now();
  const answers: Promise<number>[] = [];
  while (answers.length < due.length) {
    const now = performance.now() - start;
    for (let at = due[answers.length]; at !== undefined && at <= now; at = due[answers.length]) {
      const dueAt = at;
      answers.push(score(model, text()).then(() => performance.now() - start - dueAt));
    }
    await new Promise(setImmediate);
  }
  return Promise.all(answers);
}

/** The times that one server without overhead would give these arrivals. */
function withoutOverhead(due: readonly number[], serviceMs: number): number[] {
  let free = 0;
  return due.map((at) => {
    free = Math.max(free, at) + serviceMs;
    return free - at;
  });
}

/** Documents one after the other on each of so many lanes, until told to stop. */
function streamDocuments(model: Model, lanes: number, text: () => string) {
  let isStopped = false;
  let documents = 0;
  const lane = async () => {
    while (!isStopped) {
      await score(model, text());
      documents++;
    }
  };
  const all = Array.from({ length: lanes }, lane);
  return async () => {
    isStopped = true;
    await Promise.all(all);
    return documents;
  };
}

async function measureScore(): Promise<void> {
  const model = openOne();
  const makePrompt = chatTexts(values.model, 1, () => promptTokens);
  const makeDocument = chatTexts(values.model, 2, () => documentTokens);
  const tokens = await score(model, makePrompt());
  if (tokens !== promptTokens - 2) throw new Error(`Expected 30 tokens but got ${tokens}`);
  const prompts = (rate: number) => prepared(makePrompt, Math.ceil(rate * seconds * 1.2));

  await closedLoop(model, prompts(1000 / rounds)); // warm-up
  const passes: number[] = [];
  const rates: number[] = [];
  for (let turn = 0; turn < rounds; turn++) {
    passes.push(passMs());
    rates.push(await closedLoop(model, prompts(2000 / rounds)));
  }
  const pass = median(passes);
  const forwardRate = 1000 / pass;
  const rate = median(rates);
  add({
    name: "rate of score(), 32 tokens",
    unit: "1/s",
    ours: rate,
    peers: { "forward pass": round(forwardRate) },
    ratio: round(rate / forwardRate),
    share_of_peak: round(median(rates.map((value, turn) => (value * (passes[turn] ?? 0)) / 1000))),
  });

  for (const [name, random] of [
    ["evenly spaced", undefined],
    ["at random", randomFrom(3)],
  ] as const) {
    const due = arrivals(0.8 * forwardRate, random);
    const times = summarise(await openLoop(model, due, prompts(forwardRate)));
    const ideal = summarise(withoutOverhead(due, pass));
    for (const share of ["p50", "p99"] as const) {
      add({
        name: `${share} at 80 %, ${name}; ratio in passes`,
        unit: "ms",
        ours: times[share],
        peers: { "server without overhead": round(ideal[share]) },
        ratio: round(times[share] / pass),
      });
    }
  }

  const random = randomFrom(4);
  const load = () => openLoop(model, arrivals(0.3 * forwardRate, random), prompts(forwardRate));
  const quiet: number[] = [];
  const beside: number[][] = [[], []];
  for (let turn = 0; turn < rounds; turn++) {
    quiet.push(...(await load()));
    for (const [index, times] of beside.entries()) {
      const stop = streamDocuments(model, index + 1, prepared(makeDocument, 10 * seconds));
      times.push(...(await load()));
      const documents = await stop();
      if (documents === 0)
        throw new Error("Expected a document to end in the time; raise --seconds");
    }
  }
  const { p99 } = summarise(quiet);
  for (const [index, times] of beside.entries()) {
    const busy = summarise(times).p99;
    add({
      name: `p99 at 30 % at random, beside ${index + 1} document(s) of 10,000 tokens at a time`,
      unit: "ms",
      ours: busy,
      peers: { "without documents": round(p99) },
      ratio: round(busy / p99),
    });
  }
  await model.close();
}

/** Processor time of this thread so far, microseconds. */
function threadMicroseconds(): number {
  const text = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8");
  return Number(text.split(" ")[0]) / 1000;
}

function loadCrossing(): Native {
  execFileSync("cmake", ["--build", "build", "--target", "ghostai-crossing"], { stdio: "ignore" });
  return createRequire(import.meta.url)(resolve("build/Release/ghostai-crossing.node")) as Native;
}

async function measureCrossing(addon: Native): Promise<void> {
  const handle = addon.open({
    modelDir: "",
    kernels: "",
    cores: [core],
    threads: 1,
    queueMax: 100_000,
    windowTokens: 128,
    windowStride: 96,
    exits: [],
  });
  const make = chatTexts(values.model, 5, () => promptTokens);
  const texts = Array.from({ length: 1000 }, make);
  const options = { windowsMax: 192, deadlineMs: 600_000, earlyExit: false };
  async function run(lanes: number, calls: number): Promise<{ wall: number; cpu: number }> {
    let next = 0;
    const lane = async () => {
      while (next < calls) {
        const [answer] = addon.score(handle, [[texts[next++ % texts.length] as string]], options);
        readScore((await answer) as Float64Array);
      }
    };
    const [cpu, wall] = [threadMicroseconds(), performance.now()];
    await Promise.all(Array.from({ length: lanes }, lane));
    const spent = (performance.now() - wall) * 1000;
    return { wall: spent / calls, cpu: (threadMicroseconds() - cpu) / calls };
  }
  async function burst(calls: number): Promise<number> {
    const start = performance.now();
    const answers = Array.from(
      { length: calls },
      (_, index) => addon.score(handle, [[texts[index % texts.length] as string]], options)[0],
    );
    const submitted = performance.now();
    // The inference thread answers meanwhile; the event loop must not yet.
    while (addon.stats(handle).queueDepth > 0 || performance.now() < submitted + 20);
    const before = performance.now();
    for (const answer of answers) readScore((await answer) as Float64Array);
    return ((submitted - start + performance.now() - before) * 1000) / calls;
  }
  const bursts = [];
  for (let turn = 0; turn < 10 * rounds; turn++) bursts.push(await burst(2000));
  add({ name: "crossing, in a burst: event loop's time", unit: "us", ours: median(bursts) });
  for (const [lanes, name, calls] of [
    [256, "256 under way", 100_000],
    [1, "one at a time", 20_000],
  ] as const) {
    await run(lanes, calls);
    const turns = [];
    for (let turn = 0; turn < rounds; turn++) turns.push(await run(lanes, calls));
    add({
      name: `crossing, ${name}: event loop's processor time`,
      unit: "us",
      ours: median(turns.map(({ cpu }) => cpu)),
    });
    add({
      name: `crossing, ${name}: wall time`,
      unit: "us",
      ours: median(turns.map(({ wall }) => wall)),
    });
  }
  await addon.close(handle);
}

const crossing = loadCrossing();
// An addon takes the process's cores as it finds them, so it is asked before a thread is pinned.
crossing.system.allowedCores();
if (cores.length > 1) native().system.pinThread(cores[0] ?? 0);
await measureScore();
await measureCrossing(crossing);
console.log(
  table(
    rows.map(({ name, unit, ours, peers, ratio }) => {
      const [peer = ["", ""]] = Object.entries(peers);
      return { name, unit, ours, peer: peer[0], "peer's": peer[1], ratio: ratio ?? "" };
    }),
  ),
);
if (values.json !== undefined) {
  const head = { ...reportHead(), cores: { event_loop: cores[0], inference: core } };
  writeReport(values.json, { ...head, seconds, rounds, rows });
}
