import assert from "node:assert/strict";
import { test } from "node:test";
import { unicodeScanner } from "../../src/scan/unicode.ts";
import { testCases } from "./cases.ts";

testCases(unicodeScanner, "unicode.json");

test("a text made of hits makes a bounded number of findings", () => {
  for (const part of ["\u202ea\n", "\u2066a\n", "a\ufe0f\ufe0e\ufe0f", "a\u200b"]) {
    const text = part.repeat(5000);
    const found = unicodeScanner.scan({ text, origin: "user", readings: [] });
    assert.ok(found.length > 0 && found.length <= 100, `${found.length} findings`);
  }
});
