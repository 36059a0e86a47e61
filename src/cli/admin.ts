/** `ghostai stats`, `cache` and `config`: asks the running daemon through its admin socket. */

import { AdminClient } from "../client/admin.ts";
import { settingKeys } from "../config/schema.ts";
import { certificateOf, readAccess, refuseOpenDoor } from "../service/reload.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import { adminSocket, refusePositionals, settingFlags, settingsFrom } from "./settings.ts";

export const statsHelp = `Usage: ghostai stats [--socket PATH]

Prints as JSON how the running daemon does: latency and rates over 1, 5 and 60 minutes, peak and
sustained throughput, error rates, processor, memory, cache hit rates and the store.
`;

export const cacheHelp = `Usage: ghostai cache clear [--socket PATH]

Makes the running daemon forget every kept score, in memory and on disk.
`;

export const configHelp = `Usage: ghostai config [show|reload] [--socket PATH]
       ghostai config check [--config FILE] [flags]

show prints the running daemon's settings as JSON; reload makes it read them again, as SIGHUP does.
check reads the settings as a daemon would, with its keys' file and certificate, and says whether they are in order;
it needs no daemon. Exit code: 0 when they are, 1 when not.
`;

function read(args: readonly string[]) {
  return parseArguments(args, { valued: [...settingFlags, "--socket"], switches: [] });
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export async function statsCommand(args: readonly string[]): Promise<number> {
  const given = read(args);
  refusePositionals(given);
  print(await new AdminClient(adminSocket(given)).stats());
  return 0;
}

export async function cacheCommand(args: readonly string[]): Promise<number> {
  const given = read(args);
  const [command, ...rest] = given.positionals;
  if (command !== "clear" || rest.length > 0) throw new UsageError("Expected cache clear");
  print(await new AdminClient(adminSocket(given)).clearCache());
  return 0;
}

export async function configCommand(args: readonly string[]): Promise<number> {
  const given = read(args);
  const [command = "show", ...rest] = given.positionals;
  if (rest.length > 0) throw new UsageError(`Expected no argument but received ${rest[0]}`);
  if (command === "check") {
    const settings = settingsFrom(given);
    readAccess(settings);
    refuseOpenDoor(settings);
    certificateOf(settings);
    process.stdout.write(`${settingKeys.length} settings in order\n`);
    return 0;
  }
  const client = new AdminClient(adminSocket(given));
  if (command === "show") print(await client.config());
  else if (command === "reload") print(await client.reload());
  else throw new UsageError(`Expected show, reload or check but received ${command}`);
  return 0;
}
