/** Tables of bytes: ranges, atomic writes, readers in other processes, and what an unclean end leaves. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";
import {
  endedUncleanly,
  type Range,
  Store,
  StoreError,
  setAside,
  storeSecret,
} from "../../src/store/lmdb.ts";
import { withFolder, withStore } from "./harness.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

test("what was written is read back as bytes, and an unknown key as nothing", () =>
  withStore(async (store) => {
    const table = store.table("scores");
    const value = Buffer.from([0, 1, 255, 128, 0]);
    await store.write(() => {
      table.put(bytes("a"), value);
      table.put(bytes("b"));
    });
    assert.deepEqual(table.get(bytes("a")), value);
    assert.equal(table.get(bytes("b"))?.length, 0);
    assert.equal(table.get(bytes("c")), undefined);
    assert.deepEqual([table.has(bytes("b")), table.has(bytes("c"))], [true, false]);
    assert.equal(table.count, 2);
    assert.equal(store.table("records").count, 0);
    await store.write(() => table.remove(bytes("a")));
    assert.deepEqual([table.get(bytes("a")), table.count], [undefined, 1]);
  }));

test("a value stays as it was read when it is overwritten later", () =>
  withStore(async (store) => {
    const table = store.table("records");
    const key = bytes("key");
    await store.write(() => table.put(key, bytes("first")));
    const first = table.get(key);
    const [entry] = table.entries({ limit: 1 });
    for (const round of Array.from({ length: 20 }, (_, at) => at)) {
      await store.write(() => table.put(key, bytes(`later ${round}`)));
    }
    assert.deepEqual([first, entry?.key, entry?.value], [bytes("first"), key, bytes("first")]);
  }));

/** What the range means, over keys that are in order. */
function expectedKeys(keys: readonly Buffer[], range: Range): Buffer[] {
  const { start, end, reverse = false, after = false, limit } = range;
  const sign = reverse ? -1 : 1;
  const inside = keys.filter((key) => {
    const toStart = start === undefined ? 1 : sign * Buffer.compare(key, start);
    const toEnd = end === undefined ? -1 : sign * Buffer.compare(key, end);
    return (after ? toStart > 0 : toStart >= 0) && toEnd < 0;
  });
  return (reverse ? inside.reverse() : inside).slice(0, limit);
}

test("ranges begin, end, turn and are limited as they say", () => {
  const key = fc
    .uint8Array({ minLength: 1, maxLength: 3, max: 3 })
    .map((array) => Buffer.from(array));
  const bound = fc.option(key, { nil: undefined });
  const range = fc.record({
    start: bound,
    end: bound,
    reverse: fc.boolean(),
    after: fc.boolean(),
    limit: fc.integer({ min: 1, max: 12 }),
  });
  return withStore(async (store) => {
    const table = store.table("by_time");
    await fc.assert(
      fc.asyncProperty(fc.array(key, { maxLength: 30 }), fc.array(range), async (keys, ranges) => {
        const there = table.keys({ limit: 1000 });
        await store.write(() => {
          for (const old of there) table.remove(old);
          for (const fresh of keys) table.put(fresh, Buffer.concat([bytes("of "), fresh]));
        });
        const sorted = [...new Map(keys.map((one) => [one.toString("hex"), one])).values()];
        sorted.sort(Buffer.compare);
        for (const { start, end, ...rest } of ranges) {
          const asked = {
            ...rest,
            after: start !== undefined && rest.after,
            ...(start === undefined ? {} : { start }),
            ...(end === undefined ? {} : { end }),
          };
          const wanted = expectedKeys(sorted, asked);
          assert.deepEqual(table.keys(asked), wanted);
          assert.deepEqual(
            table.entries(asked),
            wanted.map((found) => ({ key: found, value: Buffer.concat([bytes("of "), found]) })),
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("a write that throws on its way leaves nothing, over all tables", () =>
  withStore(async (store) => {
    await store.write(() => store.table("records").put(bytes("old")));
    await assert.rejects(
      store.write(() => {
        store.table("records").put(bytes("new"));
        store.table("by_time").put(bytes("new"));
        store.table("records").remove(bytes("old"));
        throw new Error("half way");
      }),
      (error) => error instanceof StoreError && /half way/.test(error.message),
    );
    assert.throws(() => store.table("records").put(bytes("outside")), StoreError);
    await store.write(() => store.table("by_score").put(bytes("later")), true);
    assert.deepEqual(store.table("records").keys({ limit: 9 }), [bytes("old")]);
    assert.equal(store.table("by_time").count, 0);
    assert.equal(store.table("by_score").count, 1);
  }));

test("another process reads what was committed and can write nothing", () =>
  withStore(async (store, folder) => {
    await store.write(() => store.table("records").put(bytes("key"), bytes("value")), true);
    const script = `
      import { Store } from ${JSON.stringify(pathToFileURL(resolve("src/store/lmdb.ts")).href)};
      const store = Store.open(process.argv[1], { readOnly: true });
      const table = store.table("records");
      const value = table.get(Buffer.from("key"))?.toString();
      const outcome = await store.write(() => table.put(Buffer.from("other"))).then(
        () => "written",
        (error) => error.name,
      ).catch((error) => error.message);
      await store.close();
      process.stdout.write(JSON.stringify({ value, outcome }));
      process.exit(0);
    `;
    const args = ["--import", "tsx", "--input-type=module", "--eval", script, "--", folder];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    assert.deepEqual(JSON.parse(stdout), { value: "value", outcome: "StoreError" });
    assert.equal(store.table("records").has(bytes("other")), false);
    assert.equal(endedUncleanly(folder), true, "the reader did not take the writer's mark away");
  }));

test("the folder is its owner's alone", () =>
  withStore((_store, folder) => {
    assert.equal(statSync(folder).mode & 0o077, 0);
  }));

test("a store that is open or was not closed says so, a closed one does not", () =>
  withFolder(async (parent) => {
    const folder = join(parent, "store");
    assert.equal(endedUncleanly(folder), false);
    const store = Store.open(folder);
    assert.equal(endedUncleanly(folder), true);
    await store.close();
    assert.equal(endedUncleanly(folder), false);
    const again = Store.open(folder);
    await again.close();
    assert.equal(endedUncleanly(folder), false);
  }));

test("the secret stays the same, is its owner's alone, and is made anew when it is cut short", () =>
  withFolder((folder) => {
    const secret = storeSecret(folder);
    assert.equal(secret.length, 32);
    assert.deepEqual(storeSecret(folder), secret);
    assert.equal(statSync(join(folder, "secret")).mode & 0o077, 0);
    writeFileSync(join(folder, "secret"), secret.subarray(0, 31));
    const other = storeSecret(folder);
    assert.equal(other.length, 32);
    assert.notDeepEqual(other, secret);
  }));

test("a store set aside lies beside the new folder, which has the secret and nothing else", () =>
  withFolder(async (parent) => {
    const folder = join(parent, "store");
    const secret = storeSecret(folder);
    const store = Store.open(folder);
    await store.write(() => store.table("records").put(bytes("key"), bytes("value")), true);
    await store.close();
    const target = setAside(folder, new Date("2026-01-31T12:34:56.789Z"));
    assert.equal(target, `${folder}.damaged-2026-01-31T12-34-56-789Z`);
    assert.equal(existsSync(join(target, "data.mdb")), true);
    assert.equal(existsSync(join(folder, "data.mdb")), false);
    assert.deepEqual(readFileSync(join(folder, "secret")), secret);
    assert.deepEqual(storeSecret(folder), secret);
    const fresh = Store.open(folder);
    assert.equal(fresh.table("records").count, 0);
    await fresh.close();
    const old = Store.open(target, { readOnly: true });
    assert.deepEqual(old.table("records").get(bytes("key")), bytes("value"));
    await old.close();
  }));

test("a folder that cannot be made or written is said in one line that names it", () =>
  withFolder((parent) => {
    writeFileSync(join(parent, "file"), "");
    mkdirSync(join(parent, "taken"));
    mkdirSync(join(parent, "taken", "data.mdb"));
    const oneLine = (folder: string) => (error: unknown) =>
      error instanceof StoreError &&
      error.message.includes(folder) &&
      !error.message.includes("\n") &&
      !error.isDiskFull;
    // Nobody may make files there, not even root.
    for (const folder of [join(parent, "file", "store"), "/proc/self"]) {
      assert.throws(() => storeSecret(folder), oneLine(folder));
      assert.throws(() => Store.open(folder), oneLine(folder));
    }
    const taken = join(parent, "taken");
    assert.throws(() => Store.open(taken), oneLine(taken));
    assert.equal(endedUncleanly(taken), false, "what was never open did not end");
    const none = join(parent, "none");
    assert.throws(() => Store.open(none, { readOnly: true }), oneLine(none));
  }));
