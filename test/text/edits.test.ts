import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { applyEdits, compose, type Edit } from "../../src/text/edits.ts";

/** A text with edits that ascend and do not overlap. */
const edited = fc
  .tuple(
    fc.string({ maxLength: 60 }),
    fc.array(
      fc.record({ skip: fc.nat(5), take: fc.nat(4), replacement: fc.string({ maxLength: 5 }) }),
    ),
  )
  .map(([text, steps]) => {
    const edits: Edit[] = [];
    let at = 0;
    for (const { skip, take, replacement } of steps) {
      const start = at + skip + 1;
      if (start + take > text.length) break;
      edits.push({ start, end: start + take, replacement });
      at = start + take;
    }
    return { text, edits };
  });

/** The same by building the text unit by unit, each with the part it came from. */
function naive(text: string, edits: readonly Edit[]) {
  const units: { unit: string; start: number; end: number }[] = [];
  let at = 0;
  const copy = (end: number) => {
    for (; at < end; at++) units.push({ unit: text.charAt(at), start: at, end: at + 1 });
  };
  for (const { start, end, replacement } of edits) {
    copy(start);
    for (const unit of replacement.split("")) units.push({ unit, start, end });
    at = end;
  }
  copy(text.length);
  return units;
}

test("edits and their map agree with a naive model", () => {
  fc.assert(
    fc.property(edited, ({ text, edits }) => {
      const units = naive(text, edits);
      const result = applyEdits(text, edits);
      assert.equal(result.text, units.map(({ unit }) => unit).join(""));
      for (let from = 0; from < units.length; from++) {
        for (let to = from + 1; to <= Math.min(units.length, from + 4); to++) {
          const [start, end] = result.toOriginal(from, to);
          assert.equal(start, units[from]?.start);
          assert.equal(end, Math.max(units[from]?.start ?? 0, units[to - 1]?.end ?? 0));
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("two maps in a row lead back to the first text", () => {
  const first = applyEdits("a--b", [{ start: 1, end: 3, replacement: "" }]);
  const second = applyEdits(first.text, [{ start: 1, end: 2, replacement: "BB" }]);
  const both = compose(first, second);
  assert.equal(both.text, "aBB");
  assert.deepEqual(both.toOriginal(1, 3), [3, 4]);
});

test("an edit unit by unit maps each unit to its own", () => {
  const { toOriginal } = applyEdits("say 1gn0re", [
    { start: 0, end: 4, replacement: "" },
    { start: 4, end: 10, replacement: "ignore", unitByUnit: true },
  ]);
  assert.deepEqual(toOriginal(1, 3), [5, 7]);
  assert.deepEqual(toOriginal(0, 6), [4, 10]);
});
