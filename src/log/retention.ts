/** Removes the oldest records, past an age or a number of bytes, a few at a time. */
import type { Store, TableName } from "../store/lmdb.ts";
import {
  decodeRecord,
  indexKeys,
  noPrefix,
  type Position,
  positionKey,
  positionOf,
  sequenceKey,
} from "./record.ts";

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

/** @returns where the oldest records stand: past the age, or any where there are too many bytes */
function due(store: Store, { before, bytesMax }: RetentionLimits): Position[] {
  const byTime = store.table("by_time");
  const isOver = logBytes(store) > bytesMax;
  const end = positionKey(noPrefix, { at: Math.max(0, before), sequence: 0n });
  // By time and not by number: a clock that was ahead once must not keep what came after.
  return byTime.keys({ limit: stepRecords, ...(isOver ? {} : { end }) }).map(positionOf);
}

/**
 * One step.
 *
 * @returns records removed; nothing means that no more are due
 * @throws StoreError where they could not be removed
 */
export async function retainStep(store: Store, limits: RetentionLimits): Promise<number> {
  const positions = due(store, limits);
  if (positions.length === 0) return 0;
  const records = store.table("records");
  await store.write(() => {
    for (const position of positions) {
      const key = sequenceKey(position.sequence);
      const bytes = records.get(key);
      const record = bytes === undefined ? undefined : decodeRecord(bytes);
      // Its own entry in any case, so that a step never finds the same again.
      store.table("by_time").remove(positionKey(noPrefix, position));
      if (record !== undefined && record.at !== position.at) continue;
      records.remove(key);
      if (record === undefined) continue;
      for (const [table, indexKey] of indexKeys(record, position.sequence)) {
        store.table(table).remove(indexKey);
      }
    }
  });
  return positions.length;
}
