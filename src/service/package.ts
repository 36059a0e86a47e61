/** What this package says of itself, and where its own files lie. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);

/** The model that comes with the package. */
export const shippedModelPath = fileURLToPath(new URL("models/ghostai-small", root));

interface Package {
  readonly version: string;
  readonly engines: { readonly node: string };
}

function readPackage(): Package {
  return JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
}

/** @returns the version in package.json */
export function packageVersion(): string {
  return readPackage().version;
}

/** @returns which Node is supported: from a major and minor version on, below another major one */
export function packageEngines(): { readonly from: [number, number]; readonly below: number } {
  const [, major, minor, below] = />=(\d+)\.(\d+) <(\d+)/.exec(readPackage().engines.node) ?? [];
  return { from: [Number(major), Number(minor)], below: Number(below) };
}
