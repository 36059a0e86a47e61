/** Reads the source itself: direction of imports, single importers, dead files, words that do not belong. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && existsSync(file));
const sources = files.filter((file) => file.startsWith("src/") && file.endsWith(".ts"));
const read = (file: string) => readFileSync(file, "utf8");

/** Rooms from the bottom up: a file may import from lower floors, its own room, and rooms named beside it. */
const floors: readonly (readonly string[])[] = [
  ["types", "errors", "bounded"],
  ["client"],
  ["config"],
  ["text", "scan", "policy"],
  ["model", "store", "cache", "log", "metrics", "access", "redact"],
  ["inspect"],
  ["alerts", "profile", "dashboard"],
  ["http"],
  ["service", "main"],
  ["cli"],
];
/** Neighbours on one floor that may be imported: a scanner reads readings, the log and the cache keep in the store, main wires services, errors name nothing. */
const neighbours: Readonly<Record<string, readonly string[]>> = {
  scan: ["text"],
  cache: ["store"],
  log: ["store"],
  main: ["service"],
};
/** Packages that one file alone may import. */
const soleImporters: Readonly<Record<string, string>> = {
  "uWebSockets.js": "src/http/server.ts",
  "prom-client": "src/metrics/metrics.ts",
  lmdb: "src/store/lmdb.ts",
  msgpackr: "src/store/codec.ts",
  "lru-cache": "src/cache/memory.ts",
  re2js: "src/scan/phrases.ts",
  "eld/extrasmall": "src/scan/detect.ts",
};

function room(file: string): string {
  const [first = ""] = file.slice("src/".length).split("/");
  return first.replace(/\.ts$/, "");
}

function importsOf(file: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s[^"';]*?from\s+"([^"]+)"|import\("([^"]+)"\)|(?:^|\n)import\s+"([^"]+)"/g;
  return [...read(file).matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

function local(file: string, specifier: string): string {
  return normalize(join(dirname(file), specifier));
}

test("imports go down the floors of the house", () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const from = room(file);
    const floor = floors.findIndex((rooms) => rooms.includes(from));
    assert.notEqual(floor, -1, `${file} lies in no known room`);
    for (const specifier of importsOf(file).filter((name) => name.startsWith("."))) {
      const target = local(file, specifier);
      assert.ok(existsSync(target), `${file} imports ${specifier}, which is not there`);
      const to = room(target);
      const below = floors.findIndex((rooms) => rooms.includes(to)) < floor;
      if (to !== from && !below && !neighbours[from]?.includes(to))
        wrong.push(`${file} -> ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("a package with one importer is imported there alone", () => {
  for (const file of sources) {
    for (const specifier of importsOf(file)) {
      const sole = soleImporters[specifier];
      if (sole !== undefined) assert.equal(file, sole, `${file} imports ${specifier}`);
    }
  }
});

test("the addon is loaded in one file", () => {
  const loaders = sources.filter((file) => read(file).includes("ghostai.node"));
  assert.deepEqual(loaders, ["src/model/native.ts"]);
});

test("no source file is dead", () => {
  const reached = new Set<string>();
  const visit = (file: string) => {
    if (reached.has(file) || !existsSync(file)) return;
    reached.add(file);
    for (const specifier of importsOf(file).filter((name) => name.startsWith("."))) {
      visit(local(file, specifier));
    }
  };
  visit("src/cli/main.ts");
  assert.deepEqual(
    sources.filter((file) => !reached.has(file)),
    [],
  );
});

test("the repository speaks of the product alone", () => {
  const banned: readonly [pattern: RegExp, except: RegExp][] = [
    [/\b(TODO|FIXME|XXX|HACK)\b/, /^models\/training\/phrases\//],
    [/\.\.\/shared/, /^(\.ci\/|models\/training\/)/],
    [/(^|[^A-Za-z0-9_.])\/(work|root)\//m, /^$/],
    [/"resolved": *"https?:/, /^$/],
    [/\b(test|it|describe)\.(only|todo)\b/, /^$/],
  ];
  const textual = files.filter((file) =>
    /\.(ts|cc|h|py|sh|md|json|yaml|yml|txt)$|^\.ci\//.test(file),
  );
  for (const file of textual.filter((name) => name !== "test/tidy.test.ts")) {
    if (/tokenizer\.json$|^test\/golden\//.test(file)) continue;
    for (const [pattern, except] of banned) {
      if (!except.test(file)) assert.doesNotMatch(read(file), pattern, file);
    }
  }
});
