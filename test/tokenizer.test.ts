/** The tokenizer's ids equal the reference's on every golden text (made by models/training/golden_tokenizer.py). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

test("ids equal the golden file's", () => {
  const input = gunzipSync(readFileSync("test/golden/tokenizer.jsonl.gz"));
  const args = ["models/ghostai-small/tokenizer.json", "--check"];
  const output = execFileSync("build/Release/ghostai-tokenize", args, { input, encoding: "utf8" });
  const [, texts, different] = /^(\d+) texts, (\d+) differ/m.exec(output) ?? [];
  assert.equal(Number(different), 0);
  assert.ok(Number(texts) >= 1000);
});
