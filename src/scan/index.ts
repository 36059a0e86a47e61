/** The scanners in order. A new one is a file beside this and a line here. */
import { createHash } from "node:crypto";
import { piiScanner } from "./pii.ts";
import type { Finding, ScanInput, Scanner } from "./scanner.ts";
import { secretScanner } from "./secrets.ts";
import { signaturesVersion as phrasesVersion, signatureScanner } from "./signatures.ts";
import { unicodeScanner } from "./unicode.ts";

export type { ScanInput, Scanner } from "./scanner.ts";

export const scanners: readonly Scanner[] = [
  signatureScanner,
  unicodeScanner,
  secretScanner,
  piiScanner,
];

/** To be raised when scanners find other things in the same text for another reason than their phrases. */
const revision = 1;

/** Part of every cache key: a score that was kept before a scanner came or changed is none of today's. */
export const signaturesVersion = createHash("sha256")
  .update(JSON.stringify([phrasesVersion, scanners.map((scanner) => scanner.name), revision]))
  .digest("hex")
  .slice(0, 16);

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
