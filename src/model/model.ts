/**
 * A model that is ready to be asked: verified folder, open addon, calibrated
 * scores. Windows are made by the addon, which sees the tokens.
 */
import { Aborted, GhostError } from "../errors.ts";
import { type Exit, lastHeadLogit, riskScore } from "./calibration.ts";
import { ModelError, type ModelErrorCode, type ModelFolder, readModelFolder } from "./folder.ts";
import { QueueLoad } from "./load.ts";
import {
  type NativeHandle,
  type NativeScore,
  type NativeStats,
  native,
  readScore,
  scoreOne,
  windowFields,
} from "./native.ts";

export { ModelError } from "./folder.ts";

export interface ModelOptions {
  /** The model's folder. */
  readonly path: string;
  /** Kernels to force; empty chooses the best that the CPU has. */
  readonly kernels: string;
  /** Cores for the inference threads, one thread pinned to each; empty: `threads` unpinned ones. */
  readonly cores: readonly number[];
  readonly threads: number;
  /** Prompts waiting at most; the next is refused as busy. */
  readonly queueMax: number;
  /** Windows computed at most for one segment over all its readings. */
  readonly windowsMax: number;
  /** Whether windows that are sure may leave at an early head. */
  readonly earlyExit: boolean;
  /** Longest expected wait in the queue; while it is longer, short prompts are refused. */
  readonly queueWaitMsMax: () => number;
}

/** Whether a request's work has begun: what is begun is not refused for the length of the queue. */
export interface Admission {
  isAdmitted: boolean;
}

/** On whose behalf segments are scored. */
export interface ScoreRequest {
  /** What is left of the request's time; what is not expected to be done by then is refused. */
  readonly deadlineMs: number;
  /** Of the request: once one of its prompts was let in, the others are too. */
  readonly admission: Admission;
  /** Aborted when nobody wants the answer any more: what is left of the work is dropped. */
  readonly signal: AbortSignal | undefined;
}

/** What the model says of one segment. */
export interface ModelScore {
  /** Risk score of the riskiest window. */
  readonly score: number;
  readonly logit: number;
  /** The riskiest window: which reading, and where in it, UTF-16 code units. */
  readonly reading: number;
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  /** Forward passes that this segment cost. */
  readonly passes: number;
  /** True where the window budget ended before the text did. */
  readonly truncated: boolean;
  readonly queueMs: number;
  readonly tokenizeMs: number;
  readonly modelMs: number;
}

export interface Model {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** `name@version`. */
  readonly identity: string;
  /**
   * Scores segments of one prompt, each given as its readings; the result of a
   * segment is that of the riskiest window of all its readings. A segment's
   * promise settles when it is done, whatever the others take.
   *
   * @throws what each promise may reject with as well: GhostError `busy`,
   * `deadline_exceeded`, `shutting_down` or `internal_error`, or Aborted
   */
  score(
    segments: readonly (readonly string[])[],
    request: ScoreRequest,
  ): readonly Promise<ModelScore>[];
  /**
   * Scores the folder's test vectors: all, or the first few, which is what a start has time for.
   * Rejects with ModelError where one is off.
   */
  selfTest(extent: "first" | "all"): Promise<void>;
  /**
   * Whether the addon answers: the next test vector, of all in turn, is scored right, or others are
   * while the queue is full.
   */
  probe(): Promise<boolean>;
  stats(): NativeStats;
  /** Windows answered since the start, by the layer after which they left; `last` for the last. */
  windowsByLayer(): Readonly<Record<string, number>>;
  /** Answers the batch that runs, refuses what waits. */
  close(): Promise<void>;
}

const refusals: Readonly<Record<string, "busy" | "deadline_exceeded" | "shutting_down">> = {
  ERR_MODEL_BUSY: "busy",
  ERR_MODEL_DEADLINE: "deadline_exceeded",
  ERR_MODEL_CLOSED: "shutting_down",
};

/** What the addon refused, as callers know it. */
function refusalOf(error: unknown): Error {
  if (error instanceof GhostError) return error;
  const { code = "", message } = error as Error & { code?: string };
  if (code === "ERR_MODEL_CANCELLED") return new Aborted();
  return new GhostError(refusals[code] ?? "internal_error", message);
}

/** The riskiest window, its logit on the last head's scale. */
function riskiestWindow(
  { windows }: NativeScore,
  exits: readonly Exit[],
): [reading: number, start: number, end: number, logit: number] {
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < windows.length; at += windowFields) {
    const exit = exits[windows[at + 4] as number];
    const own = windows[at + 3] as number;
    const logit = exit === undefined ? own : lastHeadLogit(exit, own);
    if (best === -1 || logit > highest || Number.isNaN(logit)) {
      best = at;
      highest = logit;
    }
  }
  const [reading, start, end] = windows.subarray(best, best + 3);
  if (reading === undefined || start === undefined || end === undefined) {
    throw new GhostError("internal_error", "the model returned no window");
  }
  return [reading, start, end, highest];
}

/**
 * A prompt of more UTF-16 code units takes turns in the addon, whose bound this is too. For a
 * shorter one the wait for the model counts, for a longer one when it would end.
 */
const shortUnitsMax = 2048;
/** A window holds about as many; what lies past the budget of windows is no work. */
const windowUnits = 512;

/** What the addon takes as "any time". */
const deadlineMsMax = 600_000;

function inTime(deadlineMs: number): number {
  return Math.min(Math.ceil(deadlineMs), deadlineMsMax);
}

/** A probe comes every few seconds, in the midst of traffic. */
const probeDeadlineMs = 5_000;

/**
 * Tokens of the vectors that a start scores. What they are to find is an addon that computes wrongly
 * on this processor, which shows in any text; damaged files are found by their checksums before.
 */
const firstTokensMax = 40;

/** The self-test waits for nobody's traffic, so only a machine that stands still can pass this. */
const selfTestDeadlineMs = 60_000;

class OpenModel implements Model {
  readonly #folder: ModelFolder;
  readonly #handle: NativeHandle;
  readonly #options: ModelOptions;
  /** Of short and of long prompts. */
  readonly #shortLoad: QueueLoad;
  readonly #longLoad: QueueLoad;
  #ticket = 0;
  #probes = 0;

  constructor(folder: ModelFolder, handle: NativeHandle, options: ModelOptions) {
    this.#folder = folder;
    this.#handle = handle;
    this.#options = options;
    const threads = Math.max(options.cores.length, options.threads, 1);
    this.#shortLoad = new QueueLoad(threads);
    this.#longLoad = new QueueLoad(threads);
  }

  get name(): string {
    return this.#folder.manifest.name;
  }
  get version(): string {
    return this.#folder.manifest.version;
  }
  get sha256(): string {
    return this.#folder.sha256;
  }
  get identity(): string {
    return `${this.name}@${this.version}`;
  }

  score(
    segments: readonly (readonly string[])[],
    { deadlineMs, admission, signal }: ScoreRequest,
  ): readonly Promise<ModelScore>[] {
    if (signal?.aborted) throw new Aborted();
    const work = this.#workOf(segments);
    const load = this.#admit(work, deadlineMs, admission);
    const { windowsMax, earlyExit } = this.#options;
    const ticket = this.#ticket++;
    const options = { windowsMax, deadlineMs: inTime(deadlineMs), earlyExit, ticket };
    let answers: Promise<Float64Array>[];
    try {
      answers = native().score(this.#handle, segments, options);
    } catch (error) {
      throw refusalOf(error);
    }
    const cancel = () => native().cancel(this.#handle, ticket);
    signal?.addEventListener("abort", cancel);
    load.begin(performance.now(), work);
    let left = answers.length;
    let isDone = true;
    const ended = (isAnswer: boolean) => {
      isDone &&= isAnswer;
      if (--left > 0) return;
      load.end(performance.now(), work, isDone);
      signal?.removeEventListener("abort", cancel);
    };
    return answers.map((answer) =>
      answer.then(
        (numbers) => {
          ended(true);
          return this.#read(readScore(numbers));
        },
        (error) => {
          ended(false);
          throw refusalOf(error);
        },
      ),
    );
  }

  /** UTF-16 code units that are read. */
  #workOf(segments: readonly (readonly string[])[]): number {
    const unitsMax = this.#options.windowsMax * windowUnits;
    let work = 1;
    for (const readings of segments) {
      let units = 0;
      for (const text of readings) units += text.length;
      work += Math.min(units, unitsMax);
    }
    return work;
  }

  /** @returns the load that the prompt is part of. @throws GhostError */
  #admit(work: number, deadlineMs: number, admission: Admission): QueueLoad {
    const isShort = work <= shortUnitsMax;
    const load = isShort ? this.#shortLoad : this.#longLoad;
    const expectedMs = isShort ? load.expectedWaitMs : load.expectedEndMs(work);
    if (deadlineMs <= 0 || expectedMs > deadlineMs) throw new GhostError("deadline_exceeded");
    const waitMsMax = this.#options.queueWaitMsMax();
    if (isShort && !admission.isAdmitted && expectedMs > waitMsMax) {
      throw new GhostError("busy", `expected a wait of at most ${waitMsMax} ms`);
    }
    admission.isAdmitted = true;
    return load;
  }

  #read(result: NativeScore): ModelScore {
    const [reading, start, end, logit] = riskiestWindow(result, this.#folder.calibration.exits);
    if (!Number.isFinite(logit)) {
      throw new GhostError("internal_error", "the model returned a score that is not a number");
    }
    const { tokens, passes, truncated, queueMs, tokenizeMs, modelMs } = result;
    const score = riskScore(this.#folder.calibration, logit);
    const times = { queueMs, tokenizeMs, modelMs };
    return { score, logit, reading, start, end, tokens, passes, truncated, ...times };
  }

  /** One text of our own, which waits like everybody's but is never refused for the queue's length. */
  async #check(text: string, deadlineMs: number): Promise<ModelScore> {
    const { windowsMax } = this.#options;
    const options = { windowsMax, deadlineMs, earlyExit: false };
    try {
      return this.#read(await scoreOne(this.#handle, [text], options));
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async selfTest(extent: "first" | "all"): Promise<void> {
    const { tolerance, vectors } = this.#folder.selfTest;
    let tokensSoFar = 0;
    for (const [index, vector] of vectors.entries()) {
      tokensSoFar += vector.ids.length;
      if (extent === "first" && index > 0 && tokensSoFar > firstTokensMax) return;
      const { logit, tokens } = await this.#check(vector.text, selfTestDeadlineMs);
      // The vectors' ids include the two special tokens.
      if (tokens !== vector.ids.length - 2 || Math.abs(logit - vector.logit) > tolerance) {
        throw new ModelError(
          "ERR_MODEL_DAMAGED",
          `Self-test ${index} expected ${vector.ids.length - 2} tokens and logit ${vector.logit} ± ${tolerance} but got ${tokens} and ${logit}`,
        );
      }
    }
  }

  async probe(): Promise<boolean> {
    const { tolerance, vectors } = this.#folder.selfTest;
    const vector = vectors[this.#probes++ % vectors.length];
    if (vector === undefined) return true;
    const before = this.stats().windows;
    try {
      const { logit } = await this.#check(vector.text, probeDeadlineMs);
      return Math.abs(logit - vector.logit) <= tolerance;
    } catch (error) {
      const isRefusal = error instanceof GhostError && error.code !== "internal_error";
      return isRefusal && this.stats().windows > before;
    }
  }

  stats(): NativeStats {
    return native().stats(this.#handle);
  }

  windowsByLayer(): Readonly<Record<string, number>> {
    const { exits } = this.#folder.calibration;
    const counts = this.stats().windowsByHead;
    // A model without rules for its early heads answers by the last alone.
    const layers = counts.map((_, head) => String(exits[head]?.layer ?? "last"));
    return Object.fromEntries(counts.map((count, head) => [layers[head], count]));
  }

  close(): Promise<void> {
    return native().close(this.#handle);
  }
}

/** Verifies the folder and opens it. @throws ModelError */
export function openModel(options: ModelOptions): Model {
  const folder = readModelFolder(options.path);
  try {
    const handle = native().open({
      modelDir: options.path,
      kernels: options.kernels,
      cores: options.cores,
      threads: options.threads,
      queueMax: options.queueMax,
      windowTokens: folder.manifest.window.tokens,
      windowStride: folder.manifest.window.stride,
      exits: folder.calibration.exits.map(({ benign, attack }) => ({ benign, attack })),
    });
    return new OpenModel(folder, handle, options);
  } catch (error) {
    const { code, message } = error as { code?: ModelErrorCode; message: string };
    throw new ModelError(code ?? "ERR_MODEL_UNSUPPORTED", message);
  }
}
