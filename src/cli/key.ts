/** `ghostai key`: the file of API keys. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { AccessError, makeKey, readKeys } from "../access/keys.ts";
import { type Arguments, parseArguments, UsageError } from "./arguments.ts";
import { settingFlags, settingsFrom } from "./settings.ts";

export const keyHelp = `Usage: ghostai key add NAME [--file FILE] [--rate N] [--policies NAME,NAME]
       ghostai key remove NAME [--file FILE]
       ghostai key list [--file FILE]

Keeps the file of API keys (default: the setting keysFile). add prints the new key, once: the file has
its hash alone. --rate is the most requests a second, --policies what the key may ask for (default any).
A running daemon takes the file over on reload.
`;

interface KeysFile {
  keys: { name: string; sha256: string; policies: string[]; requestsPerSecondMax?: number }[];
}

function load(file: string): KeysFile {
  if (!existsSync(file)) return { keys: [] };
  readKeys(file);
  return JSON.parse(readFileSync(file, "utf8"));
}

/** Whoever reads the file finds the old one or the new one, never half of it. */
function save(file: string, content: KeysFile): void {
  const temporary = `${file}.new`;
  writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o640 });
  readKeys(temporary);
  renameSync(temporary, file);
}

function one(given: Arguments, flag: string): string | undefined {
  const [value, second] = given.values.get(flag) ?? [];
  if (second !== undefined) throw new UsageError(`Expected ${flag} once`);
  return value;
}

function add(file: string, name: string, given: Arguments): void {
  const content = load(file);
  if (content.keys.some((key) => key.name === name)) {
    throw new AccessError(`The keys' file ${file} has the name ${name} already`);
  }
  const { key, sha256 } = makeKey();
  const rate = one(given, "--rate");
  if (rate !== undefined && !(Number(rate) > 0)) {
    throw new UsageError(`Expected a number above 0 for --rate but received ${rate}`);
  }
  content.keys.push({
    name,
    sha256,
    policies: (one(given, "--policies") ?? "*").split(","),
    ...(rate === undefined ? {} : { requestsPerSecondMax: Number(rate) }),
  });
  save(file, content);
  process.stdout.write(`${key}\n`);
}

function remove(file: string, name: string): void {
  const content = load(file);
  const keys = content.keys.filter((key) => key.name !== name);
  if (keys.length === content.keys.length) {
    throw new AccessError(`The keys' file ${file} has no name ${name}`);
  }
  save(file, { keys });
}

/** @returns the exit code */
export async function keyCommand(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, {
    valued: [...settingFlags, "--file", "--rate", "--policies"],
    switches: [],
  });
  const [command, name, ...rest] = given.positionals;
  const file = one(given, "--file") ?? settingsFrom(given).keysFile;
  if (file === "") throw new UsageError("Expected --file or the setting keysFile");
  if (rest.length > 0) throw new UsageError(`Expected one name but received ${rest[0]} too`);
  if (command === "list" && name === undefined) {
    for (const key of load(file).keys) {
      const rate = key.requestsPerSecondMax ?? "any";
      process.stdout.write(`${key.name} policies ${key.policies.join(",")} rate ${rate}\n`);
    }
  } else if (command === "add" && name !== undefined) add(file, name, given);
  else if (command === "remove" && name !== undefined) remove(file, name);
  else throw new UsageError("Expected add NAME, remove NAME or list");
  return 0;
}
