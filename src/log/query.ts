/**
 * Asks the log: a plan (which index, in which order), then its run in small
 * steps, so that the event loop is never held up by it. Rows come ordered by
 * time; a cursor says where the next page begins.
 */
import { setImmediate } from "node:timers/promises";
import type { Store, Table, TableName } from "../store/lmdb.ts";
import type { Action, ScannerName } from "../types.ts";
import {
  decodeRecord,
  type LogRecord,
  noPrefix,
  type Position,
  positionKey,
  positionOf,
  scoreBuckets,
  scorePrefix,
  sequenceKey,
  textPrefix,
} from "./record.ts";

export interface LogQuery {
  /** Milliseconds since 1970, inclusive. */
  readonly since?: number;
  /** Milliseconds since 1970, exclusive. */
  readonly until?: number;
  readonly scoreMin?: number;
  readonly scannerType?: ScannerName | "none";
  readonly address?: string;
  readonly verdict?: Action;
  readonly limit: number;
  /** `newest` first or `oldest` first. */
  readonly order: "newest" | "oldest";
  /** Where the last page ended. */
  readonly cursor?: string;
}

export interface LogRow extends LogRecord {
  readonly sequence: bigint;
}

export interface LogPage {
  readonly rows: readonly LogRow[];
  /** Begins the next page; absent where nothing is left. */
  readonly cursor?: string;
  /** Which index was walked, and how many records were read for these rows. */
  readonly plan: { readonly index: TableName; readonly examined: number };
}

/** Records read for one page at most; past it the page ends early, with a cursor. */
const examinedMax = 200_000;
/** Keys fetched at once: as many as are read before the event loop gets its turn. */
const chunkKeys = 128;

const sequenceMax = 2n ** 64n - 1n;
const timeMax = Number.MAX_SAFE_INTEGER;

/** @returns the text of a cursor */
export function cursorOf({ at, sequence }: Position): string {
  return positionKey(noPrefix, { at, sequence }).toString("base64url");
}

/** A cursor: base64url of 16 bytes, a time that a number can hold and then a sequence. */
export const cursorPattern = /^A[AB][A-Za-z0-9_-]{19}[AQgw]$/;

/** @returns the position, or nothing where the text is no cursor */
export function readCursor(text: string): Position | undefined {
  return cursorPattern.test(text) ? positionOf(Buffer.from(text, "base64url")) : undefined;
}

/** The index that leaves the fewest records to read, and the lists in it that hold them. */
function plan(query: LogQuery): { readonly index: TableName; readonly prefixes: Buffer[] } {
  if (query.address !== undefined) {
    return { index: "by_address", prefixes: [textPrefix(query.address)] };
  }
  if (query.scannerType !== undefined && query.scannerType !== "none") {
    return { index: "by_scanner", prefixes: [textPrefix(query.scannerType)] };
  }
  if (query.scoreMin !== undefined && query.scoreMin > 0) {
    const [lowest = 0] = scorePrefix(query.scoreMin);
    const buckets = Array.from({ length: scoreBuckets - lowest }, (_, index) => lowest + index);
    return { index: "by_score", prefixes: buckets.map((bucket) => Buffer.from([bucket])) };
  }
  if (query.scannerType !== undefined) {
    return { index: "by_scanner", prefixes: [textPrefix(query.scannerType)] };
  }
  return { index: "by_time", prefixes: [noPrefix] };
}

/** The positions of one list of an index in order, fetched chunk by chunk. */
class List {
  readonly #table: Table;
  readonly #prefix: Buffer;
  readonly #isReverse: boolean;
  readonly #end: Buffer;
  #start: Buffer;
  #after: boolean;
  #chunk: Buffer[] = [];
  #index = 0;
  #isDone = false;

  constructor(table: Table, prefix: Buffer, query: LogQuery) {
    this.#table = table;
    this.#prefix = prefix;
    this.#isReverse = query.order === "newest";
    const first = { at: query.since ?? 0, sequence: 0n };
    const bound = query.until === undefined ? timeMax : Math.max(0, query.until - 1);
    const last = { at: bound, sequence: sequenceMax };
    this.#isDone = query.until === 0;
    const cursor = query.cursor === undefined ? undefined : readCursor(query.cursor);
    const [from, to] = this.#isReverse ? [last, first] : [first, last];
    const isPast = cursor !== undefined && this.#isBeyond(cursor, from);
    this.#start = positionKey(prefix, isPast ? cursor : from);
    this.#after = isPast;
    this.#end = positionKey(prefix, to);
  }

  /** Whether `a` comes after `b` in the order of this list. */
  #isBeyond(a: Position, b: Position): boolean {
    const order = Buffer.compare(positionKey(noPrefix, a), positionKey(noPrefix, b));
    return this.#isReverse ? order < 0 : order > 0;
  }

  /** The next position, not taken yet; nothing at the end. */
  peek(): Position | undefined {
    if (this.#index === this.#chunk.length && !this.#isDone) this.#fetch();
    const key = this.#chunk[this.#index];
    return key === undefined ? undefined : positionOf(key);
  }

  take(): void {
    this.#index++;
  }

  #fetch(): void {
    const order = Buffer.compare(this.#start, this.#end);
    const isEmpty = this.#isReverse ? order < 0 : order > 0;
    const keys = isEmpty
      ? []
      : this.#table.keys({
          start: this.#start,
          reverse: this.#isReverse,
          after: this.#after,
          limit: chunkKeys,
        });
    this.#isDone = keys.length < chunkKeys;
    const inside = keys.filter((key) => this.#isInside(key));
    if (inside.length < keys.length) this.#isDone = true;
    this.#chunk = inside;
    this.#index = 0;
    this.#start = inside.at(-1) ?? this.#start;
    this.#after = true;
  }

  #isInside(key: Buffer): boolean {
    const order = Buffer.compare(key, this.#end);
    const isBeforeEnd = this.#isReverse ? order >= 0 : order <= 0;
    return isBeforeEnd && key.subarray(0, this.#prefix.length).equals(this.#prefix);
  }
}

function matches(record: LogRecord, query: LogQuery): boolean {
  return (
    (query.scoreMin === undefined || record.threatScore >= query.scoreMin) &&
    (query.scannerType === undefined || record.scannerType === query.scannerType) &&
    (query.address === undefined || record.address === query.address) &&
    (query.verdict === undefined || record.verdict === query.verdict)
  );
}

function isBefore(a: Position, b: Position, isReverse: boolean): boolean {
  if (a.at !== b.at) return isReverse ? a.at > b.at : a.at < b.at;
  return isReverse ? a.sequence > b.sequence : a.sequence < b.sequence;
}

/** Takes the next position over all lists in order. */
function nextOf(lists: readonly List[], isReverse: boolean): Position | undefined {
  let best: { position: Position; list: List } | undefined;
  for (const list of lists) {
    const position = list.peek();
    if (position === undefined) continue;
    if (best === undefined || isBefore(position, best.position, isReverse)) {
      best = { position, list };
    }
  }
  best?.list.take();
  return best?.position;
}

/** @returns one page of rows; a record whose bytes are damaged is left out */
export async function queryLog(store: Store, query: LogQuery): Promise<LogPage> {
  const { index, prefixes } = plan(query);
  const records = store.table("records");
  const lists = prefixes.map((prefix) => new List(store.table(index), prefix, query));
  const isReverse = query.order === "newest";
  const rows: LogRow[] = [];
  let examined = 0;
  let last: Position | undefined;
  while (rows.length < query.limit && examined < examinedMax) {
    const position = nextOf(lists, isReverse);
    if (position === undefined) return { rows, plan: { index, examined } };
    last = position;
    examined++;
    const bytes = records.get(sequenceKey(position.sequence));
    const record = bytes === undefined ? undefined : decodeRecord(bytes);
    if (record !== undefined && matches(record, query)) {
      rows.push({ ...record, sequence: position.sequence });
    }
    if (examined % chunkKeys === 0) await setImmediate();
  }
  const isEnd = lists.every((list) => list.peek() === undefined);
  const page = { rows, plan: { index, examined } };
  return last === undefined || isEnd ? page : { ...page, cursor: cursorOf(last) };
}
