/**
 * What early exits save on traffic like the labelled sets' honest texts with
 * one attack in a hundred: the model's time for the same texts with and without
 * them, one at a time on one pinned core, in turns of 200 texts.
 *
 *   npm run bench:exits -- --data FOLDER [--json FILE] [--texts 4000]
 */
import { parseArgs } from "node:util";
import { readModelFolder } from "../src/model/folder.ts";
import { native, scoreOne } from "../src/model/native.ts";
import { readings } from "../src/text/views.ts";
import { dataFolder, readSet, setNames } from "./accuracy/data.ts";
import { randomFrom } from "./lib/chat.ts";
import { reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    json: { type: "string" },
    texts: { type: "string", default: "4000" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const turnTexts = 200;
const attackEvery = 100;
const core = native().system.allowedCores().at(-1) ?? 0;

/** Texts of all sets in a fixed random order, each hundredth an attack. */
function traffic(count: number): string[] {
  const random = randomFrom(1);
  const folder = dataFolder(values.data);
  const rows = setNames(folder).flatMap((set) => readSet(folder, set));
  const draw = (label: number) => {
    const texts = rows.filter((row) => row.label === label).map((row) => row.text);
    return () => texts[Math.floor(random() * texts.length)] ?? "";
  };
  const [honest, attack] = [draw(0), draw(1)];
  return Array.from({ length: count }, (_, index) =>
    index % attackEvery === 0 ? attack() : honest(),
  );
}

const folder = readModelFolder(values.model);
const { exits } = folder.calibration;
const handle = native().open({
  modelDir: values.model,
  kernels: "",
  cores: [core],
  threads: 1,
  queueMax: 16,
  windowTokens: folder.manifest.window.tokens,
  windowStride: folder.manifest.window.stride,
  exits: exits.map(({ benign, attack }) => ({ benign, attack })),
});

/** @returns milliseconds of the model */
async function run(texts: readonly string[], earlyExit: boolean): Promise<number> {
  let spent = 0;
  for (const text of texts) {
    const list = readings(text).readings.map((reading) => reading.text);
    const options = { windowsMax: 192, deadlineMs: 600_000, earlyExit };
    spent += (await scoreOne(handle, list, options)).modelMs;
  }
  return spent;
}

const texts = traffic(Number(values.texts));
await run(texts.slice(0, turnTexts), true);
let [early, whole] = [0, 0];
const byHead = [...exits.map(({ layer }) => layer), Number.POSITIVE_INFINITY].map(() => 0);
for (let at = 0; at < texts.length; at += turnTexts) {
  const turn = texts.slice(at, at + turnTexts);
  const before = native().stats(handle).windowsByHead;
  early += await run(turn, true);
  const after = native().stats(handle).windowsByHead;
  for (const [head, count] of after.entries())
    byHead[head] = (byHead[head] ?? 0) + count - (before[head] ?? 0);
  whole += await run(turn, false);
}
await native().close(handle);
const windows = byHead.reduce((sum, count) => sum + count, 0);
const rows = byHead.map((count, head) => ({
  "leaves after layer": exits[head]?.layer ?? "the last",
  windows: count,
  "share %": Math.round((count / windows) * 1000) / 10,
}));
const round = (value: number) => Math.round(value * 1000) / 1000;
const report = {
  ...reportHead(),
  kernels: native().system.kernels().available[0],
  core,
  texts: texts.length,
  mean_ms_early: round(early / texts.length),
  mean_ms_whole: round(whole / texts.length),
  ratio: round(early / whole),
  rows,
};
console.log(table(rows));
console.log(
  `mean time of the model: ${report.mean_ms_early} against ${report.mean_ms_whole} ms, ${report.ratio} of it`,
);
if (values.json !== undefined) writeReport(values.json, report);
