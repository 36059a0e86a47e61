/** Tokens: opened by whom they were given to, in time, unchanged; and the file of their keys. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { GhostError } from "../../src/errors.ts";
import { drawSealKey, readSealKeys, Sealer, SealKeysError } from "../../src/redact/seal.ts";

const options = { tokenTtlMs: 1000, tokenLengthMax: 4096 };
const values = new Map([
  ["<EMAIL_1>", "jane@mail.example.org"],
  ["<IBAN_1>", "DE89 é 😀 \n"],
]);
const key = drawSealKey();
let time = 1_000_000;
const sealer = (keys = [key], more = {}) => new Sealer(keys, { ...options, ...more }, () => time);

const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof GhostError);
    return error.code;
  }
  return "none";
};

test("a token is opened by the same tenant until it expires", () => {
  const { token, expiresAt } = sealer().seal(values, "backend");
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  assert.equal(expiresAt, time + 1000);
  assert.deepEqual(sealer().open(token, "backend"), values);
  assert.equal(
    refusal(() => sealer().open(token, "other")),
    "invalid_token",
  );
  time += 1000;
  assert.equal(
    refusal(() => sealer().open(token, "backend")),
    "token_expired",
  );
  assert.equal(
    refusal(() => sealer().open(token, "other")),
    "invalid_token",
    "of whom it is not, it says nothing",
  );
});

test("every changed, cut or added character is refused", () => {
  const { token } = sealer().seal(values, "");
  const bytes = Buffer.from(token, "base64url");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const code = refusal(() => sealer().open(changed.toString("base64url"), ""));
    assert.equal(code, "invalid_token", `byte ${at}`);
    const cut = bytes.subarray(0, at).toString("base64url");
    assert.equal(
      refusal(() => sealer().open(cut, "")),
      "invalid_token",
      `cut at ${at}`,
    );
  }
  for (const bad of ["", " ", `${token} `, `${token}AAAA`, "é", "A".repeat(4097)]) {
    assert.equal(
      refusal(() => sealer().open(bad, "")),
      "invalid_token",
    );
  }
});

test("keys are rotated: the first seals, all open", () => {
  const next = drawSealKey();
  const { token } = sealer().seal(values, "");
  assert.deepEqual(sealer([next, key]).open(token, ""), values);
  assert.equal(
    refusal(() => sealer([next]).open(token, "")),
    "invalid_token",
  );
  const fresh = sealer([next, key]).seal(values, "").token;
  assert.deepEqual(sealer([next]).open(fresh, ""), values);
});

test("a token is never longer than allowed, and its length is known before it is sealed", () => {
  const { token } = sealer().seal(values, "");
  const exact = sealer([key], { tokenLengthMax: token.length });
  assert.equal(exact.seal(values, "").token.length, token.length);
  const shorter = sealer([key], { tokenLengthMax: token.length - 1 });
  assert.equal(
    refusal(() => shorter.seal(values, "")),
    "token_too_large",
  );
});

test("the file of keys: lines of an id and a key; what is wrong is said without the key", () => {
  const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
  const file = join(folder, "redact.keys");
  const hex = randomBytes(32).toString("hex");
  try {
    writeFileSync(file, `# new\n2026-12 ${hex}\n\n2026-11 ${"ab".repeat(32)}\r\n`);
    const keys = readSealKeys(file);
    assert.deepEqual(
      keys.map(({ id }) => id),
      ["2026-12", "2026-11"],
    );
    assert.equal(keys[0]?.key.toString("hex"), hex);
    for (const content of ["", `a ${hex.slice(1)}`, hex, `a ${hex}\na ${hex}`, `a b ${hex}`]) {
      writeFileSync(file, content);
      assert.throws(
        () => readSealKeys(file),
        (error) => error instanceof SealKeysError && !error.message.includes(hex.slice(1)),
      );
    }
    assert.throws(() => readSealKeys(join(folder, "none")), /ENOENT/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
