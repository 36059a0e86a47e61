/**
 * The one place that loads the addon, and its typed interface. Everything that
 * grows with the model runs on the addon's threads; nothing here blocks.
 */
import { createRequire } from "node:module";

export interface NativeOpenOptions {
  readonly modelDir: string;
  /** Empty string: the best kernels of this CPU. */
  readonly kernels: string;
  /** One inference thread a core, pinned to it. Empty: `threads` unpinned ones. */
  readonly cores: readonly number[];
  readonly threads: number;
  readonly queueMax: number;
  readonly windowTokens: number;
  readonly windowStride: number;
  /** When a window leaves at each early head of the model; empty: none does. */
  readonly exits: readonly NativeExit[];
}

/** A window leaves at an early head whose logit is at most `benign` or at least `attack`. */
export interface NativeExit {
  readonly benign: number;
  readonly attack: number;
}

export interface NativeScoreOptions {
  /** Windows computed at most for one segment; past it `truncated` is true. */
  readonly windowsMax: number;
  /** Milliseconds after which no further window is begun. */
  readonly deadlineMs: number;
  /** Whether windows may leave at an early head. */
  readonly earlyExit: boolean;
  /** What `cancel` will name these segments by, a whole number; absent: they are never cancelled. */
  readonly ticket?: number;
}

/** Numbers at the head of what `score` resolves to, before those of the windows. */
const scoreFields = 6;
/** Numbers of one window in `NativeScore.windows`. */
export const windowFields = 5;

export interface NativeScore {
  /** Five numbers a window: text index, start and end in UTF-16 code units, logit, and which head's it is. */
  readonly windows: Float64Array;
  readonly tokens: number;
  readonly passes: number;
  readonly truncated: boolean;
  readonly queueMs: number;
  readonly tokenizeMs: number;
  readonly modelMs: number;
}

/** Counts are of segments. */
export interface NativeStats {
  readonly requests: number;
  readonly refusedBusy: number;
  readonly refusedDeadline: number;
  readonly cancelled: number;
  readonly windows: number;
  /** Of them, by the head that answered: the early ones from 0 up, then the last. */
  readonly windowsByHead: readonly number[];
  readonly tokens: number;
  readonly batches: number;
  /** Prompts waiting, those between two of their windows included. */
  readonly queueDepth: number;
  readonly kernels: string;
  /** Core of each inference thread; -1 where it is not pinned. */
  readonly threadCores: readonly number[];
  /** Linux thread ids of the inference threads, for tests and operators. */
  readonly threadIds: readonly number[];
  /** Heap allocations made by the inference threads since open (counted in every build). */
  readonly allocations: number;
}

/** Opaque. */
export interface NativeHandle {
  readonly __brand: "ghostai-model";
}

/**
 * Errors thrown or rejected carry `code`: ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND,
 * ERR_MODEL_DAMAGED, ERR_MODEL_UNSUPPORTED, ERR_KERNELS_UNSUPPORTED, ERR_MODEL_BUSY,
 * ERR_MODEL_DEADLINE, ERR_MODEL_CANCELLED, ERR_MODEL_CLOSED or ERR_OUT_OF_MEMORY.
 */
export interface Native {
  open(options: NativeOpenOptions): NativeHandle;
  /**
   * Scores the segments of one prompt, each given as its readings, in one crossing. Throws where
   * they are refused together (busy, closed); otherwise there is a promise for each, which
   * settles when the segment is done: the others may take longer.
   *
   * @returns what `readScore` reads
   */
  score(
    handle: NativeHandle,
    segments: readonly (readonly string[])[],
    options: NativeScoreOptions,
  ): Promise<Float64Array>[];
  /**
   * Rejects what is under way with this ticket with ERR_MODEL_CANCELLED: at once where it waits,
   * after the window that is being computed otherwise. What is done already is answered.
   */
  cancel(handle: NativeHandle, ticket: number): void;
  stats(handle: NativeHandle): NativeStats;
  /** Waiting calls are rejected with ERR_MODEL_CLOSED, the running batch is answered. Idempotent. */
  close(handle: NativeHandle): Promise<void>;
  readonly system: {
    /** Cores that this process may run on (taskset, cgroup cpuset), ascending. */
    allowedCores(): number[];
    /** Pins the calling thread. Throws ERR_INVALID_ARGUMENT for a core outside allowedCores(). */
    pinThread(core: number): void;
    /** Kernel names that this CPU can run, best first, and all that were built. */
    kernels(): { available: string[]; built: string[] };
    /** Tells the service manager of NOTIFY_SOCKET; false where there is none. */
    notify(state: string): boolean;
    /** Takes the file's lock until this process ends; false where another has it. */
    lockFile(path: string): boolean;
  };
}

/** The answer on one segment. */
export function readScore(numbers: Float64Array): NativeScore {
  const at = (index: number) => numbers[index] ?? 0;
  return {
    windows: numbers.subarray(scoreFields),
    tokens: at(0),
    passes: at(1),
    truncated: at(2) !== 0,
    queueMs: at(3),
    tokenizeMs: at(4),
    modelMs: at(5),
  };
}

let loaded: Native | undefined;

/** Loads the addon on first use. @throws when it was not built: `npm install` builds it. */
export function native(): Native {
  if (loaded === undefined) {
    const require = createRequire(import.meta.url);
    const path = new URL("../../build/Release/ghostai.node", import.meta.url).pathname;
    loaded = require(path) as Native;
  }
  return loaded;
}

/** Scores the readings of one segment by itself. */
export async function scoreOne(
  handle: NativeHandle,
  readings: readonly string[],
  options: NativeScoreOptions,
): Promise<NativeScore> {
  const [answer] = native().score(handle, [readings], options);
  return readScore((await answer) as Float64Array);
}
