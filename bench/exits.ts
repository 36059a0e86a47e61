/**
 * What early exits save and cost, on traffic like the labelled sets' honest
 * texts with one attack in a hundred, one text at a time on one pinned core:
 * the model's time with and without them, in turns of 200 texts; by which exit
 * windows leave; the time of batches whose members leave at different exits
 * against that of the same texts alone; and, on all labelled texts, recall and
 * false positives against the whole model's.
 *
 *   npm run bench:exits -- --data FOLDER [--json FILE] [--texts 4000]
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Exit } from "../src/model/calibration.ts";
import { readModelFolder } from "../src/model/folder.ts";
import { native, scoreOne, windowFields } from "../src/model/native.ts";
import { dataFolder, readSet, setNames } from "./accuracy/data.ts";
import {
  chooseExits,
  type ExitText,
  exitBudgets,
  measureExits,
  readExitTexts,
} from "./accuracy/exits.ts";
import { modelTexts } from "./accuracy/line.ts";
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
/** Texts of one call in the measurement of mixed batches: the engine fits a few of them into a batch. */
const callTexts = 16;
/** So short that several share a batch. */
const shortTokensMax = 40;
const mixedTexts = 800;
const mixedRounds = 5;
const core = native().system.allowedCores().at(-1) ?? 0;
const data = dataFolder(values.data);
const folder = readModelFolder(values.model);
const { exits, points } = folder.calibration;
const layersMax: number = JSON.parse(
  readFileSync(join(values.model, "config.json"), "utf8"),
).num_hidden_layers;
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
const options = { windowsMax: 192, deadlineMs: 600_000 };
const round = (value: number) => Math.round(value * 1000) / 1000;

/** Texts of all sets in a fixed random order, each hundredth an attack. */
function traffic(count: number): string[] {
  const random = randomFrom(1);
  const rows = setNames(data).flatMap((set) => readSet(data, set));
  const draw = (label: number) => {
    const texts = rows.filter((row) => row.label === label).map((row) => row.text);
    return () => texts[Math.floor(random() * texts.length)] ?? "";
  };
  const [honest, attack] = [draw(0), draw(1)];
  return Array.from({ length: count }, (_, index) =>
    index % attackEvery === 0 ? attack() : honest(),
  );
}

/** @returns milliseconds of the model, text after text */
async function run(texts: readonly string[], earlyExit: boolean): Promise<number> {
  let spent = 0;
  for (const text of texts) {
    spent += (await scoreOne(handle, modelTexts(text), { ...options, earlyExit })).modelMs;
  }
  return spent;
}

/** Time with and without exits, and windows by the head that answered. */
async function measureTime(texts: readonly string[]) {
  await run(texts.slice(0, turnTexts), true);
  let [early, whole] = [0, 0];
  const byHead = [...exits, undefined].map(() => 0);
  for (let at = 0; at < texts.length; at += turnTexts) {
    const turn = texts.slice(at, at + turnTexts);
    const before = native().stats(handle).windowsByHead;
    early += await run(turn, true);
    const after = native().stats(handle).windowsByHead;
    for (const [head, count] of after.entries())
      byHead[head] = (byHead[head] ?? 0) + count - (before[head] ?? 0);
    whole += await run(turn, false);
  }
  return { early, whole, byHead };
}

/**
 * Short texts that leave at different exits, in calls of sixteen that the
 * engine merges into batches, against each of them in a call of its own.
 */
async function measureMixed(texts: readonly string[]) {
  const short: { text: string; head: number }[] = [];
  for (const text of texts) {
    const { windows, tokens } = await scoreOne(handle, [text], {
      ...options,
      earlyExit: true,
    });
    if (windows.length === windowFields && tokens <= shortTokensMax)
      short.push({ text, head: windows[4] as number });
  }
  // As many of each exit as the rarest has, as far as there are enough.
  const heads = [...new Set(short.map(({ head }) => head))];
  const each = Math.ceil(mixedTexts / heads.length);
  const byHead = heads.map((head) => short.filter((entry) => entry.head === head).slice(0, each));
  const mixed = Array.from({ length: each }, (_, index) =>
    byHead.flatMap((entries) => (entries[index] === undefined ? [] : [entries[index].text])),
  ).flat();
  let [together, alone] = [0, 0];
  for (let turn = 0; turn < mixedRounds; ++turn) {
    for (let at = 0; at < mixed.length; at += callTexts) {
      const call = mixed.slice(at, at + callTexts);
      const merged = await scoreOne(handle, call, { ...options, earlyExit: true });
      together += merged.modelMs;
      for (const text of call) {
        const single = await scoreOne(handle, [text], { ...options, earlyExit: true });
        alone += single.modelMs;
      }
    }
  }
  return {
    texts: mixed.length,
    exits: heads.length,
    together: together / mixedRounds,
    alone: alone / mixedRounds,
  };
}

/** Exits chosen on one half of the texts and measured on the other, both ways, averaged. */
function heldOut(texts: readonly ExitText[], at: number) {
  const random = randomFrom(2);
  const sides = texts.map(() => random() < 0.5);
  const layers = exits.map(({ layer }) => layer);
  const changes = [true, false].map((side) => {
    const [chosenOn, measuredOn] = [side, !side].map((wanted) =>
      texts.filter((_, index) => sides[index] === wanted),
    ) as [ExitText[], ExitText[]];
    const chosen: Exit[] = chooseExits(layers, chosenOn, folder.calibration, exitBudgets);
    return measureExits(measuredOn, chosen, at);
  });
  const mean = (of: (change: (typeof changes)[number]) => number) =>
    round(changes.reduce((sum, change) => sum + of(change), 0) / changes.length);
  return {
    recall: mean(({ recall }) => recall),
    falsePositives: mean(({ falsePositives }) => falsePositives),
  };
}

const texts = traffic(Number(values.texts));
const { early, whole, byHead } = await measureTime(texts);
const mixed = await measureMixed(texts);
await native().close(handle);
const labelled = await readExitTexts(data, values.model, exits.length);
const windows = byHead.reduce((sum, count) => sum + count, 0);
const layerOf = (head: number) => exits[head]?.layer ?? layersMax;
const meanLayers = byHead.reduce((sum, count, head) => sum + count * layerOf(head), 0) / windows;

const rows = [
  {
    name: "mean time of the model a text, early exits against the whole model",
    unit: "ms",
    ours: round(early / texts.length),
    peers: { whole: round(whole / texts.length) },
    ratio: round(early / whole),
    share_of_peak: null,
  },
  {
    name: `batches of texts that leave at ${mixed.exits} different layers against each text alone`,
    unit: "ms",
    ours: round(mixed.together),
    peers: { alone: round(mixed.alone) },
    ratio: round(mixed.together / mixed.alone),
    share_of_peak: null,
  },
];
const leave = byHead.map((count, head) => ({
  layer: exits[head] === undefined ? "the last" : layerOf(head),
  windows: count,
  share_percent: Math.round((count / windows) * 1000) / 10,
}));
const verdicts = (
  [
    ["block", 0.8],
    ["flag", 0.5],
  ] as const
).map(([point, score]) => {
  const at = points.find((entry) => entry.score === score)?.logit ?? 0;
  const [same, other] = [measureExits(labelled, exits, at), heldOut(labelled, at)];
  return {
    point,
    recall_change: same.recall,
    false_positive_change: same.falsePositives,
    held_out_recall_change: other.recall,
    held_out_false_positive_change: other.falsePositives,
  };
});
console.log(table(rows.map(({ name, ours, peers, ratio }) => ({ name, ours, ...peers, ratio }))));
console.log(`\nmean layers ${round(meanLayers)} of ${layersMax}`);
console.log(table(leave));
console.log("\nchanges of verdicts in points, exits chosen on the same texts and on others");
console.log(table(verdicts));
if (values.json !== undefined) {
  writeReport(values.json, {
    ...reportHead(),
    kernels: native().system.kernels().available[0],
    core,
    texts: texts.length,
    rows,
    mean_layers: round(meanLayers),
    leave,
    verdicts,
    mixed_texts: mixed.texts,
  });
}
