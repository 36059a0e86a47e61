/** Peers come from npm and are no dependencies of the product: a bench runs without them and says so. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The version that package.json names for a peer. */
function pinnedVersion(name: string): string {
  const file = new URL("../../package.json", import.meta.url);
  const { devDependencies } = JSON.parse(readFileSync(file, "utf8")) as {
    devDependencies: Record<string, string>;
  };
  const version = devDependencies[name];
  if (version === undefined) throw new Error(`Expected ${name} in devDependencies`);
  return version;
}

/** The version that is installed; undefined without one. */
export function installedVersion(name: string): string | undefined {
  try {
    require.resolve(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
  // The package may not export its package.json: it is looked for where Node looks for packages.
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return JSON.parse(readFileSync(`${folder}/${name}/package.json`, "utf8")).version;
    } catch {
      // Not in this one.
    }
  }
  return "unknown";
}

/** What to say of a peer that is not installed, with the one command that installs it. */
export function missingText(name: string): string {
  return `${name} is not installed: npm install --no-save ${name}@${pinnedVersion(name)}`;
}
