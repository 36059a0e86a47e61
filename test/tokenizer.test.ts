/** The tokenizer's ids equal the reference's on every golden text (made by models/training/golden_tokenizer.py). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

const model = "models/ghostai-small";

for (const [name, tokenizer] of [
  ["packed", model],
  ["read from tokenizer.json", `${model}/tokenizer.json`],
] as const) {
  test(`ids equal the golden file's, ${name}`, () => assertGolden(tokenizer));
}

function assertGolden(tokenizer: string): void {
  const input = gunzipSync(readFileSync("test/golden/tokenizer.jsonl.gz"));
  const args = [tokenizer, "--check"];
  const output = execFileSync("build/Release/ghostai-tokenize", args, { input, encoding: "utf8" });
  const [, texts, different] = /^(\d+) texts, (\d+) differ/m.exec(output) ?? [];
  assert.equal(Number(different), 0);
  assert.ok(Number(texts) >= 1000);
}
