/**
 * The line that every prompt walks: normalise > recall > scan > model > decide.
 * What it touches outside itself comes in as parameters.
 */
import type { Cache, Recalled } from "./cache/cache.ts";
import { Aborted, GhostError } from "./errors.ts";
import { Crossing } from "./model/crossing.ts";
import type { Admission, Model, ModelScore } from "./model/model.ts";
import { decide } from "./policy/policy.ts";
import { scan } from "./scan/index.ts";
import { type Reading, readings } from "./text/views.ts";
import type {
  CacheLayer,
  Finding,
  Prompt,
  ScannerName,
  Scores,
  Segment,
  Verdict,
} from "./types.ts";

export type Stage = "normalise" | "recall" | "scan" | "queue" | "tokenize" | "model" | "decide";

/** Told what happens on the way; must not throw. */
export interface Observer {
  stage(name: Stage, seconds: number): void;
  cache(layer: "l1" | "l3", outcome: "hit" | "miss" | "joined"): void;
  finding(scanner: ScannerName): void;
}

export interface InspectorDependencies {
  readonly model: Pick<Model, "score" | "identity">;
  readonly cache: Cache;
  readonly keyOf: (segment: Segment) => string;
  readonly observer: Observer;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export interface Inspector {
  /**
   * Rejects with GhostError `busy`, `deadline_exceeded`, `shutting_down` or `internal_error`, or
   * with Aborted.
   *
   * @param deadlineAt by when the verdict is wanted, on the clock of `now`; Infinity for any time
   * @param admission shared by all prompts of a batch; without one the prompt has its own
   * @param signal aborted when the caller went away: what is left of the work is dropped
   */
  inspect(
    prompt: Prompt,
    deadlineAt: number,
    admission?: Admission,
    signal?: AbortSignal,
  ): Promise<Verdict>;
}

/** A finding at or above this score answers for its segment without the model. */
const sureScore = 0.95;
/** What the model says below this is not worth a finding; the verdict still carries the score. */
const modelFindingScoreMin = 0.5;

/**
 * What goes through the line and crosses to the model at once. All of a prompt in
 * general; of a longer one part after part, so that other requests get their turn
 * on the event loop between two.
 */
const partSegmentsMax = 64;
const partUnitsMax = 65_536;

interface Times {
  queue: number;
  tokenize: number;
  model: number;
}

/** What the segments of one part share. */
interface Part {
  readonly crossing: Crossing;
  readonly times: Times;
}

/** The segments in order, cut where a part is full. */
function* partsOf(segments: readonly Segment[]): Generator<readonly Segment[]> {
  let from = 0;
  let units = 0;
  for (const [index, { text }] of segments.entries()) {
    const isFull = index - from === partSegmentsMax || units + text.length > partUnitsMax;
    if (isFull && index > from) {
      yield segments.slice(from, index);
      from = index;
      units = 0;
    }
    units += text.length;
  }
  yield segments.slice(from);
}

function unreadable(label: string, end: number, message: string): Finding {
  return { scanner: "model", label, score: 1, start: 0, end, message };
}

/** The layer that took longest to ask; `none` where anything was computed. */
function slowestLayer(recalled: readonly Recalled<Scores>[]): CacheLayer {
  const layers = recalled.map((entry) => entry.layer);
  if (layers.includes("none")) return "none";
  return layers.includes("l3") ? "l3" : "l1";
}

function modelFindings(segment: Segment, views: readonly Reading[], scored: ModelScore): Finding[] {
  const found: Finding[] = [];
  const reading = views[scored.reading];
  if (scored.score >= modelFindingScoreMin && reading !== undefined) {
    const [start, end] = reading.toOriginal(scored.start, scored.end);
    const message = `The model reads this part as an attack (${reading.name} reading)`;
    found.push({
      scanner: "model",
      label: "model/attack",
      score: scored.score,
      start,
      end,
      message,
    });
  }
  if (scored.truncated) {
    const message = "The text is longer than the window budget; the rest was not read";
    found.push(unreadable("model/too-long", segment.text.length, message));
  }
  return found;
}

/** Builds the inspector. One call of `inspect` walks the whole line for one prompt. */
export function createInspector(dependencies: InspectorDependencies): Inspector {
  const { model, cache, keyOf, observer, now } = dependencies;

  function timed<T>(stage: Stage, work: () => T): T {
    const started = now();
    const result = work();
    observer.stage(stage, (now() - started) / 1000);
    return result;
  }

  async function scoreSegment(segment: Segment, { crossing, times }: Part): Promise<Scores> {
    const views = timed("normalise", () => readings(segment.text));
    const found = timed("scan", () => scan({ ...segment, readings: views.readings }));
    if (views.budgetExceeded) {
      const message = "The text hides more encoded parts than are read; the rest was not read";
      found.push(unreadable("model/too-many-readings", segment.text.length, message));
    }
    for (const finding of found) observer.finding(finding.scanner);
    if (found.some((finding) => finding.score >= sureScore)) return { findings: found };
    const texts = views.forModel.map((reading) => reading.text);
    const scored = await crossing.score(texts);
    times.queue = Math.max(times.queue, scored.queueMs);
    times.tokenize = Math.max(times.tokenize, scored.tokenizeMs);
    times.model = Math.max(times.model, scored.modelMs);
    observer.stage("queue", scored.queueMs / 1000);
    observer.stage("tokenize", scored.tokenizeMs / 1000);
    observer.stage("model", scored.modelMs / 1000);
    const byModel = modelFindings(segment, views.forModel, scored);
    for (const finding of byModel) observer.finding(finding.scanner);
    return { findings: [...found, ...byModel], modelScore: scored.score, modelLogit: scored.logit };
  }

  async function recallOrScore(segment: Segment, part: Part): Promise<Recalled<Scores>> {
    const key = timed("recall", () => keyOf(segment));
    const recalled = await cache.recall(key, () => scoreSegment(segment, part));
    const { layer, joined } = recalled;
    observer.cache("l1", joined ? "joined" : layer === "l1" ? "hit" : "miss");
    if (cache.hasDisk && !joined && layer !== "l1") {
      observer.cache("l3", layer === "l3" ? "hit" : "miss");
    }
    return recalled;
  }

  return {
    async inspect(prompt, deadlineAt, admission = { isAdmitted: false }, signal = undefined) {
      if (prompt.segments.length === 0) throw new GhostError("empty_input");
      const started = now();
      const times: Times = { queue: 0, tokenize: 0, model: 0 };
      const request = () => ({ deadlineMs: deadlineAt - now(), admission, signal });
      const recalled: Recalled<Scores>[] = [];
      for (const segments of partsOf(prompt.segments)) {
        if (signal?.aborted) throw new Aborted();
        const crossing = new Crossing(model, request);
        const scored = segments.map((segment) => recallOrScore(segment, { crossing, times }));
        // Each has come to the model, or to the cache, before it first waited.
        crossing.send();
        recalled.push(...(await Promise.all(scored)));
      }
      const decision = timed("decide", () =>
        decide(
          prompt.segments,
          recalled.map((entry) => entry.value),
        ),
      );
      return {
        ...decision,
        id: prompt.id,
        cache: slowestLayer(recalled),
        model: model.identity,
        latency: { total: now() - started, ...times },
      };
    },
  };
}
