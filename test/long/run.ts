/**
 * What takes too long for every run of the tests: `npm run test:long`. Ends non-zero when anything is
 * lost; prints figures and writes bench/results/kill.json.
 */
import { reportHead, table, writeReport } from "../../bench/lib/report.ts";
import { withFolder } from "../e2e/harness.ts";
import { killRounds } from "../e2e/kill.ts";

const rounds = Number(process.env.GHOSTAI_TEST_KILL_ROUNDS ?? 200);
const toldEvery = 20;

const started = performance.now();
const figures = await withFolder((folder) =>
  killRounds(folder, rounds, (round) => {
    if ((round + 1) % toldEvery === 0) process.stdout.write(`${round + 1} of ${rounds} rounds\n`);
  }),
);
const seconds = Math.round((performance.now() - started) / 1000);
const row = { ...figures, seconds };
process.stdout.write(`${table([row])}\n`);
const report = { ...reportHead(), command: "npm run test:long", kill: row };
writeReport("bench/results/kill.json", report);
const { acknowledged, lost, disagreements, setAside } = figures;
process.exitCode = acknowledged > 0 && lost + disagreements + setAside === 0 ? 0 : 1;
