/** What is too old or too much goes, oldest first, and the indexes with it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { queryLog } from "../../src/log/query.ts";
import type { LogRecord } from "../../src/log/record.ts";
import { logBytes, type RetentionLimits, retainStep } from "../../src/log/retention.ts";
import { verifyLog } from "../../src/log/verify.ts";
import type { Store } from "../../src/store/lmdb.ts";
import { withStore } from "../store/harness.ts";
import { fill, recordOf } from "./records.ts";

const noLimit = Number.MAX_SAFE_INTEGER;

/** @returns records removed over all steps */
async function retain(store: Store, limits: RetentionLimits): Promise<number> {
  let sum = 0;
  for (;;) {
    const removed = await retainStep(store, limits);
    assert.ok(removed <= 500, "a step is short");
    if (removed === 0) return sum;
    sum += removed;
  }
}

async function timesOf(store: Store): Promise<number[]> {
  const { rows } = await queryLog(store, { limit: 10_000, order: "oldest" });
  return rows.map(({ at }) => at);
}

function various(at: number, index: number): LogRecord {
  return recordOf({
    at,
    threatScore: (index % 11) / 10,
    scannerType: index % 3 === 0 ? "model" : "none",
    address: `10.0.0.${index % 5}`,
  });
}

test("records past the age go, whatever the order of their times", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 100 }), { maxLength: 60, size: "max" }),
      fc.integer({ min: -10, max: 110 }),
      (times, before) =>
        withStore(async (store) => {
          await fill(store, times.map(various));
          const kept = times.filter((at) => at >= before).sort((a, b) => a - b);
          const removed = await retain(store, { before, bytesMax: noLimit });
          assert.equal(removed, times.length - kept.length);
          assert.deepEqual(await timesOf(store), kept);
          assert.equal(verifyLog(store).disagreementsCount, 0);
        }),
    ),
    { numRuns: 25 },
  ));

test("many records of a clock that was ahead do not keep the old ones behind them", () =>
  withStore(async (store) => {
    const ahead = Array.from({ length: 1_200 }, (_, index) => various(1_000_000, index));
    const old = Array.from({ length: 700 }, (_, index) => various(index, index));
    await fill(store, [...ahead, ...old]);
    assert.equal(await retain(store, { before: 1_000, bytesMax: noLimit }), 700);
    assert.equal(store.table("records").count, 1_200);
    assert.equal(verifyLog(store).disagreementsCount, 0);
  }));

test("past a number of bytes the oldest go, until the rest fits", () =>
  withStore(async (store) => {
    const text = "a".repeat(300);
    const records = Array.from({ length: 4_000 }, (_, index) => ({
      ...various(index, index),
      text,
    }));
    await fill(store, records);
    const bytesMax = Math.floor(logBytes(store) / 2);
    const removed = await retain(store, { before: 0, bytesMax });
    assert.ok(logBytes(store) <= bytesMax);
    assert.ok(removed > 1_000 && removed < 4_000, `${removed} removed`);
    const times = await timesOf(store);
    assert.deepEqual([times[0], times.at(-1), times.length], [removed, 3_999, 4_000 - removed]);
    assert.equal(verifyLog(store).disagreementsCount, 0);
  }));

test("within age and bytes nothing goes, and nothing is written", () =>
  withStore(async (store) => {
    await fill(store, [various(10, 1), various(20, 2)]);
    assert.equal(await retainStep(store, { before: 10, bytesMax: noLimit }), 0);
    assert.equal(store.table("records").count, 2);
  }));

test("damaged records and entries without one go with their age and are not met again", () =>
  withStore(async (store) => {
    await fill(store, [various(1, 1), various(2, 2), various(3, 3), various(40, 4)]);
    const records = store.table("records");
    const [first, second] = records.keys({ limit: 2 });
    await store.write(() => {
      records.put(first as Buffer, Buffer.from("nonsense"));
      records.remove(second as Buffer);
    });
    assert.equal(await retain(store, { before: 10, bytesMax: noLimit }), 3);
    assert.deepEqual(await timesOf(store), [40]);
    assert.deepEqual([records.count, store.table("by_time").count], [1, 1]);
  }));
