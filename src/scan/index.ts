/** The scanners in order. A new one is a file beside this and a line here. */
import type { Finding, ScanInput, Scanner } from "./scanner.ts";
import { secretScanner } from "./secrets.ts";
import { signatureScanner } from "./signatures.ts";
import { unicodeScanner } from "./unicode.ts";

export type { ScanInput, Scanner } from "./scanner.ts";
export { signaturesVersion } from "./signatures.ts";

export const scanners: readonly Scanner[] = [signatureScanner, unicodeScanner, secretScanner];

/** Findings kept of one text: the riskiest; a text made of hits must not make an answer of a megabyte. */
const findingsMax = 50;

/** Runs all scanners over a text. One finding a label and place, the riskiest first. */
export function scan(input: ScanInput): Finding[] {
  const byPlace = new Map<string, Finding>();
  for (const scanner of scanners) {
    for (const finding of scanner.scan(input)) {
      const place = `${finding.label} ${finding.start} ${finding.end}`;
      const known = byPlace.get(place);
      if (known === undefined || known.score < finding.score) byPlace.set(place, finding);
    }
  }
  return [...byPlace.values()].sort((a, b) => b.score - a.score).slice(0, findingsMax);
}
