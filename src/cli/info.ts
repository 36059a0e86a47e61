/** `ghostai info`: what a daemon with these settings would run with. */
import { randomBytes } from "node:crypto";
import { describe, openService } from "../service/service.ts";
import { parseArguments } from "./arguments.ts";
import { refusePositionals, settingFlags, settingsFrom } from "./settings.ts";

export const infoHelp = `Usage: ghostai info [flags]

Opens the model, checks it with its self-test and prints as JSON what GET /v1/info answers: version,
model with its hash, CPU kernels, cores and limits. Takes the flags of \`ghostai serve\`.
`;

/** @returns the exit code */
export async function infoCommand(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, { valued: settingFlags, switches: [] });
  refusePositionals(given);
  const settings = settingsFrom(given);
  const service = await openService(
    settings,
    { stage() {}, cache() {}, finding() {} },
    { secret: randomBytes(32) },
  );
  process.stdout.write(`${JSON.stringify(describe(service, settings), null, 2)}\n`);
  await service.close();
  return 0;
}
