/**
 * Whether explanations point at what was planted: attacks in the midst of honest
 * documents, whose place is known, through the line as it ships.
 *
 *   npm run bench:explain -- --data FOLDER [--json FILE] [--texts 500] [--passes 24]
 *
 * An attack of heldout_attacks_by_source, whole, is put at the end of a random sentence
 * of an honest text of heldout_benign; where the model blocks that, its
 * explanation is asked for. A hit is an overlap with the planted text of at least
 * one code unit, as `overlap`; `chance` is that of a span of the same length put anywhere
 * in the same window; `iou` is intersection over union, in code units, with what of
 * the attack lies in the window.
 */
import { parseArgs } from "node:util";
import { Cache } from "../../src/cache/cache.ts";
import { MemoryCache } from "../../src/cache/memory.ts";
import { createExplainer } from "../../src/explain.ts";
import { createInspector } from "../../src/inspect.ts";
import type { Prompt } from "../../src/types.ts";
import { randomFrom } from "../lib/chat.ts";
import { reportHead, table, writeReport } from "../lib/report.ts";
import { dataFolder, readSet } from "./data.ts";
import { openUnbounded } from "./line.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    json: { type: "string" },
    texts: { type: "string", default: "500" },
    passes: { type: "string", default: "24" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const seed = 7;
const attackUnitsMax = 400;
const documentUnits: readonly [number, number] = [200, 2000];

const folder = dataFolder(values.data);
const model = openUnbounded(values.model, true);
const random = randomFrom(seed);
const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
const attacks = readSet(folder, "heldout_attacks_by_source").filter(
  ({ label, text }) => label === 1 && text.length <= attackUnitsMax,
);
const honest = readSet(folder, "heldout_benign").filter(
  ({ label, text }) =>
    label === 0 && text.length >= documentUnits[0] && text.length <= documentUnits[1],
);
const now = () => performance.now();
const inspector = createInspector({
  model,
  cache: new Cache(new MemoryCache({ entriesMax: 0, ttlMs: 0 })),
  keyOf: ({ text }) => text,
  observer: { stage: () => {}, cache: () => {}, finding: () => {} },
  now,
});
const explainer = createExplainer({ model, passesMax: () => Number(values.passes), now });
const judge = (text: string) => {
  const prompt: Prompt = { id: "", segments: [{ text, origin: "document" }] };
  return inspector
    .inspect(prompt, Number.POSITIVE_INFINITY)
    .then((verdict) => ({ prompt, verdict }));
};
const overlapOf = (a: [number, number], b: [number, number]) =>
  Math.max(0, Math.min(a[1], b[1]) - Math.max(a[0], b[0]));

let [planted, explained, hits, chance, iou, passes, milliseconds, length] = [
  0, 0, 0, 0, 0, 0, 0, 0,
];
while (planted < Number(values.texts)) {
  const document = pick(honest).text;
  const attack = pick(attacks).text;
  const ends = [0, ...[...document.matchAll(/[.!?]\s+/g)].map((end) => end.index + end[0].length)];
  const at = pick([...ends, document.length]);
  const before = at === 0 || /\s$/.test(document.slice(0, at)) ? "" : " ";
  const text = `${document.slice(0, at)}${before}${attack} ${document.slice(at)}`.toWellFormed();
  const place: [number, number] = [at + before.length, at + before.length + attack.length];
  const { verdict: alone } = await judge(document);
  const { prompt, verdict } = await judge(text);
  // What blocks without the attack has another cause; a sure signature is its own explanation.
  if (alone.action !== "allow" || verdict.action !== "block") continue;
  if (!verdict.findings.some(({ label }) => label === "model/attack")) continue;
  planted++;
  const started = now();
  const explanation = await explainer.explain(prompt, verdict, Number.POSITIVE_INFINITY);
  milliseconds += now() - started;
  if (explanation === undefined) continue;
  const { start, end, window } = explanation;
  const inWindow: [number, number] = [
    Math.max(place[0], window.start),
    Math.min(place[1], window.end),
  ];
  const common = overlapOf([start, end], place);
  explained++;
  passes += explanation.passes;
  length += (end - start) / (window.end - window.start);
  if (common > 0) hits++;
  const reach = window.end - window.start - (end - start);
  const from = Math.max(window.start, place[0] - (end - start));
  const to = Math.min(window.end - (end - start), place[1]);
  chance += reach <= 0 ? 1 : Math.min(1, Math.max(0, to - from) / reach);
  iou += common / (end - start + Math.max(0, inWindow[1] - inWindow[0]) - common || 1);
}

const mean = (sum: number) => sum / Math.max(1, explained);
const row = {
  name: "attacks planted in honest documents",
  planted,
  explained: explained / planted,
  overlap: hits / planted,
  chance: mean(chance),
  iou: mean(iou),
  share_of_window: mean(length),
  passes: mean(passes),
  milliseconds: milliseconds / planted,
};
console.log(table([row]));
if (values.json !== undefined) {
  writeReport(values.json, { ...reportHead(), model: model.identity, rows: [row] });
}
await model.close();
