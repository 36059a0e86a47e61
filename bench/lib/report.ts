/** What every bench prints and writes: the machine, the command, a table, a JSON file. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, release, totalmem } from "node:os";

/**
 * One measured case: ours beside its peers. A row may hold more fields than these; the table shows
 * those that it is asked for.
 */
export interface Row {
  readonly name: string;
  /** Of `ours` and of every peer. */
  readonly unit: string;
  /** Null where it was not measured; `not_measured` then says why. */
  readonly ours: number | null;
  /** Those that were measured, by name. */
  readonly peers: Readonly<Record<string, number>>;
  /** How many times better ours is than the best peer, whichever way the unit counts; null without one. */
  readonly ratio: number | null;
  /** Of what the processor can do at most, from 0 to 1; null where no peak is measured. */
  readonly share_of_peak: number | null;
  readonly not_measured?: string;
}

/** What stands at the head of every report. */
export interface Head {
  readonly machine: string;
  readonly cpu: string;
  readonly isa: string;
  readonly commit: string;
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
}

/** A report of rows. What else it holds goes into the JSON file alone. */
export interface Report<R extends Row = Row> extends Head {
  /** What to say of peers that are not installed (lib/peers.ts). */
  readonly missing_peers: readonly string[];
  readonly rows: readonly R[];
}

/** A column beside those that every table has. `value` is shown as it is; undefined shows as nothing. */
export interface Column<R extends Row> {
  readonly title: string;
  readonly value: (row: R) => unknown;
}

/** Instruction sets that matter here, of those the processor reports. */
const notable = [
  "avx2",
  "fma",
  "avx_vnni",
  "avx512f",
  "avx512_vnni",
  "amx_int8",
  "asimddp",
  "i8mm",
];

function machine(): Pick<Head, "machine" | "cpu" | "isa"> {
  const info = readFileSync("/proc/cpuinfo", "utf8");
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(info)?.[1] ?? "";
  const flags = `${field("flags")} ${field("Features")}`.split(" ");
  const [family, model] = [field("cpu family"), field("model")];
  const gigabytes = Math.round(totalmem() / 1e9);
  return {
    machine: `${availableParallelism()} cores, ${gigabytes} GB, Linux ${release()}, Node ${process.version}`,
    cpu: `${field("model name")} (family ${family} model ${model})`,
    isa: notable.filter((name) => flags.includes(name)).join(" "),
  };
}

/** The commit that is checked out, with `+` where files differ from it. */
function commit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed = git(
      "status",
      "--porcelain",
      "--untracked-files=no",
      "--",
      ".",
      ":!bench/results",
    );
    return git("rev-parse", "--short=12", "HEAD") + (changed === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}

/** The command as somebody would repeat it. Paths of this machine's folders are left out. */
function commandLine(): string {
  const script = (process.argv[1] ?? "").split("/bench/")[1] ?? "";
  const folders = process.argv
    .slice(2)
    .map((argument) => (argument.startsWith("/") ? "FOLDER" : argument));
  return `node --import tsx bench/${script} ${folders.join(" ")}`.trim();
}

/** What stands at the head of every report: where, which code, how to repeat it, when. */
export function reportHead(): Head {
  return {
    ...machine(),
    commit: commit(),
    command: commandLine(),
    date: new Date().toISOString(),
  };
}

/** The head as lines for people. */
export function headText(head: Head): string {
  const fields = ["machine", "cpu", "isa", "commit", "command", "date"] as const;
  return fields.map((field) => `${field.padEnd(8)} ${head[field]}`).join("\n");
}

/** A table for people, columns in the order of the first row's keys. */
export function table(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? "")))];
  const widths = columns.map((_, index) =>
    Math.max(...cells.map((row) => (row[index] ?? "").length)),
  );
  return cells
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `0.6155` as `61.6 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Rounds to a thousandth. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** Names of all peers of the rows, in the order in which they appear. */
export function peerNames(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap(({ peers }) => Object.keys(peers)))];
}

function rowCells<R extends Row>(row: R, peers: readonly string[], columns: readonly Column<R>[]) {
  return {
    name: row.name,
    unit: row.unit,
    ours: row.ours ?? "not measured",
    ...Object.fromEntries(peers.map((peer) => [peer, row.peers[peer]])),
    ...Object.fromEntries(columns.map(({ title, value }) => [title, value(row)])),
    ratio: row.ratio === null ? "" : row.ratio.toFixed(2),
    "share of peak": row.share_of_peak === null ? "" : percent(row.share_of_peak),
  };
}

/**
 * A report as a bench prints it: the head, which peers are missing, a line for each row, and why
 * some were not measured.
 *
 * @param peers which peers have a column; all of them where it is left out
 * @param columns what is shown beside them
 */
export function reportText<R extends Row>(
  report: Report<R>,
  {
    peers = peerNames(report.rows),
    columns = [],
  }: { readonly peers?: readonly string[]; readonly columns?: readonly Column<R>[] } = {},
): string {
  const reasons = new Set(report.rows.flatMap((row) => row.not_measured ?? []));
  return [
    headText(report),
    ...report.missing_peers,
    "",
    table(report.rows.map((row) => rowCells(row, peers, columns))),
    ...[...reasons].map((reason) => `not measured: ${reason}`),
  ].join("\n");
}

/** Writes a report as JSON. */
export function writeReport(file: string, report: object): void {
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
}

/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
