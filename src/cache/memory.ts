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
  readonly #ttlMs: number;

  constructor(options: MemoryCacheOptions) {
    this.#ttlMs = options.ttlMs;
    this.#entries =
      options.entriesMax > 0 && options.ttlMs > 0
        ? new LRUCache({ max: options.entriesMax, ttl: options.ttlMs })
        : undefined;
  }

  get(key: string): Scores | undefined {
    return this.#entries?.get(key);
  }

  /** @param lifeMs where less is left of its life than an entry gets here */
  set(key: string, scores: Scores, lifeMs = this.#ttlMs): void {
    this.#entries?.set(key, scores, { ttl: Math.max(1, Math.min(lifeMs, this.#ttlMs)) });
  }

  clear(): void {
    this.#entries?.clear();
  }

  get size(): number {
    return this.#entries?.size ?? 0;
  }
}
