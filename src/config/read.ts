/** Settings from flags, then environment, then the YAML file, then defaults. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import {
  environmentOf,
  flagOf,
  type Setting,
  type SettingKey,
  type Settings,
  settingKeys,
  settings,
} from "./schema.ts";

/** A setting is wrong; the message is one line that says what was expected, what came and from where. */
export class SettingsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SettingsError";
  }
}

export interface SettingsSources {
  /** Values by flag, `--port` for example. May hold `--config`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface Given {
  readonly value: unknown;
  readonly from: string;
}

const prefix = "GHOSTAI_";
const configVariable = "GHOSTAI_CONFIG";
/** Variables of the development tools, which the daemon leaves alone. */
const foreignVariables = new Set([configVariable, "GHOSTAI_DEV_DATA"]);

/** Flags and variables carry text; numbers and booleans are read from it, anything else stays text and fails its check. */
function fromText(setting: Setting<unknown>, value: string): unknown {
  if (typeof setting.default === "number" && /^-?\d{1,15}$/.test(value)) return Number(value);
  if (typeof setting.default === "boolean" && /^(true|false)$/.test(value)) return value === "true";
  return value;
}

function flatten(value: unknown, path: string, file: string, into: Map<SettingKey, Given>): void {
  if (Object.hasOwn(settings, path)) {
    into.set(path as SettingKey, { value, from: file });
    return;
  }
  const isRoomOfKeys = path === "" || settingKeys.some((key) => key.startsWith(`${path}.`));
  if (!isRoomOfKeys) throw new SettingsError(`There is no setting ${path} (from ${file})`);
  if (value === null && path === "") return; // an empty file
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const what = path === "" ? "settings by name" : `settings by name under ${path}`;
    throw new SettingsError(`Expected ${what} but received ${show(value)} (from ${file})`);
  }
  for (const [name, inner] of Object.entries(value)) {
    flatten(inner, path === "" ? name : `${path}.${name}`, file, into);
  }
}

function readFile(file: string): Map<SettingKey, Given> {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new SettingsError(`Expected a settings file at ${file} but got ${reason}`);
  }
  let parsed: unknown;
  try {
    parsed = parse(content);
  } catch (error) {
    const [reason = ""] = (error as Error).message.split("\n");
    throw new SettingsError(`Expected YAML in ${file}: ${reason.replace(/:$/, "")}`);
  }
  const given = new Map<SettingKey, Given>();
  flatten(parsed ?? null, "", file, given);
  return given;
}

function show(value: unknown): string {
  const shown = JSON.stringify(value) ?? String(value);
  const bare = typeof value === "string" && /^[\w./:-]+$/.test(value) ? value : shown;
  return bare.length > 80 ? `${bare.slice(0, 80)}…` : bare;
}

/** The first place that gives the setting wins. */
function find(
  key: SettingKey,
  sources: SettingsSources,
  file: ReadonlyMap<SettingKey, Given>,
): Given | undefined {
  const flag = flagOf(key);
  const byFlag = sources.flags[flag];
  if (byFlag !== undefined) return { value: fromText(settings[key], byFlag), from: flag };
  const variable = environmentOf(key);
  const byVariable = sources.environment[variable];
  if (byVariable !== undefined) {
    return { value: fromText(settings[key], byVariable), from: variable };
  }
  return file.get(key);
}

function refuseUnknown({ flags, environment }: SettingsSources): void {
  const knownFlags = new Set(["--config", ...settingKeys.map(flagOf)]);
  for (const flag of Object.keys(flags)) {
    if (!knownFlags.has(flag)) throw new SettingsError(`There is no setting ${flag}`);
  }
  const knownVariables = new Set([...foreignVariables, ...settingKeys.map(environmentOf)]);
  for (const variable of Object.keys(environment)) {
    if (variable.startsWith(prefix) && !knownVariables.has(variable)) {
      throw new SettingsError(`There is no setting ${variable} (from the environment)`);
    }
  }
}

/** Reads and checks every setting. @throws SettingsError */
export function readSettings(sources: SettingsSources): Settings {
  refuseUnknown(sources);
  const path = sources.flags["--config"] ?? sources.environment[configVariable] ?? "";
  const file = path === "" ? new Map<SettingKey, Given>() : readFile(path);
  const read = settingKeys.map((key): [SettingKey, unknown] => {
    const setting: Setting<unknown> = settings[key];
    const given = find(key, sources, file);
    if (given === undefined) return [key, setting.default];
    if (!setting.schema.safeParse(given.value).success) {
      const received = `received ${show(given.value)} (from ${given.from})`;
      throw new SettingsError(`Expected ${setting.expected} for ${key} but ${received}`);
    }
    return [key, given.value];
  });
  return Object.fromEntries(read) as Settings;
}
