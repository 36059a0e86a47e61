/**
 * Every setting, once: its key, its kind and range, its default and what it is
 * for. Flags, environment names, the YAML file and the reference page follow
 * from this table.
 */
import { z } from "zod";

/** One setting of the table. */
export interface Setting<T> {
  readonly schema: z.ZodType<T>;
  readonly default: T;
  /** What is expected, as error messages and the reference page put it. */
  readonly expected: string;
  readonly doc: string;
  /** The environment variable, where it is not the one made from the key. */
  readonly environment?: string;
}

function integer(min: number, max: number, value: number, doc: string): Setting<number> {
  return { schema: z.int().min(min).max(max), default: value, expected: `${min}-${max}`, doc };
}

function text(value: string, doc: string): Setting<string> {
  return { schema: z.string(), default: value, expected: "text", doc };
}

/** All settings by dotted key. */
export const settings = {
  host: {
    schema: z.string().min(1),
    default: "127.0.0.1",
    expected: "an address",
    doc: "Address that the TCP listener binds. There is no authentication: keep it on loopback or behind a proxy that authenticates.",
  } as Setting<string>,
  port: integer(0, 65535, 5004, "TCP port. 0 takes any free one; the start line says which."),
  socketPath: {
    schema: z.string().refine((path) => Buffer.byteLength(path) <= 107),
    default: "run/ghostai.sock",
    expected: "a path of at most 107 bytes, or nothing",
    doc: "Unix socket that is listened on as well, for its owner alone. Its folder is made; empty means no socket.",
  } as Setting<string>,
  bodyBytesMax: integer(
    1,
    67_108_864,
    1_048_576,
    "Largest request body in bytes; a larger one is answered with 413.",
  ),
  bodyTimeoutMs: integer(
    100,
    600_000,
    10_000,
    "Longest time for a body to arrive whole, in milliseconds; then 408.",
  ),
  bodyBytesPerSecondMin: integer(
    0,
    1_048_576,
    256,
    "Slowest average rate at which a body may arrive, looked at once a second; then 408. 0 looks at no rate.",
  ),
  textsMax: integer(1, 100_000, 1000, "Most texts in one batch."),
  messagesMax: integer(
    1,
    100_000,
    1000,
    "Most messages in one conversation, and most content parts or tool calls in one message.",
  ),
  requestsWaitingMax: integer(
    1,
    100_000,
    256,
    "Most scan requests under way at once; the next is answered with 503 and Retry-After.",
  ),
  "model.path": text(
    "",
    "Folder of the model. Empty means the one that comes with the package, models/ghostai-small.",
  ),
  "model.kernels": {
    ...text(
      "",
      "CPU kernels to force: avx512vnni, avx2, neondot or scalar. Empty means the fastest that the CPU has; one that it lacks is an error.",
    ),
    environment: "GHOSTAI_KERNELS",
  } as Setting<string>,
  "model.threads": integer(
    0,
    256,
    0,
    "Inference threads. 0 means one for each allowed core but the event loop's, at least 1 and at most 4.",
  ),
  "model.pin": {
    schema: z.boolean(),
    default: true,
    expected: "true or false",
    doc: "Whether the event loop and each inference thread are pinned to cores of their own. With one allowed core nothing is pinned.",
  } as Setting<boolean>,
  "model.queueMax": integer(
    1,
    1_000_000,
    1024,
    "Most texts waiting for the model; the next is answered with 503.",
  ),
  "model.windowsMax": integer(
    1,
    100_000,
    192,
    "Most windows computed for one text over all its readings; a longer text is blocked with a finding that says so.",
  ),
  "model.deadlineMs": integer(
    1,
    600_000,
    2000,
    "Longest wait for the model in milliseconds before a request is answered with 503.",
  ),
  "cache.entriesMax": integer(
    0,
    10_000_000,
    1000,
    "Most texts whose scores are kept in memory. 0 turns the cache off.",
  ),
  "cache.ttlMs": integer(
    0,
    86_400_000,
    60_000,
    "Life of a kept score in milliseconds; a hit does not prolong it. 0 turns the cache off.",
  ),
};

export type SettingKey = keyof typeof settings;

/** The value of every setting. */
export type Settings = {
  readonly [Key in SettingKey]: (typeof settings)[Key]["default"];
};

/** All keys in the table's order. */
export const settingKeys = Object.keys(settings) as SettingKey[];

function words(key: string): string[] {
  return key.replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`).split(".");
}

/** `model.queueMax` > `--model-queue-max` */
export function flagOf(key: SettingKey): string {
  return `--${words(key).join("-")}`;
}

/** `model.queueMax` > `GHOSTAI_MODEL_QUEUE_MAX` */
export function environmentOf(key: SettingKey): string {
  const setting: Setting<unknown> = settings[key];
  return setting.environment ?? `GHOSTAI_${words(key).join("_").toUpperCase()}`;
}
