/**
 * How well the shipped line tells attacks from honest texts, on the labelled
 * sets: every text goes through `ghostai scan` as a user would run it.
 *
 *   npm run eval -- --data FOLDER [--json FILE] [--limit N] [--model FOLDER]
 *
 * `block` is the point where 1 % of heldout_benign is above, `flag` where 3 % is.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { reportHead, table, writeReport } from "../lib/report.ts";
import { dataFolder, type LabelledText, readSet, setNames } from "./data.ts";
import { byLength, type LengthRow } from "./length.ts";

interface Answer {
  readonly verdict: "allow" | "flag" | "block";
  readonly threat_score: number;
  readonly scanner_type: string;
  readonly model: string;
}

interface Judged extends LabelledText {
  readonly set: string;
  readonly answer: Answer;
}

/** Shares from 0 to 1 of the texts that are blocked, and that are flagged or blocked. */
interface Share {
  readonly texts: number;
  readonly block: number;
  readonly flag: number;
}

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    json: { type: "string" },
    limit: { type: "string" },
    model: { type: "string", default: "models/ghostai-small" },
  },
});
const folder = dataFolder(values.data);
const limit = values.limit === undefined ? Number.POSITIVE_INFINITY : Number(values.limit);

async function scanTexts(texts: readonly string[]): Promise<Answer[]> {
  const child = spawn("npx", ["ghostai", "scan", "--no-cache"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, GHOSTAI_MODEL_PATH: values.model },
  });
  const answers: Answer[] = [];
  const feed = async () => {
    for (const text of texts) {
      if (!child.stdin.write(`${JSON.stringify({ text })}\n`)) {
        await new Promise((resolve) => child.stdin.once("drain", resolve));
      }
    }
    child.stdin.end();
  };
  const feeding = feed();
  for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line));
  await feeding;
  const failed = answers.findIndex((answer) => answer.verdict === undefined);
  if (answers.length !== texts.length || failed !== -1) {
    throw new Error(
      `Expected ${texts.length} verdicts but received ${answers.length}; first without a verdict: ${failed} ${JSON.stringify(answers[failed])}`,
    );
  }
  return answers;
}

function share(rows: readonly Judged[]): Share {
  const of = (verdicts: readonly string[]) =>
    rows.filter((row) => verdicts.includes(row.answer.verdict)).length / rows.length;
  return { texts: rows.length, block: of(["block"]), flag: of(["flag", "block"]) };
}

function groups(rows: readonly Judged[], key: (row: Judged) => string): Record<string, Share> {
  const grouped = new Map<string, Judged[]>();
  for (const row of rows) grouped.set(key(row), [...(grouped.get(key(row)) ?? []), row]);
  const sorted = [...grouped].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, members]) => [name, share(members)]));
}

function mean(shares: readonly Share[], field: "block" | "flag"): number {
  return shares.reduce((sum, entry) => sum + entry[field], 0) / shares.length;
}

const judged: Judged[] = [];
const started = performance.now();
for (const set of setNames(folder)) {
  const rows = readSet(folder, set).slice(0, limit);
  const answers = await scanTexts(rows.map((row) => row.text));
  judged.push(...rows.map((row, index) => ({ ...row, set, answer: answers[index] as Answer })));
  console.error(`${set}: ${rows.length} texts`);
}
const seconds = (performance.now() - started) / 1000;

const attacks = judged.filter((row) => row.label === 1);
const benign = judged.filter((row) => row.label === 0);
const inSet = (rows: readonly Judged[], set: string) => rows.filter((row) => row.set === set);
const held = inSet(attacks, "heldout_attacks_by_source");
const multilingualAttacks = groups(inSet(attacks, "multilingual"), (row) => row.lang);
const multilingualBenign = groups(inSet(benign, "multilingual"), (row) => row.lang);
const others = (shares: Record<string, Share>) =>
  Object.entries(shares)
    .filter(([lang]) => lang !== "en")
    .map(([, entry]) => entry);
const bySource = groups(held, (row) => row.source);
const summary = {
  heldout_micro_recall: share(held).block,
  heldout_macro_recall: mean(Object.values(bySource), "block"),
  heldout_benign_false_positives: share(inSet(benign, "heldout_benign")).block,
  multilingual_english_recall: multilingualAttacks.en?.block,
  multilingual_others_recall: mean(others(multilingualAttacks), "block"),
  multilingual_others_false_positives: mean(others(multilingualBenign), "block"),
};
const lengths: LengthRow[] = await byLength(
  values.model,
  inSet(benign, "heldout_benign").map((row) => row.text),
);
const report = {
  ...reportHead(),
  model: judged[0]?.answer.model,
  seconds,
  summary,
  recall_by_set: groups(attacks, (row) => row.set),
  false_positives_by_set: groups(benign, (row) => row.set),
  heldout_recall_by_kind: groups(held, (row) => row.kind),
  heldout_recall_by_language: groups(held, (row) => row.lang),
  heldout_recall_by_source: bySource,
  multilingual_recall: multilingualAttacks,
  multilingual_false_positives: multilingualBenign,
  heldout_benign_by_kind: groups(inSet(benign, "heldout_benign"), (row) => row.kind),
  blocked_by_scanner: groups(
    judged.filter((row) => row.answer.verdict === "block"),
    (row) => `label ${row.label}: ${row.answer.scanner_type}`,
  ),
  false_positives_by_length: lengths,
};

const percent = (value: number | undefined) =>
  value === undefined ? "" : (value * 100).toFixed(1);
const rowsOf = (shares: Record<string, Share>) =>
  Object.entries(shares).map(([name, { texts, block, flag }]) => ({
    name,
    texts,
    "block %": percent(block),
    "flag %": percent(flag),
  }));
for (const [title, value] of Object.entries(report)) {
  const first = typeof value === "object" && value !== null ? Object.values(value)[0] : undefined;
  if (typeof first === "object" && "block" in first) {
    console.log(`\n${title}\n${table(rowsOf(value as Record<string, Share>))}`);
  }
}
console.log(
  `\nsummary, % at the block point\n${table(
    Object.entries(summary).map(([name, value]) => ({ name, "%": percent(value) })),
  )}`,
);
console.log(`\nfalse positives by length\n${table(lengths.map((row) => ({ ...row })))}`);
if (values.json !== undefined) writeReport(values.json, report);
