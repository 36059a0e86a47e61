/**
 * A daemon that runs already, as it was installed: an open loop of 1,000
 * requests a second, half of them repeats, over HTTP and then over the Unix
 * socket. Cache and log are what the daemon has them to be; by default both are on.
 *
 *   npm run bench:service -- [--json FILE] [--url http://127.0.0.1:5004]
 *     [--socket /run/ghostai/ghostai.sock] [--unit ghostai | --pid N] [--seconds 60] [--rate 1000]
 *
 * `--socket ""` or `--url ""` leaves that way out. Processor time and memory are read from /proc of
 * the unit's main process, or of the one named. Prompts are new in each run, since the cache on disk
 * remembers those of the last one. Load and daemon share the machine; the generator's own processor
 * time is given.
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { chatBodies } from "./lib/chat.ts";
import { cpuSeconds, residentMegabytes } from "./lib/daemon.ts";
import { type Address, openLoop } from "./lib/openloop.ts";
import { reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    url: { type: "string", default: "http://127.0.0.1:5004" },
    socket: { type: "string", default: "/run/ghostai/ghostai.sock" },
    unit: { type: "string", default: "ghostai" },
    pid: { type: "string", default: "" },
    rate: { type: "string", default: "1000" },
    seconds: { type: "string", default: "60" },
    repeats: { type: "string", default: "0.5" },
    connections: { type: "string", default: "64" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 1000)) },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const [rate, seconds, repeats, connections, seed] = [
  values.rate,
  values.seconds,
  values.repeats,
  values.connections,
  values.seed,
].map(Number) as [number, number, number, number, number];
const warmUpSeconds = 2;
const round = (value: number) => Math.round(value * 1000) / 1000;

/** The daemon's process. @throws where neither `--pid` nor the unit says it */
function pidOf(): number {
  if (values.pid !== "") return Number(values.pid);
  const args = ["show", "--property=MainPID", "--value", values.unit];
  let shown = "0";
  try {
    shown = execFileSync("systemctl", args, { encoding: "utf8" }).trim();
  } catch {
    // No systemd here: said below.
  }
  if (Number(shown) > 0) return Number(shown);
  throw new Error(`Expected a running unit ${values.unit}, or --pid, but found none`);
}

function httpAddress(url: string): Address {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port === "" ? 80 : port) };
}

async function measure(name: string, address: Address, pid: number, ownSeed: number) {
  const body = chatBodies(values.model, ownSeed, repeats);
  const load = { address, connections, body };
  const warmUp = await openLoop({ ...load, rate: Math.min(rate, 200), seconds: warmUpSeconds });
  if (warmUp.answered === 0) {
    throw new Error(`Expected answers over ${name} but got ${JSON.stringify(warmUp.refusals)}`);
  }
  const layers: Record<string, number> = {};
  const resident: number[] = [];
  const sampling = setInterval(() => resident.push(residentMegabytes(pid).now), 1000);
  const daemonBefore = cpuSeconds(pid);
  const generatorBefore = cpuSeconds(process.pid);
  const started = performance.now();
  const result = await openLoop({
    ...load,
    rate,
    seconds,
    ended({ status, body: answer }) {
      if (status !== 200) return;
      const layer = /"cache":"([a-z0-9]+)"/.exec(answer)?.[1] ?? "unknown";
      layers[layer] = (layers[layer] ?? 0) + 1;
    },
  });
  const elapsed = (performance.now() - started) / 1000;
  clearInterval(sampling);
  resident.push(residentMegabytes(pid).now);
  const { mean, p50, p95, p99, max } = result.milliseconds;
  const share = (layer: string) => round((layers[layer] ?? 0) / Math.max(1, result.answered));
  return {
    over: name,
    "requests/s": rate,
    "reached/s": Math.round(result.rate * 10) / 10,
    "mean ms": round(mean),
    "p50 ms": round(p50),
    "p95 ms": round(p95),
    "p99 ms": round(p99),
    "max ms": round(max),
    errors: result.errors,
    refusals: JSON.stringify(result.refusals),
    "from L1": share("l1"),
    "from L3": share("l3"),
    "daemon CPU cores": round((cpuSeconds(pid) - daemonBefore) / elapsed),
    "generator CPU cores": round((cpuSeconds(process.pid) - generatorBefore) / elapsed),
    "RSS MB": Math.round(resident.at(-1) ?? Number.NaN),
    "RSS largest MB": Math.round(Math.max(...resident)),
    "RSS peak of its life MB": Math.round(residentMegabytes(pid).peak),
  };
}

const pid = pidOf();
const ways: [name: string, address: Address][] = [];
if (values.url !== "") ways.push(["HTTP", httpAddress(values.url)]);
if (values.socket !== "") ways.push(["Unix socket", { path: values.socket }]);
const rows = [];
for (const [index, [name, address]] of ways.entries()) {
  rows.push(await measure(name, address, pid, seed + 2 * index));
  console.error(JSON.stringify(rows.at(-1)));
}
console.log(table(rows));
const report = { ...reportHead(), connections, seconds, repeats, seed, rows };
if (values.json !== undefined) writeReport(values.json, report);
