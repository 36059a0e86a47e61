/**
 * Every setting, once: its key, its kind and range, its default and what it is
 * for. Flags, environment names, the YAML file and the reference page follow
 * from this table.
 */

import { z } from "zod";
import { isNetworkList } from "./networks.ts";

/** One setting of the table. */
export interface Setting<T> {
  readonly schema: z.ZodType<T>;
  readonly default: T;
  /** What is expected, as error messages and the reference page put it. */
  readonly expected: string;
  readonly doc: string;
  /** The environment variable, where it is not the one made from the key. */
  readonly environment?: string;
  /** Whether a reload (SIGHUP) takes a new value over; the others need a restart. */
  readonly reloads?: boolean;
}

function integer(min: number, max: number, value: number, doc: string): Setting<number> {
  return { schema: z.int().min(min).max(max), default: value, expected: `${min}-${max}`, doc };
}

function text(value: string, doc: string): Setting<string> {
  return { schema: z.string(), default: value, expected: "text", doc };
}

function toggle(value: boolean, doc: string): Setting<boolean> {
  return { schema: z.boolean(), default: value, expected: "true or false", doc };
}

function socket(value: string, doc: string): Setting<string> {
  return {
    schema: z.string().refine((path) => Buffer.byteLength(path) <= 107),
    default: value,
    expected: "a path of at most 107 bytes, or nothing",
    doc,
  };
}

/** Quoted in YAML: without quotes it would be a number in base ten. */
function fileMode(value: string, doc: string): Setting<string> {
  return {
    schema: z.string().regex(/^0?[0-7]{3}$/),
    default: value,
    expected: "a file mode as octal digits in quotes, such as '0660'",
    doc,
  };
}

function reloads<T>(setting: Setting<T>): Setting<T> {
  return { ...setting, reloads: true };
}

/** All settings by dotted key. */
export const settings = {
  host: {
    schema: z.string().min(1),
    default: "127.0.0.1",
    expected: "an address",
    doc: "Address that the TCP listener binds. Anything but loopback wants a keysFile, or insecure.",
  } as Setting<string>,
  port: integer(0, 65535, 5004, "TCP port. 0 takes any free one; the start line says which."),
  socketPath: socket(
    "run/ghostai.sock",
    "Unix socket that is listened on as well. Its folder is made; empty means no socket. Who may open it needs no key.",
  ),
  socketMode: fileMode(
    "0600",
    "Mode of the Unix socket: 0600 for the daemon's user alone, 0660 for its group too.",
  ),
  socketGroup: text(
    "",
    "Group of the Unix socket, by name or number. Empty means the daemon's own. The daemon must be a member of it.",
  ),
  adminSocketPath: socket(
    "run/ghostai-admin.sock",
    "Unix socket for operators: logs, statistics, cache and settings, which no other listener answers. Empty means none.",
  ),
  adminSocketMode: fileMode("0600", "Mode of the admin socket."),
  adminSocketGroup: text(
    "",
    "Group of the admin socket, by name or number. Empty means the daemon's own.",
  ),
  access: {
    ...reloads(
      text(
        "enforce",
        "enforce answers what was found. observe answers every prompt as allow, and logs and counts what it would have said.",
      ),
    ),
    schema: z.enum(["enforce", "observe"]),
    expected: "enforce or observe",
  } as Setting<string>,
  keysFile: text(
    "",
    "File of API keys, made by `ghostai key`. With one, every scan over TCP from another machine needs a key. Read again on reload. Empty means no keys.",
  ),
  keysOnLoopback: reloads(
    toggle(false, "Whether a scan over loopback needs a key too, where there is a keysFile."),
  ),
  insecure: toggle(false, "Allows to bind an address other than loopback without a keysFile."),
  trustedProxies: {
    ...reloads(
      text(
        "",
        "Addresses or networks (CIDR) of proxies, separated by commas, whose X-Forwarded-For and PROXY protocol headers say who the client is. Empty trusts nobody.",
      ),
    ),
    schema: z.string().refine((list) => isNetworkList(list)),
    expected: "addresses or networks such as 10.0.0.0/8, separated by commas",
  },
  "tls.certFile": text(
    "",
    "Certificate chain in PEM for TLS on the TCP port. Read again on reload. Empty means no TLS.",
  ),
  "tls.keyFile": text("", "Private key in PEM that belongs to tls.certFile."),
  connectionsPerAddressMax: reloads(
    integer(
      0,
      1_000_000,
      1024,
      "Most connections open at once from one address over TCP, trusted proxies apart; the next is closed. 0 means no limit.",
    ),
  ),
  deadlineMs: reloads(
    integer(
      1,
      600_000,
      2000,
      "Longest time in milliseconds from a request's arrival until its verdict; a request that cannot be answered by then is refused with 503 rather than computed. A client asks for less with x-timeout-ms.",
    ),
  ),
  queueWaitMsMax: reloads(
    integer(
      1,
      600_000,
      150,
      "Longest expected wait for the model in milliseconds. While it is longer, new short prompts are refused with 503 and Retry-After; long ones take turns, and are refused where they are not expected to end within their time.",
    ),
  ),
  bodyBytesMax: reloads(
    integer(
      1,
      67_108_864,
      1_048_576,
      "Largest request body in bytes; a larger one is answered with 413.",
    ),
  ),
  bodyTimeoutMs: reloads(
    integer(
      100,
      600_000,
      10_000,
      "Longest time for a body to arrive whole, in milliseconds; then 408.",
    ),
  ),
  bodyBytesPerSecondMin: reloads(
    integer(
      0,
      1_048_576,
      256,
      "Slowest average rate at which a body may arrive, looked at once a second; then 408. 0 looks at no rate.",
    ),
  ),
  textsMax: reloads(integer(1, 100_000, 1000, "Most texts in one batch.")),
  messagesMax: reloads(
    integer(
      1,
      100_000,
      1000,
      "Most messages in one conversation, and most content parts or tool calls in one message.",
    ),
  ),
  requestsWaitingMax: reloads(
    integer(
      1,
      100_000,
      256,
      "Most scan requests under way at once; the next is answered with 503 and Retry-After.",
    ),
  ),
  "model.path": text(
    "",
    "Folder of the model. Empty means the one that comes with the package, models/ghostai-small.",
  ),
  "model.kernels": {
    ...text(
      "",
      "CPU kernels to force: avx512vnni, avxvnni, avx2, amx, neondot or scalar. Empty means the fastest that the CPU has; one that it lacks is an error.",
    ),
    environment: "GHOSTAI_KERNELS",
  } as Setting<string>,
  "model.threads": integer(
    0,
    256,
    0,
    "Inference threads. 0 means one for each allowed core but the event loop's, at least 1 and at most 4.",
  ),
  "model.pin": toggle(
    true,
    "Whether the event loop and each inference thread are pinned to cores of their own. With one allowed core nothing is pinned.",
  ),
  "model.earlyExit": toggle(
    true,
    "Whether a window that is surely benign or surely an attack is answered by an early layer, which saves about two thirds of the work.",
  ),
  "model.queueMax": integer(
    1,
    1_000_000,
    1024,
    "Most prompts waiting for the model; the next is answered with 503.",
  ),
  "model.windowsMax": integer(
    1,
    100_000,
    192,
    "Most windows computed for one text over all its readings; a longer text is blocked with a finding that says so.",
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
    "Life of a kept score in memory in milliseconds; a hit does not prolong it. 0 turns the cache in memory off.",
  ),
  "store.path": text(
    "run/store",
    "Folder of the store on disk, which holds the log and the cache of longer life. It is made. Empty means no store.",
  ),
  "cache.disk.entriesMax": integer(
    0,
    100_000_000,
    100_000,
    "Most texts whose scores are kept in the store; the oldest go first. 0 turns this cache off.",
  ),
  "cache.disk.ttlMs": integer(
    0,
    31_536_000_000,
    86_400_000,
    "Life of a kept score in the store in milliseconds. 0 turns this cache off.",
  ),
  "cache.disk.bytesMax": integer(
    1_048_576,
    1_099_511_627_776,
    268_435_456,
    "Most bytes that kept scores take in the store; the oldest go first.",
  ),
  "log.enabled": toggle(true, "Whether each request leaves a record in the store."),
  "log.text": reloads(
    toggle(
      false,
      "Whether a record holds the text itself. Otherwise it holds a keyed hash of it, by which equal texts are recognised.",
    ),
  ),
  "log.durable": reloads(
    toggle(
      false,
      "Whether an answer waits until its record is on disk; such an answer carries x-ghostai-logged: durable. Costs a disk flush for each batch of requests.",
    ),
  ),
  "log.ageDaysMax": reloads(
    integer(1, 3650, 30, "Records older than this many days are removed, a few at a time."),
  ),
  "log.bytesMax": reloads(
    integer(
      1_048_576,
      1_099_511_627_776,
      2_147_483_648,
      "Most bytes that records and their indexes take in the store; the oldest go first.",
    ),
  ),
  "log.queueMax": integer(
    1,
    1_000_000,
    20_000,
    "Most records waiting to be written. The next is dropped and counted; verdicts are not held up.",
  ),
  "redact.hitsMax": reloads(
    integer(
      1,
      100_000,
      1000,
      "Most hits of one format or kind that are replaced in one reading of a text; an answer with more to replace says so.",
    ),
  ),
  "redact.keyFile": text(
    "",
    "File of the keys that seal restore tokens, lines of an id and 64 hexadecimal digits; the first seals, all open. Read again on reload. Empty means a key that is drawn at each start.",
  ),
  "redact.tokenTtlMs": reloads(
    integer(1, 2_592_000_000, 3_600_000, "Life of a restore token in milliseconds."),
  ),
  "redact.tokenLengthMax": reloads(
    integer(
      256,
      67_108_864,
      262_144,
      "Longest restore token in characters; what does not fit is refused with 413.",
    ),
  ),
};

export type SettingKey = keyof typeof settings;

/** Settings that a reload takes over. */
export function reloadsOf(key: SettingKey): boolean {
  return (settings[key] as Setting<unknown>).reloads === true;
}

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
