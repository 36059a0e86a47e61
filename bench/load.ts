/**
 * From nothing to the first score: how long the model takes to load and what it adds to the
 * resident memory, against onnxruntime-node with the same weights in int8 and Hugging Face
 * `tokenizers`. Every figure comes from a process of its own, taking turns; the files are in
 * the page cache.
 *
 *   npm run bench:load -- [--json FILE] [--rounds 11] [--model FOLDER]
 *
 * Ours is what the daemon does: openModel, the first vectors of the self-test, then a short prompt's
 * score has come back. The peers': the session is created, tokenizer.json read, the prompt encoded
 * and run. "With the code": the addon, or the peers' packages, are loaded within the time, too.
 *
 * Memory is read from /proc/self/smaps_rollup before the load and after short texts and one that
 * fills the daemon's window budget, each time once the heap has settled. Processor time tells most where
 * other work runs beside this bench.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { settings } from "../src/config/schema.ts";
import { readModelFolder } from "../src/model/folder.ts";
import { openModel } from "../src/model/model.ts";
import { native, scoreOne } from "../src/model/native.ts";
import { chatPrompts } from "./lib/chat.ts";
import { encoderOnnx, readSource, variants } from "./lib/encoder_onnx.ts";
import { median, reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "11" },
    model: { type: "string", default: "models/ghostai-small" },
    /** What this process is: the bench itself, or one turn of it. */
    turn: { type: "string", default: "" },
    /** The peer's model. */
    onnx: { type: "string", default: "" },
    /** Whether the code is loaded within the time. */
    code: { type: "boolean", default: false },
  },
});

const megabyte = 1e6;
const prompt = "What is the capital of France?";
const windowTokens = 128;
const windowStride = 96;
/** Of the issue: what the model may add beside its own int8 size. */
const besideMegabytes = 8;
const windowsMax = settings["model.windowsMax"].default;
/** What onnxruntime's own tool for dynamic quantisation makes by default, and its finest form. */
const peerVariants = [
  "int8 dynamic u8u8, per tensor, QAttention",
  "int8 dynamic u8s8, per channel, QAttention",
];

const settleMs = 100;

interface Memory {
  readonly resident: number;
  /** The heap, stacks, scratch: this process's alone. */
  readonly anonymous: number;
  /** Mapped files: shared with every process that maps them, and the kernel's to take back. */
  readonly file: number;
}

interface Turn {
  /** Milliseconds of each step, in order. */
  readonly steps: Readonly<Record<string, number>>;
  /** Milliseconds of processor time of all of them, of all threads. */
  readonly processor: number;
  readonly memory: Memory;
}

function readMemory(): Memory {
  const rollup = readFileSync("/proc/self/smaps_rollup", "utf8");
  const field = (name: string) =>
    (Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1]) * 1024) / megabyte;
  const [resident, anonymous] = [field("Rss"), field("Anonymous")];
  return { resident, anonymous, file: resident - anonymous };
}

/**
 * Once garbage is collected and the heap stands still. V8 gives pages back only after a while, and
 * forgets the code that ran once (the compiler that read this bench) only after some collections.
 */
async function settledMemory(): Promise<Memory> {
  for (let round = 0; round < 20; round++) (globalThis as { gc?: () => void }).gc?.();
  let last = readMemory();
  for (let quiet = 0, tries = 0; quiet < 3 && tries < 50; tries++) {
    (globalThis as { gc?: () => void }).gc?.();
    await setTimeout(settleMs);
    const now = readMemory();
    quiet = Math.abs(now.resident - last.resident) < 0.1 ? quiet + 1 : 0;
    last = now;
  }
  return last;
}

/**
 * Runs the steps of a load, then `after`, which is not timed; @returns times and what memory grew by,
 * of the model alone where the code was there before.
 */
async function measured(
  steps: readonly (readonly [name: string, work: () => unknown])[],
  after: () => Promise<void>,
): Promise<Turn> {
  const before = await settledMemory();
  const processorBefore = process.cpuUsage();
  const times: Record<string, number> = {};
  for (const [name, work] of steps) {
    const from = performance.now();
    await work();
    times[name] = performance.now() - from;
  }
  const { user, system } = process.cpuUsage(processorBefore);
  if (!values.code) await after();
  const now = await settledMemory();
  return {
    steps: times,
    processor: (user + system) / 1000,
    memory: {
      resident: now.resident - before.resident,
      anonymous: now.anonymous - before.anonymous,
      file: now.file - before.file,
    },
  };
}

interface Texts {
  readonly short: readonly string[];
  /** Fills the window budget. */
  readonly long: string;
}

function makeTexts(): Texts {
  const next = chatPrompts(values.model, 1);
  const short = Array.from({ length: 50 }, next);
  const words: string[] = [];
  while (words.length < windowStride * windowsMax) words.push(...next().split(" "));
  return { short, long: words.slice(0, windowStride * windowsMax).join(" ") };
}

/** A turn's, from the bench: to make them takes memory. */
const givenTexts = () => JSON.parse(readFileSync(0, "utf8")) as Texts;

const patience = 600_000;

function loadOurs(): Promise<Turn> {
  const { short, long } = givenTexts();
  const open = () =>
    openModel({
      path: values.model,
      kernels: "",
      cores: [],
      threads: 1,
      queueMax: 64,
      windowsMax,
      earlyExit: true,
      queueWaitMsMax: () => patience,
    });
  let model: ReturnType<typeof open>;
  const score = (text: string) => {
    const request = { deadlineMs: patience, admission: { isAdmitted: true }, signal: undefined };
    return model.score([[text]], request)[0];
  };
  if (!values.code) native();
  return measured(
    [
      ["addon", native],
      ["openModel", () => (model = open())],
      ["self-test", () => model.selfTest("first")],
      ["first score", () => score(prompt)],
    ],
    async () => {
      for (const text of [...short, long]) await score(text);
    },
  );
}

/** The same with openModel taken apart. */
function loadOursApart(): Promise<Turn> {
  native();
  let folder: ReturnType<typeof readModelFolder>;
  let handle: ReturnType<ReturnType<typeof native>["open"]>;
  return measured(
    [
      ["read and verify the small files", () => (folder = readModelFolder(values.model))],
      [
        "map and verify the packed ones, start a thread",
        () => {
          handle = native().open({
            modelDir: values.model,
            kernels: "",
            cores: [],
            threads: 1,
            queueMax: 64,
            windowTokens: folder.manifest.window.tokens,
            windowStride: folder.manifest.window.stride,
            exits: folder.calibration.exits.map(({ benign, attack }) => ({ benign, attack })),
          });
        },
      ],
      [
        "first score",
        () => {
          const options = { windowsMax, deadlineMs: patience, earlyExit: true };
          return scoreOne(handle, [prompt], options);
        },
      ],
    ],
    async () => {},
  );
}

async function loadPeers(): Promise<Turn> {
  const { short, long } = givenTexts();
  const load = async () => ({
    ort: await import("onnxruntime-node"),
    hugging: await import("tokenizers"),
  });
  type Packages = Awaited<ReturnType<typeof load>>;
  let packages: Packages | undefined = values.code ? undefined : await load();
  const loaded = () => packages as Packages;
  let session: Awaited<ReturnType<Packages["ort"]["InferenceSession"]["create"]>>;
  let tokenizer: ReturnType<Packages["hugging"]["Tokenizer"]["fromFile"]>;
  const run = (ids: readonly number[]) =>
    session.run({
      ids: new (loaded().ort.Tensor)("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]),
    });
  const score = async (text: string) => {
    const ids = [...(await tokenizer.encode(text)).getIds()];
    const inside = windowTokens - 2;
    // Windows like ours; that only the first and the last have special tokens changes no time.
    for (let at = 0; at === 0 || at + inside - windowStride < ids.length; at += windowStride) {
      await run(ids.slice(at, at + windowTokens));
    }
  };
  return measured(
    [
      [
        "packages",
        async () => {
          packages ??= await load();
        },
      ],
      [
        "session",
        async () => {
          session = await loaded().ort.InferenceSession.create(values.onnx, {
            intraOpNumThreads: 1,
            interOpNumThreads: 1,
            executionMode: "sequential",
            graphOptimizationLevel: "all",
          });
        },
      ],
      [
        "tokenizer",
        () => (tokenizer = loaded().hugging.Tokenizer.fromFile(`${values.model}/tokenizer.json`)),
      ],
      ["first score", () => score(prompt)],
    ],
    async () => {
      for (const text of [...short, long]) await score(text);
    },
  );
}

const turns: Readonly<Record<string, () => Promise<Turn>>> = {
  ours: loadOurs,
  apart: loadOursApart,
  peers: loadPeers,
};

/** One turn in a fresh process. */
function turn(name: string, input: string, ...more: string[]): Turn {
  const script = ["--expose-gc", "--import", "tsx", "bench/load.ts", "--turn", name];
  const args = [...script, "--model", values.model, ...more];
  const output = execFileSync(process.execPath, args, { input, encoding: "utf8" });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "");
}

const round = (value: number) => Math.round(value * 100) / 100;
const sum = (steps: Readonly<Record<string, number>>) =>
  Object.values(steps).reduce((total, ms) => total + ms, 0);
/** Median and spread of one number of each round. */
function spread(numbers: readonly number[]) {
  return {
    ours: round(median(numbers)),
    least: round(Math.min(...numbers)),
    most: round(Math.max(...numbers)),
  };
}

function main(): void {
  const folder = mkdtempSync(join(tmpdir(), "ghostai-bench-"));
  const vocabulary = JSON.parse(readFileSync(`${values.model}/config.json`, "utf8"))
    .vocab_size as number;
  const source = readSource(
    values.model,
    Array.from({ length: vocabulary }, (_, id) => id),
  );
  const onnxFiles = peerVariants.map((name, index) => {
    const variant = variants.find((candidate) => candidate.name === name);
    if (variant === undefined) throw new Error(`Expected a variant ${name}`);
    const file = join(folder, `${index}.onnx`);
    writeFileSync(file, encoderOnnx(source, variant));
    return file;
  });
  const input = JSON.stringify(makeTexts());
  const rounds = Array.from({ length: Number(values.rounds) }, () => ({
    ours: turn("ours", input),
    oursWithCode: turn("ours", input, "--code"),
    apart: turn("apart", input),
    peers: onnxFiles.map((file) => turn("peers", input, "--onnx", file)),
    peersWithCode: onnxFiles.map((file) => turn("peers", input, "--code", "--onnx", file)),
  }));
  rmSync(folder, { recursive: true });

  type Round = (typeof rounds)[number];
  const compared = (
    name: string,
    unit: string,
    ofOurs: (from: Round) => number,
    ofPeer: (from: Round, index: number) => number,
  ) => {
    const ours = spread(rounds.map(ofOurs));
    const peers = peerVariants.map((peer, index) => [
      `onnxruntime ${peer}, tokenizers`,
      round(median(rounds.map((from) => ofPeer(from, index)))),
    ]) as [string, number][];
    const best = Math.min(...peers.map(([, value]) => value));
    return {
      name,
      unit,
      ...ours,
      peers: Object.fromEntries(peers),
      ratio: round(best / ours.ours),
      share_of_peak: null,
    };
  };
  const ofStep = (pick: (from: Round) => Turn, name: string, step: string) => ({
    name,
    unit: "ms",
    ...spread(rounds.map((from) => pick(from).steps[step] ?? Number.NaN)),
    peers: {},
    ratio: null,
    share_of_peak: null,
  });
  const stepsOf = (pick: (from: Round) => Turn, prefix: string) =>
    Object.keys(pick(rounds[0] as Round).steps).map((step) =>
      ofStep(pick, `${prefix}${step}`, step),
    );
  const int8Megabytes = statSync(join(values.model, "model.int8")).size / megabyte;
  const added = spread(rounds.map(({ ours }) => ours.memory.resident));
  const rows = [
    compared(
      "load to first score",
      "ms",
      ({ ours }) => sum(ours.steps),
      ({ peers }, index) => sum(peers[index]?.steps ?? {}),
    ),
    compared(
      "load to first score, with the code",
      "ms",
      ({ oursWithCode }) => sum(oursWithCode.steps),
      ({ peersWithCode }, index) => sum(peersWithCode[index]?.steps ?? {}),
    ),
    compared(
      "load to first score, processor time",
      "ms",
      ({ ours }) => ours.processor,
      ({ peers }, index) => peers[index]?.processor ?? Number.NaN,
    ),
    ...stepsOf(({ oursWithCode }) => oursWithCode, "step: "),
    ...stepsOf(({ apart }) => apart, "openModel apart: "),
    ...(["resident", "anonymous", "file"] as const).map((kind) =>
      compared(
        `memory added, ${kind}`,
        "MB",
        ({ ours }) => ours.memory[kind],
        ({ peers }, index) => peers[index]?.memory[kind] ?? Number.NaN,
      ),
    ),
  ];
  console.log(table(rows.map(({ peers, share_of_peak: _, ...row }) => ({ ...row, ...peers }))));
  // The round that was least favourable.
  const beside = round(added.most - int8Megabytes);
  console.log(
    `beside the ${round(int8Megabytes)} MB of model.int8 the model adds ${beside} MB (at most ${besideMegabytes})`,
  );
  if (values.json !== undefined) {
    writeReport(values.json, {
      ...reportHead(),
      rounds: rounds.length,
      prompt,
      int8_mb: round(int8Megabytes),
      added_beside_int8_mb: beside,
      added_beside_int8_mb_max: besideMegabytes,
      rows,
    });
  }
}

const ofTurn = turns[values.turn];
if (ofTurn === undefined) main();
else {
  console.log(JSON.stringify(await ofTurn()));
  process.exit(0);
}
