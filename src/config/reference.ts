/** The reference page, the help and the installed files of the settings, written from their table. */
import {
  environmentOf,
  flagOf,
  reloadsOf,
  type Setting,
  type SettingKey,
  settingKeys,
  settings,
} from "./schema.ts";

function cell(value: unknown): string {
  return value === "" ? "(empty)" : `\`${value}\``;
}

/** @returns docs/settings.md; `ghostai serve --help` and the page say the same. */
export function settingsReference(): string {
  const sections = settingKeys.map((key) => {
    const setting: Setting<unknown> = settings[key];
    return [
      `## ${key}`,
      "",
      setting.doc,
      "",
      `- expected: ${setting.expected}`,
      `- default: ${cell(setting.default)}`,
      `- flag: \`${flagOf(key)}\``,
      `- environment: \`${environmentOf(key)}\``,
      "",
    ].join("\n");
  });
  return `# Settings

A flag wins over the environment, the environment over the YAML file, the file over the default. The
file is named by \`--config FILE\` or \`GHOSTAI_CONFIG\`; in it, dotted keys are nested:

    port: 5004
    model:
      threads: 2

An unknown key or a value out of range ends the start with one line that says what was expected.
This page is generated from \`src/config/schema.ts\` by \`test/generate/settings_reference.ts\`.

${sections.join("\n")}`;
}

/** @returns one line a setting for `--help` */
export function settingsHelp(): string {
  const width = Math.max(...settingKeys.map((key) => flagOf(key).length));
  return settingKeys
    .map((key) => {
      const setting: Setting<unknown> = settings[key];
      const standard = setting.default === "" ? "none" : String(setting.default);
      const [first = ""] = setting.doc.split(/(?<=[.;:]) /);
      return `  ${flagOf(key).padEnd(width)}  ${first.replace(/[;:]$/, ".")} (${setting.expected}; default ${standard})`;
    })
    .join("\n");
}

/** What the systemd units set themselves, because it follows the folders that they own. */
export const unitSettings: Partial<Record<SettingKey, string>> = {
  socketPath: "/run/ghostai/ghostai.sock",
  adminSocketPath: "/run/ghostai/ghostai-admin.sock",
  "store.path": "/var/lib/ghostai/store",
};

/** Where an installed daemon differs from the default: the group's members are its clients. */
const installedSettings: Partial<Record<SettingKey, string>> = { socketMode: "0660" };

const commentWidth = 98;

function comment(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= commentWidth) lines.push(`# ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** The doc of a setting, notes on it, and the line that sets it. */
function entry(key: SettingKey, notes: readonly string[], line: string): string {
  const setting: Setting<unknown> = settings[key];
  const standard = setting.default === "" ? "nothing" : String(setting.default);
  const facts = `Expected: ${setting.expected}. Default: ${standard}.`;
  const lines = [setting.doc, [facts, ...notes].join(" ")].flatMap(comment);
  return [...lines, line, ""].join("\n");
}

/** @returns systemd/ghostai.yaml; keys are written whole, so that each line can be uncommented alone */
export function exampleYaml(): string {
  const entries = settingKeys.map((key) => {
    const byUnit = unitSettings[key];
    const notes = [reloadsOf(key) ? "A reload takes it over." : "A change needs a restart."];
    if (byUnit !== undefined) {
      notes.push(
        "The systemd unit sets it, which wins over this file: change it in the .env file.",
      );
    }
    const installed = installedSettings[key];
    const value = JSON.stringify(installed ?? byUnit ?? settings[key].default);
    return entry(key, notes, `${installed === undefined ? "#" : ""}${key}: ${value}`);
  });
  return `# Settings of ghostai, each with its default. An environment variable wins over a line here.
# \`systemctl reload\` reads this file again; a wrong one is refused and the old settings stay.

${entries.join("\n")}`;
}

/** @returns systemd/ghostai.env, in the form that systemd reads */
export function environmentFile(): string {
  const entries = settingKeys.map((key) => {
    const byUnit = unitSettings[key];
    const notes =
      byUnit === undefined
        ? []
        : ["The systemd unit sets it as below; a line here wins over that."];
    return entry(key, notes, `#${environmentOf(key)}=${byUnit ?? settings[key].default}`);
  });
  return `# Environment of ghostai. A line here wins over the YAML file of settings.
# systemd reads this file when the daemon starts, so that every change needs a restart.

${entries.join("\n")}`;
}
