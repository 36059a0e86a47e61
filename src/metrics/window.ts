/** Latency and rates of the last hour, from HDR histograms in slots of time. */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

interface Slot {
  /** Which slot of all time; what is older is empty. */
  number: number;
  readonly latency: RecordableHistogram;
  answered: number;
  refused: number;
}

export interface WindowSummary {
  readonly answered: number;
  readonly refused: number;
  /** Answers a second. */
  readonly answersPerSecond: number;
  /** Refusals among all requests; 0 where there was none. */
  readonly errorRate: number;
  /** Milliseconds; absent where nothing was answered. */
  readonly latency?: {
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly average: number;
    readonly max: number;
  };
}

/** Microseconds up to a minute, to two digits. */
function newHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: 60_000_000, figures: 2 });
}

/** A ring of slots of equal length. */
class Ring {
  readonly #slotMs: number;
  readonly #slots: Slot[];
  readonly #startedAt: number;

  constructor(slotMs: number, count: number, startedAt: number) {
    this.#slotMs = slotMs;
    this.#startedAt = startedAt;
    this.#slots = Array.from({ length: count }, () => ({
      number: -1,
      latency: newHistogram(),
      answered: 0,
      refused: 0,
    }));
  }

  at(now: number): Slot {
    const number = Math.floor(now / this.#slotMs);
    const slot = this.#slots[number % this.#slots.length] as Slot;
    if (slot.number !== number) {
      slot.number = number;
      slot.latency.reset();
      slot.answered = 0;
      slot.refused = 0;
    }
    return slot;
  }

  /** The last `count` slots together, the one that runs included. */
  summary(now: number, count: number): WindowSummary {
    const current = Math.floor(now / this.#slotMs);
    const latency = newHistogram();
    let answered = 0;
    let refused = 0;
    for (const slot of this.#slots) {
      if (slot.number <= current - count || slot.number > current) continue;
      latency.add(slot.latency);
      answered += slot.answered;
      refused += slot.refused;
    }
    const from = Math.max((current - count + 1) * this.#slotMs, this.#startedAt);
    const seconds = Math.max((now - from) / 1000, 1e-3);
    const all = answered + refused;
    const summary = {
      answered,
      refused,
      answersPerSecond: answered / seconds,
      errorRate: all === 0 ? 0 : refused / all,
    };
    if (answered === 0) return summary;
    const milliseconds = (microseconds: number) => microseconds / 1000;
    return {
      ...summary,
      latency: {
        p50: milliseconds(latency.percentile(50)),
        p95: milliseconds(latency.percentile(95)),
        p99: milliseconds(latency.percentile(99)),
        average: milliseconds(latency.mean),
        max: milliseconds(latency.max),
      },
    };
  }
}

const sustainedSeconds = 60;

/** The last minute, five minutes and hour, and the best second and minute since the start. */
export class Window {
  readonly #now: () => number;
  readonly #short: Ring;
  readonly #long: Ring;
  readonly #seconds = new Uint32Array(sustainedSeconds);
  #second = 0;
  #lastMinute = 0;
  #peak = 0;
  #sustained = 0;

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
    this.#short = new Ring(5_000, 60, now());
    this.#long = new Ring(60_000, 60, now());
    this.#second = Math.floor(now() / 1000);
  }

  answered(seconds: number): void {
    const now = this.#now();
    const microseconds = Math.min(Math.max(Math.round(seconds * 1e6), 1), 60_000_000);
    for (const slot of [this.#short.at(now), this.#long.at(now)]) {
      slot.latency.record(microseconds);
      slot.answered++;
    }
    this.#advance(Math.floor(now / 1000));
    const index = this.#second % sustainedSeconds;
    const count = (this.#seconds[index] ?? 0) + 1;
    this.#seconds[index] = count;
    this.#lastMinute++;
    this.#peak = Math.max(this.#peak, count);
    this.#sustained = Math.max(this.#sustained, this.#lastMinute);
  }

  refused(): void {
    const now = this.#now();
    this.#short.at(now).refused++;
    this.#long.at(now).refused++;
  }

  /** Seconds without an answer count as such. A clock that was set back counts in the second it had reached. */
  #advance(second: number): void {
    const steps = Math.min(second - this.#second, sustainedSeconds);
    for (let step = 1; step <= steps; step++) {
      const index = (this.#second + step) % sustainedSeconds;
      this.#lastMinute -= this.#seconds[index] ?? 0;
      this.#seconds[index] = 0;
    }
    if (second > this.#second) {
      this.#second = second;
      if (steps === sustainedSeconds) this.#seconds.fill(0);
    }
  }

  /** `peak` is the best second, `sustained` the best 60 seconds, both in answers a second. */
  summary() {
    const now = this.#now();
    return {
      minute: this.#short.summary(now, 12),
      fiveMinutes: this.#short.summary(now, 60),
      hour: this.#long.summary(now, 60),
      peakPerSecond: this.#peak,
      sustainedPerSecond: this.#sustained / sustainedSeconds,
    };
  }
}
