/**
 * Appends a record for each request, in batches and off the request's path.
 *
 * The queue is bounded. When it is full (the disk is, or is too slow) the next
 * record is dropped and counted; verdicts are never held up by it.
 */
import type { Store } from "../store/lmdb.ts";
import { encodeRecord, indexKeys, type LogRecord, sequenceKey } from "./record.ts";

export interface LogEvents {
  written(records: number): void;
  dropped(records: number): void;
  /** A batch could not be written; it is tried again. */
  failed(error: Error): void;
}

export interface LogOptions {
  /** Records waiting at most. */
  readonly queueMax: number;
  readonly events: LogEvents;
}

interface Waiting {
  readonly record: LogRecord;
  readonly settle: ((isDurable: boolean) => void) | undefined;
}

/** Records are written this long after the first of a batch came. */
const batchDelayMs = 50;
/** Records of one transaction: it stays short. */
const batchRecordsMax = 1000;
/** How soon a batch that failed is tried again. */
const retryDelayMs = 1000;

export class Log {
  readonly #options: LogOptions;
  #store: Store | undefined;
  #next = 0n;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;
  #isClosed = false;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /** Begins to write to `store`; what was appended before waits for it. */
  attach(store: Store): void {
    const [last] = store.table("records").keys({ reverse: true, limit: 1 });
    this.#next = last === undefined ? 0n : last.readBigUInt64BE(0) + 1n;
    this.#store = store;
    if (this.#waiting.length > 0) this.#schedule(0);
  }

  /** Records that wait to be written. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes a record over. */
  append(record: LogRecord): void {
    this.#push({ record, settle: undefined }, batchDelayMs);
  }

  /** Takes a record over; resolves with whether it is on disk, as soon as that is known. */
  appendDurably(record: LogRecord): Promise<boolean> {
    return new Promise((resolve) => this.#push({ record, settle: resolve }, 0));
  }

  #push(waiting: Waiting, delayMs: number): void {
    const isFull = this.#waiting.length >= this.#options.queueMax;
    // While the disk does not take records, nobody is made to wait for it.
    const isHopeless =
      waiting.settle !== undefined && (this.#store === undefined || this.#isFailing);
    if (isFull || this.#isClosed) {
      this.#options.events.dropped(1);
      waiting.settle?.(false);
      return;
    }
    if (isHopeless) waiting.settle?.(false);
    this.#waiting.push(isHopeless ? { record: waiting.record, settle: undefined } : waiting);
    if (!this.#isFailing) this.#schedule(delayMs);
  }

  #schedule(delayMs: number): void {
    if (this.#store === undefined || this.#writing !== undefined) return;
    if (this.#timer !== undefined) {
      if (delayMs > 0) return;
      clearTimeout(this.#timer);
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#writeSome();
    }, delayMs);
  }

  /** Writes one batch, and sees to it that the next follows. */
  async #writeSome(): Promise<void> {
    const store = this.#store;
    if (store === undefined || this.#writing !== undefined || this.#waiting.length === 0) return;
    const batch = this.#waiting.slice(0, batchRecordsMax);
    const isDurable = batch.some(({ settle }) => settle !== undefined);
    this.#writing = this.#write(store, batch, isDurable);
    await this.#writing;
    this.#writing = undefined;
    if (this.#waiting.length > 0) this.#schedule(this.#isFailing ? retryDelayMs : 0);
  }

  async #write(store: Store, batch: readonly Waiting[], isDurable: boolean): Promise<void> {
    const first = this.#next;
    const records = store.table("records");
    try {
      await store.write(() => {
        for (const [index, { record }] of batch.entries()) {
          const sequence = first + BigInt(index);
          records.put(sequenceKey(sequence), encodeRecord(record));
          for (const [table, key] of indexKeys(record, sequence)) store.table(table).put(key);
        }
      }, isDurable);
    } catch (error) {
      this.#isFailing = true;
      this.#options.events.failed(error as Error);
      // They stay in the queue, but nobody waits for them any longer.
      for (const [index, { record, settle }] of batch.entries()) {
        settle?.(false);
        this.#waiting[index] = { record, settle: undefined };
      }
      return;
    }
    this.#isFailing = false;
    this.#next = first + BigInt(batch.length);
    this.#waiting.splice(0, batch.length);
    this.#options.events.written(batch.length);
    for (const { settle } of batch) settle?.(true);
  }

  /** Writes what waits. What the disk does not take is dropped and counted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    while (this.#store !== undefined && this.#waiting.length > 0) {
      await this.#writeSome();
      if (this.#isFailing) break;
    }
    clearTimeout(this.#timer);
    if (this.#waiting.length > 0) this.#options.events.dropped(this.#waiting.length);
    for (const { settle } of this.#waiting.splice(0)) settle?.(false);
  }
}
