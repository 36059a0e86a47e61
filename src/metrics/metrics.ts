/** What the daemon counts and times, as Prometheus reads it: the only importer of prom-client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { type ErrorCode, errors } from "../errors.ts";
import type { Action, ScannerName } from "../types.ts";

const actions: readonly Action[] = ["allow", "flag", "block"];
const scanners: readonly ScannerName[] = ["model", "signature", "unicode"];
const stages = ["normalise", "recall", "scan", "queue", "tokenize", "model", "decide"] as const;
const outcomes = ["hit", "miss", "joined"] as const;

/** From 50 microseconds: a cache hit takes less than a tenth of a millisecond. */
const durationBuckets = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5,
];

type Incrementer = { inc(value?: number): void };
type Timer = { observe(seconds: number): void };

/** A series is there from the start, at nothing, so that its first increase is seen. */
function fromZero(counter: Incrementer): Incrementer {
  counter.inc(0);
  return counter;
}

function byName<Name extends string, Value>(
  names: readonly Name[],
  make: (name: Name) => Value,
): Readonly<Record<Name, Value>> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Value>;
}

/** The daemon's metrics. Every label value is fixed beforehand, so no input can grow their number. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #verdicts: Readonly<Record<Action, Incrementer>>;
  readonly #refused: Readonly<Record<ErrorCode, Incrementer>>;
  readonly #duration: Timer;
  readonly #stages: Readonly<Record<(typeof stages)[number], Timer>>;
  readonly #findings: Readonly<Record<ScannerName, Incrementer>>;
  readonly #cache: Readonly<Record<(typeof outcomes)[number], Incrementer>>;

  /** @param queueDepth calls waiting for the model, asked for when metrics are read */
  constructor(queueDepth: () => number) {
    const registers = [this.#registry];
    const requests = new Counter({
      name: "ghostai_requests_total",
      help: "Requests answered, by verdict (the worst of a batch) and by ok or the error's code",
      labelNames: ["verdict", "code"],
      registers,
    });
    this.#verdicts = byName(actions, (verdict) =>
      fromZero(requests.labels({ verdict, code: "ok" })),
    );
    this.#refused = byName(Object.keys(errors) as ErrorCode[], (code) =>
      fromZero(requests.labels({ verdict: "none", code })),
    );
    const findings = new Counter({
      name: "ghostai_findings_total",
      help: "Findings, by scanner",
      labelNames: ["scanner"],
      registers,
    });
    this.#findings = byName(scanners, (scanner) => fromZero(findings.labels({ scanner })));
    this.#duration = new Histogram({
      name: "ghostai_request_duration_seconds",
      help: "Time from a scan request's head to its verdict",
      buckets: durationBuckets,
      registers,
    });
    const stageDuration = new Histogram({
      name: "ghostai_stage_duration_seconds",
      help: "Time of each stage of the line, one text at a time",
      labelNames: ["stage"],
      buckets: durationBuckets,
      registers,
    });
    this.#stages = byName(stages, (stage) => stageDuration.labels({ stage }));
    const cache = new Counter({
      name: "ghostai_cache_requests_total",
      help: "Texts looked up in the cache; joined shared a computation under way",
      labelNames: ["layer", "outcome"],
      registers,
    });
    this.#cache = byName(outcomes, (outcome) => fromZero(cache.labels({ layer: "l1", outcome })));
    new Gauge({
      name: "ghostai_model_queue_depth",
      help: "Texts waiting for the model",
      registers,
      collect() {
        this.set(queueDepth());
      },
    });
    // process_resident_memory_bytes, nodejs_eventloop_lag_seconds and their like.
    collectDefaultMetrics({ register: this.#registry });
  }

  /** A scan was answered with a verdict. */
  answered(verdict: Action, seconds: number): void {
    this.#verdicts[verdict].inc();
    this.#duration.observe(seconds);
  }

  /** A request was answered with an error. */
  refused(code: ErrorCode): void {
    this.#refused[code].inc();
  }

  stage(name: (typeof stages)[number], seconds: number): void {
    this.#stages[name].observe(seconds);
  }

  cache(_layer: "l1", outcome: (typeof outcomes)[number]): void {
    this.#cache[outcome].inc();
  }

  finding(scanner: ScannerName): void {
    this.#findings[scanner].inc();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** @returns the exposition */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
