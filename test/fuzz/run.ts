/**
 * Fuzzes the readers of model files and the tokenizer with libFuzzer, under AddressSanitizer and
 * UndefinedBehaviorSanitizer, one target after another on one core:
 *
 *   npm run fuzz -- [--seconds 600] [--target NAME] [--json FILE] [--keep]
 *
 * Begins with the kept inputs of test/fuzz/corpus and each target's own seeds. --keep adds what was
 * found to the kept inputs, reduced to the fewest that cover as much. Ends non-zero when a target
 * ends early; the input that ended it lies in build-fuzz/found/NAME. docs/testing.md says more.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { reportHead, table, writeReport } from "../../bench/lib/report.ts";

const targets = ["safetensors", "tokenizer_json", "packed", "tokenizer"];
const build = "build-fuzz";
const core = "0";
/** Longer inputs are rarely more telling, and slower. */
const inputBytesMax = 8192;
/** One input that takes longer than this, on a machine that may be busy, ends the run as a crash does. */
const inputSecondsMax = 60;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    target: { type: "string", multiple: true, default: targets },
    json: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
if (!(Number.isInteger(seconds) && seconds > 0))
  throw new Error(`Expected a number of seconds from 1 up but received ${values.seconds}`);
for (const target of values.target) {
  if (!targets.includes(target))
    throw new Error(`Expected one of ${targets.join(", ")} but received ${target}`);
}

/** Runs a command and gives back what it wrote to standard error, which libFuzzer reports on. */
function run(command: string, args: readonly string[], logged: boolean) {
  const { status, stderr, error } = spawnSync(command, args, {
    env: { ...process.env, TMPDIR: scratch },
    maxBuffer: 1 << 30,
    stdio: ["ignore", "inherit", logged ? "pipe" : "inherit"],
  });
  if (error !== undefined) throw error;
  return { status, log: stderr?.toString("latin1") ?? "" };
}

function must(command: string, args: readonly string[]) {
  const { status } = run(command, args, false);
  if (status !== 0) throw new Error(`Expected ${command} to end with 0 but got ${status}`);
}

function buildTargets() {
  const compiler = process.env.CXX ?? "clang++";
  if (spawnSync(compiler, ["--version"]).status !== 0) {
    process.stderr.write(
      `Expected clang but ${compiler} does not run. On Debian: apt-get install clang libclang-rt-dev\n`,
    );
    process.exit(1);
  }
  const options = [`-DCMAKE_CXX_COMPILER=${compiler}`, "-DCMAKE_BUILD_TYPE=RelWithDebInfo"];
  must("cmake", ["-S", ".", "-B", build, "-G", "Unix Makefiles", "-DGHOSTAI_FUZZ=ON", ...options]);
  const binaries = values.target.flatMap((target) => [`${target}_fuzz`, `${target}_replay`]);
  must("cmake", ["--build", build, "-j", `${availableParallelism()}`, "--target", ...binaries]);
}

function freshFolder(...parts: readonly string[]): string {
  const folder = join(build, "found", ...parts);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

function bytesOf(folder: string): number {
  return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}

/** The fewest of the kept and the new inputs that reach every edge that all of them reach. */
function keep(target: string, corpus: string, kept: string) {
  const merged = freshFolder(target, "merged");
  const program = join(build, `${target}_fuzz`);
  const args = ["-merge=1", "-use_counters=0", `-max_len=${inputBytesMax}`, merged, kept, corpus];
  const { status, log } = run(program, args, true);
  if (status !== 0) throw new Error(`Expected ${program} to merge but got ${status}: ${log}`);
  rmSync(kept, { recursive: true });
  renameSync(merged, kept);
}

/** Runs one target and says what it did. */
function fuzz(target: string) {
  const program = join(build, `${target}_fuzz`);
  const kept = join("test/fuzz/corpus", target);
  mkdirSync(kept, { recursive: true });
  const corpus = freshFolder(target, "corpus");
  const seeds = freshFolder(target, "seeds");
  const crashes = freshFolder(target, "crashes");
  must(join(build, `${target}_replay`), ["--seeds", seeds]);
  const dictionary = join("test/fuzz", `${target}.dict`);
  const started = performance.now();
  const { status, log } = run(
    "nice",
    [
      ...["-n", "10", "taskset", "-c", core, program],
      ...[`-max_total_time=${seconds}`, `-timeout=${inputSecondsMax}`, "-rss_limit_mb=4096"],
      ...[`-max_len=${inputBytesMax}`, "-print_final_stats=1", `-artifact_prefix=${crashes}/`],
      ...(existsSync(dictionary) ? [`-dict=${dictionary}`] : []),
      ...[corpus, kept, seeds],
    ],
    true,
  );
  const ran = (performance.now() - started) / 1000;
  const number = (pattern: RegExp) => Number(log.match(pattern)?.at(-1)?.match(/\d+/)?.[0]);
  const executions = number(/stat::number_of_executed_units: +\d+/g);
  if (status !== 0) process.stderr.write(`${log.split("\n").slice(-60).join("\n")}\n`);
  if (values.keep && status === 0) {
    const found = freshFolder(target, "all");
    for (const folder of [corpus, seeds])
      for (const file of readdirSync(folder)) renameSync(join(folder, file), join(found, file));
    keep(target, found, kept);
  }
  return {
    target,
    seconds: Math.round(ran),
    executions,
    executions_per_second: Math.round(executions / ran),
    edges_covered: number(/cov: \d+/g),
    features: number(/ft: \d+/g),
    crashes: readdirSync(crashes).length,
    ended_early: status !== 0,
    kept_inputs: readdirSync(kept).length,
    kept_bytes: bytesOf(kept),
  };
}

// What --keep changes is not what ran.
const head = reportHead();
// Targets that are killed leave their folders behind; here they are removed with it.
const scratch = mkdtempSync(join(tmpdir(), "ghostai-fuzz-run-"));
try {
  buildTargets();
  const rows = values.target.map((target) => {
    const row = fuzz(target);
    process.stdout.write(`${table([row])}\n`);
    return row;
  });
  if (values.json !== undefined) {
    const some = values.target === targets ? [] : values.target.map((name) => `--target ${name}`);
    const options = [`--seconds ${seconds}`, ...some, ...(values.keep ? ["--keep"] : [])];
    const command = `npm run fuzz -- ${options.join(" ")}`;
    writeReport(values.json, { ...head, command, core, compiler: compilerVersion(), rows });
  }
  process.exitCode = rows.some((row) => row.ended_early || row.crashes > 0) ? 1 : 0;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function compilerVersion(): string {
  const cache = readFileSync(join(build, "CMakeCache.txt"), "utf8");
  const compiler = /^CMAKE_CXX_COMPILER:[A-Z]+=(.*)$/m.exec(cache)?.[1] ?? "clang++";
  return spawnSync(compiler, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0] ?? "";
}
