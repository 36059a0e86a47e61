/**
 * Recall before computing: the layers in order, and one computation for
 * identical segments that are asked for at the same time.
 */
import type { CacheLayer, Scores } from "../types.ts";
import type { MemoryCache } from "./memory.ts";

export interface Recalled<T> {
  readonly value: T;
  readonly layer: CacheLayer;
  /** True where another request in flight was computing the same and its result was shared. */
  readonly joined: boolean;
}

export class Cache {
  readonly #memory: MemoryCache;
  /** Bounded by the number of requests in flight, which the listener bounds. */
  readonly #inFlight = new Map<string, Promise<Scores>>();

  constructor(memory: MemoryCache) {
    this.#memory = memory;
  }

  /**
   * Returns the cached scores of `key`, or joins the computation under way, or
   * runs `compute` and keeps its result. A failed computation is not kept, and
   * everyone who joined it gets its error.
   */
  async recall(key: string, compute: () => Promise<Scores>): Promise<Recalled<Scores>> {
    const cached = this.#memory.get(key);
    if (cached !== undefined) return { value: cached, layer: "l1", joined: false };
    const running = this.#inFlight.get(key);
    if (running !== undefined) return { value: await running, layer: "none", joined: true };
    const computed = compute();
    this.#inFlight.set(key, computed);
    try {
      const value = await computed;
      this.#memory.set(key, value);
      return { value, layer: "none", joined: false };
    } finally {
      this.#inFlight.delete(key);
    }
  }
}
