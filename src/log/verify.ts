/** Holds the log's records against its indexes, both ways. */
import type { Store, TableName } from "../store/lmdb.ts";
import { decodeRecord, indexKeys, positionOf, sequenceKey } from "./record.ts";

export interface LogReport {
  readonly records: number;
  /** One line for each disagreement, up to a number. */
  readonly disagreements: readonly string[];
  readonly disagreementsCount: number;
}

const indexes: readonly TableName[] = ["by_time", "by_score", "by_scanner", "by_address"];
const chunk = 1000;
const shownMax = 100;

/** Reads every record and every index entry. Blocks: not for the daemon's own process. */
export function verifyLog(store: Store): LogReport {
  const shown: string[] = [];
  let count = 0;
  const disagree = (line: string) => {
    count++;
    if (shown.length < shownMax) shown.push(line);
  };
  const records = store.table("records");
  let total = 0;
  for (const { key, value } of all(
    (range) => records.entries(range),
    ({ key }) => key,
  )) {
    total++;
    const sequence = key.length === 8 ? key.readBigUInt64BE(0) : undefined;
    const record = sequence === undefined ? undefined : decodeRecord(value);
    if (sequence === undefined || record === undefined) {
      disagree(`record ${key.toString("hex")}: its checksum or format is off`);
      continue;
    }
    for (const [name, indexKey] of indexKeys(record, sequence)) {
      if (!store.table(name).has(indexKey)) disagree(`record ${sequence} is missing in ${name}`);
    }
  }
  for (const name of indexes) {
    const table = store.table(name);
    for (const key of all(
      (range) => table.keys(range),
      (found) => found,
    )) {
      const problem = indexProblem(store, name, key);
      if (problem !== undefined) disagree(`${name} entry ${key.toString("hex")}: ${problem}`);
    }
  }
  // Kept scores have checksums of their own and are looked at when asked for; here they are only read,
  // since damaged pages can end the reader.
  const scores = store.table("scores");
  for (const _ of all(
    (range) => scores.entries(range),
    ({ key }) => key,
  ));
  return { records: total, disagreements: shown, disagreementsCount: count };
}

function indexProblem(store: Store, name: TableName, key: Buffer): string | undefined {
  if (key.length < 16) return "its key is too short";
  const { sequence } = positionOf(key);
  const bytes = store.table("records").get(sequenceKey(sequence));
  if (bytes === undefined) return `there is no record ${sequence}`;
  const record = decodeRecord(bytes);
  if (record === undefined) return undefined; // said where the record was read
  const expected = indexKeys(record, sequence).find(([table]) => table === name)?.[1];
  return expected?.equals(key) ? undefined : `record ${sequence} belongs elsewhere`;
}

/** Every entry, fetched chunk by chunk. */
function* all<T>(
  fetch: (range: { start?: Buffer; after: boolean; limit: number }) => T[],
  keyOf: (entry: T) => Buffer,
): Generator<T> {
  let start: Buffer | undefined;
  for (;;) {
    const found = fetch({
      ...(start === undefined ? {} : { start }),
      after: start !== undefined,
      limit: chunk,
    });
    yield* found;
    const last = found.at(-1);
    if (last === undefined || found.length < chunk) return;
    start = Buffer.from(keyOf(last));
  }
}
