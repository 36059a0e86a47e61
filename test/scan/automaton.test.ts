/** The automaton against a matcher that tries every way through a pattern at every place. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compilePhrases, elementsOf } from "../../src/scan/automaton.ts";
import { signatures } from "../../src/scan/signatures.data.ts";
import { phraseWords, words } from "../../src/text/words.ts";

/** Places after `elements` matched from `at`, by plain recursion. */
function endsOf(elements: readonly string[], text: readonly string[], at: number): number[] {
  const [first, ...rest] = elements;
  if (first === undefined) return [at];
  const gap = /^\*(\d)$/.exec(first);
  if (gap !== null) {
    const ends: number[] = [];
    for (let skip = 0; skip <= Number(gap[1]) && at + skip <= text.length; skip++) {
      ends.push(...endsOf(rest, text, at + skip));
    }
    return ends;
  }
  const optional = first.startsWith("[");
  const alternatives = (optional ? first.slice(1, -1) : first).split("|");
  const ends = optional ? endsOf(rest, text, at) : [];
  for (const alternative of alternatives) {
    const row = phraseWords(alternative.replaceAll("_", " "));
    if (row.every((word, index) => text[at + index] === word)) {
      ends.push(...endsOf(rest, text, at + row.length));
    }
  }
  return ends;
}

function naive(patterns: readonly string[], text: readonly string[]): string[] {
  const hits: string[] = [];
  for (const pattern of patterns) {
    const elements = elementsOf(pattern);
    for (let from = 0; from < text.length; from++) {
      const ends = endsOf(elements, text, from);
      if (ends.length > 0) hits.push(`${pattern} ${from} ${Math.max(...ends)}`);
    }
  }
  return hits.sort();
}

function fast(patterns: readonly string[], text: string): string[] {
  const hits: string[] = [];
  compilePhrases(patterns.map((pattern) => ({ pattern }))).match(
    words(text),
    ({ phrase, from, to }) => hits.push(`${phrase.pattern} ${from} ${to}`),
  );
  return hits.sort();
}

const word = fc.constantFrom("a", "b", "c", "忽", "略");
const alternatives = fc
  .array(fc.constantFrom("a", "b", "c", "a_b", "忽略"), { minLength: 1, maxLength: 3 })
  .map((row) => row.join("|"));
const element = fc.oneof(
  { weight: 4, arbitrary: alternatives },
  { weight: 2, arbitrary: alternatives.map((row) => `[${row}]`) },
  { weight: 1, arbitrary: fc.constantFrom("*1", "*2", "*3") },
);
// A pattern begins with a word; a gap at the beginning or end would say nothing.
const pattern = fc
  .tuple(alternatives, fc.array(element, { maxLength: 4 }))
  .map(([first, rest]) => [first, ...rest].join(" "));

test("the automaton finds what the plain matcher finds", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, { minLength: 1, maxLength: 4 }),
      fc.array(word, { maxLength: 12 }),
      (patterns, text) => {
        assert.deepEqual(fast(patterns, text.join(" ")), naive(patterns, text));
      },
    ),
    { numRuns: 1000 },
  );
});

test("the automaton is as large as the patterns are long", () => {
  const written = signatures.reduce(
    (sum, { pattern: row }) => sum + row.split(/[\s|]+/).reduce((n, part) => n + part.length, 0),
    0,
  );
  assert.ok(compilePhrases(signatures).nodes < written);
});

test("steps grow with the text, not with its square", () => {
  const matcher = compilePhrases(signatures);
  const vocabulary = [...new Set(signatures.flatMap(({ pattern: row }) => phraseWords(row)))];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...vocabulary), { minLength: 1, maxLength: 40 }),
      (phrase) => {
        const once = matcher.match(words(`${phrase.join(" ")} `.repeat(20)), () => {});
        const twice = matcher.match(words(`${phrase.join(" ")} `.repeat(40)), () => {});
        assert.ok(twice <= 2 * once + 2000, `${once} then ${twice}`);
      },
    ),
    { numRuns: 50 },
  );
});
