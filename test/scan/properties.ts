/** What holds for every scanner, whatever the text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Scanner } from "../../src/scan/index.ts";
import { readings } from "../../src/text/views.ts";
import type { Finding, Origin } from "../../src/types.ts";

const origins: readonly Origin[] = ["user", "document", "tool", "assistant", "system"];

export function findingsOf(scanner: Scanner, text: string, origin: Origin): Finding[] {
  return scanner.scan({ text, origin, readings: readings(text).readings });
}

/** Never an error, offsets in the text, the same answer again. @param pieces what means something to the scanner */
export function testAnyText(scanner: Scanner, pieces: readonly string[]): void {
  const hostile = fc
    .array(fc.constantFrom(...pieces), { maxLength: 30 })
    .map((parts) => parts.join(""));
  const anything = fc.oneof(hostile, fc.string({ unit: "grapheme", maxLength: 200 }));
  test("any text gives findings that lie in it, and the same ones again", () => {
    fc.assert(
      fc.property(anything, fc.constantFrom(...origins), (text, origin) => {
        const found = findingsOf(scanner, text, origin);
        for (const { scanner: name, label, score, start, end } of found) {
          assert.equal(name, scanner.name);
          assert.ok(label.startsWith(`${name}/`), label);
          assert.ok(score >= 0 && score <= 1, label);
          assert.ok(0 <= start && start <= end && end <= text.length, label);
        }
        assert.deepEqual(findingsOf(scanner, text, origin), found);
      }),
      { numRuns: 500 },
    );
  });
}

/** Whatever a text repeats, its findings do not grow with it past a bound. */
export function testBounded(scanner: Scanner, parts: readonly string[], findingsMax = 200): void {
  test("a text made of hits makes a bounded number of findings", () => {
    for (const part of parts) {
      for (const length of [1000, 1_000_000]) {
        const text = part.repeat(Math.ceil(length / part.length)).slice(0, length);
        const count = findingsOf(scanner, text, "document").length;
        assert.ok(count <= findingsMax, `${part}: ${count} findings`);
      }
    }
  });
}
