/** The queue before the store: bounded, patient with a store that fails, and in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Log, type LogEvents } from "../../src/log/log.ts";
import { queryLog } from "../../src/log/query.ts";
import { verifyLog } from "../../src/log/verify.ts";
import type { Store } from "../../src/store/lmdb.ts";
import { eventually, FlakyStore, withStore } from "../store/harness.ts";
import { recordOf, silent } from "./records.ts";

class Counted implements LogEvents {
  writtenCount = 0;
  droppedCount = 0;
  readonly failures: string[] = [];
  written(records: number): void {
    this.writtenCount += records;
  }
  dropped(records: number): void {
    this.droppedCount += records;
  }
  failed(error: Error): void {
    this.failures.push(error.message);
  }
}

async function idsOf(store: Store): Promise<string[]> {
  const { rows } = await queryLog(store, { limit: 10_000, order: "oldest" });
  return rows.map(({ id }) => id);
}

const numbered = (count: number, name = "") =>
  Array.from({ length: count }, (_, at) => recordOf({ at, id: `${name}${at}` }));

test("records are written in the order in which they came, over many batches", () =>
  withStore(async (store) => {
    const events = new Counted();
    const log = new Log({ queueMax: 10_000, events });
    log.attach(store);
    const records = numbered(2_500);
    for (const record of records) log.append(record);
    assert.equal(log.waiting, 2_500);
    await eventually("an empty queue", () => log.waiting === 0);
    assert.deepEqual(
      await idsOf(store),
      records.map(({ id }) => id),
    );
    assert.deepEqual([events.writtenCount, events.droppedCount, events.failures], [2_500, 0, []]);
    await log.close();
  }));

test("what came before the store was open is written once it is", () =>
  withStore(async (store) => {
    const log = new Log({ queueMax: 10, events: silent });
    log.append(recordOf({ id: "early" }));
    assert.equal(await log.appendDurably(recordOf({ id: "early too" })), false);
    log.attach(store);
    await eventually("an empty queue", () => log.waiting === 0);
    assert.deepEqual(await idsOf(store), ["early", "early too"]);
    await log.close();
  }));

test("numbers go on where an earlier log ended, after its first record too", () =>
  withStore(async (store) => {
    for (const name of ["first", "second", "third"]) {
      const log = new Log({ queueMax: 10, events: silent });
      log.attach(store);
      log.append(recordOf({ id: name }));
      await log.close();
    }
    const { rows } = await queryLog(store, { limit: 10, order: "oldest" });
    assert.deepEqual(
      rows.map(({ id, sequence }) => [id, sequence]),
      [
        ["first", 0n],
        ["second", 1n],
        ["third", 2n],
      ],
    );
  }));

test("past its bound the queue drops what comes and counts it", () =>
  withStore(async (store) => {
    const events = new Counted();
    const log = new Log({ queueMax: 5, events });
    for (const record of numbered(8)) log.append(record);
    assert.equal(await log.appendDurably(recordOf({ id: "durable" })), false);
    assert.deepEqual([log.waiting, events.droppedCount], [5, 4]);
    log.attach(store);
    await log.close();
    assert.deepEqual(await idsOf(store), ["0", "1", "2", "3", "4"]);
    assert.deepEqual([events.writtenCount, events.droppedCount], [5, 4]);
  }));

test("a record that is waited for can be read when the wait is over", () =>
  withStore(async (store) => {
    const log = new Log({ queueMax: 1_000, events: silent });
    log.attach(store);
    for (let round = 0; round < 5; round++) {
      log.append(recordOf({ at: round, id: `before ${round}` }));
      const outcomes = await Promise.all(
        numbered(20, `${round} `).map((record) => log.appendDurably({ ...record, at: round })),
      );
      assert.ok(outcomes.every(Boolean));
      assert.equal(store.table("records").count, (round + 1) * 21);
    }
    await log.close();
  }));

test("a store that fails loses nothing: nobody waits for it, and all is written once it takes records", () =>
  withStore(async (store) => {
    const flaky = new FlakyStore(store);
    const events = new Counted();
    const log = new Log({ queueMax: 100, events });
    log.attach(flaky.fake);
    log.append(recordOf({ at: 0, id: "before" }));
    await eventually("an empty queue", () => log.waiting === 0);
    flaky.isFull = true;
    assert.equal(await log.appendDurably(recordOf({ at: 1, id: "waited for" })), false);
    assert.deepEqual(events.failures, ["no space is left"]);
    const writes = flaky.writes;
    // The store is known to fail: no one waits for another try.
    assert.equal(await log.appendDurably(recordOf({ at: 2, id: "not waited for" })), false);
    log.append(recordOf({ at: 3, id: "later" }));
    assert.equal(flaky.writes, writes);
    assert.equal(log.waiting, 3);
    await eventually("another try", () => events.failures.length > 1);
    flaky.isFull = false;
    await eventually("an empty queue", () => log.waiting === 0);
    assert.deepEqual(await idsOf(store), ["before", "waited for", "not waited for", "later"]);
    assert.equal(await log.appendDurably(recordOf({ at: 4, id: "durable again" })), true);
    assert.deepEqual([events.writtenCount, events.droppedCount], [5, 0]);
    assert.equal(verifyLog(store).disagreementsCount, 0);
    await log.close();
  }));

test("the bound holds while the store fails", () =>
  withStore(async (store) => {
    const flaky = new FlakyStore(store);
    flaky.isFull = true;
    const events = new Counted();
    const log = new Log({ queueMax: 3, events });
    log.attach(flaky.fake);
    for (const record of numbered(10)) log.append(record);
    await eventually("a failure", () => events.failures.length > 0);
    for (const record of numbered(10)) log.append(record);
    assert.deepEqual([log.waiting, events.droppedCount], [3, 17]);
    await log.close();
  }));

test("closing writes what waits, and drops and counts what the store does not take", () =>
  withStore(async (store) => {
    const events = new Counted();
    const open = new Log({ queueMax: 5_000, events });
    open.attach(store);
    for (const record of numbered(3_000)) open.append(record);
    const durable = open.appendDurably(recordOf({ id: "last" }));
    await open.close();
    assert.equal(await durable, true);
    assert.deepEqual([events.writtenCount, store.table("records").count], [3_001, 3_001]);
    open.append(recordOf());
    assert.equal(await open.appendDurably(recordOf()), false);
    assert.deepEqual([open.waiting, events.droppedCount], [0, 2]);

    const flaky = new FlakyStore(store);
    flaky.isFull = true;
    const failing = new Log({ queueMax: 100, events });
    failing.attach(flaky.fake);
    for (const record of numbered(7)) failing.append(record);
    const waited = failing.appendDurably(recordOf());
    await failing.close();
    assert.equal(await waited, false);
    assert.deepEqual([failing.waiting, events.droppedCount], [0, 10]);

    const without = new Log({ queueMax: 100, events });
    without.append(recordOf());
    await without.close();
    assert.equal(events.droppedCount, 11);
  }));
