import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ModelError, readModelFolder } from "../../src/model/folder.ts";

let folder = "";
const write = (name: string, content: string | object) =>
  writeFileSync(
    join(folder, name),
    typeof content === "string" ? content : JSON.stringify(content),
  );

const contents = {
  "config.json": "{}",
  "tokenizer.json": "{}",
  "model.int8": "weights",
  "calibration.json": JSON.stringify({
    source: "test",
    texts: 1,
    points: [
      { logit: -1, score: 0 },
      { logit: 1, score: 1 },
    ],
  }),
  "selftest.json": JSON.stringify({
    tolerance: 0.1,
    vectors: [{ text: "hello", ids: [0, 5, 2], logit: -3 }],
  }),
};

function manifest(files: Readonly<Record<string, string>>) {
  const digest = (content: string) => createHash("sha256").update(content).digest("hex");
  return {
    format: 1,
    name: "test-model",
    version: "1.2.3",
    window: { tokens: 128, stride: 96 },
    files: Object.fromEntries(
      Object.entries(files).map(([name, content]) => [name, digest(content)]),
    ),
  };
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ghostai-folder-"));
  for (const [name, content] of Object.entries(contents)) write(name, content);
  write("manifest.json", manifest(contents));
});
afterEach(() => rmSync(folder, { recursive: true }));

function refused(code: string, message: RegExp): void {
  assert.throws(
    () => readModelFolder(folder),
    (error) => {
      assert.ok(error instanceof ModelError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    },
  );
}

test("a whole folder is read and its identity is its manifest's digest", () => {
  const read = readModelFolder(folder);
  assert.equal(read.manifest.name, "test-model");
  assert.equal(read.selfTest.vectors.length, 1);
  assert.match(read.sha256, /^[0-9a-f]{64}$/);
});

test("every file is needed", () => {
  for (const name of [...Object.keys(contents), "manifest.json"]) {
    unlinkSync(join(folder, name));
    refused("ERR_MODEL_NOT_FOUND", new RegExp(`${name} but got ENOENT`));
    write(name, name === "manifest.json" ? manifest(contents) : (contents as never)[name]);
  }
});

test("a changed byte in any file is found", () => {
  for (const [name, content] of Object.entries(contents)) {
    write(name, `${content} `);
    refused("ERR_MODEL_DAMAGED", new RegExp(`${name} to have SHA-256`));
    write(name, content);
  }
});

test("a manifest that is not JSON, or not ours, is refused", () => {
  write("manifest.json", "not json");
  refused("ERR_MODEL_DAMAGED", /does not parse/);
  write("manifest.json", { ...manifest(contents), format: 2 });
  refused("ERR_MODEL_DAMAGED", /at format/);
  write("manifest.json", { ...manifest(contents), window: { tokens: 4, stride: 96 } });
  refused("ERR_MODEL_DAMAGED", /at window.tokens/);
  write("manifest.json", { ...manifest(contents), files: {} });
  refused("ERR_MODEL_DAMAGED", /in the manifest/);
});

test("a calibration that falls is refused though its digest is right", () => {
  const falling = JSON.stringify({
    source: "test",
    texts: 1,
    points: [
      { logit: 1, score: 1 },
      { logit: -1, score: 0 },
    ],
  });
  write("calibration.json", falling);
  write("manifest.json", manifest({ ...contents, "calibration.json": falling }));
  refused("ERR_MODEL_DAMAGED", /at points/);
});
