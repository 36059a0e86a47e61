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
import { parseArgs } from "node:util";
import { lastCore, runOnCore } from "./lib/core.ts";
import { kernelSets } from "./lib/kernels.ts";
import { type Row, reportHead, reportText, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    kernels: { type: "string" },
    rounds: { type: "string", default: "9" },
    slice: { type: "string", default: "0.02" },
    build: { type: "string", default: "build" },
  },
});
const core = lastCore();

/** One case as the program prints it. Rates in 10^9 multiply-accumulates a second. */
interface Line {
  readonly kernels: string;
  readonly shape: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Rows of activations: tokens of a window. */
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

interface KernelRow extends Row {
  readonly kernels: string;
  readonly measures: "product" | "linear" | "far" | null;
  readonly shape: string | null;
  readonly inputs: number | null;
  readonly outputs: number | null;
  readonly tokens: number | null;
  /** What the share is of, in the row's unit. */
  readonly peak: number | null;
}

const unit = "GMAC/s";
const peerless = { unit, peers: {}, ratio: null } as const;

function rowsOf(line: Line): KernelRow[] {
  const { kernels, shape, inputs, outputs, rows: tokens, peak } = line;
  return (["product", "linear", "far"] as const).map((measures) => ({
    name: `${kernels} ${measures}, ${shape} ${inputs}>${outputs}, ${tokens} tokens`,
    ...peerless,
    ours: line[measures],
    share_of_peak: line[`${measures}_share`],
    kernels,
    measures,
    shape,
    inputs,
    outputs,
    tokens,
    peak,
  }));
}

function notMeasured(kernels: string, why: string): KernelRow {
  return {
    name: kernels,
    ...peerless,
    ours: null,
    share_of_peak: null,
    not_measured: why,
    kernels,
    measures: null,
    shape: null,
    inputs: null,
    outputs: null,
    tokens: null,
    peak: null,
  };
}

const wanted = values.kernels?.split(",");
const sets = kernelSets().filter(({ name }) => wanted === undefined || wanted.includes(name));
const rows: KernelRow[] = [];
const peakInstructions: Record<string, string> = {};
for (const { name, notMeasured: why } of sets) {
  if (why !== undefined) {
    rows.push(notMeasured(name, why));
    continue;
  }
  const args = ["--rounds", values.rounds, "--slice", values.slice, "--kernels", name];
  const output = runOnCore(core, `${values.build}/Release/ghostai-kernels-bench`, args);
  for (const text of output.trim().split("\n")) {
    const line = JSON.parse(text) as Line;
    peakInstructions[name] = line.peak_instructions;
    rows.push(...rowsOf(line));
  }
}
const report = {
  ...reportHead(),
  missing_peers: [],
  core,
  rounds: Number(values.rounds),
  slice_seconds: Number(values.slice),
  peak_instructions: peakInstructions,
  rows,
};
console.log(reportText(report, { columns: [{ title: "peak", value: (row) => row.peak }] }));
for (const [kernels, instructions] of Object.entries(peakInstructions))
  console.log(`peak of ${kernels}: ${instructions}`);
if (values.json !== undefined) writeReport(values.json, report);
