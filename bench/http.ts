/**
 * The whole daemon under an open load of unique chat-length prompts, then with
 * repeats, then the highest rate that keeps its 99th percentile.
 *
 *   npm run bench:http -- [--json FILE] [--seconds 60] [--data FOLDER]
 *
 * With the folder of labelled texts also under traffic that means something, as
 * early exits depend on that: 99 honest texts to one attack, cut to the same lengths.
 * Generator and daemon share the machine; the generator's own processor time is
 * reported beside the daemon's.
 */
import { parseArgs } from "node:util";
import { readSet } from "./accuracy/data.ts";
import { chatBodies, trafficBodies } from "./lib/chat.ts";
import { cacheOff, cpuSeconds, residentMegabytes, startDaemon } from "./lib/daemon.ts";
import { openLoop } from "./lib/openloop.ts";
import { reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    seconds: { type: "string", default: "60" },
    data: { type: "string" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const seconds = Number(values.seconds);
const searchSeconds = Math.min(seconds, 10);
const p99MsMax = 50;
const connections = 64;

interface Run {
  readonly name: string;
  readonly rate: number;
  readonly seconds: number;
  /** Share of requests that repeat one of the last 500 prompts. */
  readonly repeats: number;
  /** Whether the prompts mean something. */
  readonly isTraffic?: boolean;
}

function labelled(set: string, wanted: number): string[] {
  if (values.data === undefined) return [];
  const rows = readSet(values.data, set).filter(
    ({ label, text }) => label === wanted && text !== "",
  );
  return rows.map(({ text }) => text);
}

const honest = labelled("heldout_benign", 0);
const attacks = labelled("heldout_attacks_by_source", 1);

let seed = -1;

async function measure(run: Run, settings: Readonly<Record<string, string>>) {
  const daemon = await startDaemon(settings);
  try {
    seed += 2;
    const body = run.isTraffic
      ? trafficBodies(honest, attacks, seed)
      : chatBodies(values.model, seed, run.repeats);
    const target = { address: { host: "127.0.0.1", port: daemon.port }, connections };
    await openLoop({ ...target, rate: Math.min(run.rate, 200), seconds: 2, body });
    const rest = residentMegabytes(daemon.pid).now;
    const daemonBefore = cpuSeconds(daemon.pid);
    const generatorBefore = cpuSeconds(process.pid);
    const started = performance.now();
    const result = await openLoop({ ...target, rate: run.rate, seconds: run.seconds, body });
    const elapsed = (performance.now() - started) / 1000;
    const { p50, p95, p99, max, mean } = result.milliseconds;
    return {
      name: run.name,
      "requests/s": run.rate,
      "reached/s": Math.round(result.rate * 10) / 10,
      "mean ms": round(mean),
      "p50 ms": round(p50),
      "p95 ms": round(p95),
      "p99 ms": round(p99),
      "max ms": round(max),
      errors: result.errors,
      "daemon CPU cores": round((cpuSeconds(daemon.pid) - daemonBefore) / elapsed),
      "generator CPU cores": round((cpuSeconds(process.pid) - generatorBefore) / elapsed),
      "RSS after warm-up MB": Math.round(rest),
      "RSS peak MB": Math.round(residentMegabytes(daemon.pid).peak),
    };
  } finally {
    await daemon.stop();
  }
}

const round = (value: number) => Math.round(value * 1000) / 1000;

/** Bisects for the highest rate, to 25 requests/s, at which the 99th percentile holds and nothing fails. */
async function highestRate(isTraffic: boolean): Promise<{
  rate: number;
  tried: Awaited<ReturnType<typeof measure>>[];
}> {
  const tried = [];
  let low = 0;
  let high = 3200;
  while (high - low > 25) {
    const rate = low === 0 && high === 3200 ? 800 : Math.round((low + high) / 50) * 25;
    const run = await measure(
      { name: "search", rate, seconds: searchSeconds, repeats: 0, isTraffic },
      cacheOff,
    );
    tried.push(run);
    if (run["p99 ms"] < p99MsMax && run.errors === 0) low = rate;
    else high = rate;
    if (rate === low && high - low <= 25) break;
  }
  return { rate: low, tried };
}

const idle = await startDaemon({});
const readyTimes = [idle.readyMs];
await new Promise((resolve) => setTimeout(resolve, 1000));
const restMegabytes = residentMegabytes(idle.pid);
await idle.stop();
for (let attempt = 0; attempt < 4; attempt++) {
  const daemon = await startDaemon({});
  readyTimes.push(daemon.readyMs);
  await daemon.stop();
}
readyTimes.sort((a, b) => a - b);
const start = {
  "RSS at rest MB": Math.round(restMegabytes.now),
  "ready after ms, median of 5": Math.round(readyTimes[2] as number),
};

const rows = [];
for (const rate of [100, 250, 500, 1000]) {
  const run = { name: "unique prompts, cache off", rate, seconds, repeats: 0 };
  rows.push(await measure(run, cacheOff));
  console.error(JSON.stringify(rows.at(-1)));
}
const repeated = { name: "half repeats, cache on", rate: 1000, seconds, repeats: 0.5 };
rows.push(await measure(repeated, {}));
console.error(JSON.stringify(rows.at(-1)));
if (values.data !== undefined) {
  for (const rate of [500, 700, 1000]) {
    const run = { name: "honest texts and attacks, 99 to 1, cache off", rate, seconds };
    rows.push(await measure({ ...run, repeats: 0, isTraffic: true }, cacheOff));
    console.error(JSON.stringify(rows.at(-1)));
  }
}
const highest = await highestRate(false);
const traffic = values.data === undefined ? undefined : await highestRate(true);

console.log(table(rows));
console.log(table([start]));
console.log(
  `highest rate with p99 under ${p99MsMax} ms, ${searchSeconds} s each: ${highest.rate}/s`,
);
if (traffic !== undefined) {
  console.log(`the same of honest texts and attacks, 99 to 1: ${traffic.rate}/s`);
}
const report = {
  ...reportHead(),
  connections,
  start,
  rows,
  highest_rate_with_p99_under_50_ms: highest.rate,
  search: highest.tried,
  ...(traffic === undefined
    ? {}
    : { highest_rate_of_traffic: traffic.rate, traffic_search: traffic.tried }),
};
if (values.json !== undefined) writeReport(values.json, report);
