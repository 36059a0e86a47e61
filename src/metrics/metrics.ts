/** What the daemon counts and times, as Prometheus reads it: the only importer of prom-client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { type ErrorCode, errors } from "../errors.ts";
import { type Action, actions, type ScannerName, scannerNames } from "../types.ts";
import { Window } from "./window.ts";

const stages = ["normalise", "recall", "scan", "queue", "tokenize", "model", "decide"] as const;
const outcomes = ["hit", "miss", "joined"] as const;
const layers = ["l1", "l3"] as const;
const logOutcomes = ["written", "dropped", "removed"] as const;
const redactionOutcomes = ["whole", "cut"] as const;
const reloadOutcomes = ["done", "refused"] as const;

/** What is asked for when metrics are read. */
export interface Gauges {
  readonly queueDepth: () => number;
  /** Windows that the model answered since its start, by the layer after which they left. */
  readonly windowsByLayer: () => Readonly<Record<string, number>>;
  readonly logQueueDepth: () => number;
  readonly storeWritable: () => number;
  readonly diskCacheEntries: () => number;
}

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
  readonly #cache: Readonly<Record<string, Incrementer>>;
  readonly #observed: Readonly<Record<Action, Incrementer>>;
  readonly #log: Readonly<Record<(typeof logOutcomes)[number], Incrementer>>;
  readonly #storeFailures: Incrementer;
  readonly #storeSetAside: Incrementer;
  readonly #connectionsRefused: Incrementer;
  readonly #abandoned: Incrementer;
  readonly #redactions: Readonly<Record<(typeof redactionOutcomes)[number], Incrementer>>;
  readonly #replacements: Incrementer;
  readonly #restorations: Incrementer;
  readonly #reloads: Readonly<Record<(typeof reloadOutcomes)[number], Incrementer>>;
  /** Of the last hour, for the statistics. */
  readonly window = new Window(() => Date.now());
  readonly counts: Readonly<Record<string, number>>;
  readonly #counts: Record<string, number> = {};

  /**
   * @param gauges asked for when metrics are read
   * @param version of the daemon, and what it runs with
   */
  constructor(gauges: Gauges, build: { readonly version: string }) {
    this.counts = this.#counts;
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
    this.#findings = byName(scannerNames, (scanner) => fromZero(findings.labels({ scanner })));
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
    this.#cache = Object.fromEntries(
      layers.flatMap((layer) =>
        outcomes.map((outcome) => [
          `${layer} ${outcome}`,
          fromZero(cache.labels({ layer, outcome })),
        ]),
      ),
    );
    const observed = new Counter({
      name: "ghostai_observed_total",
      help: "Requests answered as allow because access is observe, by the verdict that was found",
      labelNames: ["verdict"],
      registers,
    });
    this.#observed = byName(actions, (verdict) => fromZero(observed.labels({ verdict })));
    const log = new Counter({
      name: "ghostai_log_records_total",
      help: "Records of the log: written, dropped for a full queue, removed for their age or bytes",
      labelNames: ["outcome"],
      registers,
    });
    this.#log = byName(logOutcomes, (outcome) => fromZero(log.labels({ outcome })));
    const single = (name: string, help: string) => fromZero(new Counter({ name, help, registers }));
    this.#storeFailures = single(
      "ghostai_store_write_failures_total",
      "Batches that the store did not take; verdicts go on without it",
    );
    this.#storeSetAside = single(
      "ghostai_store_set_aside_total",
      "Damaged stores that were moved out of the way",
    );
    this.#connectionsRefused = single(
      "ghostai_connections_refused_total",
      "Connections closed because their address has too many",
    );
    this.#abandoned = single(
      "ghostai_requests_abandoned_total",
      "Scan requests whose client went away before the answer; the rest of their work is dropped",
    );
    const redactions = new Counter({
      name: "ghostai_redactions_total",
      help: "Requests whose texts were redacted, by whether there may be more to replace",
      labelNames: ["outcome"],
      registers,
    });
    this.#redactions = byName(redactionOutcomes, (outcome) =>
      fromZero(redactions.labels({ outcome })),
    );
    this.#replacements = single(
      "ghostai_replacements_total",
      "Places that were replaced by a placeholder",
    );
    this.#restorations = single("ghostai_restorations_total", "Requests whose texts were restored");
    const reloads = new Counter({
      name: "ghostai_reloads_total",
      help: "Reloads of the settings, by whether they were taken over",
      labelNames: ["outcome"],
      registers,
    });
    this.#reloads = byName(reloadOutcomes, (outcome) => fromZero(reloads.labels({ outcome })));
    new Counter({
      name: "ghostai_model_windows_total",
      help: "Windows of text that the model answered, by the layer after which they left",
      labelNames: ["layer"],
      registers,
      collect() {
        this.reset();
        for (const [layer, count] of Object.entries(gauges.windowsByLayer())) {
          this.labels({ layer }).inc(count);
        }
      },
    });
    for (const [name, help, value] of [
      ["ghostai_model_queue_depth", "Prompts waiting for the model", gauges.queueDepth],
      ["ghostai_log_queue_depth", "Records waiting to be written", gauges.logQueueDepth],
      ["ghostai_store_writable", "1 while the store takes records, else 0", gauges.storeWritable],
      ["ghostai_cache_entries", "Scores kept on disk", gauges.diskCacheEntries],
    ] as const) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    }
    new Gauge({
      name: "ghostai_build_info",
      help: "1; its labels say what runs",
      labelNames: ["version"],
      registers,
    })
      .labels(build)
      .set(1);
    // process_resident_memory_bytes, nodejs_eventloop_lag_seconds and their like.
    collectDefaultMetrics({ register: this.#registry });
  }

  /** A scan was answered with a verdict, or, where access is observe, as allow all the same. */
  answered(verdict: Action, seconds: number, isObserved: boolean): void {
    this.#verdicts[verdict].inc();
    if (isObserved) this.#observed[verdict].inc();
    this.#duration.observe(seconds);
    this.window.answered(seconds);
  }

  /** A request was answered with an error. */
  refused(code: ErrorCode): void {
    this.#refused[code].inc();
    this.window.refused();
  }

  log(outcome: (typeof logOutcomes)[number], records: number): void {
    this.#log[outcome].inc(records);
    this.#count(`log ${outcome}`, records);
  }

  storeFailed(): void {
    this.#storeFailures.inc();
  }

  storeSetAside(): void {
    this.#storeSetAside.inc();
  }

  /** The client of a scan went away before its answer. */
  abandoned(): void {
    this.#abandoned.inc();
  }

  /** @param isCut whether there may be more to replace */
  redacted(replacements: number, isCut: boolean): void {
    this.#redactions[isCut ? "cut" : "whole"].inc();
    this.#replacements.inc(replacements);
  }

  restored(): void {
    this.#restorations.inc();
  }

  connectionRefused(): void {
    this.#connectionsRefused.inc();
  }

  reloaded(outcome: (typeof reloadOutcomes)[number]): void {
    this.#reloads[outcome].inc();
  }

  #count(name: string, by: number): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + by;
  }

  stage(name: (typeof stages)[number], seconds: number): void {
    this.#stages[name].observe(seconds);
  }

  cache(layer: (typeof layers)[number], outcome: (typeof outcomes)[number]): void {
    const name = `${layer} ${outcome}`;
    this.#cache[name]?.inc();
    this.#count(name, 1);
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
