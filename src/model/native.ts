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
  /** Windows computed at most for the whole call; past it `truncated` is true. */
  readonly windowsMax: number;
  readonly deadlineMs: number;
  /** Whether windows may leave at an early head. */
  readonly earlyExit: boolean;
}

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

export interface NativeStats {
  readonly requests: number;
  readonly refusedBusy: number;
  readonly refusedDeadline: number;
  readonly windows: number;
  /** Of them, by the head that answered: the early ones from 0 up, then the last. */
  readonly windowsByHead: readonly number[];
  readonly tokens: number;
  readonly batches: number;
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
 * ERR_MODEL_DEADLINE, ERR_MODEL_CLOSED or ERR_OUT_OF_MEMORY.
 */
export interface Native {
  open(options: NativeOpenOptions): NativeHandle;
  score(
    handle: NativeHandle,
    texts: readonly string[],
    options: NativeScoreOptions,
  ): Promise<NativeScore>;
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
