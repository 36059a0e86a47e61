/**
 * Makes a freshly exported model folder complete: measures its logits over the
 * whole line on benign texts, writes calibration.json, the int8 logits of the
 * self-test vectors, and the manifest.
 *
 *   npm run calibrate -- --data FOLDER [--model models/ghostai-small]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Calibration } from "../../src/model/calibration.ts";
import { digestFolder, sealManifest } from "../../src/model/folder.ts";
import { dataFolder, readSet } from "./data.ts";
import { chooseExits, exitBudgets, readExitTexts } from "./exits.ts";
import { openUnbounded, scoreReadings, scoreTexts } from "./line.ts";

/** Where each false-positive rate lies on the risk scale. */
const scoreAtRate = [
  { rate: 0.05, score: 0.4 },
  { rate: 0.03, score: 0.5 },
  { rate: 0.01, score: 0.8 },
  { rate: 0.001, score: 0.95 },
] as const;
/** Window of the model as it was trained: tokens with the two special ones, and from start to start. */
const window = { tokens: 128, stride: 96 };
/** All kernels give the same floats, bit for bit; what is allowed is the rounding of the file. */
const selfTestTolerance = 0.001;

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const folder = values.model;
const path = (name: string) => join(folder, name);
const readJson = (name: string) => JSON.parse(readFileSync(path(name), "utf8"));
const writeJson = (name: string, value: unknown) =>
  writeFileSync(path(name), `${JSON.stringify(value, null, 1)}\n`);
const round = (value: number) => Number(value.toFixed(5));

function writeManifest(): void {
  const { _name: name, version } = readJson("config.json");
  const content = { format: 2, name, version, window, ...digestFolder(folder) } as const;
  writeJson("manifest.json", sealManifest(content));
}

function calibrationFrom(descending: readonly number[], source: string): Calibration {
  const count = descending.length;
  // Halfway between the last logit that may lie above and the first that may not.
  const logitAt = (rate: number) => {
    const allowed = Math.floor(rate * count);
    return ((descending[allowed - 1] as number) + (descending[allowed] as number)) / 2;
  };
  const inner = scoreAtRate.map(({ rate, score }) => ({
    logit: round(logitAt(rate)),
    score,
    false_positive_rate: rate,
  }));
  const lowest = { logit: round((descending[count - 1] as number) - 1), score: 0 };
  const highest = { logit: round((inner[inner.length - 1]?.logit ?? 0) + 2), score: 1 };
  return { source, texts: count, points: [lowest, ...inner, highest], exits: [] };
}

const data = dataFolder(values.data);
const vectors = readJson("selftest.json").vectors as {
  text: string;
  logit?: number;
  logit_fp32: number;
}[];
const provisional: Calibration = {
  source: "not calibrated yet",
  texts: 1,
  points: [
    { logit: -10, score: 0 },
    { logit: 10, score: 1 },
  ],
  exits: [],
};
writeJson("calibration.json", provisional);
writeJson("selftest.json", {
  tolerance: 100,
  vectors: vectors.map((vector) => ({ ...vector, logit: vector.logit_fp32 })),
});
writeManifest();

const model = openUnbounded(folder);
const benign = readSet(data, "heldout_benign").map((row) => row.text);
const descending = (await scoreTexts(model, benign))
  .map(({ logit }) => logit)
  .sort((a, b) => b - a);
const source = "largest logit over windows and readings of dev/heldout_benign, `npm run calibrate`";
const points = calibrationFrom(descending, source);
const layers: number[] = readJson("config.json").exit_layers;
const labelled = await readExitTexts(data, folder, layers.length);
const exits = chooseExits(layers, labelled, points, exitBudgets);

/** The points once more, over the line with its exits: what they block counts to the rates too. */
async function withExits(): Promise<Calibration> {
  writeJson("calibration.json", { ...points, exits });
  writeManifest();
  const early = openUnbounded(folder, true);
  const logits = (await scoreTexts(early, benign)).map(({ logit }) => logit).sort((a, b) => b - a);
  await early.close();
  const fresh = calibrationFrom(logits, source);
  const surely = fresh.points.find(({ score }) => score === 0.95)?.logit ?? 0;
  return { ...fresh, exits: exits.map((exit) => ({ ...exit, attack_at: surely })) };
}
const calibration = await withExits();
const int8 = await Promise.all(
  vectors.map(async ({ text }) => (await scoreReadings(model, [text])).logit),
);
await model.close();
writeJson("calibration.json", calibration);
writeJson("selftest.json", {
  tolerance: selfTestTolerance,
  vectors: vectors.map((vector, index) => ({ ...vector, logit: round(int8[index] as number) })),
});
writeManifest();
console.log(JSON.stringify(calibration, null, 1));
const check = openUnbounded(folder);
await check.selfTest("all");
await check.close();
console.log(`${folder} is complete; its self-test passes`);
