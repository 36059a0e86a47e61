/** Every bench is explained, and the reports that are kept have the rows that they should. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { reportSchema } from "./rows.ts";

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as {
  scripts: Record<string, string>;
};
const readme = readFileSync("bench/README.md", "utf8");
const benches = Object.keys(scripts).filter((name) => name.startsWith("bench:") || name === "eval");
/** Sections by the scripts that their headings name. */
const sections = readme.split(/^## /m).slice(1);
const sectionOf = (name: string) =>
  sections.find((section) => section.split("\n", 1)[0]?.includes(`\`${name}\``));

test("every bench has a section: what, how, what would be unfair, its command, its result", () => {
  for (const name of benches) {
    const section = sectionOf(name);
    assert.ok(section, `bench/README.md has no heading with \`${name}\``);
    assert.ok(section.includes(`npm run ${name}`), `${name}: no command`);
    if (name === "bench:plot") continue;
    for (const word of ["**Measures.**", "**Unfair**", "**Result.**"])
      assert.ok(section.includes(word), `${name}: nothing about ${word}`);
  }
});

test("bench/README.md names no script that is not there", () => {
  for (const [, name = ""] of readme.matchAll(/npm run ([a-z:]+)/g)) assert.ok(scripts[name], name);
});

test("results that bench/README.md names are there", () => {
  const named = [...readme.matchAll(/\]\((results\/[^)]+)\)/g)].map(([, file]) => `bench/${file}`);
  assert.ok(named.length > 0);
  for (const file of named) assert.ok(existsSync(file), file);
});

for (const name of ["model", "tokenizer", "kernels"]) {
  test(`the kept result of bench:${name} has rows of the common form`, () => {
    reportSchema.parse(JSON.parse(readFileSync(`bench/results/${name}.json`, "utf8")));
  });
}
