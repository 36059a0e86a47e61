/** Pages of the log against a plain filter over all records. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Log } from "../../src/log/log.ts";
import { cursorOf, type LogQuery, type LogRow, queryLog, readCursor } from "../../src/log/query.ts";
import type { LogRecord } from "../../src/log/record.ts";
import type { Store } from "../../src/store/lmdb.ts";
import { eventually, withStore } from "../store/harness.ts";
import { fill, plain, recordOf, silent } from "./records.ts";

const addresses = ["10.0.0.1", "10.0.0.11", "10.0.0.2", "unix", "::1"];
const scannerTypes = ["model", "signature", "unicode", "link", "none"] as const;
const verdicts = ["allow", "flag", "block"] as const;
const scores = [0, 0.05, 0.349, 0.35, 0.5, 0.51, 0.799, 0.8, 0.95, 0.999, 1];

type Row = readonly [sequence: number, record: LogRecord];

/** What a query means. */
function expected(records: readonly LogRecord[], query: Omit<LogQuery, "limit" | "cursor">): Row[] {
  const rows = [...records.entries()].filter(
    ([, record]) =>
      record.at >= (query.since ?? 0) &&
      record.at < (query.until ?? Number.POSITIVE_INFINITY) &&
      record.threatScore >= (query.scoreMin ?? 0) &&
      (query.scannerType === undefined || record.scannerType === query.scannerType) &&
      (query.address === undefined || record.address === query.address) &&
      (query.verdict === undefined || record.verdict === query.verdict),
  );
  rows.sort(([a, recordA], [b, recordB]) => recordA.at - recordB.at || a - b);
  return query.order === "newest" ? rows.reverse() : rows;
}

const withNumbers = (rows: readonly LogRow[]): Row[] =>
  rows.map(({ sequence, ...record }) => [Number(sequence), record]);

/** All pages, one after the other. */
async function walk(store: Store, query: LogQuery): Promise<LogRow[]> {
  const rows: LogRow[] = [];
  let cursor: string | undefined;
  do {
    const page = await queryLog(store, { ...query, ...(cursor === undefined ? {} : { cursor }) });
    assert.ok(page.rows.length <= query.limit);
    assert.ok(page.cursor === undefined || page.rows.length === query.limit);
    rows.push(...page.rows);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return rows;
}

/** Few times, so that many are equal, in no order: the clock went back and forth. */
const record = fc
  .record({
    at: fc.nat({ max: 40 }),
    threatScore: fc.constantFrom(...scores),
    scannerType: fc.constantFrom(...scannerTypes),
    address: fc.constantFrom(...addresses),
    verdict: fc.constantFrom(...verdicts),
    id: fc.uuid(),
  })
  .map((fields) => recordOf(fields));

const anyQuery = fc.record(
  {
    since: fc.nat({ max: 45 }),
    until: fc.nat({ max: 45 }),
    scoreMin: fc.constantFrom(...scores),
    scannerType: fc.constantFrom(...scannerTypes),
    address: fc.constantFrom(...addresses, "10.0.0", "elsewhere"),
    verdict: fc.constantFrom(...verdicts),
    limit: fc.integer({ min: 1, max: 60 }),
    order: fc.constantFrom("newest" as const, "oldest" as const),
  },
  { requiredKeys: ["limit", "order"] },
);

test("pages hold what a filter over all records gives, in either order", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(record, { maxLength: 400, size: "max" }),
      fc.array(anyQuery, { minLength: 20, maxLength: 20 }),
      (records, queries) =>
        withStore(async (store) => {
          await fill(store, records);
          for (const query of queries) {
            const rows = await walk(store, query);
            assert.deepEqual(withNumbers(rows), expected(records, query), JSON.stringify(query));
          }
        }),
    ),
    { numRuns: 15 },
  ));

test("a list longer than what is fetched at once is walked to its end", () =>
  withStore(async (store) => {
    const records = Array.from({ length: 1_000 }, (_, at) =>
      recordOf({ at: at % 7, threatScore: (at % 100) / 100, address: addresses[at % 2] ?? "" }),
    );
    await fill(store, records);
    for (const order of ["newest", "oldest"] as const) {
      for (const filter of [
        {},
        { scoreMin: 0.3 },
        { address: "10.0.0.1" },
        { since: 2, until: 6 },
      ]) {
        for (const limit of [1_000, 128, 127, 3]) {
          const query = { ...filter, order };
          const rows = await walk(store, { ...query, limit });
          assert.deepEqual(withNumbers(rows), expected(records, query));
        }
      }
    }
  }));

test("the index is the one that leaves the fewest records to read", () =>
  withStore(async (store) => {
    await fill(store, [recordOf({ address: "unix", scannerType: "model", threatScore: 0.9 })]);
    const all = { limit: 10, order: "newest" as const };
    const asked: readonly [Omit<LogQuery, "limit" | "order">, string][] = [
      [{}, "by_time"],
      [{ since: 5, until: 5_000, verdict: "allow" }, "by_time"],
      [{ scoreMin: 0 }, "by_time"],
      [{ scoreMin: 0.5 }, "by_score"],
      [{ scannerType: "model" }, "by_scanner"],
      [{ scannerType: "model", scoreMin: 0.5 }, "by_scanner"],
      [{ scannerType: "none", scoreMin: 0.5 }, "by_score"],
      [{ scannerType: "none" }, "by_scanner"],
      [{ address: "unix", scannerType: "model", scoreMin: 0.5 }, "by_address"],
    ];
    for (const [filter, index] of asked) {
      const { plan } = await queryLog(store, { ...all, ...filter });
      assert.equal(plan.index, index, JSON.stringify(filter));
    }
    const none = await queryLog(store, { ...all, address: "elsewhere" });
    assert.deepEqual([none.rows, none.plan.examined], [[], 0]);
  }));

test("a narrow question reads only the records that answer it", () =>
  withStore(async (store) => {
    const rare = { address: "10.9.9.9", scannerType: "unicode" as const, threatScore: 1 };
    const records = Array.from({ length: 600 }, (_, at) =>
      recordOf({ at, ...(at % 200 === 0 ? rare : {}) }),
    );
    await fill(store, records);
    for (const filter of [
      { address: "10.9.9.9" },
      { scannerType: "unicode" as const },
      { scoreMin: 0.9 },
    ]) {
      const page = await queryLog(store, { ...filter, limit: 100, order: "newest" });
      assert.deepEqual([page.rows.length, page.plan.examined, page.cursor], [3, 3, undefined]);
    }
  }));

test("the last page has no cursor, be it full or not", () =>
  withStore(async (store) => {
    await fill(store, [recordOf({ at: 1 }), recordOf({ at: 2 }), recordOf({ at: 3 })]);
    const first = await queryLog(store, { limit: 2, order: "oldest" });
    assert.equal(first.rows.length, 2);
    assert.equal(typeof first.cursor, "string");
    const cursor = first.cursor as string;
    const second = await queryLog(store, { limit: 1, order: "oldest", cursor });
    assert.deepEqual([second.rows.length, second.cursor], [1, undefined]);
  }));

test("a walk from new to old is not moved by what is appended meanwhile", () =>
  withStore(async (store) => {
    const log = new Log({ queueMax: 10_000, events: silent });
    log.attach(store);
    const before = Array.from({ length: 300 }, (_, at) => recordOf({ at, id: `old ${at}` }));
    const append = async (records: readonly LogRecord[]) => {
      for (const entry of records) log.append(entry);
      await eventually("an empty queue", () => log.waiting === 0);
    };
    await append(before);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await queryLog(store, {
        limit: 50,
        order: "newest",
        ...(cursor === undefined ? {} : { cursor }),
      });
      seen.push(...page.rows.map(({ id }) => id));
      cursor = page.cursor;
      await append(Array.from({ length: 20 }, (_, at) => recordOf({ at: 1_000 + at, id: "new" })));
    } while (cursor !== undefined);
    assert.deepEqual(seen, before.map(({ id }) => id).reverse());
    await log.close();
  }));

test("a walk from old to new comes past what is appended meanwhile, once", () =>
  withStore(async (store) => {
    const log = new Log({ queueMax: 10_000, events: silent });
    log.attach(store);
    const written: string[] = [];
    const append = async (count: number) => {
      for (let left = count; left > 0; left--) {
        const at = written.length;
        written.push(`${at}`);
        log.append(recordOf({ at, id: `${at}` }));
      }
      await eventually("an empty queue", () => log.waiting === 0);
    };
    await append(100);
    const seen: string[] = [];
    let cursor: string | undefined;
    for (const more of [30, 30, 0, 0, 0, 0, 0, 0]) {
      const page = await queryLog(store, {
        limit: 40,
        order: "oldest",
        ...(cursor === undefined ? {} : { cursor }),
      });
      seen.push(...page.rows.map(({ id }) => id));
      cursor = page.cursor;
      if (cursor === undefined) break;
      await append(more);
    }
    assert.deepEqual(seen, written);
    await log.close();
  }));

test("a record that is damaged is left out and the others are there", () =>
  withStore(async (store) => {
    await fill(store, [recordOf({ at: 1 }), recordOf({ at: 2 }), recordOf({ at: 3 })]);
    const records = store.table("records");
    const [, second] = records.keys({ limit: 2 });
    await store.write(() => records.put(second as Buffer, Buffer.from("nonsense")));
    const { rows } = await queryLog(store, { limit: 10, order: "oldest" });
    assert.deepEqual(
      rows.map(({ at }) => at),
      [1, 3],
    );
  }));

test("a cursor is read back, and no other text is one", () => {
  const position = fc.record(
    {
      at: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    },
    plain,
  );
  fc.assert(
    fc.property(position, fc.string({ maxLength: 30 }), (given, text) => {
      assert.deepEqual(readCursor(cursorOf(given)), given);
      const read = readCursor(text);
      if (read !== undefined) assert.equal(cursorOf(read), text);
      assert.equal(readCursor(`${cursorOf(given)}=`), undefined);
      assert.equal(readCursor(cursorOf(given).slice(1)), undefined);
    }),
  );
  assert.equal(readCursor(Buffer.alloc(16, 255).toString("base64url")), undefined);
});
