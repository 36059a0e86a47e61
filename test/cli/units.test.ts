/** Parts of the command line that need no process: arguments, lines, order, answers, table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseArguments, UsageError } from "../../src/cli/arguments.ts";
import { readLines } from "../../src/cli/lines.ts";
import { inOrder } from "../../src/cli/ordered.ts";
import { tableHead, tableRows } from "../../src/cli/table.ts";
import { planCores } from "../../src/service/affinity.ts";

const kinds = { valued: ["--text", "--port"], switches: ["--table"] };

test("arguments: values, repeats, switches, positionals", () => {
  const given = parseArguments(
    ["a", "--text", "-x", "--table", "--text=y=z", "-", "--", "--port"],
    kinds,
  );
  assert.deepEqual(given.values.get("--text"), ["-x", "y=z"]);
  assert.deepEqual([...given.switches], ["--table"]);
  assert.deepEqual(given.positionals, ["a", "-", "--port"]);
});

test("arguments: unknown flags and missing values", () => {
  assert.throws(() => parseArguments(["--tex", "a"], kinds), UsageError);
  assert.throws(() => parseArguments(["--table=1"], kinds), UsageError);
  assert.throws(() => parseArguments(["--text"], kinds), /Expected a value after --text/);
});

async function* chunked(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

test("property: lines are those of the text, however it is cut into chunks", () =>
  fc.assert(
    fc.asyncProperty(
      fc.string({ unit: fc.constantFrom("a", "\n", "é") }),
      fc.integer({ min: 1, max: 7 }),
      async (text, size) => {
        const lines = await all(readLines(chunked(Buffer.from(text), size), 1000));
        const expected = text.split("\n");
        if (expected.at(-1) === "") expected.pop();
        assert.deepEqual(
          lines.map(({ number, bytes }) => [number, bytes?.toString()]),
          expected.map((line, at) => [at + 1, line]),
        );
      },
    ),
  ));

test("a line that is too long is skipped, and the next is read", async () => {
  const lines = await all(readLines(chunked(Buffer.from("aaaaaa\nbb\ncccccc"), 2), 5));
  assert.deepEqual(
    lines.map(({ number, bytes }) => [number, bytes?.toString()]),
    [
      [1, undefined],
      [2, "bb"],
      [3, undefined],
    ],
  );
});

test("property: results keep the order, and no more than allowed is under way", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(3)),
      fc.integer({ min: 1, max: 5 }),
      async (turns, concurrencyMax) => {
        let underWay = 0;
        const source = (async function* () {
          yield* turns.entries();
        })();
        const results = inOrder(source, concurrencyMax, async ([index, count]) => {
          underWay++;
          assert.ok(underWay <= concurrencyMax);
          for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
          underWay--;
          return index;
        });
        assert.deepEqual(await all(results), [...turns.keys()]);
      },
    ),
  ));

test("a result comes while the source has nothing more to give", async () => {
  let end = () => {};
  const source = (async function* () {
    yield 1;
    await new Promise<void>((resolve) => {
      end = resolve;
    });
  })();
  const results = inOrder(source, 4, async (item) => item);
  assert.deepEqual(await results.next(), { value: 1, done: false });
  const last = results.next();
  await new Promise(setImmediate);
  end();
  assert.equal((await last).done, true);
});

test("an error of the source comes after the results before it", async () => {
  const source = (async function* () {
    yield 1;
    throw new Error("broken");
  })();
  const results = inOrder(source, 4, async (item) => item);
  assert.equal((await results.next()).value, 1);
  await assert.rejects(results.next(), /broken/);
});

test("the table has a line a verdict, and nothing that moves a cursor", () => {
  assert.match(tableHead(), /^verdict +score +scanner +id +findings\n$/);
  const finding = { label: "model/attack", score: 0.9 };
  const one = {
    id: "a\u001b[2J",
    verdict: "block",
    threat_score: 0.9,
    scanner_type: "model",
    findings: [finding, finding],
  };
  assert.match(tableRows(one), /^block +0\.900 +model +a\?\[2J +model\/attack\n$/);
  assert.equal(tableRows({ results: [one, one] }).split("\n").length, 3);
  const failed = { error: { code: "malformed_json", message: "no" }, line: 7 };
  assert.match(tableRows(failed), /^error +line 7 +no\n$/);
});

test("cores: the event loop has the first, inference the others; one core pins nothing", () => {
  assert.deepEqual(planCores([0], 0, true), { inference: [], threads: 1 });
  assert.deepEqual(planCores([2, 5], 0, true), { eventLoop: 2, inference: [5], threads: 1 });
  assert.deepEqual(planCores([0, 1, 2, 3, 4, 5, 6, 7], 0, true), {
    eventLoop: 0,
    inference: [1, 2, 3, 4],
    threads: 4,
  });
  assert.deepEqual(planCores([0, 1, 2], 1, true), { eventLoop: 0, inference: [1], threads: 1 });
  assert.deepEqual(planCores([0, 1, 2], 3, true), { inference: [], threads: 3 });
  assert.deepEqual(planCores([0, 1, 2], 0, false), { inference: [], threads: 2 });
});
