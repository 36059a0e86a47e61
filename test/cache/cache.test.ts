import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Cache } from "../../src/cache/cache.ts";
import { keyMaker } from "../../src/cache/key.ts";
import { MemoryCache } from "../../src/cache/memory.ts";
import { Aborted } from "../../src/errors.ts";
import type { Origin, Scores } from "../../src/types.ts";

const scores = (modelScore: number): Scores => ({ findings: [], modelScore });
const never = () => Promise.reject(new Error("must not be computed"));
const newCache = (entriesMax = 10) => new Cache(new MemoryCache({ entriesMax, ttlMs: 60_000 }));

test("the second of two requests is a hit", async () => {
  const cache = newCache();
  const first = await cache.recall("a", async () => scores(0.1));
  assert.deepEqual([first.layer, first.joined], ["none", false]);
  const second = await cache.recall("a", never);
  assert.deepEqual([second.layer, second.value], ["l1", first.value]);
});

test("identical requests in flight cost one computation", async () => {
  const cache = newCache();
  let computed = 0;
  let release: (value: Scores) => void = () => {};
  const compute = () => {
    computed++;
    return new Promise<Scores>((resolve) => {
      release = resolve;
    });
  };
  const all = [cache.recall("a", compute), cache.recall("a", compute), cache.recall("a", compute)];
  release(scores(0.4));
  const answers = await Promise.all(all);
  assert.equal(computed, 1);
  assert.deepEqual(
    answers.map(({ joined }) => joined),
    [false, true, true],
  );
});

test("a failure reaches everyone who joined and is not kept", async () => {
  const cache = newCache();
  const failing = () => Promise.reject(new Error("busy"));
  const results = await Promise.allSettled([
    cache.recall("a", failing),
    cache.recall("a", failing),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.equal((await cache.recall("a", async () => scores(0.2))).layer, "none");
});

test("whoever joined a request whose caller went away computes it", async () => {
  const cache = newCache();
  let leave: (error: Error) => void = () => {};
  const left = cache.recall("a", () => new Promise((_, reject) => (leave = reject)));
  const joined = [0, 1].map(() => cache.recall("a", async () => scores(0.3)));
  leave(new Aborted());
  await assert.rejects(left, Aborted);
  for (const { value } of await Promise.all(joined)) assert.equal(value.modelScore, 0.3);
});

test("the number of entries is bounded, the least recently used goes first", async () => {
  const memory = new MemoryCache({ entriesMax: 2, ttlMs: 60_000 });
  memory.set("a", scores(0.1));
  memory.set("b", scores(0.2));
  memory.get("a");
  memory.set("c", scores(0.3));
  assert.equal(memory.size, 2);
  assert.equal(memory.get("b"), undefined);
  assert.notEqual(memory.get("a"), undefined);
});

test("zero entries keep nothing", () => {
  const memory = new MemoryCache({ entriesMax: 0, ttlMs: 60_000 });
  memory.set("a", scores(0.1));
  assert.equal(memory.get("a"), undefined);
});

const secret = Buffer.alloc(32, 1);

test("different inputs have different keys", () => {
  const versions = {
    modelSha256: "m",
    signatures: "1",
    normaliser: "1",
    windowsMax: 8,
    earlyExit: true,
  };
  const origin = fc.constantFrom<Origin>("user", "document", "tool", "assistant", "system");
  const segment = fc.record({ text: fc.string({ unit: "grapheme" }), origin });
  fc.assert(
    fc.property(segment, segment, (a, b) => {
      const key = keyMaker(versions, secret);
      const same = a.text === b.text && a.origin === b.origin;
      assert.equal(key(a) === key(b), same);
    }),
  );
});

test("fields cannot run into each other and every version counts", () => {
  const segment = { text: "x", origin: "user" } as const;
  const base = {
    modelSha256: "m",
    signatures: "1",
    normaliser: "1",
    windowsMax: 8,
    earlyExit: true,
  };
  const keys = [
    base,
    { ...base, modelSha256: "n" },
    { ...base, signatures: "2" },
    { ...base, normaliser: "2" },
    { ...base, windowsMax: 9 },
    { ...base, earlyExit: false },
    { ...base, modelSha256: "m;signatures:1:1" },
  ].map((versions) => keyMaker(versions, secret)(segment));
  keys.push(keyMaker(base, Buffer.alloc(32, 2))(segment));
  assert.equal(new Set(keys).size, keys.length);
  const forged = keyMaker(base, secret)({ text: "x;origin:4:user", origin: "user" });
  assert.notEqual(forged, keys[0]);
});
