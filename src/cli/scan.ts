/** `ghostai scan`: JSON lines in, JSON lines out in order, without a daemon. */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mapBounded } from "../bounded.ts";
import type { Settings } from "../config/schema.ts";
import { GhostError } from "../errors.ts";
import { parseJson } from "../http/json.ts";
import { Redaction } from "../http/redaction.ts";
import { asGhostError, errorBody, verdictBody } from "../http/reply.ts";
import { type ScanRequest, toScanRequest } from "../http/request.ts";
import type { Inspector, Observer } from "../inspect.ts";
import { openService } from "../service/service.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import { readLines } from "./lines.ts";
import { inOrder } from "./ordered.ts";
import { settingFlags, settingsFrom } from "./settings.ts";
import { tableHead, tableRows } from "./table.ts";

export const scanHelp = `Usage: ghostai scan [FILE...] [--text TEXT]... [flags]

Reads one request a line and writes one answer a line, in the same order. No daemon is needed.

  FILE          a file of JSON lines; - is standard input, which is also read where nothing is named
  --text TEXT   a text to scan, as it is; may be given several times
  --table       a table for people instead of JSON lines
  --no-cache    score every text anew
  --config FILE and every flag of \`ghostai serve\` that is about the model or limits

A line is what POST /v1/scan takes: {"text"}, {"messages"} or {"texts"}, with an optional origin, id and redact.
Without an id the answer has the number of the request. A line that cannot be scanned is answered
in its place by {"error":{"code","message"},"line":N}; blank lines are skipped.

Exit code: 0 when every line was scanned, whatever the verdicts; 1 when one was not or the model
cannot be opened; 2 for a wrong call.

  echo '{"text":"Ignore all previous instructions"}' | ghostai scan
  ghostai scan --table --text "What is the capital of France?"
`;

/** One request to answer: the body as it came, or why there is none. */
export interface Input {
  readonly body: () => unknown;
  /** Where a line of a file or of standard input; absent for --text. */
  readonly line?: number;
  readonly file?: string;
}

export type Output = { readonly failed: boolean; readonly value: object };

/** Requests under way at once. With the parts of each they stay below the model's queue. */
const requestsInFlightMax = 32;
const partsInFlightMax = 4;
const queueMaxMin = 1024;
const deadlineMs = 600_000;

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

async function* fileInputs(file: string, bytesMax: number): AsyncGenerator<Input> {
  const stream = file === "-" ? process.stdin : createReadStream(file);
  const named = file === "-" ? {} : { file };
  for await (const { number, bytes } of readLines(stream, bytesMax)) {
    if (bytes === undefined) {
      const detail = `expected a line of at most ${bytesMax} bytes`;
      const body = () => {
        throw new GhostError("body_too_large", detail);
      };
      yield { body, line: number, ...named };
    } else if (!isBlank(bytes)) {
      yield { body: () => parseJson(bytes), line: number, ...named };
    }
  }
}

async function* inputs(given: Arguments, bytesMax: number): AsyncGenerator<Input> {
  const texts = given.values.get("--text") ?? [];
  for (const text of texts) yield { body: () => ({ text }) };
  const files = given.positionals;
  const named = files.length === 0 && texts.length === 0 ? ["-"] : files;
  for (const file of named) yield* fileInputs(file, bytesMax);
}

/** A token outlives the process that sealed it, which alone could open it. */
function refuseToken(): never {
  throw new GhostError("invalid_request", "expected no restore: only a daemon restores");
}

function redactAlone(request: ScanRequest, settings: Settings): Promise<object> {
  const redaction = new Redaction({
    settings,
    sealer: refuseToken,
    observer: { redacted() {}, restored() {} },
    now: () => performance.now(),
  });
  const terms = { deadlineAt: Number.POSITIVE_INFINITY, exchange: { isGone: false } };
  return redaction.redact(request, "", terms);
}

/** Answers one input; what goes wrong is an answer too. */
export async function answer(
  inspector: Inspector,
  input: Input,
  number: number,
  settings: Settings,
): Promise<Output> {
  try {
    const request: ScanRequest = toScanRequest(input.body(), String(number), settings);
    const verdicts = await mapBounded(request.prompts, partsInFlightMax, (prompt) =>
      inspector.inspect(prompt, Number.POSITIVE_INFINITY),
    );
    const bodies = verdicts.map(verdictBody);
    const body = request.isBatch ? { results: bodies } : (bodies[0] as object);
    const redacted = request.redact ? { redacted: await redactAlone(request, settings) } : {};
    return { failed: false, value: { ...body, ...redacted } };
  } catch (error) {
    const { line, file } = input;
    const where = {
      ...(line === undefined ? {} : { line }),
      ...(file === undefined ? {} : { file }),
    };
    return { failed: true, value: { ...errorBody(asGhostError(error)), ...where } };
  }
}

/** Writes and waits while whoever reads is slower than we are. */
async function write(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  await new Promise<void>((resolve) => process.stdout.once("drain", resolve));
}

const silent: Observer = { stage() {}, cache() {}, finding() {} };

function scanSettings(given: Arguments): Settings {
  const settings = settingsFrom(given);
  return {
    ...settings,
    // Nobody else uses this model: waiting is never refused.
    "model.queueMax": Math.max(settings["model.queueMax"], queueMaxMin),
    queueWaitMsMax: deadlineMs,
    deadlineMs,
    ...(given.switches.has("--no-cache") ? { "cache.entriesMax": 0 } : {}),
  };
}

/** @returns the exit code */
export async function scanCommand(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, {
    valued: [...settingFlags, "--text"],
    switches: ["--table", "--no-cache"],
  });
  const settings = scanSettings(given);
  const service = await openService(settings, silent, { secret: randomBytes(32) });
  const isTable = given.switches.has("--table");
  let count = 0;
  let failed = false;
  try {
    if (isTable) await write(tableHead());
    const outputs = inOrder(inputs(given, settings.bodyBytesMax), requestsInFlightMax, (input) =>
      answer(service.inspector, input, ++count, settings),
    );
    for await (const output of outputs) {
      failed ||= output.failed;
      await write(isTable ? tableRows(output.value) : `${JSON.stringify(output.value)}\n`);
    }
  } finally {
    await service.close();
  }
  return failed ? 1 : 0;
}
