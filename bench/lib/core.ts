/** One core for whatever is measured, ours and the peers alike. */
import { execFileSync } from "node:child_process";
import { native } from "../../src/model/native.ts";

/** The last core that this process may use: the first one often serves the interrupts. */
export function lastCore(): string {
  return String(native().system.allowedCores().at(-1) ?? 0);
}

/** Runs a program on that core alone. @returns what it printed @throws where it fails */
export function runOnCore(
  core: string,
  command: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string {
  return execFileSync("taskset", ["-c", core, command, ...args], {
    ...options,
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
}
