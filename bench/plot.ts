/**
 * The forward pass's time against its tokens as a picture, from what bench:model
 * wrote: ours, the fastest int8 form of onnxruntime, its fp32, and the limit, which
 * is the pass's multiply-accumulates at the peak that was measured in that run.
 *
 *   npm run bench:plot -- [--from bench/results/model.json] [--out bench/results/model.svg]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Line, type Panel, svg } from "./lib/plot.ts";
import type { Report, Row } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "bench/results/model.json" },
    out: { type: "string", default: "bench/results/model.svg" },
  },
});

interface ModelRow extends Row {
  readonly kernels: string;
  readonly tokens: number;
  readonly fastest_int8_peer: string | null;
  readonly limit_ms: number | null;
  readonly peer_sees: string;
}

const report = JSON.parse(readFileSync(values.from, "utf8")) as Report<ModelRow>;
const measured = report.rows.filter((row) => row.ours !== null);
if (measured.length === 0)
  throw new Error(`Expected measured rows in ${values.from} but found none`);

function lineOf(
  rows: readonly ModelRow[],
  kind: Line["kind"],
  label: string,
  value: (row: ModelRow) => number | null | undefined,
): Line[] {
  const points = rows.flatMap((row) => {
    const y = value(row);
    return y === null || y === undefined ? [] : [{ x: row.tokens, y }];
  });
  return points.length === 0 ? [] : [{ kind, label, points }];
}

const panels: Panel[] = [...new Set(measured.map(({ kernels }) => kernels))].map((kernels) => {
  const rows = measured.filter((row) => row.kernels === kernels);
  return {
    title: kernels,
    note: `peers see ${rows[0]?.peer_sees}`,
    lines: [
      ...lineOf(rows, "fp32", "onnxruntime fp32", ({ peers }) => peers.fp32),
      ...lineOf(
        rows,
        "int8",
        "onnxruntime int8, its fastest form",
        ({ peers, fastest_int8_peer: name }) => (name === null ? null : peers[name]),
      ),
      ...lineOf(rows, "ours", "ghostai", ({ ours }) => ours),
      ...lineOf(rows, "limit", "limit: dot products alone", ({ limit_ms }) => limit_ms),
    ],
  };
});
const plot = {
  title: "One forward pass on one core",
  subtitle: `${report.cpu}, commit ${report.commit}; medians, both axes logarithmic`,
  xLabel: "tokens",
  yLabel: "milliseconds",
  panels,
};
writeFileSync(values.out, svg(plot));
console.log(`${values.out}: ${panels.map(({ title }) => title).join(", ")}`);
