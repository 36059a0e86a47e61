/** A record's bytes and its keys in the indexes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeRecord,
  encodeRecord,
  indexKeys,
  noPrefix,
  positionKey,
  positionOf,
  scoreBuckets,
  scorePrefix,
  sequenceKey,
  textPrefix,
} from "../../src/log/record.ts";
import { encode } from "../../src/store/codec.ts";
import { anyRecord, plain, recordOf } from "./records.ts";

const sequence = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const at = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const position = fc.record({ at, sequence }, plain);
const sign = (a: number | bigint, b: number | bigint) => Number(a > b) - Number(a < b);

test("a record is read back as it was", () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      assert.deepEqual(decodeRecord(encodeRecord(record)), record);
    }),
    { numRuns: 300 },
  );
});

test("a record that is damaged, cut short or of another format is nothing", () => {
  const bytes = encodeRecord(recordOf({ text: "the text" }));
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    assert.equal(decodeRecord(damaged), undefined);
    assert.equal(decodeRecord(bytes.subarray(0, at)), undefined);
  }
  for (const other of [[2], [1], [], "text", { 0: 1 }, null]) {
    assert.equal(decodeRecord(encode(other)), undefined);
  }
});

test("the bytes of a record hold its text only where the record does", () => {
  const kept = encodeRecord(recordOf({ text: "the secret text" }));
  assert.ok(kept.includes("the secret text"));
  assert.equal(encodeRecord(recordOf()).includes("the secret text"), false);
});

test("positions have the order of time, then of numbers, in their bytes too", () => {
  fc.assert(
    fc.property(position, position, (a, b) => {
      assert.deepEqual(positionOf(positionKey(Buffer.from("prefix"), a)), a);
      const expected = sign(a.at, b.at) || sign(a.sequence, b.sequence);
      assert.equal(Buffer.compare(positionKey(noPrefix, a), positionKey(noPrefix, b)), expected);
      const bySequence = Buffer.compare(sequenceKey(a.sequence), sequenceKey(b.sequence));
      assert.equal(bySequence, sign(a.sequence, b.sequence));
    }),
  );
});

test("a higher score is never in a lower list", () => {
  const score = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(score, score, (a, b) => {
      const [listA = -1] = scorePrefix(a);
      const [listB = -1] = scorePrefix(b);
      assert.ok(listA >= 0 && listA < scoreBuckets);
      if (a <= b) assert.ok(listA <= listB);
    }),
  );
});

test("no text's list lies within another's", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 6 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [prefixA, prefixB] = [textPrefix(a), textPrefix(b)];
      const isWithin = prefixB.subarray(0, prefixA.length).equals(prefixA);
      assert.equal(isWithin, a.replaceAll("\0", " ") === b.replaceAll("\0", " "));
    }),
  );
});

test("every key of every record is short enough for the store", () => {
  const record = recordOf({ address: "\u{ffff}".repeat(10_000) });
  for (const [table, key] of indexKeys(record, 2n ** 64n - 1n)) {
    assert.ok(key.length < 1024, table);
    assert.deepEqual(positionOf(key), { at: record.at, sequence: 2n ** 64n - 1n });
  }
});
