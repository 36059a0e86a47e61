/** `ghostai version`. */
import { packageVersion } from "../service/package.ts";
import { parseArguments } from "./arguments.ts";
import { refusePositionals } from "./settings.ts";

export const versionHelp = `Usage: ghostai version

Prints the version of this package.
`;

/** @returns the exit code */
export async function versionCommand(args: readonly string[]): Promise<number> {
  refusePositionals(parseArguments(args, { valued: [], switches: [] }));
  process.stdout.write(`ghostai ${packageVersion()}\n`);
  return 0;
}
