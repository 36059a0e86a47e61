/**
 * The log on disk: how fast records are appended, what they take, and what a
 * page of 100 rows costs among a million, against a full scan of the same store
 * and against better-sqlite3 with the same indexes on the same rows.
 *
 *   npm run bench:store -- [--json FILE] [--records 1000000] [--rounds 21] [--sqlite FOLDER]
 *
 * Ours and the peer take turns, chunk by chunk while they are filled and round by round when they
 * are asked; printed are medians. Each round asks for other times and addresses, and the rows of
 * ours, of the peer and of the scan are compared. SQLite runs in WAL mode with synchronous=NORMAL,
 * and with FULL where records are waited for; it is given ANALYZE. Both are read from warm memory.
 *
 * better-sqlite3 is no dependency. To have it in a folder of its own:
 *
 *   mkdir peer && cd peer && npm init -y && npm install --no-save better-sqlite3
 *   npm rebuild better-sqlite3 --build-from-source \
 *     --nodedir="$(node -p 'path.dirname(path.dirname(process.execPath))')"
 *
 * and then `--sqlite peer`. Without it the rest is measured.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Log } from "../src/log/log.ts";
import { type LogQuery, queryLog } from "../src/log/query.ts";
import { decodeRecord, type LogRecord } from "../src/log/record.ts";
import { logBytes } from "../src/log/retention.ts";
import { Store } from "../src/store/lmdb.ts";
import { randomFrom } from "./lib/chat.ts";
import { summarise } from "./lib/openloop.ts";
import { median, reportHead, table, writeReport } from "./lib/report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    records: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "21" },
    scans: { type: "string", default: "3" },
    durable: { type: "string", default: "20000" },
    sqlite: { type: "string", default: "." },
    folder: { type: "string", default: tmpdir() },
  },
});
const recordsCount = Number(values.records);
const chunkRecords = Math.min(50_000, recordsCount);
const transactionRecords = 1000;
/** Requests under way at once where each waits for its record. */
const durableTogether = 64;
const pageRows = 100;

const started = Date.UTC(2026, 0, 1);
/** A million records in a week. */
const everyMs = 605;
const addresses = 2000;
const round = (value: number) => Math.round(value * 1000) / 1000;

/** The n-th record, the same each time: scores near 0 are common, as in traffic. */
function recordAt(index: number): LogRecord {
  const random = randomFrom(index + 1);
  const hex = (digits: number) =>
    Array.from({ length: digits / 8 }, () =>
      Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(8, "0"),
    ).join("");
  const id = hex(32);
  const kind = random();
  const scannerType =
    kind < 0.02 ? "signature" : kind < 0.03 ? "unicode" : kind < 0.98 ? "model" : "none";
  const threatScore =
    scannerType === "none" ? 0 : scannerType === "model" ? random() ** 6 : 0.5 + random() / 2;
  const findings: LogRecord["findings"] =
    scannerType === "none" || threatScore < 0.5
      ? []
      : [
          {
            scanner: scannerType,
            label: `${scannerType}/finding.en`,
            score: threatScore,
            start: 12,
            end: 60,
            message: "Reads like an instruction to the model that is to read it",
          },
        ];
  return {
    at: started + index * everyMs,
    id: `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`,
    verdict: threatScore >= 0.8 ? "block" : threatScore >= 0.5 ? "flag" : "allow",
    observed: false,
    threatScore,
    scannerType,
    findings,
    address: addressOf(Math.floor(random() ** 2 * addresses)),
    keyName: "",
    origin: "user",
    model: "ghostai-small@0123456789ab",
    signatures: "2026-01-01",
    normaliser: "2",
    cache: random() < 0.3 ? "l1" : "none",
    latency: { total: random() * 5, queue: random(), tokenize: random() / 10, model: random() * 3 },
    textHash: hex(32),
  };
}

function addressOf(number: number): string {
  return `10.0.${number >> 8}.${number & 255}`;
}

// ---- ours ------------------------------------------------------------------

function openOurs(folder: string) {
  const store = Store.open(folder);
  let written = 0;
  let wake: (() => void) | undefined;
  const log = new Log({
    queueMax: chunkRecords,
    events: {
      written(records) {
        written += records;
        wake?.();
      },
      dropped(records) {
        throw new Error(`Expected every record to be taken but ${records} were dropped`);
      },
      failed(error) {
        throw error;
      },
    },
  });
  log.attach(store);
  return {
    store,
    /** Resolves when all can be read. */
    async append(records: readonly LogRecord[]): Promise<void> {
      const until = written + records.length;
      for (const record of records) log.append(record);
      while (written < until) {
        await new Promise<void>((resume) => {
          wake = resume;
        });
      }
    },
    /** Each record is waited for, `durableTogether` at once. */
    async appendDurably(records: readonly LogRecord[]): Promise<void> {
      let next = 0;
      const client = async () => {
        for (let index = next++; index < records.length; index = next++) {
          const isDurable = await log.appendDurably(records[index] as LogRecord);
          if (!isDurable) throw new Error("Expected a record to be on disk but it is not");
        }
      };
      await Promise.all(Array.from({ length: durableTogether }, client));
    },
    async close(): Promise<void> {
      await log.close();
      await store.close();
    },
  };
}

function matches(record: LogRecord, query: LogQuery): boolean {
  return (
    record.at >= (query.since ?? 0) &&
    record.at < (query.until ?? Number.POSITIVE_INFINITY) &&
    record.threatScore >= (query.scoreMin ?? 0) &&
    (query.scannerType === undefined || record.scannerType === query.scannerType) &&
    (query.address === undefined || record.address === query.address)
  );
}

/** What a log without indexes would do: read and judge every record. @returns the newest ids that match */
function fullScan(store: Store, query: LogQuery): string[] {
  const records = store.table("records");
  const ids: string[] = [];
  let start: Buffer | undefined;
  for (;;) {
    const after = start === undefined ? {} : { start, after: true };
    const entries = records.entries({ reverse: true, limit: 1000, ...after });
    for (const { value } of entries) {
      const record = decodeRecord(value);
      if (record === undefined || !matches(record, query)) continue;
      if (ids.length < query.limit) ids.push(record.id);
    }
    const last = entries.at(-1);
    if (last === undefined) return ids;
    start = Buffer.from(last.key);
  }
}

// ---- the peer --------------------------------------------------------------

interface Statement {
  run(...values: unknown[]): unknown;
  all(...values: unknown[]): Record<string, unknown>[];
}

interface Database {
  exec(sql: string): void;
  pragma(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

const columns = [
  "sequence INTEGER PRIMARY KEY",
  "at INTEGER",
  "id TEXT",
  "verdict TEXT",
  "observed INTEGER",
  "threat_score REAL",
  "scanner_type TEXT",
  "findings TEXT",
  "address TEXT",
  "key_name TEXT",
  "origin TEXT",
  "model TEXT",
  "signatures TEXT",
  "normaliser TEXT",
  "cache TEXT",
  "total INTEGER",
  "queue INTEGER",
  "tokenize INTEGER",
  "in_model INTEGER",
  "text_hash BLOB",
];

function valuesOf(record: LogRecord): unknown[] {
  const { latency } = record;
  return [
    record.at,
    record.id,
    record.verdict,
    record.observed ? 1 : 0,
    record.threatScore,
    record.scannerType,
    record.findings.length === 0 ? null : JSON.stringify(record.findings),
    record.address,
    record.keyName,
    record.origin,
    record.model,
    record.signatures,
    record.normaliser,
    record.cache,
    ...[latency.total, latency.queue, latency.tokenize, latency.model].map((time) =>
      Math.round(time * 1000),
    ),
    Buffer.from(record.textHash, "hex"),
  ];
}

function sqlOf(query: LogQuery): { sql: string; values: unknown[] } {
  const conditions: [string, unknown][] = [
    ["at >= ?", query.since],
    ["at < ?", query.until],
    ["threat_score >= ?", query.scoreMin],
    ["scanner_type = ?", query.scannerType],
    ["address = ?", query.address],
  ];
  const given = conditions.filter(([, value]) => value !== undefined);
  const where = given.map(([condition]) => condition).join(" AND ");
  return {
    sql: `SELECT * FROM log WHERE ${where} ORDER BY at DESC, sequence DESC LIMIT ${query.limit}`,
    values: given.map(([, value]) => value),
  };
}

function openPeer(file: string) {
  let Constructor: new (file: string) => Database;
  try {
    const require = createRequire(join(resolve(values.sqlite), "package.json"));
    Constructor = require("better-sqlite3");
    new Constructor(":memory:").close();
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    console.error(`No better-sqlite3 in ${values.sqlite} (${reason}): bench/store.ts says how`);
    return undefined;
  }
  const database = new Constructor(file);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = NORMAL");
  database.exec(`CREATE TABLE log (${columns.join(", ")})`);
  for (const column of ["", "threat_score, ", "scanner_type, ", "address, "]) {
    database.exec(`CREATE INDEX log_by_${column.replace(", ", "_")}at ON log (${column}at)`);
  }
  const places = columns.map(() => "?").join(", ");
  const insert = database.prepare(`INSERT INTO log VALUES (${places})`);
  const statements = new Map<string, Statement>();
  let sequence = 0;
  const append = (records: readonly LogRecord[], together: number) => {
    for (let from = 0; from < records.length; from += together) {
      database.exec("BEGIN IMMEDIATE");
      for (const record of records.slice(from, from + together)) {
        insert.run(sequence++, ...valuesOf(record));
      }
      database.exec("COMMIT");
    }
  };
  return {
    version: database.prepare("SELECT sqlite_version() AS version").all()[0]?.version,
    append(records: readonly LogRecord[]) {
      append(records, transactionRecords);
    },
    appendDurably(records: readonly LogRecord[]) {
      database.pragma("synchronous = FULL");
      append(records, durableTogether);
      database.pragma("synchronous = NORMAL");
    },
    analyse() {
      database.exec("ANALYZE");
      database.pragma("wal_checkpoint(TRUNCATE)");
    },
    query(query: LogQuery): string[] {
      const { sql, values: given } = sqlOf(query);
      const statement = statements.get(sql) ?? database.prepare(sql);
      statements.set(sql, statement);
      return statement.all(...given).map((row) => {
        // Ours hands findings out as objects, so the peer does too.
        if (row.findings !== null) row.findings = JSON.parse(row.findings as string);
        return row.id as string;
      });
    },
    planOf(query: LogQuery): string {
      const { sql, values: given } = sqlOf(query);
      return database
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...given)
        .map(({ detail }) => detail)
        .join("; ");
    },
    bytes: () => statSync(file).size,
    close: () => database.close(),
  };
}

// ---- the run ---------------------------------------------------------------

const spanMs = recordsCount * everyMs;
const asked: Readonly<Record<string, (random: () => number) => Omit<LogQuery, "limit" | "order">>> =
  {
    "time range of an hour": (random) => {
      const since = started + Math.floor(random() * Math.max(0, spanMs - 3_600_000));
      return { since, until: since + 3_600_000 };
    },
    "min_score 0.8": (random) => ({
      until: started + Math.floor(spanMs * (0.2 + 0.8 * random())),
      scoreMin: 0.8,
    }),
    "scanner_type signature": (random) => ({
      until: started + Math.floor(spanMs * (0.2 + 0.8 * random())),
      scannerType: "signature",
    }),
    ip: (random) => ({ address: addressOf(Math.floor(random() ** 2 * addresses)) }),
    "a day, min_score 0.5, model, ip": (random) => {
      const since = started + Math.floor(random() * Math.max(0, spanMs - 86_400_000));
      return {
        since,
        until: since + 86_400_000,
        scoreMin: 0.5,
        scannerType: "model",
        address: addressOf(Math.floor(random() ** 2 * addresses)),
      };
    },
  };

async function timed<T>(work: () => T | Promise<T>): Promise<{ ms: number; value: T }> {
  const from = performance.now();
  const value = await work();
  return { ms: performance.now() - from, value };
}

/** Microseconds of processor time of all this process's threads. */
function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

type Ours = ReturnType<typeof openOurs>;
type Peer = ReturnType<typeof openPeer>;

async function fill(ours: Ours, peer: Peer) {
  const rates = { ours: [] as number[], peer: [] as number[] };
  const cpu = { ours: 0, peer: 0 };
  for (let from = 0; from < recordsCount; from += chunkRecords) {
    const length = Math.min(chunkRecords, recordsCount - from);
    const records = Array.from({ length }, (_, index) => recordAt(from + index));
    const turns = [
      ["ours", () => ours.append(records)],
      ["peer", peer === undefined ? undefined : () => peer.append(records)],
    ] as const;
    for (const [who, work] of (from / chunkRecords) % 2 === 0 ? turns : [...turns].reverse()) {
      if (work === undefined) continue;
      const before = cpuMicroseconds();
      const { ms } = await timed<void>(work);
      cpu[who] += cpuMicroseconds() - before;
      rates[who].push((length * 1000) / ms);
    }
    console.error(`${from + length} records`);
  }
  return { rates, cpu };
}

async function appendDurably(ours: Ours, peer: Peer) {
  const chunk = 1000;
  const rates = { ours: [] as number[], peer: [] as number[] };
  for (let from = 0; from < Number(values.durable); from += chunk) {
    const records = Array.from({ length: chunk }, (_, index) =>
      recordAt(recordsCount + from + index),
    );
    rates.ours.push((chunk * 1000) / (await timed(() => ours.appendDurably(records))).ms);
    if (peer === undefined) continue;
    rates.peer.push((chunk * 1000) / (await timed(() => peer.appendDurably(records))).ms);
  }
  return rates;
}

async function ask(ours: Ours, peer: Peer) {
  const rows = [];
  for (const [name, make] of Object.entries(asked)) {
    const random = randomFrom(name.length);
    const times = { ours: [] as number[], peer: [] as number[], scan: [] as number[] };
    let rowsTotal = 0;
    let differing = 0;
    let examined = 0;
    let index = "";
    let plan = "";
    for (let turn = 0; turn < Number(values.rounds); turn++) {
      const query: LogQuery = { ...make(random), limit: pageRows, order: "newest" };
      const askOurs = async () => {
        const { ms, value } = await timed(() => queryLog(ours.store, query));
        times.ours.push(ms);
        examined += value.plan.examined;
        index = value.plan.index;
        rowsTotal += value.rows.length;
        return value.rows.map(({ id }) => id);
      };
      const askPeer = async () => {
        if (peer === undefined) return undefined;
        const { ms, value } = await timed(() => peer.query(query));
        times.peer.push(ms);
        plan = peer.planOf(query);
        return value;
      };
      const answers: (string[] | undefined)[] = [];
      for (const askOne of turn % 2 === 0 ? [askOurs, askPeer] : [askPeer, askOurs]) {
        answers.push(await askOne());
      }
      if (turn < Number(values.scans)) {
        const { ms, value } = await timed(() => fullScan(ours.store, query));
        times.scan.push(ms);
        answers.push(value);
      }
      const shown = answers.filter((ids) => ids !== undefined).map((ids) => ids.join());
      if (new Set(shown).size > 1) differing++;
    }
    const [ourMs, peerMs, scanMs] = [times.ours, times.peer, times.scan].map(median) as [
      number,
      number,
      number,
    ];
    const row = {
      query: name,
      "rows, mean": round(rowsTotal / Number(values.rounds)),
      "ours ms": round(ourMs),
      "ours p95 ms": round(summarise(times.ours).p95),
      "sqlite ms": round(peerMs),
      "sqlite p95 ms": round(summarise(times.peer).p95),
      "full scan ms": round(scanMs),
      "sqlite / ours": round(peerMs / ourMs),
      "scan / ours": Math.round(scanMs / ourMs),
      "rounds that differ": differing,
      "our index": index,
      "examined, mean": Math.round(examined / Number(values.rounds)),
      "sqlite's plan": plan,
    };
    rows.push(row);
    console.error(JSON.stringify(row));
  }
  return rows;
}

function fileSystemOf(folder: string): string {
  try {
    const output = execFileSync("df", ["--output=fstype", folder], { encoding: "utf8" });
    return output.trim().split("\n").at(-1) ?? "unknown";
  } catch {
    return "unknown";
  }
}

const folder = mkdtempSync(join(values.folder, "ghostai-bench-"));
try {
  const ours = openOurs(join(folder, "store"));
  const peer = openPeer(join(folder, "peer.sqlite"));
  const { rates, cpu } = await fill(ours, peer);
  peer?.analyse();
  const bytes = {
    ours_pages: logBytes(ours.store) / recordsCount,
    ours_file: statSync(join(folder, "store", "data.mdb")).size / recordsCount,
    peer_file: peer === undefined ? Number.NaN : peer.bytes() / recordsCount,
  };
  const queries = await ask(ours, peer);
  const durable = await appendDurably(ours, peer);
  await ours.close();
  peer?.close();
  const stores = peer === undefined ? (["ours"] as const) : (["ours", "peer"] as const);
  const appended = stores.map((who) => ({
    store: who === "ours" ? "ours" : `SQLite ${peer?.version}`,
    "records/s": Math.round(median(rates[who])),
    "slowest chunk": Math.round(Math.min(...rates[who])),
    "CPU us a record": round(cpu[who] / recordsCount),
    "durable records/s": Math.round(median(durable[who])),
    "bytes a record": Math.round(who === "ours" ? bytes.ours_pages : bytes.peer_file),
    "bytes a record, file": Math.round(who === "ours" ? bytes.ours_file : bytes.peer_file),
  }));
  console.log(table(appended));
  console.log();
  console.log(table(queries));
  const report = {
    ...reportHead(),
    file_system: fileSystemOf(folder),
    records: recordsCount,
    chunk_records: chunkRecords,
    durable_at_once: durableTogether,
    page_rows: pageRows,
    rounds: Number(values.rounds),
    appended,
    queries,
  };
  if (values.json !== undefined) writeReport(values.json, report);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
