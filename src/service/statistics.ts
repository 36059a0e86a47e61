/** What `GET /v1/stats` says: how the daemon has done of late. */
import type { Metrics } from "../metrics/metrics.ts";
import type { WindowSummary } from "../metrics/window.ts";

const sampleMs = 5_000;
/** A minute's worth. */
const samplesMax = 12;

interface Sample {
  readonly at: number;
  readonly cpuMicroseconds: number;
}

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const rounded = (value: number) => Math.round(value * 1000) / 1000;

function windowBody({ answered, refused, answersPerSecond, errorRate, latency }: WindowSummary) {
  return {
    answered,
    refused,
    requests_per_second: rounded(answersPerSecond),
    error_rate: rounded(errorRate),
    latency_ms:
      latency === undefined
        ? null
        : Object.fromEntries(Object.entries(latency).map(([name, ms]) => [name, rounded(ms)])),
  };
}

export class Statistics {
  readonly #metrics: Metrics;
  readonly #store: () => object;
  readonly #started = performance.now();
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(metrics: Metrics, store: () => object) {
    this.#metrics = metrics;
    this.#store = store;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), sampleMs);
  }

  #sample(): void {
    this.#samples.push({ at: performance.now(), cpuMicroseconds: cpuMicroseconds() });
    if (this.#samples.length > samplesMax) this.#samples.shift();
  }

  /** Cores in use over the last minute. */
  #cpuCores(): number {
    const [first] = this.#samples;
    if (first === undefined) return 0;
    const elapsed = (performance.now() - first.at) * 1000;
    return elapsed > 0 ? (cpuMicroseconds() - first.cpuMicroseconds) / elapsed : 0;
  }

  #layer(layer: string) {
    const count = (outcome: string) => this.#metrics.counts[`${layer} ${outcome}`] ?? 0;
    const [hits, misses, joined] = [count("hit"), count("miss"), count("joined")];
    const all = hits + misses + joined;
    return { hits, misses, joined, hit_rate: all === 0 ? 0 : rounded(hits / all) };
  }

  /** @returns the statistics in the names of the wire */
  read() {
    const { minute, fiveMinutes, hour, peakPerSecond, sustainedPerSecond } =
      this.#metrics.window.summary();
    const { rss, heapUsed, external } = process.memoryUsage();
    return {
      uptime_s: rounded((performance.now() - this.#started) / 1000),
      last_minute: windowBody(minute),
      last_5_minutes: windowBody(fiveMinutes),
      last_60_minutes: windowBody(hour),
      throughput: {
        peak_per_second: peakPerSecond,
        sustained_per_second: rounded(sustainedPerSecond),
      },
      cpu_cores: rounded(this.#cpuCores()),
      memory_bytes: { rss, heap_used: heapUsed, external },
      cache: { l1: this.#layer("l1"), l3: this.#layer("l3") },
      log: {
        written: this.#metrics.counts["log written"] ?? 0,
        dropped: this.#metrics.counts["log dropped"] ?? 0,
      },
      store: this.#store(),
    };
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
