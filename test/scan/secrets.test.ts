/**
 * The case file writes its secrets in pieces: `·` is left out and « » mark the span that is to be
 * found. No line of it has the form of a key, so no scanner of repositories takes it for a leak; the
 * keys are drawn, and where a format has a checksum it is right.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { compileAnchors } from "../../src/scan/anchors.ts";
import { contextFormats, secretFormats } from "../../src/scan/secrets.data.ts";
import { secretScanner } from "../../src/scan/secrets.ts";
import { readings } from "../../src/text/views.ts";
import { type Cases, testCases } from "./cases.ts";

interface Pieces {
  readonly hits: readonly (readonly [text: string, label: string])[];
  readonly misses: readonly string[];
}

const file = new URL("../data/secrets.json", import.meta.url);
const { hits, misses } = JSON.parse(readFileSync(file, "utf8")) as Pieces;
const joined = (text: string) => text.replaceAll("·", "");
const cases: Cases = {
  hits: hits.map(([text, label]) => [
    joined(text).replace(/[«»]/g, ""),
    label,
    /«(.*)»/s.exec(joined(text))?.[1] ?? "",
  ]),
  misses: misses.map(joined),
};
testCases(secretScanner, cases, 0);

const findings = (text: string) =>
  secretScanner.scan({ text, origin: "user", readings: readings(text).readings });

test("every format has a hit in the case file", () => {
  const tested = new Set(hits.map(([, label]) => label));
  const ids = [...secretFormats, ...contextFormats].map(({ id }) => id);
  assert.deepEqual(
    ids.filter((id) => !tested.has(id)),
    [],
  );
  assert.ok(new Set(ids).size >= 60);
});

test("no secret of the case file stands in it whole", () => {
  const raw = readFileSync(file, "utf8");
  for (const [, label, secret] of cases.hits) assert.ok(!raw.includes(secret), label);
});

test("a checksum that is wrong by one character is no hit", () => {
  const checked = /^(?:github-token|npm-token|vercel-token|grafana-service|age-secret)/;
  const withChecksum = cases.hits.filter(
    ([, label, part]) => checked.test(label) && /_|AGE/.test(part),
  );
  assert.ok(withChecksum.length >= 9);
  for (const [text, label, part] of withChecksum) {
    const last = part.endsWith("2") ? "3" : "2";
    const found = findings(text.replace(part, part.slice(0, -1) + last));
    assert.ok(!found.some((finding) => finding.label === `secret/${label}`), label);
  }
});

test("a secret scores as one that flags, a key that signs or pays higher, none blocks by itself", () => {
  for (const { id, score = 0 } of secretFormats) assert.ok(score >= 0.3 && score < 0.8, id);
});

test("a secret is found whatever stands around it, at its place", () => {
  const github = cases.hits.find(([, label]) => label === "github-token")?.[2] ?? "";
  const around = fc.string({ unit: "grapheme", maxLength: 30 });
  fc.assert(
    fc.property(around, around, (before, after) => {
      const text = `${before} ${github} ${after}`;
      const start = before.length + 1;
      const found = secretScanner.scan({
        text,
        origin: "user",
        readings: readings(text).readings.slice(0, 1),
      });
      assert.ok(found.some((finding) => finding.start === start && finding.end === start + 40));
    }),
    { numRuns: 300 },
  );
});

test("texts made of beginnings and pieces of secrets never throw, and findings lie in them", () => {
  const anchorTexts = secretFormats.flatMap(({ anchors }) => anchors);
  const secretsOfFile = cases.hits.map(([, , part]) => part);
  const piece = fc.oneof(
    fc.constantFrom(...anchorTexts),
    fc.constantFrom(...secretsOfFile),
    fc.constantFrom(
      " ",
      "\n",
      "=",
      ": ",
      '"',
      ".",
      "-",
      "_",
      "\\n",
      "%3D",
      "@",
      "aws ",
      "A",
      "é",
      "\u{1f511}",
    ),
    fc.string({ maxLength: 20 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join("").toWellFormed();
      const found = findings(text);
      assert.deepEqual(found, findings(text));
      for (const { start, end, label, message } of found) {
        assert.ok(0 <= start && start < end && end <= text.length, label);
        assert.match(label, /^secret\/[a-z0-9-]+$/);
        assert.ok(!message.includes(text.slice(start, end)) || end - start < 12, label);
      }
    }),
    { numRuns: 500 },
  );
});

test("a text made of hits makes a bounded number of findings of each kind", () => {
  for (const [text, label] of cases.hits) {
    const many = `${text}\n`.repeat(120);
    const found = secretScanner.scan({
      text: many,
      origin: "user",
      readings: readings(text)
        .readings.slice(0, 1)
        .map((reading) => ({ ...reading, text: many })),
    });
    const counts = new Map<string, number>();
    for (const finding of found) counts.set(finding.label, (counts.get(finding.label) ?? 0) + 1);
    for (const count of counts.values()) assert.ok(count <= 50, label);
  }
});

test("no expression repeats without a bound, so a text costs each anchor a bounded number of steps", () => {
  for (const { id, pattern } of secretFormats) {
    const quantifiers = pattern.source.replace(/\\./g, "a").replace(/\[[^\]]*\]/g, "a");
    assert.doesNotMatch(quantifiers, /[*+]|\{\d+,\}/, id);
  }
});

test("one pass finds every anchor that a plain search finds", () => {
  const texts = ["abc", "bcd", "sk-", "a-b", "K9_x", "://"];
  const walk = compileAnchors(
    texts
      .map((text) => ({ text }))
      .concat([{ text: "pass", ignoreCase: true } as { text: string }]),
    5,
  );
  const letter = fc.constantFrom(..."abcdsk-K9_x:/ PASpé");
  fc.assert(
    fc.property(
      fc.array(letter, { maxLength: 40 }).map((letters) => letters.join("")),
      (text) => {
        const found: string[] = [];
        const runs: string[] = [];
        walk.walk(
          text,
          (anchor, at) => found.push(`${anchor} ${at}`),
          (start, end) => runs.push(text.slice(start, end)),
        );
        const expected: string[] = [];
        for (const [anchor, literal] of [...texts, "pass"].entries()) {
          const hay = literal === "pass" ? text.toLowerCase() : text;
          for (let at = hay.indexOf(literal); at !== -1; at = hay.indexOf(literal, at + 1)) {
            expected.push(`${anchor} ${at}`);
          }
        }
        assert.deepEqual(found.sort(), expected.sort());
        assert.deepEqual(runs, text.match(/[A-Za-z0-9+/_-]{5,}/g) ?? []);
      },
    ),
    { numRuns: 1000 },
  );
});
