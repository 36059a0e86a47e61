/**
 * L3: scores in the store, for a day. They go by age and by bytes, oldest first.
 * Written in batches; what waits is bounded, and past the bound scores are not kept.
 */
import { decode, encode } from "../store/codec.ts";
import { packFinding, unpackFinding } from "../store/finding.ts";
import { type Store, StoreError } from "../store/lmdb.ts";
import type { Scores } from "../types.ts";

export interface DiskCacheOptions {
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly ttlMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly written: () => void;
  /** A batch could not be written: its scores are not kept. */
  readonly failed: (error: Error) => void;
}

export interface Kept {
  readonly scores: Scores;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

const batchDelayMs = 100;
const waitingMax = 5_000;
/** Entries removed by one batch at most: its transaction stays short. */
const evictionMax = 2_000;

function encodeKept({ scores, expiresAt }: Kept): Buffer {
  const { findings, modelScore, modelLogit } = scores;
  const packed = findings.map(packFinding);
  return encode([expiresAt, modelScore ?? null, modelLogit ?? null, packed]);
}

function decodeKept(bytes: Buffer): Kept | undefined {
  const fields = decode(bytes);
  if (!Array.isArray(fields) || fields.length !== 4) return undefined;
  const [expiresAt, modelScore, modelLogit, packed] = fields;
  if (!Number.isSafeInteger(expiresAt) || !Array.isArray(packed)) return undefined;
  const findings = (packed as unknown[][]).map(unpackFinding);
  const byModel = modelScore === null ? {} : { modelScore, modelLogit };
  return { expiresAt, scores: { findings, ...byModel } };
}

/** Expiry, then the score's key: in the order in which they go. */
function ageKey(expiresAt: number, key: Buffer): Buffer {
  const age = Buffer.alloc(8 + key.length);
  age.writeBigUInt64BE(BigInt(expiresAt));
  key.copy(age, 8);
  return age;
}

export class DiskCache {
  readonly #options: DiskCacheOptions;
  #store: Store | undefined;
  #waiting = new Map<string, Kept>();
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DiskCacheOptions) {
    this.#options = options;
  }

  /** Begins to read from and write to `store`. */
  attach(store: Store): void {
    this.#store = store;
  }

  get isOpen(): boolean {
    return this.#store !== undefined;
  }

  /** @param key hexadecimal digits; @returns scores that have not expired. What does not decode is a miss and is removed. */
  get(key: string): Kept | undefined {
    const store = this.#store;
    if (store === undefined) return undefined;
    const kept = this.#waiting.get(key) ?? this.#read(store, key);
    return kept !== undefined && kept.expiresAt > this.#options.now() ? kept : undefined;
  }

  #read(store: Store, key: string): Kept | undefined {
    const bytesKey = Buffer.from(key, "hex");
    const bytes = store.table("scores").get(bytesKey);
    if (bytes === undefined) return undefined;
    const kept = decodeKept(bytes);
    if (kept === undefined) {
      store.write(() => store.table("scores").remove(bytesKey)).catch(this.#options.failed);
    }
    return kept;
  }

  set(key: string, scores: Scores): void {
    if (this.#store === undefined || this.#waiting.size >= waitingMax) return;
    this.#waiting.set(key, { scores, expiresAt: this.#options.now() + this.#options.ttlMs });
    this.#schedule(this.#store);
  }

  #schedule(store: Store): void {
    if (this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#flush(store);
    }, batchDelayMs);
  }

  async #flush(store: Store): Promise<void> {
    if (this.#writing !== undefined) return this.#writing;
    const batch = this.#waiting;
    this.#writing = this.#write(store, batch);
    await this.#writing;
    this.#writing = undefined;
    if (this.#waiting.size > 0) this.#schedule(store);
  }

  async #write(store: Store, batch: ReadonlyMap<string, Kept>): Promise<void> {
    const [scores, byAge] = [store.table("scores"), store.table("scores_by_age")];
    const entries = [...batch];
    try {
      const due = this.#due(store, entries.length);
      await store.write(() => {
        for (const age of due) {
          const key = age.subarray(8);
          const there = scores.get(key);
          const kept = there === undefined ? undefined : decodeKept(there);
          const isRenewed = kept !== undefined && kept.expiresAt !== Number(age.readBigUInt64BE(0));
          if (there !== undefined && !isRenewed) scores.remove(key);
          byAge.remove(age);
        }
        for (const [hex, kept] of entries) {
          const key = Buffer.from(hex, "hex");
          scores.put(key, encodeKept(kept));
          byAge.put(ageKey(kept.expiresAt, key));
        }
      });
      this.#options.written();
    } catch (error) {
      this.#options.failed(error as Error);
    }
    // Whether or not they could be written: memory has them still, for a while.
    for (const [key, kept] of entries) {
      if (this.#waiting.get(key) === kept) this.#waiting.delete(key);
    }
  }

  /** @returns age keys of what must go: expired, or too many, or too large */
  #due(store: Store, added: number): Buffer[] {
    const byAge = store.table("scores_by_age");
    const { entriesMax, bytesMax, now } = this.#options;
    const count = byAge.count;
    const bytes = store.table("scores").bytes + byAge.bytes;
    const overCount = count + added - entriesMax;
    const overBytes = bytes > bytesMax ? Math.ceil(count / 50) + added : 0;
    const over = Math.min(evictionMax, Math.max(overCount, overBytes, 0));
    const oldest = byAge.keys({ limit: Math.max(over, 200) });
    return oldest.filter((age, index) => index < over || Number(age.readBigUInt64BE(0)) <= now());
  }

  /** Removes some of what expired; for a timer. */
  async sweep(): Promise<void> {
    if (this.#store !== undefined) await this.#flush(this.#store);
  }

  /** Removes everything. @throws StoreError where there is no store or it cannot be written */
  async clear(): Promise<void> {
    const store = this.#store;
    if (store === undefined) throw new StoreError("Expected a store but there is none");
    this.#waiting.clear();
    // What is being written would come back otherwise.
    await this.#writing;
    for (const name of ["scores", "scores_by_age"] as const) {
      const table = store.table(name);
      for (;;) {
        const keys = table.keys({ limit: evictionMax });
        if (keys.length === 0) break;
        await store.write(() => {
          for (const key of keys) table.remove(key);
        });
      }
    }
  }

  get count(): number {
    return this.#store?.table("scores").count ?? 0;
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    if (this.#store !== undefined && this.#waiting.size > 0) {
      await this.#flush(this.#store);
      clearTimeout(this.#timer);
    }
    this.#store = undefined;
  }
}
