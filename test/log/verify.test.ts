/** Every kind of disagreement between records and indexes, planted and found. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeRecord,
  indexKeys,
  noPrefix,
  positionKey,
  sequenceKey,
} from "../../src/log/record.ts";
import { verifyLog } from "../../src/log/verify.ts";
import type { Store, TableName } from "../../src/store/lmdb.ts";
import { withStore } from "../store/harness.ts";
import { fill, recordOf } from "./records.ts";

const record = recordOf({ at: 1_234, threatScore: 0.7, scannerType: "model", address: "10.0.0.1" });
const indexes: readonly TableName[] = ["by_time", "by_score", "by_scanner", "by_address"];

function keyIn(name: TableName, of = record, sequence = 1n): Buffer {
  const key = indexKeys(of, sequence).find(([table]) => table === name)?.[1];
  assert.ok(key);
  return key;
}

/** Three records, then `plant`; @returns what is said */
function found(plant: (store: Store) => void): Promise<readonly string[]> {
  return withStore(async (store) => {
    await fill(store, [recordOf({ at: 1_000 }), record, recordOf({ at: 2_000 })]);
    assert.deepEqual(verifyLog(store), { records: 3, disagreements: [], disagreementsCount: 0 });
    await store.write(() => plant(store));
    const { disagreements, disagreementsCount } = verifyLog(store);
    assert.equal(disagreementsCount, disagreements.length);
    return disagreements;
  });
}

test("an entry that is missing", async () => {
  for (const name of indexes) {
    assert.deepEqual(await found((store) => store.table(name).remove(keyIn(name))), [
      `record 1 is missing in ${name}`,
    ]);
  }
});

test("an entry whose record is not there", async () => {
  for (const name of indexes) {
    const key = keyIn(name, record, 99n);
    assert.deepEqual(await found((store) => store.table(name).put(key)), [
      `${name} entry ${key.toString("hex")}: there is no record 99`,
    ]);
  }
});

test("a record that is gone while its entries are there", async () => {
  const said = await found((store) => store.table("records").remove(sequenceKey(1n)));
  assert.deepEqual(
    said,
    indexes.map((name) => `${name} entry ${keyIn(name).toString("hex")}: there is no record 1`),
  );
});

test("an entry at a wrong place, beside the right one", async () => {
  const other = { ...record, at: 9_999, threatScore: 0.1, address: "::1" };
  for (const name of indexes) {
    const key = keyIn(name, { ...other, scannerType: "unicode" });
    assert.deepEqual(await found((store) => store.table(name).put(key)), [
      `${name} entry ${key.toString("hex")}: record 1 belongs elsewhere`,
    ]);
  }
});

test("a record that was changed under its entries", async () => {
  const changed = encodeRecord({ ...record, threatScore: 0.1 });
  const said = await found((store) => store.table("records").put(sequenceKey(1n), changed));
  assert.deepEqual(said, [
    "record 1 is missing in by_score",
    `by_score entry ${keyIn("by_score").toString("hex")}: record 1 belongs elsewhere`,
  ]);
});

test("a record that is damaged is said once, not for each of its entries", async () => {
  const bytes = encodeRecord(record);
  bytes[9] = (bytes[9] ?? 0) ^ 1;
  assert.deepEqual(await found((store) => store.table("records").put(sequenceKey(1n), bytes)), [
    "record 0000000000000001: its checksum or format is off",
  ]);
});

test("keys that are none", async () => {
  const key = Buffer.from("short");
  const said = await found((store) => {
    store.table("records").put(key, encodeRecord(record));
    store.table("by_time").put(key);
  });
  assert.deepEqual(said, [
    "record 73686f7274: its checksum or format is off",
    "by_time entry 73686f7274: its key is too short",
  ]);
});

test("all are counted, and some hundred shown", () =>
  withStore(async (store) => {
    const records = Array.from({ length: 2_345 }, (_, at) => recordOf({ at }));
    await fill(store, records);
    assert.deepEqual(verifyLog(store), {
      records: 2_345,
      disagreements: [],
      disagreementsCount: 0,
    });
    await store.write(() => {
      for (const [at] of records.entries()) {
        store.table("by_time").remove(positionKey(noPrefix, { at, sequence: BigInt(at) }));
      }
    });
    const { disagreements, disagreementsCount } = verifyLog(store);
    assert.deepEqual([disagreements.length, disagreementsCount], [100, 2_345]);
  }));
