/**
 * The model's matrix products, kernel by kernel: multiply-accumulates a second
 * on one pinned core, and what share that is of the peak, a loop of the same
 * instruction set's dot product on registers alone that takes turns with them.
 *
 *   npm run bench:kernels -- [--json FILE] [--kernels NAME,NAME] [--rounds 9] [--slice 0.02]
 *
 * `product` is the bare integer product with its weights in the nearest cache that holds them;
 * `linear` is the layer as the model calls it, scales, bias and GELU (inner only) included; `far`
 * is the same with the whole model's weights passing by, so that they come from where they lie in a
 * forward pass. Shares are medians of each round's own.
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { reportHead, table, writeReport } from "./lib/report.ts";

const core = "1";
const { values } = parseArgs({
  options: {
    json: { type: "string" },
    kernels: { type: "string", default: "" },
    rounds: { type: "string", default: "9" },
    slice: { type: "string", default: "0.02" },
    build: { type: "string", default: "build" },
  },
});

interface Line {
  readonly kernels: string;
  readonly shape: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly rows: number;
  readonly peak_instructions: string;
  readonly peak: number;
  readonly product: number;
  readonly product_share: number;
  readonly linear: number;
  readonly linear_share: number;
  readonly far: number;
  readonly far_share: number;
}

const program = `${values.build}/Release/ghostai-kernels-bench`;
const chosen = values.kernels === "" ? [] : ["--kernels", values.kernels];
const args = ["--rounds", values.rounds, "--slice", values.slice, ...chosen];
const output = execFileSync("taskset", ["-c", core, program, ...args], { encoding: "utf8" });
const rows = output
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Line);

const percent = (share: number) => `${Math.round(share * 1000) / 10} %`;
console.log(
  table(
    rows.map((row) => ({
      kernels: row.kernels,
      shape: `${row.shape} ${row.inputs}>${row.outputs}`,
      rows: row.rows,
      "peak GMAC/s": row.peak,
      "product GMAC/s": row.product,
      "of peak": percent(row.product_share),
      "linear GMAC/s": row.linear,
      "linear of peak": percent(row.linear_share),
      "far GMAC/s": row.far,
      "far of peak": percent(row.far_share),
    })),
  ),
);
for (const kernels of new Set(rows.map((row) => row.kernels))) {
  const instructions = rows.find((row) => row.kernels === kernels)?.peak_instructions;
  console.log(`peak of ${kernels}: ${instructions}`);
}
const report = {
  ...reportHead(),
  unit: "10^9 multiply-accumulates a second",
  core,
  rounds: Number(values.rounds),
  slice_seconds: Number(values.slice),
  rows,
};
if (values.json !== undefined) writeReport(values.json, report);
