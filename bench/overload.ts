/**
 * The daemon past its capacity and among slow clients, cache off, on unique
 * chat-length prompts.
 *
 *   npm run bench:overload -- [--json FILE] [--seconds 60] [--rounds 5] [--part all|slow]
 *
 * 1. The peak: an open loop at rising rates; the most answers a second that came in time.
 * 2. Overload: an open loop at twice that for `--seconds`. Goodput as a share of the peak (goal:
 *    90 % or more), and of what the peak's rate brings shortly before and after; the times of
 *    accepted requests, refusals by code, resident memory over time. When it ends, a moderate load
 *    goes on at once: the time until the 99th percentile of its half-seconds is no longer above any
 *    half-second of the same load before (goal: 2 s).
 * 3. Slow clients: 1,000 connections that send a byte a second (lib/dribble.ts), and the moderate
 *    load's 99th percentile with them against without them, alternating (goal: under 10 % more). In
 *    a third turn they go to another daemon on the same cores: what they cost there is the price of
 *    their own process and of the kernel's work, whichever daemon they trouble.
 *
 * Load and daemon share the machine; the generator's own processor time is reported.
 */
import { parseArgs } from "node:util";
import { chatBodies } from "./lib/chat.ts";
import { cacheOff, cpuSeconds, type Daemon, residentMegabytes, startDaemon } from "./lib/daemon.ts";
import { startDribblers } from "./lib/dribble.ts";
import { type Ending, type LoadResult, openLoop, summarise } from "./lib/openloop.ts";
import { median, reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    seconds: { type: "string", default: "60" },
    rounds: { type: "string", default: "5" },
    "ramp-seconds": { type: "string", default: "5" },
    "normal-seconds": { type: "string", default: "20" },
    "round-seconds": { type: "string", default: "15" },
    dribblers: { type: "string", default: "1000" },
    /** `slow` does the third part alone, at `--moderate` requests a second. */
    part: { type: "string", default: "all" },
    moderate: { type: "string", default: "190" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const seconds = Number(values.seconds);
const rampSeconds = Number(values["ramp-seconds"]);
const normalSeconds = Number(values["normal-seconds"]);
const roundSeconds = Number(values["round-seconds"]);
const dribblerCount = Number(values.dribblers);

const connections = 512;
const moderateShare = 0.3;
const windowMs = 500;
const memoryEveryMs = 500;
const settleMs = 1000;

const round = (value: number) => Math.round(value * 1000) / 1000;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

let seed = 1;

interface Observed {
  readonly result: LoadResult;
  readonly accepted: readonly Ending[];
  readonly refused: readonly number[];
  readonly generatorCores: number;
  readonly daemonCores: number;
}

/** Makes its prompts at once; `run` then only sends them. */
function prepare(daemon: Daemon, rate: number, forSeconds: number) {
  seed += 2;
  const next = chatBodies(values.model, seed, 0);
  const bodies = Array.from({ length: Math.round(rate * forSeconds) }, next);
  return async (): Promise<Observed> => {
    const accepted: Ending[] = [];
    const refused: number[] = [];
    const generatorBefore = cpuSeconds(process.pid);
    const daemonBefore = cpuSeconds(daemon.pid);
    const started = performance.now();
    const result = await openLoop({
      address: { host: "127.0.0.1", port: daemon.port },
      rate,
      seconds: forSeconds,
      connections,
      body: (index) => bodies[index] as string,
      ended: (ending) => {
        if (ending.status === 200) accepted.push({ ...ending, body: "" });
        else refused.push(ending.doneMs - ending.dueMs);
      },
    });
    const elapsed = (performance.now() - started) / 1000;
    return {
      result,
      accepted,
      refused,
      generatorCores: round((cpuSeconds(process.pid) - generatorBefore) / elapsed),
      daemonCores: round((cpuSeconds(daemon.pid) - daemonBefore) / elapsed),
    };
  };
}

/** Accepted requests a second, of those that were answered before the load ended. */
function goodput({ accepted }: Observed, forSeconds: number): number {
  return accepted.filter(({ doneMs }) => doneMs <= forSeconds * 1000).length / forSeconds;
}

function rowOf(name: string, rate: number, forSeconds: number, observed: Observed) {
  const { p50, p99, max } = observed.result.milliseconds;
  return {
    load: name,
    "requests/s": Math.round(rate),
    "goodput/s": Math.round(goodput(observed, forSeconds) * 10) / 10,
    "p50 ms": round(p50),
    "p99 ms": round(p99),
    "max ms": round(max),
    "refused p99 ms": round(summarise(observed.refused).p99),
    refusals: JSON.stringify(observed.result.refusals),
    "daemon CPU cores": observed.daemonCores,
    "generator CPU cores": observed.generatorCores,
  };
}

type Row = ReturnType<typeof rowOf>;

/** Rates rise by a quarter until two in a row bring no more, then steps of a tenth around the best. */
async function findPeak(daemon: Daemon): Promise<{ peak: number; peakRate: number; rows: Row[] }> {
  const rows: Row[] = [];
  const tryRate = async (rate: number) => {
    const row = rowOf(
      "ramp",
      rate,
      rampSeconds,
      await prepare(daemon, Math.round(rate), rampSeconds)(),
    );
    rows.push(row);
    console.error(JSON.stringify(row));
    if (row["goodput/s"] === 0) throw new Error(`Expected answers but got ${row.refusals}`);
    await sleep(settleMs);
    return row;
  };
  const best = () =>
    rows.reduce((most, row) => (row["goodput/s"] > most["goodput/s"] ? row : most));
  let rate = 200;
  for (let worse = 0; worse < 2; rate *= 1.25) {
    const before = rows.length === 0 ? 0 : best()["goodput/s"];
    const row = await tryRate(rate);
    worse = row["goodput/s"] > before * 1.02 ? 0 : worse + 1;
  }
  const around = best()["requests/s"];
  for (const factor of [0.9, 1, 1.1]) await tryRate(around * factor);
  return { peak: best()["goodput/s"], peakRate: best()["requests/s"], rows };
}

/** The 99th percentile of each window, by when its requests were due. */
function windows(accepted: readonly Ending[], forSeconds: number): number[] {
  const count = Math.floor((forSeconds * 1000) / windowMs);
  const times = Array.from({ length: count }, (): number[] => []);
  for (const { dueMs, doneMs } of accepted) {
    times[Math.floor(dueMs / windowMs)]?.push(doneMs - dueMs);
  }
  return times.map((window) => round(summarise(window).p99));
}

/** Seconds after the overload's end from which two windows in a row are no worse than normal. */
function recoveredAfter(after: readonly number[], worstNormal: number): number {
  const first = after.findIndex(
    (p99, index) =>
      p99 <= worstNormal && (after[index + 1] ?? Number.POSITIVE_INFINITY) <= worstNormal,
  );
  return first === -1 ? Number.POSITIVE_INFINITY : (first * windowMs) / 1000;
}

function watchMemory(daemon: Daemon) {
  const samples: number[] = [];
  const take = () => samples.push(round(residentMegabytes(daemon.pid).now));
  take();
  const timer = setInterval(take, memoryEveryMs);
  return {
    stop(): readonly number[] {
      clearInterval(timer);
      take();
      return samples;
    },
  };
}

async function overload(daemon: Daemon, peak: number, peakRate: number) {
  const atPeak = async () => {
    const observed = await prepare(daemon, peakRate, normalSeconds)();
    await sleep(settleMs);
    return rowOf("peak rate", peakRate, normalSeconds, observed);
  };
  const moderate = peak * moderateShare;
  const normal = await prepare(daemon, moderate, normalSeconds)();
  const normalWindows = windows(normal.accepted, normalSeconds);
  const worstNormal = Math.max(...normalWindows.filter(Number.isFinite));
  const peakBefore = await atPeak();
  const rate = Math.round(2 * peak);
  const runOver = prepare(daemon, rate, seconds);
  const runAfter = prepare(daemon, moderate, normalSeconds);
  await sleep(settleMs);
  const memory = watchMemory(daemon);
  const over = runOver();
  await sleep(seconds * 1000);
  const after = await runAfter();
  const observed = await over;
  const residentMb = memory.stop();
  await sleep(settleMs);
  const peakAfter = await atPeak();
  const afterWindows = windows(after.accepted, normalSeconds);
  const reached = goodput(observed, seconds);
  const peakBeside = (peakBefore["goodput/s"] + peakAfter["goodput/s"]) / 2;
  const tenths = Math.max(1, Math.floor(residentMb.length / 10));
  return {
    rows: [
      rowOf("moderate, before", moderate, normalSeconds, normal),
      peakBefore,
      rowOf("overload", rate, seconds, observed),
      rowOf("moderate, right after", moderate, normalSeconds, after),
      peakAfter,
    ],
    share_of_peak: round(reached / peak),
    share_of_peak_rate_before_and_after: round(reached / peakBeside),
    recovered_after_s: recoveredAfter(afterWindows, worstNormal),
    worst_normal_window_p99_ms: worstNormal,
    window_ms: windowMs,
    normal_windows_p99_ms: normalWindows,
    after_windows_p99_ms: afterWindows,
    resident_mb: {
      before: residentMb[0],
      largest: Math.max(...residentMb),
      last: residentMb.at(-1),
      every_ms: memoryEveryMs * tenths,
      over_time: residentMb.filter((_, index) => index % tenths === 0),
    },
  };
}

type Turn = "without" | "with" | "elsewhere";

interface Round {
  readonly round: number;
  readonly "p99 ms without": number;
  readonly "p99 ms with": number;
  readonly "p99 ms elsewhere": number;
  readonly ratio: number;
  readonly "to elsewhere": number;
  readonly errors: number;
  readonly "slow clients": string;
}

async function amongSlowClients(daemon: Daemon, rate: number) {
  const bystander = await startDaemon(cacheOff);
  const turns: readonly Turn[] = ["without", "with", "elsewhere"];
  const rounds: Round[] = [];
  for (let index = 0; index < Number(values.rounds); index++) {
    const p99: Record<Turn, number> = { without: 0, with: 0, elsewhere: 0 };
    let errors = 0;
    let seen = {};
    // Each turn is the first, the second and the third equally often.
    for (const turn of turns.map((_, at) => turns[(at + index) % turns.length] as Turn)) {
      const run = prepare(daemon, rate, roundSeconds);
      const target = turn === "with" ? daemon : bystander;
      const slow =
        turn === "without" ? undefined : await startDribblers(target.port, dribblerCount);
      await sleep(settleMs);
      const { result } = await run();
      p99[turn] = round(result.milliseconds.p99);
      errors += result.errors;
      const told = await slow?.stop();
      if (turn === "with" && told !== undefined) seen = told;
      await sleep(settleMs);
    }
    const row = {
      round: index + 1,
      "p99 ms without": p99.without,
      "p99 ms with": p99.with,
      "p99 ms elsewhere": p99.elsewhere,
      ratio: round(p99.with / p99.without),
      "to elsewhere": round(p99.with / p99.elsewhere),
      errors,
      "slow clients": JSON.stringify(seen),
    };
    rounds.push(row);
    console.error(JSON.stringify(row));
  }
  await bystander.stop();
  const medianOf = (name: "p99 ms with" | "p99 ms without" | "ratio" | "to elsewhere") =>
    round(median(rounds.map((row) => row[name])));
  return {
    connections: dribblerCount,
    "requests/s": Math.round(rate),
    ratio_of_medians: round(medianOf("p99 ms with") / medianOf("p99 ms without")),
    median_of_ratios: medianOf("ratio"),
    median_of_ratios_to_elsewhere: medianOf("to elsewhere"),
    rounds,
  };
}

const daemon = await startDaemon(cacheOff);
if (values.part === "slow") {
  await prepare(daemon, 200, 2)();
  const slow = await amongSlowClients(daemon, Number(values.moderate));
  await daemon.stop();
  console.log(table(slow.rounds.map((row) => ({ ...row }))));
  console.log(slow.median_of_ratios, slow.median_of_ratios_to_elsewhere);
  if (values.json !== undefined) writeReport(values.json, { ...reportHead(), slow_clients: slow });
  process.exit(0);
}
try {
  await prepare(daemon, 200, 2)();
  const { peak, peakRate, rows } = await findPeak(daemon);
  const over = await overload(daemon, peak, peakRate);
  await sleep(settleMs);
  const slow = await amongSlowClients(daemon, peak * moderateShare);
  console.log(table(rows));
  console.log();
  console.log(table(over.rows));
  console.log(
    `\npeak ${peak}/s; goodput at twice that: ${round(over.share_of_peak * 100)} % of it (goal 90 %), ` +
      `${round(over.share_of_peak_rate_before_and_after * 100)} % of the peak rate's own before and after; ` +
      `normal again after ${over.recovered_after_s} s (goal 2 s); ` +
      `memory ${over.resident_mb.before} MB before, ${over.resident_mb.largest} MB at most, ` +
      `${over.resident_mb.last} MB after\n`,
  );
  console.log(table(slow.rounds.map((row) => ({ ...row }))));
  console.log(
    `\np99 among ${slow.connections} slow clients: ${slow.median_of_ratios} times that without them, ` +
      `median of the rounds (goal under 1.1); ${slow.median_of_ratios_to_elsewhere} times that with them elsewhere`,
  );
  const report = {
    ...reportHead(),
    connections,
    peak_goodput_per_second: peak,
    ramp: rows,
    overload: over,
    slow_clients: slow,
  };
  if (values.json !== undefined) writeReport(values.json, report);
} finally {
  await daemon.stop();
}
