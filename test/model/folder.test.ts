import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import {
  digestFolder,
  ModelError,
  packedFiles,
  readModelFolder,
  sealManifest,
  verifyModelFolder,
} from "../../src/model/folder.ts";

let folder = "";
const write = (name: string, content: string | object) =>
  writeFileSync(
    join(folder, name),
    typeof content === "string" ? content : JSON.stringify(content),
  );

/** A packed file as far as the head goes: header, one section's entry, filled up; then what it holds. */
function packed(entry: string): string {
  const head = Buffer.alloc(128);
  head.writeUInt32LE(1, 12);
  head.write(entry, 64);
  return `${head.toString("latin1")}what the addon verifies`;
}
const headOf = (content: string) => content.slice(0, 128);

const contents = {
  "config.json": "{}",
  "tokenizer.json": "{}",
  "model.int8": packed("weights"),
  "tokenizer.packed": packed("pieces"),
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
  return sealManifest({
    format: 2,
    name: "test-model",
    version: "1.2.3",
    window: { tokens: 128, stride: 96 },
    files: Object.fromEntries(
      Object.entries(files).map(([name, content]) => [name, digest(content)]),
    ),
    heads: Object.fromEntries(packedFiles.map((name) => [name, digest(headOf(files[name] ?? ""))])),
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ghostai-folder-"));
  for (const [name, content] of Object.entries(contents)) write(name, content);
  write("manifest.json", manifest(contents));
});
afterEach(() => rmSync(folder, { recursive: true }));

function refused(code: string, message: RegExp, read: (path: string) => unknown = readModelFolder) {
  assert.throws(
    () => read(folder),
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

const isPacked = (name: string) => (packedFiles as readonly string[]).includes(name);

test("every file is needed, but the originals of the packed ones", () => {
  for (const name of [...Object.keys(contents), "manifest.json"]) {
    unlinkSync(join(folder, name));
    if (name === "tokenizer.json") {
      readModelFolder(folder);
      verifyModelFolder(folder);
    } else {
      refused("ERR_MODEL_NOT_FOUND", new RegExp(`${name} but got ENOENT`));
      refused("ERR_MODEL_NOT_FOUND", new RegExp(`${name} but got ENOENT`), verifyModelFolder);
    }
    if (isPacked(name)) refused("ERR_MODEL_NOT_FOUND", /`ghostai-pack \S+` makes it again/);
    write(name, name === "manifest.json" ? manifest(contents) : (contents as never)[name]);
  }
});

test("a changed byte in what a start reads is found", () => {
  for (const [name, content] of Object.entries(contents)) {
    if (name === "tokenizer.json") continue;
    // Of a packed file the head; the rest is the addon's to verify.
    write(name, isPacked(name) ? content.replace(/[wp]/, "x") : `${content} `);
    refused("ERR_MODEL_DAMAGED", new RegExp(`${name} to have SHA-256`));
    if (isPacked(name)) refused("ERR_MODEL_DAMAGED", /`ghostai-pack \S+` makes it again/);
    write(name, content);
  }
  readModelFolder(folder);
});

test("a changed byte anywhere is found when everything is verified", () => {
  for (const [name, content] of Object.entries(contents)) {
    write(name, `${content} `);
    refused("ERR_MODEL_DAMAGED", new RegExp(`${name} to have SHA-256`), verifyModelFolder);
    write(name, content);
  }
  write("model.safetensors", "weights that the manifest does not know");
  refused("ERR_MODEL_DAMAGED", /in the manifest/, verifyModelFolder);
});

test("a packed file that ends within its head, or is none, is refused and not read further", () => {
  for (const content of ["", "short", "\xff".repeat(200)]) {
    write("model.int8", content);
    refused("ERR_MODEL_DAMAGED", /the head of \S+model\.int8/);
  }
});

test("the digests of a folder are those of its manifest", () => {
  const { files, heads } = manifest(contents);
  assert.deepEqual(digestFolder(folder), { files, heads });
});

test("a manifest that is not JSON, or not ours, is refused", () => {
  write("manifest.json", "not json");
  refused("ERR_MODEL_DAMAGED", /does not parse/);
  write("manifest.json", { ...manifest(contents), format: 1 });
  refused("ERR_MODEL_DAMAGED", /at format/);
  write("manifest.json", { ...manifest(contents), window: { tokens: 4, stride: 96 } });
  refused("ERR_MODEL_DAMAGED", /at window.tokens/);
  const { seal: _, ...content } = manifest(contents);
  write("manifest.json", sealManifest({ ...content, heads: {} }));
  refused("ERR_MODEL_DAMAGED", /in the manifest/);
});

test("a changed word of the manifest is found", () => {
  const whole = manifest(contents);
  for (const change of [
    { name: "other-model" },
    { version: "1.2.4" },
    { window: { tokens: 128, stride: 97 } },
    { files: { ...whole.files, "other.json": "0".repeat(64) } },
    { seal: "0".repeat(64) },
  ]) {
    write("manifest.json", { ...whole, ...change });
    refused("ERR_MODEL_DAMAGED", /manifest\.json to have the seal/);
  }
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
