/** `ghostai logs`: what was asked and found, from the running daemon; and the check of the log itself. */
import { setTimeout } from "node:timers/promises";
import { AdminClient, type LogFilters, type LoggedRequest } from "../client/admin.ts";
import { cursorOf } from "../log/query.ts";
import { verifyLog } from "../log/verify.ts";
import { Store } from "../store/lmdb.ts";
import { type Arguments, parseArguments, UsageError } from "./arguments.ts";
import { adminSocket, settingFlags, settingsFrom } from "./settings.ts";
import { type Columns, headLine, printable, tableLine } from "./table.ts";

export const logsHelp = `Usage: ghostai logs [filters] [--json] [--follow]
       ghostai logs verify [--store FOLDER]

Shows the daemon's records, newest first, through its admin socket.

  --since TIME        from then on: 2026-01-31T12:00:00Z, or milliseconds since 1970
  --until TIME        before then
  --min-score SCORE   with a threat score of at least that, 0-1
  --scanner-type NAME model, signature, unicode, link, structure, language, canary, phrase or none
  --ip ADDRESS        of that client; unix for the Unix socket
  --verdict VERDICT   allow, flag or block
  --limit N           at most so many, 1-10000 (default 100)
  --cursor CURSOR     from where an earlier page ended
  --json              one JSON object a line instead of a table
  --follow            goes on with what is logged from now on, until it is stopped
  --socket PATH       the admin socket (default: that of the settings)

verify reads every record and every index entry in the store's folder and tells of each disagreement;
it needs no daemon and does not disturb one. Exit code: 0 when all agree, 1 when not.
`;

const filterFlags = {
  "--since": "since",
  "--until": "until",
  "--min-score": "min_score",
  "--scanner-type": "scanner_type",
  "--ip": "ip",
  "--verdict": "verdict",
  "--limit": "limit",
  "--cursor": "cursor",
} as const satisfies Record<string, keyof LogFilters>;

const followMs = 500;
const followLimit = 1000;

const columns: Columns = [
  ["time", 24],
  ["verdict", 8],
  ["score", 6],
  ["scanner", 10],
  ["address", 16],
  ["cache", 5],
  ["ms", 8],
  ["id", 36],
];

function tableRow(record: LoggedRequest): string {
  const labels = [...new Set(record.findings.map((finding) => finding.label))].join(", ");
  const verdict = record.observed ? `(${record.verdict})` : record.verdict;
  const cells = [
    record.time,
    verdict,
    record.threat_score.toFixed(3),
    record.scanner_type,
    printable(record.ip_address),
    record.cache,
    record.latency_ms.total.toFixed(2),
    printable(record.id),
  ];
  return tableLine(columns, cells, labels);
}

function show(records: readonly LoggedRequest[], isJson: boolean): void {
  for (const record of records) {
    process.stdout.write(isJson ? `${JSON.stringify(record)}\n` : tableRow(record));
  }
}

function filtersOf(given: Arguments): LogFilters {
  const filters = Object.entries(filterFlags).flatMap(([flag, name]) => {
    const [value, second] = given.values.get(flag) ?? [];
    if (second !== undefined) throw new UsageError(`Expected ${flag} once`);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(filters);
}

/** @returns the cursor after this record */
function positionOf({ time, sequence }: LoggedRequest): string {
  return cursorOf({ at: Date.parse(time), sequence: BigInt(sequence) });
}

/** Goes on until the process is stopped. */
async function follow(client: AdminClient, filters: LogFilters, isJson: boolean): Promise<never> {
  const limit = String(followLimit);
  const since = filters.since ?? String(Date.now());
  let cursor: string | undefined;
  for (;;) {
    const from = cursor === undefined ? { since } : { cursor };
    const page = await client.logs({ ...filters, ...from, order: "oldest", limit });
    show(page.records, isJson);
    const last = page.records.at(-1);
    // Not by time alone: the next record may be of the same millisecond.
    cursor = page.cursor ?? (last === undefined ? cursor : positionOf(last));
    if (page.records.length < followLimit) await setTimeout(followMs);
  }
}

function verify(given: Arguments): number {
  const [folder = settingsFrom(given)["store.path"]] = given.values.get("--store") ?? [];
  const store = Store.open(folder, { readOnly: true });
  const { records, disagreements, disagreementsCount } = verifyLog(store);
  for (const line of disagreements) process.stdout.write(`${line}\n`);
  process.stdout.write(`${records} records, ${disagreementsCount} disagreements\n`);
  return disagreementsCount === 0 ? 0 : 1;
}

/** @returns the exit code */
export async function logsCommand(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, {
    valued: [...settingFlags, ...Object.keys(filterFlags), "--socket", "--store"],
    switches: ["--json", "--follow"],
  });
  const [command, ...rest] = given.positionals;
  if (command === "verify" && rest.length === 0) return verify(given);
  if (command !== undefined) throw new UsageError(`Expected verify or flags but got ${command}`);
  const filters = filtersOf(given);
  const client = new AdminClient(adminSocket(given));
  const isJson = given.switches.has("--json");
  if (!isJson) process.stdout.write(headLine(columns));
  if (given.switches.has("--follow")) await follow(client, filters, isJson);
  const page = await client.logs(filters);
  show(page.records, isJson);
  if (page.cursor !== undefined) process.stderr.write(`more: --cursor ${page.cursor}\n`);
  return 0;
}
