/** What the numbers mean: pure, so that a cached answer is judged anew on every hit. */
import type { Action, LocatedFinding, ScannerName, Scores, Segment } from "../types.ts";

/** The risk scale is the same for every scanner and model: a score means what these say. */
export const flagThreshold = 0.5;
export const blockThreshold = 0.8;

export interface Decision {
  readonly action: Action;
  readonly threatScore: number;
  readonly scannerType: ScannerName | "none";
  readonly findings: readonly LocatedFinding[];
}

function actionFor(score: number): Action {
  if (score >= blockThreshold) return "block";
  return score >= flagThreshold ? "flag" : "allow";
}

/**
 * Judges a prompt by its riskiest segment.
 *
 * @param segments the prompt's pieces of text
 * @param scores what the scanners and the model said, one entry a segment
 */
export function decide(segments: readonly Segment[], scores: readonly Scores[]): Decision {
  let threatScore = 0;
  let scannerType: ScannerName | "none" = "none";
  const findings: LocatedFinding[] = [];
  const consider = (scanner: ScannerName, score: number) => {
    if (score > threatScore) {
      threatScore = score;
      scannerType = scanner;
    }
  };
  for (const [index, segment] of segments.entries()) {
    const { findings: found, modelScore } = scores[index] as Scores;
    if (modelScore !== undefined) consider("model", modelScore);
    for (const finding of found) {
      consider(finding.scanner, finding.score);
      findings.push(locate(finding, segment));
    }
  }
  return { action: actionFor(threatScore), threatScore, scannerType, findings };
}

function locate(finding: LocatedFinding, segment: Segment): LocatedFinding {
  if (segment.messageIndex === undefined) return finding;
  const located = { ...finding, messageIndex: segment.messageIndex };
  return segment.partIndex === undefined ? located : { ...located, partIndex: segment.partIndex };
}
