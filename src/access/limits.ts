/** How much: a token bucket for each key that has a limit. */

interface Bucket {
  tokens: number;
  at: number;
}

/** Requests a second by name. A burst may use up one second's worth at once, and always one request. */
export class RateLimits {
  readonly #now: () => number;
  /** Bounded by the number of keys. */
  readonly #buckets = new Map<string, Bucket>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one request from the bucket of `name`; @returns whether there was one */
  take(name: string, requestsPerSecondMax: number): boolean {
    const capacity = Math.max(1, requestsPerSecondMax);
    const now = this.#now();
    const bucket = this.#buckets.get(name) ?? { tokens: capacity, at: now };
    const refilled = bucket.tokens + ((now - bucket.at) / 1000) * requestsPerSecondMax;
    bucket.tokens = Math.min(capacity, refilled);
    bucket.at = now;
    this.#buckets.set(name, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
