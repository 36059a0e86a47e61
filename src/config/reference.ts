/** The reference page of the settings, written from their table. */
import { environmentOf, flagOf, type Setting, settingKeys, settings } from "./schema.ts";

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
