/**
 * Prints the folders of node_modules that the built daemon needs, one a line:
 * what it imports, and what that depends on. Tools that only build are left out.
 *
 *   node systemd/runtime_packages.mjs PACKAGE_FOLDER
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path";

const root = process.argv[2] ?? ".";
const read = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** @returns names of packages, `@scope/name` included, that the compiled files import */
function imported() {
  const names = new Set();
  for (const file of readdirSync(join(root, "dist"), { recursive: true })) {
    if (!file.endsWith(".js")) continue;
    const text = readFileSync(join(root, "dist", file), "utf8");
    for (const match of text.matchAll(/(?:from|import|import\(|require\()\s*"([^".][^"]*)"/g)) {
      const parts = match[1].split("/");
      const name = parts.slice(0, parts[0].startsWith("@") ? 2 : 1).join("/");
      if (!name.startsWith("node:") && !builtinModules.includes(name)) names.add(name);
    }
  }
  return names;
}

/** Where Node would find a package that is required from this folder. */
function find(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return found;
    if (folder === root || folder === dirname(folder)) return undefined;
  }
}

const needed = new Set();

function need(name, from, isOptional) {
  const folder = find(name, from);
  if (folder === undefined) {
    if (isOptional) return;
    throw new Error(
      `Expected package ${name} in ${join(root, "node_modules")} but it is not there`,
    );
  }
  if (needed.has(folder)) return;
  needed.add(folder);
  const { dependencies = {}, optionalDependencies = {} } = read(folder);
  for (const inner of Object.keys(dependencies)) need(inner, folder, inner in optionalDependencies);
  for (const inner of Object.keys(optionalDependencies)) need(inner, folder, true);
}

const { dependencies = {}, optionalDependencies = {} } = read(root);
const own = { ...dependencies, ...optionalDependencies };
for (const name of imported()) if (name in own) need(name, root, name in optionalDependencies);
for (const folder of needed) process.stdout.write(`${relative(root, folder)}\n`);
