/** One request as the log keeps it: its bytes, and its keys in the four indexes. */
import { decode, encode } from "../store/codec.ts";
import { packFinding, unpackFinding } from "../store/finding.ts";
import type { TableName } from "../store/lmdb.ts";
import type { Action, CacheLayer, Latency, LocatedFinding, Origin, ScannerName } from "../types.ts";

export interface LogRecord {
  /** When it was answered, milliseconds since 1970. */
  readonly at: number;
  readonly id: string;
  /** What was found, whatever was answered. */
  readonly verdict: Action;
  /** True where access is observe: the answer was allow. */
  readonly observed: boolean;
  readonly threatScore: number;
  readonly scannerType: ScannerName | "none";
  readonly findings: readonly LocatedFinding[];
  /** The client's address; `unix` where it came over the Unix socket. */
  readonly address: string;
  /** Name of the API key; empty where none was needed. */
  readonly keyName: string;
  /** Of the riskiest text, or of the first one. */
  readonly origin: Origin;
  readonly model: string;
  readonly signatures: string;
  readonly normaliser: string;
  readonly cache: CacheLayer;
  readonly latency: Latency;
  /** Keyed hash of the texts, 32 hexadecimal digits: equal texts have equal ones. */
  readonly textHash: string;
  /** Only where the settings say that texts are kept. */
  readonly text?: string;
}

const format = 1;

/** Which message and part it lies in follows; -1 where it lies in none. */
function packLocated(finding: LocatedFinding) {
  return [...packFinding(finding), finding.messageIndex ?? -1, finding.partIndex ?? -1];
}

function unpackLocated(packed: readonly unknown[]): LocatedFinding {
  const [messageIndex, partIndex] = packed.slice(6) as [number, number];
  return {
    ...unpackFinding(packed),
    ...(messageIndex < 0 ? {} : { messageIndex }),
    ...(partIndex < 0 ? {} : { partIndex }),
  };
}

const microseconds = (milliseconds: number) => Math.round(milliseconds * 1000);

/** @returns the record's bytes: a list of values, since their names would be most of it */
export function encodeRecord(record: LogRecord): Buffer {
  const { latency } = record;
  return encode([
    format,
    record.at,
    record.id,
    record.verdict,
    record.observed,
    record.threatScore,
    record.scannerType,
    record.findings.map(packLocated),
    record.address,
    record.keyName,
    record.origin,
    record.model,
    record.signatures,
    record.normaliser,
    record.cache,
    [latency.total, latency.queue, latency.tokenize, latency.model].map(microseconds),
    Buffer.from(record.textHash, "hex"),
    record.text ?? null,
  ]);
}

/** @returns the record, or nothing where its bytes are damaged */
export function decodeRecord(bytes: Buffer): LogRecord | undefined {
  const fields = decode(bytes);
  if (!Array.isArray(fields) || fields[0] !== format || fields.length !== 18) return undefined;
  const [, at, id, verdict, observed, threatScore, scannerType, findings, address, keyName] =
    fields;
  const [origin, model, signatures, normaliser, cache, times, textHash, text] = fields.slice(10);
  const [total, queue, tokenize, inModel] = (times as number[]).map((time) => time / 1000);
  return {
    at,
    id,
    verdict,
    observed,
    threatScore,
    scannerType,
    findings: (findings as unknown[][]).map(unpackLocated),
    address,
    keyName,
    origin,
    model,
    signatures,
    normaliser,
    cache,
    latency: {
      total: total ?? 0,
      queue: queue ?? 0,
      tokenize: tokenize ?? 0,
      model: inModel ?? 0,
    },
    textHash: Buffer.from(textHash).toString("hex"),
    ...(text === null ? {} : { text }),
  };
}

/** Where a record stands in time: its time, then its number among all records. */
export interface Position {
  readonly at: number;
  readonly sequence: bigint;
}

const positionBytes = 16;

/** @returns the number as a key of the records' table */
export function sequenceKey(sequence: bigint): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(sequence);
  return key;
}

/** @returns `prefix`, then the position in an order that bytes have too */
export function positionKey(prefix: Buffer, { at, sequence }: Position): Buffer {
  const key = Buffer.alloc(prefix.length + positionBytes);
  prefix.copy(key);
  key.writeBigUInt64BE(BigInt(at), prefix.length);
  key.writeBigUInt64BE(sequence, prefix.length + 8);
  return key;
}

/** @returns the position at the end of an index key */
export function positionOf(key: Buffer): Position {
  const from = key.length - positionBytes;
  return { at: Number(key.readBigUInt64BE(from)), sequence: key.readBigUInt64BE(from + 8) };
}

export const noPrefix = Buffer.alloc(0);

/** Scores are indexed by twentieths, so that those from a minimum up are few lists, each ordered by time. */
export const scoreBuckets = 21;

export function scorePrefix(score: number): Buffer {
  return Buffer.from([Math.min(scoreBuckets - 1, Math.floor(score * (scoreBuckets - 1)))]);
}

/** Longer than any address; keys are bounded. */
const prefixCharactersMax = 256;

/** @returns the text, ended by a zero byte, so that no prefix is the beginning of another */
export function textPrefix(text: string): Buffer {
  return Buffer.from(`${text.slice(0, prefixCharactersMax).replaceAll("\0", " ")}\0`, "utf8");
}

/** @returns the record's key in each index */
export function indexKeys(
  record: LogRecord,
  sequence: bigint,
): readonly (readonly [TableName, Buffer])[] {
  const position = { at: record.at, sequence };
  return [
    ["by_time", positionKey(noPrefix, position)],
    ["by_score", positionKey(scorePrefix(record.threatScore), position)],
    ["by_scanner", positionKey(textPrefix(record.scannerType), position)],
    ["by_address", positionKey(textPrefix(record.address), position)],
  ];
}
