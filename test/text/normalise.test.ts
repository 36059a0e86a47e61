import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalise, streamSafe } from "../../src/text/normalise.ts";

const wellFormed = fc.string({ unit: "grapheme", maxLength: 200 });
/** Strings that hold what normalisation has trouble with. */
const hostile = fc.string({
  unit: fc.constantFrom(
    ..."aZ0 eé\u0301\u0316\u0345\u034f\uff76\uff9e\uff9f\ufdfa\u1100\u1161\u11a8\u0915\u093c\u094d\ufb01".split(
      "",
    ),
    "\u{1d15e}",
    "\u{1f600}",
  ),
  maxLength: 300,
});
const text = fc.oneof(wellFormed, hostile);

const longestRunOfMarks = (value: string) =>
  Math.max(
    0,
    ...[...value.matchAll(/\p{M}+/gu)].map(([run]) => [...run.replaceAll("\u034f", " ")].length),
  );

test("ASCII comes back as the same text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), (value) => {
      const { text: same, toOriginal } = normalise(value);
      assert.equal(same, value);
      assert.deepEqual(toOriginal(0, value.length), [0, value.length]);
    }),
  );
});

test("agrees with NFKC where no run of marks is long and the text grows little", () => {
  fc.assert(
    fc.property(text, (value) => {
      fc.pre(!/[\p{M}\uff9e\uff9f]{31}/u.test(value));
      const whole = value.normalize("NFKC");
      fc.pre(whole.length <= value.length * 4);
      assert.equal(normalise(value).text, whole);
    }),
    { numRuns: 500 },
  );
});

test("the bound on growth holds", () => {
  fc.assert(
    fc.property(hostile, fc.integer({ min: 1, max: 40 }), (value, times) => {
      const long = value.repeat(times);
      const { text: result } = normalise(long);
      // Stream-safe breakers make a text at most one thirtieth longer before it is normalised.
      assert.ok(result.length <= (long.length + long.length / 30 + 1) * 4 + 1024);
    }),
  );
});

test("what grows no further stays as it is, and what follows is still normalised", () => {
  const value = `${"\ufdfa".repeat(5000)}\uff49\uff47\uff4e\uff4f\uff52\uff45`;
  const { text: result } = normalise(value);
  assert.ok(result.includes("\ufdfa"));
  assert.ok(result.endsWith("ignore"));
  assert.ok(result.length <= value.length * 4 + 1024);
});

test("runs of combining marks are broken after 30", () => {
  const { text: result, toOriginal } = streamSafe(`a${"\u0301".repeat(70)}b`);
  assert.equal(longestRunOfMarks(result.replaceAll("\u034f", "|")), 30);
  assert.deepEqual(toOriginal(result.length - 1, result.length), [71, 72]);
});

test("half-width voicing marks count as combining marks", () => {
  const { text: result } = streamSafe(`\u304b${"\uff9e\u0300".repeat(40)}`);
  assert.ok(result.includes("\u034f"));
});

test("maps stay in bounds and do not go back", () => {
  fc.assert(
    fc.property(text, (value) => {
      const { text: result, toOriginal } = normalise(value);
      let before = 0;
      for (let at = 0; at < result.length; at++) {
        const [start, end] = toOriginal(at, at + 1);
        assert.ok(start >= before && start <= end && end <= value.length);
        before = start;
      }
    }),
  );
});

test("a mapped slice normalises to the part it stands for", () => {
  const value = "x \ufb01re \uff21\uff22 e\u0301 \uac00";
  const { text: result, toOriginal } = normalise(value);
  for (const part of ["fi", "AB", "\u00e9"]) {
    const at = result.indexOf(part);
    const [start, end] = toOriginal(at, at + part.length);
    assert.equal(value.slice(start, end).normalize("NFKC"), part);
  }
});
