/** Benches where the peers are not installed: in a folder whose node_modules has none of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { native } from "../../src/model/native.ts";
import { reportSchema } from "./rows.ts";

/** bench/ is copied, since Node resolves packages from where a file really lies; the rest is linked. */
const linked = ["build", "models", "native", "package.json", "src", "test", "node_modules/tsx"];
let folder = "";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "ghostai-no-peers-"));
  mkdirSync(join(folder, "node_modules"));
  cpSync("bench", join(folder, "bench"), { recursive: true });
  for (const path of linked) symlinkSync(resolve(path), join(folder, path));
});

after(() => rmSync(folder, { recursive: true }));

function run(script: string, ...options: string[]) {
  const json = join(folder, "report.json");
  const args = ["--import", "tsx", `bench/${script}.ts`, "--json", json, ...options];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return { stdout, report: reportSchema.parse(JSON.parse(readFileSync(json, "utf8"))) };
}

/** Says that a peer is missing, on a line of its own, and measures the rest. */
function assertMissing(peer: string, { stdout, report }: ReturnType<typeof run>): void {
  const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  const line = `${peer} is not installed: npm install --no-save ${peer}@${devDependencies[peer]}`;
  assert.ok(stdout.split("\n").includes(line), stdout);
  assert.deepEqual(report.missing_peers, [line]);
  const measured = report.rows.filter((row) => row.ours !== null);
  assert.ok(measured.length > 0);
  for (const row of measured) {
    assert.deepEqual(row.peers, {});
    assert.equal(row.ratio, null);
  }
}

test("bench:model measures ours against the peak", () => {
  const options = ["--rounds", "1", "--slice", "0.001", "--tokens", "4"];
  const result = run("model", ...options);
  assertMissing("onnxruntime-node", result);
  assert.match(result.stdout, /^scalar, 4 tokens +ms +[\d.]+/m);
  for (const row of result.report.rows)
    assert.equal(row.share_of_peak === null, row.ours === null, row.name);
});

test("bench:tokenizer measures ours", () => {
  assertMissing("tokenizers", run("tokenizer", "--rounds", "1", "--passes", "1"));
});

test("bench:kernels has no peer to miss, and a row for what this processor lacks", () => {
  const [best = ""] = native().system.kernels().available;
  const lacking = process.arch === "x64" ? "neondot" : "avx2";
  const options = ["--rounds", "1", "--slice", "0.00001", "--kernels", `${best},${lacking}`];
  const { stdout, report } = run("kernels", ...options);
  assert.deepEqual(report.missing_peers, []);
  const row = report.rows.find(({ name }) => name === lacking);
  assert.equal(row?.ours, null);
  assert.match(stdout, new RegExp(`^${lacking} +GMAC/s +not measured$`, "m"));
});
