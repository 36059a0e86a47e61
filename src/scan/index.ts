/** The scanners in order. A new one is a file beside this and a line here. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { canaryOptionsSchema, canaryScanner } from "./canary.ts";
import type { LanguageDetector } from "./detect.ts";
import { languageOptionsSchema, languageScanner } from "./language.ts";
import { linkOptionsSchema, linkScanner } from "./links.ts";
import { applyAllowances, phraseOptionsSchema, phraseScanner } from "./phrases.ts";
import { piiScanner } from "./pii.ts";
import type { Finding, ScanInput, Scanner } from "./scanner.ts";
import { secretScanner } from "./secrets.ts";
import { signatureScanner, signaturesVersion } from "./signatures.ts";
import { structureScanner } from "./structure.ts";
import { unicodeScanner } from "./unicode.ts";

export { loadLanguageDetector } from "./detect.ts";
export { isAllowedText } from "./phrases.ts";
export type { ScanInput, Scanner } from "./scanner.ts";

/** Settings of the scanners that have any. Without them each is as built in; canaries and phrases are none. */
export const scanOptionsSchema = z.strictObject({
  links: linkOptionsSchema.optional(),
  language: languageOptionsSchema.optional(),
  canaries: canaryOptionsSchema.optional(),
  phrases: phraseOptionsSchema.optional(),
});
export type ScanOptions = z.input<typeof scanOptionsSchema>;

/** Changes with every change to what the scanners find in some text. */
const rulesVersion = "3";

/** Findings kept of one text: the riskiest; a text made of hits must not make an answer of a megabyte. */
const findingsMax = 50;

/** Runs all scanners over a text. One finding a label and place, the riskiest first. */
export type Scan = (input: ScanInput) => Finding[];

/**
 * The scanners with these settings, in order.
 *
 * @param detect needed where the options name languages
 * @throws ZodError where an option is not what the schema expects, Error where the detector is missing
 */
export function createScanners(
  options: ScanOptions = {},
  detect?: LanguageDetector,
): readonly Scanner[] {
  return [
    signatureScanner,
    unicodeScanner,
    secretScanner,
    piiScanner,
    linkScanner(options.links),
    structureScanner,
    languageScanner(options.language, detect),
    canaryScanner(options.canaries),
    phraseScanner(options.phrases),
  ];
}

export function createScan(scanners: readonly Scanner[]): Scan {
  return (input) => {
    const byPlace = new Map<string, Finding>();
    for (const scanner of scanners) {
      for (const finding of scanner.scan(input)) {
        const place = `${finding.label} ${finding.start} ${finding.end}`;
        const known = byPlace.get(place);
        if (known === undefined || known.score < finding.score) byPlace.set(place, finding);
      }
    }
    const found = applyAllowances([...byPlace.values()]);
    return found.sort((a, b) => b.score - a.score).slice(0, findingsMax);
  };
}

/** Part of every cache key: changes with the scanners and their data. What options they were built with is not in it. */
export const scannersVersion = createHash("sha256")
  .update(JSON.stringify([rulesVersion, signaturesVersion]))
  .digest("hex")
  .slice(0, 16);

export const scanners = createScanners();
export const scan = createScan(scanners);
