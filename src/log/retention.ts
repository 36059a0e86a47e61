/** Removes the oldest records, past an age or a number of bytes, a few at a time. */
import type { Store, TableName } from "../store/lmdb.ts";
import { decodeRecord, indexKeys } from "./record.ts";

const tables: readonly TableName[] = ["records", "by_time", "by_score", "by_scanner", "by_address"];

export interface RetentionLimits {
  /** Records of before are removed, milliseconds since 1970. */
  readonly before: number;
  readonly bytesMax: number;
}

/** Records of one step: its transaction takes a few milliseconds. */
const stepRecords = 500;

/** @returns the bytes that records and their indexes take */
export function logBytes(store: Store): number {
  return tables.reduce((sum, name) => sum + store.table(name).bytes, 0);
}

/**
 * One step.
 *
 * @returns records removed; fewer than a step's worth means that no more are due
 * @throws StoreError where they could not be removed
 */
export async function retainStep(store: Store, limits: RetentionLimits): Promise<number> {
  const records = store.table("records");
  const isOver = logBytes(store) > limits.bytesMax;
  const oldest = records.entries({ limit: stepRecords });
  const due = oldest
    .map(({ key, value }) => ({ key, record: decodeRecord(value) }))
    // A record that does not decode has no age; it goes with its neighbours.
    .filter(({ record }) => isOver || record === undefined || record.at < limits.before);
  if (due.length === 0) return 0;
  await store.write(() => {
    for (const { key, record } of due) {
      records.remove(key);
      if (record === undefined) continue;
      for (const [table, indexKey] of indexKeys(record, key.readBigUInt64BE(0))) {
        store.table(table).remove(indexKey);
      }
    }
  });
  return due.length;
}
