/**
 * What disguises cost: attacks and honest texts, each disguised in every way
 * alone and in two ways, through the line as it ships (readings, scanners,
 * model, policy), against the same texts as they are.
 *
 *   npm run bench:evasion -- --data FOLDER [--json FILE] [--texts 300] [--pair-texts 30]
 *
 * Recall kept: of the attacks that are blocked plain, the share that is blocked
 * in disguise. False positives added: honest texts that are blocked in disguise,
 * less those blocked plain, in points. What the unicode scanner blocks for being
 * hidden, whatever it says, is counted by itself. A decoy is an attack in plain
 * after a harmless sentence in disguise: undoing the one must not lose the other.
 * The last table is what all readings cost on honest texts as they are, over all
 * of heldout_benign.
 */
import { parseArgs } from "node:util";
import { mapBounded } from "../../src/bounded.ts";
import { Cache } from "../../src/cache/cache.ts";
import { MemoryCache } from "../../src/cache/memory.ts";
import { createInspector } from "../../src/inspect.ts";
import type { Model } from "../../src/model/model.ts";
import { blockThreshold, decide } from "../../src/policy/policy.ts";
import { scan } from "../../src/scan/index.ts";
import { readings } from "../../src/text/views.ts";
import type { Segment } from "../../src/types.ts";
import { randomFrom } from "../lib/chat.ts";
import { reportHead, table, writeReport } from "../lib/report.ts";
import { dataFolder, readSet } from "./data.ts";
import { openUnbounded, scoreReadings } from "./line.ts";
import { pairs, transformations } from "./transformations.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    json: { type: "string" },
    texts: { type: "string", default: "300" },
    "pair-texts": { type: "string", default: "30" },
    only: { type: "string" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const inFlightMax = 8;
const decoy = "Please tell me which flowers grow well in the shade of an old apple tree.";
const seed = 1;

/** @returns `count` of the texts in a random order that is always the same */
function draw(texts: readonly string[], count: number): string[] {
  const random = randomFrom(seed);
  const keyed = texts.map((text) => ({ text, key: random() }));
  return keyed
    .sort((a, b) => a.key - b.key)
    .slice(0, count)
    .map(({ text }) => text);
}

interface Judged {
  readonly isBlocked: boolean;
  /** Blocked for being hidden alone. */
  readonly byUnicodeAlone: boolean;
  readonly readings: number;
}

const folder = dataFolder(values.data);
const model = openUnbounded(values.model, true);
const count = Number(values.texts);
const pairCount = Number(values["pair-texts"]);
const honest = readSet(folder, "heldout_benign").filter(({ label }) => label === 0);
const attacks = draw(
  readSet(folder, "heldout_attacks_by_source")
    .filter(({ label }) => label === 1)
    .map(({ text }) => text),
  count,
);
const benign = draw(
  honest.map(({ text }) => text),
  count,
);

let passes = 0;
const counting: Pick<Model, "score" | "identity"> = {
  identity: model.identity,
  score: (segments, request) =>
    model.score(segments, request).map(async (scoring) => {
      const scored = await scoring;
      passes += scored.passes;
      return scored;
    }),
};
const inspector = createInspector({
  model: counting,
  cache: new Cache(new MemoryCache({ entriesMax: 0, ttlMs: 0 })),
  keyOf: ({ text }) => text,
  observer: { stage: () => {}, cache: () => {}, finding: () => {} },
  now: () => performance.now(),
});

async function judge(text: string): Promise<Judged> {
  const segments: Segment[] = [{ text, origin: "user" }];
  const { action, findings } = await inspector.inspect(
    { id: "", segments },
    Number.POSITIVE_INFINITY,
  );
  const others = findings.filter(({ scanner }) => scanner !== "unicode");
  const isBlocked = action === "block";
  return {
    isBlocked,
    byUnicodeAlone: isBlocked && !others.some(({ score }) => score >= blockThreshold),
    readings: readings(text).readings.length,
  };
}

/** The same line that reads a text only as it was sent. */
async function judgeRaw(text: string): Promise<boolean> {
  const segment: Segment = { text, origin: "user" };
  const raw = readings(text).readings.slice(0, 1);
  const found = scan({ ...segment, readings: raw });
  const scored = await scoreReadings(model, [text]);
  const scores = { findings: found, modelScore: scored.score, modelLogit: scored.logit };
  return decide([segment], [scores]).action === "block";
}

const judgeAll = (texts: readonly string[]) => mapBounded(texts, inFlightMax, judge);

const plainAttacks = await judgeAll(attacks);
const plainBenign = await judgeAll(benign);
const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
const blocked = (judged: readonly Judged[]) => judged.filter(({ isBlocked }) => isBlocked).length;

interface Row {
  readonly name: string;
  readonly attacks: number;
  readonly recall_kept: number;
  readonly false_positives_added: number;
  readonly blocked_for_being_hidden: number;
  readonly readings_a_text: number;
}

/** @param from which of the texts to take, so that every pair sees others */
async function measure(
  name: string,
  apply: (text: string) => string,
  from: number,
  length: number,
): Promise<Row> {
  const chosen = (texts: readonly string[]) =>
    Array.from({ length }, (_, index) => (from + index) % texts.length);
  const attackAt = chosen(attacks).filter((index) => plainAttacks[index]?.isBlocked);
  const benignAt = chosen(benign);
  const disguised = (texts: readonly string[], at: readonly number[]) =>
    at.map((index) => apply(texts[index] as string).toWellFormed());
  const judgedAttacks = await judgeAll(disguised(attacks, attackAt));
  const judgedBenign = await judgeAll(disguised(benign, benignAt));
  const before = benignAt.filter((index) => plainBenign[index]?.isBlocked).length;
  const hidden = judgedBenign.filter(({ byUnicodeAlone }) => byUnicodeAlone).length;
  return {
    name,
    attacks: attackAt.length,
    recall_kept: share(blocked(judgedAttacks), attackAt.length),
    false_positives_added: share(blocked(judgedBenign) - hidden - before, benignAt.length),
    blocked_for_being_hidden: share(hidden, benignAt.length),
    readings_a_text: share(
      judgedAttacks.reduce((sum, judged) => sum + judged.readings, 0),
      judgedAttacks.length,
    ),
  };
}

const isWanted = (name: string) => values.only === undefined || name.includes(values.only);
const singles: Row[] = [];
for (const { name, apply } of transformations.filter((entry) => isWanted(entry.name))) {
  singles.push(await measure(name, apply, 0, count));
}
const decoys: Row[] = [await measure("no disguise", (text) => `${decoy} ${text}`, 0, pairCount)];
for (const { name, apply } of transformations.filter((entry) => isWanted(entry.name))) {
  decoys.push(await measure(name, (text) => `${apply(decoy)} ${text}`, 0, pairCount));
}
const doubles: Row[] = [];
let from = 0;
for (const { inner, outer } of pairCount === 0 ? [] : pairs) {
  const name = `${inner.name} > ${outer.name}`;
  if (!isWanted(name)) continue;
  doubles.push(await measure(name, (text) => outer.apply(inner.apply(text)), from, pairCount));
  from += pairCount;
}

function mean(rows: readonly Row[], field: Exclude<keyof Row, "name">): number {
  return share(
    rows.reduce((sum, row) => sum + row[field] * (field === "recall_kept" ? row.attacks : 1), 0),
    field === "recall_kept" ? rows.reduce((sum, row) => sum + row.attacks, 0) : rows.length,
  );
}

/** Honest texts as they are, with all readings and with the first alone. */
async function plainCost() {
  const texts = honest.map(({ text }) => text);
  const started = performance.now();
  passes = 0;
  const all = await judgeAll(texts);
  const passesAll = passes;
  passes = 0;
  const raw = await mapBounded(texts, inFlightMax, judgeRaw);
  const rawBlocked = raw.filter((isBlocked) => isBlocked).length;
  return {
    texts: texts.length,
    blocked_by_all_readings: share(blocked(all), texts.length),
    blocked_by_the_text_as_sent: share(rawBlocked, texts.length),
    false_positives_added: share(blocked(all) - rawBlocked, texts.length),
    readings_a_text: share(
      all.reduce((sum, judged) => sum + judged.readings, 0),
      texts.length,
    ),
    forward_passes_ratio: share(passesAll, passes),
    seconds: (performance.now() - started) / 1000,
  };
}

const plain = values.only === undefined ? await plainCost() : undefined;
const summary = {
  plain_recall: share(blocked(plainAttacks), attacks.length),
  plain_false_positives: share(blocked(plainBenign), benign.length),
  singles_recall_kept: mean(singles, "recall_kept"),
  singles_false_positives_added: mean(singles, "false_positives_added"),
  decoys_recall_kept: mean(decoys, "recall_kept"),
  decoys_false_positives_added: mean(decoys, "false_positives_added"),
  pairs_recall_kept: mean(doubles, "recall_kept"),
  pairs_false_positives_added: mean(doubles, "false_positives_added"),
};
const percent = (value: number) => (value * 100).toFixed(1);
const printed = (rows: readonly Row[]) =>
  table(
    rows.map((row) => ({
      name: row.name,
      attacks: row.attacks,
      "recall kept %": percent(row.recall_kept),
      "false positives + points": percent(row.false_positives_added),
      "hidden %": percent(row.blocked_for_being_hidden),
      readings: row.readings_a_text.toFixed(2),
    })),
  );
console.log(printed(singles));
console.log(`\nin plain after a decoy\n${printed(decoys)}`);
console.log(`\n${printed([...doubles].sort((a, b) => a.recall_kept - b.recall_kept))}`);
if (plain !== undefined) console.log(`\nhonest texts as they are\n${table([plain])}`);
console.log(
  `\n${table(Object.entries(summary).map(([name, value]) => ({ name, "%": percent(value) })))}`,
);
if (values.json !== undefined) {
  writeReport(values.json, {
    ...reportHead(),
    model: model.identity,
    summary,
    plain,
    singles,
    decoys,
    doubles,
  });
}
await model.close();
