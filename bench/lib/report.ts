/** What every bench prints and writes: the machine, the command, a table, a JSON file. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, release, totalmem } from "node:os";

interface Machine {
  readonly machine: string;
  readonly cpu: string;
  readonly isa: string;
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

function machine(): Machine {
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
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
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
export function reportHead() {
  return {
    ...machine(),
    commit: commit(),
    command: commandLine(),
    date: new Date().toISOString(),
  };
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

export function writeReport(file: string, report: object): void {
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
