/** What a scanner is: a pure function from a text and its readings to findings. */
import type { Reading } from "../text/views.ts";
import type { Finding, Origin, ScannerName } from "../types.ts";

export type { Finding } from "../types.ts";

export interface ScanInput {
  /** The text as it was sent; findings' offsets are into it. */
  readonly text: string;
  readonly origin: Origin;
  readonly readings: readonly Reading[];
}

/** What was found in one reading by whoever wants all of it. */
export interface FoundIn {
  readonly findings: readonly Finding[];
  /** Whether a bound was reached, so that there may be more. */
  readonly isCut: boolean;
}

export interface Scanner {
  readonly name: ScannerName;
  scan(input: ScanInput): Finding[];
}
