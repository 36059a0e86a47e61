/**
 * What recall costs: the key of a text, and a hit, a miss and an insert in
 * memory (L1) and on disk (L3), with 100,000 entries in each and texts of 128
 * tokens.
 *
 *   npm run bench:cache -- [--json FILE] [--entries 100000] [--operations 20000]
 *
 * Each operation is timed by itself, in a random order of texts; what reading the clock costs is
 * given too and is in every figure. L3 is read from warm memory. An insert into L3 is what the
 * request pays; the batches that follow it are written off its path and given as entries a second.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { DiskCache } from "../src/cache/disk.ts";
import { keyMaker } from "../src/cache/key.ts";
import { MemoryCache } from "../src/cache/memory.ts";
import { Store } from "../src/store/lmdb.ts";
import type { Scores } from "../src/types.ts";
import { chatTexts, randomFrom } from "./lib/chat.ts";
import { reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    entries: { type: "string", default: "100000" },
    operations: { type: "string", default: "20000" },
    model: { type: "string", default: "models/ghostai-small" },
    folder: { type: "string", default: tmpdir() },
  },
});
const entriesMax = Number(values.entries);
const operations = Number(values.operations);
const tokens = 128;
const dayMs = 86_400_000;
/** Inserts at once before the batches behind them get their turn; the disk cache holds 5,000 back. */
const insertsTogether = 2000;

const round = (value: number) => Math.round(value * 1000) / 1000;

/** Times each call by itself. */
function time(name: string, count: number, call: (index: number) => unknown) {
  for (let index = 0; index < Math.min(count, 2000); index++) call(index);
  return timeOnce(name, count, call);
}

/** The same without a first round: for calls that change what they are asked about. */
function timeOnce(name: string, count: number, call: (index: number) => unknown) {
  const times = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const from = process.hrtime.bigint();
    call(index);
    times[index] = Number(process.hrtime.bigint() - from) / 1000;
  }
  return rowOf(name, times);
}

function rowOf(name: string, times: Float64Array) {
  const sorted = times.slice().sort();
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
  return {
    operation: name,
    "median us": round(at(0.5)),
    "p99 us": round(at(0.99)),
    "mean us": round(sorted.reduce((sum, value) => sum + value, 0) / sorted.length),
    "max us": round(at(1)),
  };
}

/** As a model's verdict leaves them: one in twenty with a finding. */
function scoresAt(index: number): Scores {
  const modelScore = (index % 1000) / 1000;
  const findings =
    index % 20 === 0
      ? [
          {
            scanner: "model" as const,
            label: "model/prompt-injection",
            score: modelScore,
            start: 0,
            end: 300,
            message: "Reads like an instruction to the model that is to read it",
          },
        ]
      : [];
  return { findings, modelScore, modelLogit: modelScore * 8 - 4 };
}

const folder = mkdtempSync(join(values.folder, "ghostai-bench-"));
const store = Store.open(join(folder, "store"));
try {
  const versions = {
    modelSha256: "0".repeat(64),
    signatures: "2026-01-01",
    normaliser: "2",
    windowsMax: 192,
    earlyExit: true,
  };
  const keyOf = keyMaker(versions, randomBytes(32));
  const text = chatTexts(values.model, 1, () => tokens);
  const random = randomFrom(2);
  const texts = Array.from({ length: operations }, text);
  // Keys of texts are as good as random: entries beyond the timed ones need no text.
  const randomKeys = (count: number) =>
    Array.from({ length: count }, () => randomBytes(32).toString("hex"));
  const held = randomKeys(entriesMax);
  const absent = randomKeys(operations);
  const added = randomKeys(operations);
  const order = Uint32Array.from({ length: operations }, () => Math.floor(random() * entriesMax));
  const heldAt = (index: number) => held[order[index] as number] as string;
  const rows = [time("the clock alone", operations, () => {})];
  rows.push(
    time("key", operations, (index) => keyOf({ text: texts[index] as string, origin: "user" })),
  );

  const memory = new MemoryCache({ entriesMax, ttlMs: dayMs });
  for (const [index, key] of held.entries()) memory.set(key, scoresAt(index));
  const expect = (found: unknown, isHit: boolean) => {
    if ((found !== undefined) !== isHit) throw new Error("Expected otherwise of the cache");
  };
  rows.push(time("L1 hit", operations, (index) => expect(memory.get(heldAt(index)), true)));
  rows.push(
    time("L1 miss", operations, (index) => expect(memory.get(absent[index] as string), false)),
  );
  rows.push(
    timeOnce("L1 insert", operations, (index) =>
      memory.set(added[index] as string, scoresAt(index)),
    ),
  );
  memory.clear();

  const disk = new DiskCache({
    entriesMax: entriesMax + operations,
    bytesMax: 2 ** 40,
    ttlMs: dayMs,
    now: Date.now,
    written: () => {},
    failed: (error) => {
      throw error;
    },
  });
  disk.attach(store);
  const written = async (count: number) => {
    while (disk.count < count) await sleep(5);
  };
  const startedFilling = performance.now();
  for (let from = 0; from < entriesMax; from += insertsTogether) {
    const until = Math.min(entriesMax, from + insertsTogether);
    for (let index = from; index < until; index++) disk.set(held[index] as string, scoresAt(index));
    await written(until);
  }
  const filledPerSecond = (entriesMax * 1000) / (performance.now() - startedFilling);
  await sleep(500);
  rows.push(time("L3 hit", operations, (index) => expect(disk.get(heldAt(index)), true)));
  rows.push(
    time("L3 miss", operations, (index) => expect(disk.get(absent[index] as string), false)),
  );
  const inserts = new Float64Array(operations);
  for (let from = 0; from < operations; from += insertsTogether) {
    const until = Math.min(operations, from + insertsTogether);
    for (let index = from; index < until; index++) {
      const before = process.hrtime.bigint();
      disk.set(added[index] as string, scoresAt(index));
      inserts[index] = Number(process.hrtime.bigint() - before) / 1000;
    }
    await written(entriesMax + until);
  }
  rows.push(rowOf("L3 insert", inserts));
  const bytes = store.table("scores").bytes + store.table("scores_by_age").bytes;
  await disk.close();

  console.log(table(rows));
  const behind = {
    "L3 entries": entriesMax + operations,
    "bytes an entry": Math.round(bytes / (entriesMax + operations)),
    "entries written a second, batch delays included": Math.round(filledPerSecond),
  };
  console.log();
  console.log(table([behind]));
  const report = {
    ...reportHead(),
    entries: entriesMax,
    operations,
    tokens,
    rows,
    l3: behind,
  };
  if (values.json !== undefined) writeReport(values.json, report);
} finally {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
}
