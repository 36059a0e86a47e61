/**
 * Recall before computing: the layers in order, and one computation for
 * identical segments that are asked for at the same time.
 */
import { Aborted, GhostError } from "../errors.ts";
import type { CacheLayer, Scores } from "../types.ts";
import type { DiskCache } from "./disk.ts";
import type { MemoryCache } from "./memory.ts";

export interface Recalled<T> {
  readonly value: T;
  readonly layer: CacheLayer;
  /** True where another request in flight was computing the same and its result was shared. */
  readonly joined: boolean;
}

export class Cache {
  readonly #memory: MemoryCache;
  readonly #disk: DiskCache | undefined;
  /** Bounded by the number of requests in flight, which the listener bounds. */
  readonly #inFlight = new Map<string, Promise<Scores>>();

  constructor(memory: MemoryCache, disk?: DiskCache) {
    this.#memory = memory;
    this.#disk = disk;
  }

  /** Whether there is a layer on disk. */
  get hasDisk(): boolean {
    return this.#disk?.isOpen ?? false;
  }

  /**
   * Returns the cached scores of `key`, or joins the computation under way, or
   * runs `compute` and keeps its result. A failed computation is not kept, and
   * everyone who joined it gets its error, save that of a deadline or of a
   * caller that went away, which are the other request's alone.
   */
  async recall(key: string, compute: () => Promise<Scores>): Promise<Recalled<Scores>> {
    const cached = this.#memory.get(key);
    if (cached !== undefined) return { value: cached, layer: "l1", joined: false };
    const running = this.#inFlight.get(key);
    if (running !== undefined) {
      try {
        return { value: await running, layer: "none", joined: true };
      } catch (error) {
        const isLate = error instanceof GhostError && error.code === "deadline_exceeded";
        if (!isLate && !(error instanceof Aborted)) throw error;
        return this.recall(key, compute);
      }
    }
    const kept = this.#disk?.get(key);
    if (kept !== undefined) {
      this.#memory.set(key, kept.scores, kept.expiresAt - Date.now());
      return { value: kept.scores, layer: "l3", joined: false };
    }
    const computed = compute();
    this.#inFlight.set(key, computed);
    try {
      const value = await computed;
      this.#memory.set(key, value);
      this.#disk?.set(key, value);
      return { value, layer: "none", joined: false };
    } finally {
      this.#inFlight.delete(key);
    }
  }

  /** Forgets everything. Rejects with StoreError where the layer on disk cannot be emptied. */
  async clear(): Promise<void> {
    this.#memory.clear();
    if (this.#disk?.isOpen) await this.#disk.clear();
  }
}
