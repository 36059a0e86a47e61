/** Case files: texts that a scanner must find something in, and near misses that it must not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createScan, type Scanner } from "../../src/scan/index.ts";
import { readings } from "../../src/text/views.ts";
import type { Origin } from "../../src/types.ts";

export interface Cases {
  /** Text, label without the scanner's name, the part of the text that the finding must name, and whose text it is. */
  readonly hits: readonly (readonly [text: string, label: string, part: string, origin?: Origin])[];
  /** A text of a user's, or a text and whose it is. */
  readonly misses: readonly (string | readonly [text: string, origin: Origin])[];
}

/** A text as a test's name: what shows nothing is escaped. */
function nameOf(text: string): string {
  return text.replace(
    /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** From here up a finding changes an answer. */
const flagScore = 0.5;

function read(file: string): Cases {
  return JSON.parse(readFileSync(new URL(`../data/${file}`, import.meta.url), "utf8")) as Cases;
}

/**
 * @param cases a case file's name, or what was made of one
 * @param scoreMin findings below it count as none
 */
export function testCases(
  scanner: Scanner,
  cases: string | Cases,
  scoreMin: number = flagScore,
): void {
  const { hits, misses } = typeof cases === "string" ? read(cases) : cases;
  const scan = createScan([scanner]);
  const findings = (text: string, origin: Origin = "user") =>
    scan({ text, origin, readings: readings(text).readings }).filter(
      (finding) => finding.scanner === scanner.name && finding.score >= scoreMin,
    );

  for (const [text, label, part, origin] of hits) {
    test(`hit: ${nameOf(text)}`, () => {
      const parts = findings(text, origin)
        .filter((finding) => finding.label === `${scanner.name}/${label}`)
        .map(({ start, end }) => text.slice(start, end));
      assert.ok(parts.includes(part), `${label}: found ${JSON.stringify(parts)}`);
    });
  }
  for (const miss of misses) {
    const [text, origin] = typeof miss === "string" ? [miss] : miss;
    test(`near miss: ${nameOf(text)}`, () => {
      const labels = findings(text, origin).map((finding) => finding.label);
      assert.deepEqual(labels, []);
    });
  }
}
