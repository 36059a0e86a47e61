/** What this package says of itself, and where its own files lie. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);

/** The model that comes with the package. */
export const shippedModelPath = fileURLToPath(new URL("models/ghostai-small", root));

/** @returns the version in package.json */
export function packageVersion(): string {
  const text = readFileSync(new URL("package.json", root), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
