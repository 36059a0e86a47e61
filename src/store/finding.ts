/** A finding as it lies in the store: a list of values, since their names would be most of it. */
import type { Finding, ScannerName } from "../types.ts";

export type PackedFinding = [ScannerName, string, number, number, number, string];

export function packFinding(finding: Finding): PackedFinding {
  const { scanner, label, score, start, end, message } = finding;
  return [scanner, label, score, start, end, message];
}

export function unpackFinding(packed: readonly unknown[]): Finding {
  const [scanner, label, score, start, end, message] = packed as PackedFinding;
  return { scanner, label, score, start, end, message };
}
