/** L1: scores of recent segments in this process's memory, least recently used out first. */
import { LRUCache } from "lru-cache";
import type { Scores } from "../types.ts";

export interface MemoryCacheOptions {
  /** Segments kept at most; 0 keeps none. */
  readonly entriesMax: number;
  /** Life of an entry from when it was stored; a hit does not prolong it. */
  readonly ttlMs: number;
}

export class MemoryCache {
  readonly #entries: LRUCache<string, Scores> | undefined;

  constructor(options: MemoryCacheOptions) {
    this.#entries =
      options.entriesMax > 0 && options.ttlMs > 0
        ? new LRUCache({ max: options.entriesMax, ttl: options.ttlMs })
        : undefined;
  }

  get(key: string): Scores | undefined {
    return this.#entries?.get(key);
  }

  set(key: string, scores: Scores): void {
    this.#entries?.set(key, scores);
  }

  get size(): number {
    return this.#entries?.size ?? 0;
  }
}
