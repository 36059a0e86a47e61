/** Settings as the commands take them. */
import { readSettings } from "../config/read.ts";
import { flagOf, type Settings, settingKeys, settings } from "../config/schema.ts";
import { type Arguments, UsageError } from "./arguments.ts";

/** Flags of settings; every command that opens the model takes them. */
export const settingFlags: readonly string[] = ["--config", ...settingKeys.map(flagOf)];

/** Flags that need no value: without one they mean true. */
export const booleanFlags: readonly string[] = settingKeys
  .filter((key) => typeof settings[key].default === "boolean")
  .map(flagOf);

/** @returns the admin socket that the command asks: --socket, or that of the settings. @throws SettingsError or UsageError */
export function adminSocket(given: Arguments): string {
  const [path = settingsFrom(given).adminSocketPath] = given.values.get("--socket") ?? [];
  if (path === "") throw new UsageError("Expected --socket or the setting adminSocketPath");
  return path;
}

/** @throws SettingsError, or UsageError where a setting is given twice */
export function settingsFrom({ values }: Arguments): Settings {
  const flags: Record<string, string> = {};
  for (const flag of settingFlags) {
    const [value, second] = values.get(flag) ?? [];
    if (second !== undefined) throw new UsageError(`Expected ${flag} once`);
    if (value !== undefined) flags[flag] = value;
  }
  return readSettings({ flags, environment: process.env });
}

/** @throws UsageError where the command was given anything but flags */
export function refusePositionals({ positionals }: Arguments): void {
  const [first] = positionals;
  if (first !== undefined) throw new UsageError(`Expected no argument but received ${first}`);
}
