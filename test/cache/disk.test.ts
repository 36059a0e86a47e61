/** L3: scores in the store, their life, and the order in which they go. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Cache } from "../../src/cache/cache.ts";
import { DiskCache, type DiskCacheOptions } from "../../src/cache/disk.ts";
import { MemoryCache } from "../../src/cache/memory.ts";
import { encode } from "../../src/store/codec.ts";
import { type Store, StoreError } from "../../src/store/lmdb.ts";
import type { Scores } from "../../src/types.ts";
import { eventually, FlakyStore, withStore } from "../store/harness.ts";

const keyOf = (name: string | number) => createHash("sha256").update(`${name}`).digest("hex");
const scoresOf = (modelScore: number): Scores => ({ findings: [], modelScore, modelLogit: -1 });
const never = () => Promise.reject(new Error("must not be computed"));

const finding = {
  scanner: "signature" as const,
  label: "signature/ignore-previous.en",
  score: 0.9,
  start: 3,
  end: 12,
  message: "Asks to ignore earlier instructions",
};

class Clock {
  at = 1_000_000;
  readonly now = () => this.at;
}

interface Watched {
  readonly disk: DiskCache;
  readonly clock: Clock;
  readonly failures: string[];
  readonly writes: () => number;
}

function newDisk(store: Store | undefined, options: Partial<DiskCacheOptions> = {}): Watched {
  const clock = new Clock();
  const failures: string[] = [];
  let writes = 0;
  const disk = new DiskCache({
    entriesMax: 1_000,
    bytesMax: 2 ** 30,
    ttlMs: 10_000,
    now: clock.now,
    written: () => writes++,
    failed: (error) => failures.push(error.message),
    ...options,
  });
  if (store !== undefined) disk.attach(store);
  return { disk, clock, failures, writes: () => writes };
}

test("scores are read back whole, before and after they are written, and by the next process", () =>
  withStore(async (store) => {
    const all: Scores[] = [
      { findings: [finding], modelScore: 0.25, modelLogit: -1.5 },
      { findings: [finding, { ...finding, start: 20, end: 30 }] },
      { findings: [], modelScore: 0, modelLogit: 0 },
    ];
    const { disk, clock } = newDisk(store);
    const check = (cache: DiskCache) => {
      for (const [index, scores] of all.entries()) {
        assert.deepEqual(cache.get(keyOf(index)), { scores, expiresAt: clock.at + 10_000 });
      }
      assert.equal(cache.get(keyOf("other")), undefined);
    };
    for (const [index, scores] of all.entries()) disk.set(keyOf(index), scores);
    check(disk);
    assert.equal(disk.count, 0);
    await eventually("three entries", () => disk.count === 3);
    check(disk);
    await disk.close();
    assert.deepEqual([disk.isOpen, disk.get(keyOf(0))], [false, undefined]);
    check(newDisk(store).disk);
  }));

test("without a store nothing is kept, and clearing says why", async () => {
  const { disk } = newDisk(undefined);
  disk.set(keyOf(0), scoresOf(0));
  assert.deepEqual([disk.isOpen, disk.count, disk.get(keyOf(0))], [false, 0, undefined]);
  await assert.rejects(disk.clear(), StoreError);
  await disk.sweep();
  await disk.close();
});

test("closing writes what waits", () =>
  withStore(async (store) => {
    const { disk } = newDisk(store);
    disk.set(keyOf(0), scoresOf(0.5));
    await disk.close();
    assert.deepEqual(newDisk(store).disk.get(keyOf(0))?.scores, scoresOf(0.5));
  }));

test("an entry ends with its life, and the sweep removes it", () =>
  withStore(async (store) => {
    const { disk, clock } = newDisk(store);
    disk.set(keyOf(0), scoresOf(0));
    await disk.sweep();
    clock.at += 9_999;
    assert.notEqual(disk.get(keyOf(0)), undefined);
    clock.at += 1;
    assert.equal(disk.get(keyOf(0)), undefined);
    assert.equal(disk.count, 1);
    await disk.sweep();
    assert.deepEqual([disk.count, store.table("scores_by_age").count], [0, 0]);
  }));

test("past the number of entries the oldest go", () =>
  withStore(async (store) => {
    const { disk, clock } = newDisk(store, { entriesMax: 10 });
    for (let index = 0; index < 25; index++) {
      clock.at++;
      disk.set(keyOf(index), scoresOf(0));
      if (index % 5 === 4) await disk.sweep();
    }
    const kept = Array.from({ length: 25 }, (_, index) => index).filter(
      (index) => disk.get(keyOf(index)) !== undefined,
    );
    assert.deepEqual(kept, [15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    assert.deepEqual([disk.count, store.table("scores_by_age").count], [10, 10]);
  }));

test("past the number of bytes the oldest go", () =>
  withStore(async (store) => {
    const bytesMax = 300_000;
    const { disk, clock } = newDisk(store, { bytesMax, entriesMax: 1_000_000 });
    const bytes = () => store.table("scores").bytes + store.table("scores_by_age").bytes;
    const rounds = 40;
    for (let index = 0; index < rounds * 100; index++) {
      clock.at++;
      disk.set(keyOf(index), { findings: [finding], modelScore: 0.5, modelLogit: 0 });
      if (index % 100 === 99) await disk.sweep();
    }
    for (let step = 0; step < 100 && bytes() > bytesMax; step++) await disk.sweep();
    assert.ok(bytes() <= bytesMax, `${bytes()} bytes`);
    assert.ok(disk.count > 200, `${disk.count} entries`);
    assert.equal(disk.count, store.table("scores_by_age").count);
    const isKept = Array.from({ length: rounds * 100 }, (_, index) => disk.get(keyOf(index)));
    const firstKept = isKept.findIndex((kept) => kept !== undefined);
    assert.ok(isKept.slice(firstKept).every((kept) => kept !== undefined));
    assert.equal(isKept.length - firstKept, disk.count);
  }));

test("an entry that was renewed survives the end of its first life", () =>
  withStore(async (store) => {
    const { disk, clock } = newDisk(store);
    disk.set(keyOf(0), scoresOf(0.1));
    await disk.sweep();
    clock.at += 6_000;
    disk.set(keyOf(0), scoresOf(0.2));
    await disk.sweep();
    assert.equal(disk.count, 1);
    clock.at += 5_000;
    await disk.sweep();
    assert.deepEqual(disk.get(keyOf(0))?.scores, scoresOf(0.2));
    assert.equal(store.table("scores_by_age").count, 1);
    clock.at += 5_000;
    await disk.sweep();
    assert.deepEqual([disk.count, store.table("scores_by_age").count], [0, 0]);
  }));

test("a value that does not decode is a miss, and is removed", () =>
  withStore(async (store) => {
    const { disk, clock, failures } = newDisk(store);
    const table = store.table("scores");
    disk.set(keyOf(0), scoresOf(0.5));
    await disk.sweep();
    const key = Buffer.from(keyOf(0), "hex");
    const flipped = table.get(key);
    assert.ok(flipped);
    flipped[7] = (flipped[7] ?? 0) ^ 1;
    const values: readonly Buffer[] = [
      flipped,
      Buffer.alloc(0),
      Buffer.from("nonsense"),
      encode("of another kind"),
      encode([clock.at + 1, null, null]),
      encode([clock.at + 1, null, null, null]),
      encode(["later", null, null, []]),
    ];
    for (const value of values) {
      await store.write(() => table.put(key, value));
      assert.equal(disk.get(keyOf(0)), undefined);
      await eventually("the value to be removed", () => !table.has(key));
    }
    assert.deepEqual(failures, []);
    disk.set(keyOf(0), scoresOf(0.6));
    await disk.sweep();
    assert.deepEqual(disk.get(keyOf(0))?.scores, scoresOf(0.6));
  }));

test("what waits to be written is bounded, and past the bound not kept", () =>
  withStore(async (store) => {
    const { disk } = newDisk(store, { entriesMax: 100_000 });
    for (let index = 0; index < 5_001; index++) disk.set(keyOf(index), scoresOf(0));
    assert.notEqual(disk.get(keyOf(4_999)), undefined);
    assert.equal(disk.get(keyOf(5_000)), undefined);
    await eventually("all that waited", () => disk.count === 5_000);
    await eventually("room for one more", () => {
      disk.set(keyOf(5_000), scoresOf(0));
      return disk.get(keyOf(5_000)) !== undefined;
    });
  }));

test("a store that fails is told of, keeps nothing and holds nobody up; later it takes scores again", () =>
  withStore(async (store) => {
    const flaky = new FlakyStore(store);
    flaky.isFull = true;
    const { disk, failures, writes } = newDisk(flaky.fake);
    disk.set(keyOf(0), scoresOf(0));
    await disk.sweep();
    assert.deepEqual([failures, writes()], [["no space is left"], 0]);
    assert.equal(disk.get(keyOf(0)), undefined);
    flaky.isFull = false;
    disk.set(keyOf(1), scoresOf(0));
    await disk.sweep();
    assert.deepEqual([failures.length, writes(), disk.count], [1, 1, 1]);
  }));

test("sweeping while a batch is due writes each score once", () =>
  withStore(async (store) => {
    const flaky = new FlakyStore(store);
    const { disk } = newDisk(flaky.fake);
    disk.set(keyOf(0), scoresOf(0));
    await Promise.all([disk.sweep(), disk.sweep(), disk.sweep()]);
    assert.deepEqual([flaky.writes, disk.count], [1, 1]);
    await disk.close();
  }));

test("clearing removes all, what waits and what is being written included", () =>
  withStore(async (store) => {
    const { disk } = newDisk(store, { entriesMax: 100_000 });
    for (let index = 0; index < 4_500; index++) disk.set(keyOf(index), scoresOf(0));
    await disk.sweep();
    assert.equal(disk.count, 4_500);
    disk.set(keyOf("being written"), scoresOf(0));
    const sweeping = disk.sweep();
    disk.set(keyOf("waits"), scoresOf(0));
    await disk.clear();
    await sweeping;
    await disk.sweep();
    assert.deepEqual([disk.count, store.table("scores_by_age").count], [0, 0]);
    for (const name of [0, "being written", "waits"])
      assert.equal(disk.get(keyOf(name)), undefined);
    disk.set(keyOf(1), scoresOf(0));
    await disk.sweep();
    assert.equal(disk.count, 1);
  }));

/** Notes with which life scores come into memory. */
class WatchedMemory extends MemoryCache {
  readonly lives: (number | undefined)[] = [];
  override set(key: string, scores: Scores, lifeMs?: number): void {
    this.lives.push(lifeMs);
    super.set(key, scores, lifeMs);
  }
}

test("a hit on disk comes into memory for what is left of its life", (t) =>
  withStore(async (store) => {
    t.mock.timers.enable({ apis: ["Date"], now: 5_000_000 });
    const before = newDisk(store, { now: () => Date.now(), ttlMs: 60_000 });
    before.disk.set(keyOf(0), scoresOf(0.5));
    await before.disk.close();
    t.mock.timers.tick(20_000);
    const { disk } = newDisk(store, { now: () => Date.now(), ttlMs: 60_000 });
    const memory = new WatchedMemory({ entriesMax: 10, ttlMs: 3_600_000 });
    const cache = new Cache(memory, disk);
    assert.equal(cache.hasDisk, true);
    const onDisk = await cache.recall(keyOf(0), never);
    assert.deepEqual([onDisk.layer, onDisk.joined, onDisk.value], ["l3", false, scoresOf(0.5)]);
    assert.deepEqual(memory.lives, [40_000]);
    const inMemory = await cache.recall(keyOf(0), never);
    assert.deepEqual([inMemory.layer, inMemory.value], ["l1", scoresOf(0.5)]);
    assert.equal(disk.get(keyOf(0))?.expiresAt, 5_060_000, "a hit does not prolong its life");
  }));

test("what is computed is kept on disk, a failure is not, and clearing forgets both layers", () =>
  withStore(async (store) => {
    const { disk } = newDisk(store, { now: () => Date.now() });
    const cache = () => new Cache(new MemoryCache({ entriesMax: 10, ttlMs: 60_000 }), disk);
    const first = cache();
    assert.equal((await first.recall(keyOf(0), async () => scoresOf(0.1))).layer, "none");
    await assert.rejects(first.recall(keyOf(1), never), /must not be computed/);
    assert.equal((await cache().recall(keyOf(0), never)).layer, "l3");
    assert.equal((await cache().recall(keyOf(1), async () => scoresOf(0.2))).layer, "none");
    await first.clear();
    assert.equal((await first.recall(keyOf(0), async () => scoresOf(0.3))).layer, "none");
    await disk.close();
  }));

test("with the cache in memory off the one on disk answers", () =>
  withStore(async (store) => {
    const { disk } = newDisk(store, { now: () => Date.now() });
    const cache = new Cache(new MemoryCache({ entriesMax: 0, ttlMs: 0 }), disk);
    await cache.recall(keyOf(0), async () => scoresOf(0.1));
    for (const _ of [1, 2]) assert.equal((await cache.recall(keyOf(0), never)).layer, "l3");
    await disk.close();
  }));
