/** Records as they could be, for the tests of the log. */
import fc from "fast-check";
import { Log, type LogEvents } from "../../src/log/log.ts";
import type { LogRecord } from "../../src/log/record.ts";
import type { Store } from "../../src/store/lmdb.ts";

export function recordOf(more: Partial<LogRecord> = {}): LogRecord {
  return {
    at: 1_000,
    id: "id",
    verdict: "allow",
    observed: false,
    threatScore: 0,
    scannerType: "none",
    findings: [],
    address: "127.0.0.1",
    keyName: "",
    origin: "user",
    model: "m@1.0.0",
    signatures: "1",
    normaliser: "2",
    cache: "none",
    latency: { total: 1.5, queue: 0.25, tokenize: 0.001, model: 1 },
    textHash: "00112233445566778899aabbccddeeff",
    ...more,
  };
}

/** Objects as any code makes them. */
export const plain = { noNullPrototype: true } as const;

const score = fc.double({ min: 0, max: 1, noNaN: true });
const scanner = fc.constantFrom("model", "signature", "unicode", "secret", "pii");
const offset = fc.nat({ max: 2 ** 31 });
const word = fc.string({ unit: "grapheme", maxLength: 12 });
const text = fc.string({ unit: "grapheme", maxLength: 400 });
const milliseconds = fc.nat({ max: 2 ** 40 }).map((microseconds) => microseconds / 1000);

const plainFinding = { scanner, label: word, score, start: offset, end: offset, message: word };
const finding = fc.oneof(
  fc.record(plainFinding, plain),
  fc.record({ ...plainFinding, messageIndex: offset, partIndex: offset }, plain),
);

/** Any record. */
export const anyRecord = fc
  .record(
    {
      at: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      id: text,
      verdict: fc.constantFrom("allow", "flag", "block"),
      observed: fc.boolean(),
      threatScore: score,
      scannerType: fc.oneof(scanner, fc.constant("none")),
      findings: fc.array(finding, { maxLength: 4 }),
      address: text,
      keyName: word,
      origin: fc.constantFrom("user", "document", "tool", "assistant", "system"),
      model: word,
      signatures: word,
      normaliser: word,
      cache: fc.constantFrom("none", "l1", "l2", "l3"),
      latency: fc.record(
        { total: milliseconds, queue: milliseconds, tokenize: milliseconds, model: milliseconds },
        plain,
      ),
      textHash: fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map((bytes) => Buffer.from(bytes).toString("hex")),
      text,
    },
    { ...plain, requiredKeys: [] },
  )
  .map((record) => recordOf(record as Partial<LogRecord>));

export const silent: LogEvents = { written() {}, dropped() {}, failed() {} };

/** Appends all of them and waits until they can be read. */
export async function fill(store: Store, records: readonly LogRecord[]): Promise<void> {
  const log = new Log({ queueMax: records.length + 1, events: silent });
  log.attach(store);
  for (const record of records) log.append(record);
  await log.close();
}
