/** API keys: hashes in a file, found by the key itself, and what a wrong file says. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { AccessError, type ApiKey, KeyRing, makeKey, readKeys } from "../../src/access/keys.ts";

const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
after(() => rmSync(folder, { recursive: true }));

const hash = "a".repeat(64);

function written(content: unknown): string {
  const file = join(folder, "keys.json");
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

function refused(file: string, pattern: RegExp): void {
  assert.throws(
    () => readKeys(file),
    (error: Error) => {
      assert.ok(error instanceof AccessError);
      assert.doesNotMatch(error.message, /\n/);
      assert.ok(error.message.includes(file));
      assert.match(error.message, pattern);
      return true;
    },
  );
}

test("a new key is random, and its hash is that of its text", () => {
  const [one, other] = [makeKey(), makeKey()];
  assert.match(one.key, /^ghostai_[\w-]{43}$/);
  assert.notEqual(one.key, other.key);
  assert.equal(one.sha256, createHash("sha256").update(one.key).digest("hex"));
});

test("a key is found by its text alone, wherever it stands", () => {
  const made = Array.from({ length: 20 }, makeKey);
  const ring = new KeyRing(
    made.map(({ sha256 }, at): ApiKey => ({ name: `k${at}`, sha256, policies: ["*"] })),
  );
  assert.equal(ring.size, 20);
  for (const [at, { key, sha256 }] of made.entries()) {
    assert.equal(ring.find(key)?.name, `k${at}`);
    for (const near of [sha256, key.slice(1), `${key} `, key.toUpperCase(), key.slice(0, -1)]) {
      assert.equal(ring.find(near), undefined);
    }
  }
  assert.equal(ring.find(""), undefined);
  assert.equal(new KeyRing([]).find("any"), undefined);
});

test("a file's keys have defaults: any policy, no rate", () => {
  const { key, sha256 } = makeKey();
  const entry = { name: "Team_1.a-b", sha256 };
  assert.deepEqual(readKeys(written({ keys: [entry] })).find(key), { ...entry, policies: ["*"] });
  const full = { ...entry, policies: ["a", "b"], requestsPerSecondMax: 0.5 };
  assert.deepEqual(readKeys(written({ keys: [full] })).find(key), full);
  assert.equal(readKeys(written({ keys: [] })).size, 0);
});

test("a file that is not there or cannot be read says so in one line", () => {
  refused(join(folder, "none.json"), /^Expected a keys' file at .* but got ENOENT$/);
  refused(folder, /but got EISDIR$/);
});

test("a file that is no JSON says so in one line, and not what stands in it", () => {
  for (const content of ["", "{", "name: a\nsha256: b", "\u{feff}{}"]) {
    refused(written(content), /^Expected JSON in the keys' file [^:]*$/);
  }
});

test("each thing that is wrong in a file is said in one line with its place", () => {
  const valid = { name: "a", sha256: hash };
  const wrong: readonly [content: unknown, pattern: RegExp][] = [
    [[], /wrong at its root: .*expected object/],
    [null, /wrong at its root: /],
    [{}, /wrong at keys: .*expected array/],
    [{ keys: {} }, /wrong at keys: .*expected array/],
    [{ keys: [], more: 1 }, /wrong at its root: there is no field "more"$/],
    [{ keys: [], "two\nlines": 1 }, /there is no field "two\\nlines"$/],
    [{ keys: [valid, 7] }, /wrong at keys\.1: /],
    [{ keys: [{ ...valid, rate: 1 }] }, /wrong at keys\.0: there is no field "rate"$/],
    [{ keys: [{ sha256: hash }] }, /wrong at keys\.0\.name: /],
    [{ keys: [{ ...valid, name: "" }] }, /wrong at keys\.0\.name: expected 1-64 of/],
    [{ keys: [{ ...valid, name: "a b" }] }, /wrong at keys\.0\.name: expected 1-64 of/],
    [{ keys: [{ ...valid, name: "a\n" }] }, /wrong at keys\.0\.name: expected 1-64 of/],
    [{ keys: [{ ...valid, name: "a".repeat(65) }] }, /wrong at keys\.0\.name: expected 1-64 of/],
    [{ keys: [{ name: "a" }] }, /wrong at keys\.0\.sha256: /],
    [{ keys: [{ ...valid, sha256: hash.toUpperCase() }] }, /sha256: expected 64 digits/],
    [{ keys: [{ ...valid, sha256: hash.slice(1) }] }, /sha256: expected 64 digits/],
    [{ keys: [{ ...valid, policies: [] }] }, /wrong at keys\.0\.policies: /],
    [{ keys: [{ ...valid, policies: [""] }] }, /wrong at keys\.0\.policies\.0: /],
    [{ keys: [{ ...valid, policies: "*" }] }, /wrong at keys\.0\.policies: /],
    [{ keys: [{ ...valid, requestsPerSecondMax: 0 }] }, /keys\.0\.requestsPerSecondMax: /],
    [{ keys: [{ ...valid, requestsPerSecondMax: "9" }] }, /keys\.0\.requestsPerSecondMax: /],
    [{ keys: [valid, { ...valid, sha256: "b".repeat(64) }] }, /has the name a twice$/],
  ];
  for (const [content, pattern] of wrong) refused(written(content), pattern);
});
