/** The table and the JSON that every bench has in common. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { passMacs } from "../../bench/lib/pass.ts";
import { installedVersion, missingText } from "../../bench/lib/peers.ts";
import {
  headText,
  median,
  peerNames,
  percent,
  type Report,
  type Row,
  reportHead,
  reportText,
  table,
} from "../../bench/lib/report.ts";
import { reportSchema, rowSchema } from "./rows.ts";

const measured: Row = {
  name: "avx2, 16 tokens",
  unit: "ms",
  ours: 2,
  peers: { int8: 3, fp32: 12.5 },
  ratio: 1.5,
  share_of_peak: 0.6155,
};
const unmeasured: Row = {
  name: "neondot, 16 tokens",
  unit: "ms",
  ours: null,
  peers: {},
  ratio: null,
  share_of_peak: null,
  not_measured: "this processor has no neondot",
};
const report: Report = {
  machine: "2 cores",
  cpu: "A processor",
  isa: "avx2 fma",
  commit: "0123456789ab",
  command: "node --import tsx bench/model.ts",
  date: "2026-01-02T03:04:05.678Z",
  missing_peers: ["other is not installed: npm install --no-save other@1.2.3"],
  rows: [measured, unmeasured],
};

test("a report begins with where, which code and how to repeat it", () => {
  const lines = reportText(report).split("\n");
  assert.deepEqual(lines.slice(0, 8), [
    "machine  2 cores",
    "cpu      A processor",
    "isa      avx2 fma",
    "commit   0123456789ab",
    "command  node --import tsx bench/model.ts",
    "date     2026-01-02T03:04:05.678Z",
    "other is not installed: npm install --no-save other@1.2.3",
    "",
  ]);
});

test("every row has a line, with all its peers, and says what was not measured and why", () => {
  const lines = reportText(report).split("\n").slice(8);
  assert.deepEqual(lines, [
    "name                unit  ours          int8  fp32  ratio  share of peak",
    "avx2, 16 tokens     ms    2             3     12.5  1.50   61.6 %",
    "neondot, 16 tokens  ms    not measured",
    "not measured: this processor has no neondot",
  ]);
});

test("a bench chooses its peers and adds columns of its own", () => {
  const text = reportText(report, {
    peers: ["fp32"],
    columns: [{ title: "letters", value: ({ name }) => name.length }],
  });
  assert.match(text, /^name +unit +ours +fp32 +letters +ratio +share of peak$/m);
  assert.match(text, /^avx2, 16 tokens +ms +2 +12.5 +15 +1.50 +61.6 %$/m);
});

test("peers are listed once, in the order in which they appear", () => {
  assert.deepEqual(
    peerNames([unmeasured, measured, { ...measured, peers: { other: 1, int8: 2 } }]),
    ["int8", "fp32", "other"],
  );
});

test("a table of nothing is empty, and missing cells are", () => {
  assert.equal(table([]), "");
  assert.equal(table([{ a: 1, b: "x" }, { a: 22 }]), "a   b\n1   x\n22");
});

test("medians and shares", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
  assert.equal(percent(1.0004), "100.0 %");
});

test("the head of this machine has every field", () => {
  const head = reportHead();
  reportSchema.omit({ rows: true, missing_peers: true, command: true }).parse(head);
  assert.doesNotMatch(headText(head), /undefined/);
});

test("the row's schema holds a row to its own words", () => {
  rowSchema.parse(measured);
  rowSchema.parse(unmeasured);
  reportSchema.parse(report);
  const wrong = [
    { ...measured, ours: null },
    { ...measured, not_measured: "because" },
    { ...measured, ratio: null },
    { ...measured, peers: {} },
    { ...measured, ratio: "1.5" },
    { ...measured, peers: { int8: null } },
    { ...unmeasured, not_measured: undefined },
  ];
  for (const row of wrong) assert.equal(rowSchema.safeParse(row).success, false);
});

test("a missing peer is named with the one command that installs it", () => {
  const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  for (const name of ["onnxruntime-node", "tokenizers"]) {
    assert.equal(installedVersion(name), devDependencies[name]);
    assert.equal(
      missingText(name),
      `${name} is not installed: npm install --no-save ${name}@${devDependencies[name]}`,
    );
  }
  assert.equal(installedVersion("no-such-package"), undefined);
});

test("a pass counts the last layer's queries, output and feed-forward for one token", () => {
  const sizes = { num_hidden_layers: 1, hidden_size: 4, intermediate_size: 8 };
  // 10 tokens' keys and values, then one token's query, output, inner and outer.
  assert.equal(passMacs(sizes, 10), 10 * 2 * 16 + 16 + 16 + 2 * 32);
  const deeper = { ...sizes, num_hidden_layers: 3 };
  assert.equal(passMacs(deeper, 10) - passMacs(sizes, 10), 2 * 10 * (4 * 16 + 2 * 32));
});
