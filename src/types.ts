export const origins = ["user", "document", "tool", "assistant", "system"] as const;

/** Who wrote a piece of text. A message's role implies it; a caller may say it for a plain text. */
export type Origin = (typeof origins)[number];

/** From the mildest to the strictest. */
export const actions = ["allow", "flag", "block"] as const;

/** What the answer advises. `flag` passes but deserves a look; `block` should not reach a model. */
export type Action = (typeof actions)[number];

/** Everything that says something of a text: the model, and the scanners by name. */
export const scannerNames = [
  "model",
  "signature",
  "unicode",
  "secret",
  "pii",
  "link",
  "structure",
  "language",
  "canary",
  "phrase",
] as const;
export type ScannerName = (typeof scannerNames)[number];

export const cacheLayers = ["none", "l1", "l2", "l3"] as const;

/** Which cache layer an answer came from. */
export type CacheLayer = (typeof cacheLayers)[number];

/** One piece of text of a prompt, scored by itself: a plain text, or one part of one message. */
export interface Segment {
  readonly text: string;
  readonly origin: Origin;
  /** Index of the message and of the content part; absent for a plain text. */
  readonly messageIndex?: number;
  readonly partIndex?: number;
}

export interface Prompt {
  readonly id: string;
  readonly segments: readonly Segment[];
}

/** Something a scanner saw. Offsets are UTF-16 code units of the segment's text as it was sent. */
export interface Finding {
  readonly scanner: ScannerName;
  /** Stable name of what was found, for example `signature/ignore-previous.en`. */
  readonly label: string;
  /** Risk from 0 to 1 on the scale where 0.5 flags and 0.8 blocks. */
  readonly score: number;
  readonly start: number;
  readonly end: number;
  /** One sentence for a person. Never contains the text itself. */
  readonly message: string;
}

/** What the scanners and the model say of one segment: cached, and judged anew by the policy on each hit. */
export interface Scores {
  readonly findings: readonly Finding[];
  /** The model's risk score; absent where a sure signature answered without the model. */
  readonly modelScore?: number;
  /** The model's largest logit before calibration; absent as above. */
  readonly modelLogit?: number;
}

/** Time spent by one request, milliseconds. Queue, tokenize and model are the largest over its segments. */
export interface Latency {
  readonly total: number;
  readonly queue: number;
  readonly tokenize: number;
  readonly model: number;
}

/** A finding as it is answered: of messages it also says which message and part it lies in. */
export interface LocatedFinding extends Finding {
  readonly messageIndex?: number;
  readonly partIndex?: number;
}

export interface Verdict {
  readonly id: string;
  readonly action: Action;
  readonly threatScore: number;
  /** The scanner behind the highest score, or `none` where nothing scored. */
  readonly scannerType: ScannerName | "none";
  readonly findings: readonly LocatedFinding[];
  readonly cache: CacheLayer;
  readonly model: string;
  readonly latency: Latency;
}
