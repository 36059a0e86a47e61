import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { confusables, confusablesVersion } from "../../src/text/confusables.data.ts";
import { prototypeOf, skeleton } from "../../src/text/confusables.ts";
import { confusablesModule, generatedFile } from "../generate/confusables.ts";

/** Where Unicode's file lies if somebody put it there; no Debian package installs it. */
const source = process.env.GHOSTAI_CONFUSABLES ?? "/usr/share/unicode/security/confusables.txt";
const skip = existsSync(source)
  ? false
  : `${source} is not installed; GHOSTAI_CONFUSABLES names another place`;

test("the generated file is what the generator makes of Unicode's file", { skip }, () => {
  const made = confusablesModule(readFileSync(source, "utf8"));
  assert.equal(readFileSync(generatedFile, "utf8"), made);
});

test("the table is whole and leads to characters that stay", () => {
  assert.equal(confusablesVersion, "15.0.0");
  const alike = confusables.split("\n").flatMap((line) => line.split(" ").slice(1));
  assert.equal(alike.length, 6311);
  assert.equal(new Set(alike).size, alike.length);
  for (const hexadecimal of alike) {
    const point = Number.parseInt(hexadecimal, 16);
    for (const character of prototypeOf(point) ?? "") {
      assert.equal(prototypeOf(character.codePointAt(0) as number), undefined, hexadecimal);
    }
  }
});

test("texts that look alike have one skeleton", () => {
  for (const [one, other] of [
    ["paypal", "\u0440\u0430\u0443\u0440\u0430\u04c0"],
    ["scope", "\u0455\u0441\u043e\u0440\u0435"],
    ["modern", "rnodern"],
    ["google", "g\u043e\u03bfg1e"],
    ["ignore", "ig\u200bnore"],
    ["\u00e9t\u00e9", "e\u0301te\u0301"],
  ] as const) {
    assert.equal(skeleton(one), skeleton(other), one);
  }
  assert.notEqual(skeleton("paypal"), skeleton("paypa1s"));
});

test("the skeleton of a skeleton is the skeleton, and no text throws", () => {
  const text = fc.string({ unit: "binary", maxLength: 100 });
  fc.assert(
    fc.property(text, (value) => {
      const once = skeleton(value);
      assert.equal(skeleton(once), once);
      assert.ok(once.length <= value.length * 18 * 4);
    }),
  );
});

test("a run of combining marks as long as a book is not slower than linear", () => {
  // Without the breakers this takes minutes.
  assert.ok(skeleton(`a${"\u0316\u0301".repeat(500_000)}`).includes("\u034f"));
});
