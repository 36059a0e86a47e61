/** What systemd/ holds of the settings: the generated files, and units that agree with them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { readSettings } from "../../src/config/read.ts";
import { environmentFile, exampleYaml, unitSettings } from "../../src/config/reference.ts";
import { environmentOf, type SettingKey, settingKeys, settings } from "../../src/config/schema.ts";

const generate = "run `node --import tsx test/generate/systemd_settings.ts`";
const read = (name: string) => readFileSync(`systemd/${name}`, "utf8");

/** Lines that set something once their comment sign is gone. */
function uncommented(content: string, pattern: RegExp): string[] {
  return content
    .split("\n")
    .map((line) => line.replace(/^#(?! )/, ""))
    .filter((line) => pattern.test(line));
}

test("the installed files are what the table says", () => {
  assert.equal(read("ghostai.yaml"), exampleYaml(), generate);
  assert.equal(read("ghostai.env"), environmentFile(), generate);
});

test("the YAML file is valid as it is, and with every line uncommented", () => {
  const asInstalled = readSettings({
    flags: { "--config": "systemd/ghostai.yaml" },
    environment: {},
  });
  const defaults = readSettings({ flags: {}, environment: {} });
  assert.deepEqual(asInstalled, { ...defaults, socketMode: "0660" });
  const lines = uncommented(exampleYaml(), /^[A-Za-z.]+: /);
  const all = parse(lines.join("\n")) as Record<string, unknown>;
  assert.deepEqual(Object.keys(all), settingKeys);
  for (const key of settingKeys) {
    const expected = unitSettings[key] ?? settings[key].default;
    if (key !== "socketMode") assert.deepEqual(all[key], expected, key);
  }
});

test("the environment file sets nothing, and every variable once uncommented", () => {
  assert.doesNotMatch(environmentFile(), /^[^#\n]/m);
  const lines = uncommented(environmentFile(), /^GHOSTAI_/);
  const environment = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  assert.deepEqual(Object.keys(environment), settingKeys.map(environmentOf));
  assert.deepEqual(readSettings({ flags: {}, environment }), {
    ...readSettings({ flags: {}, environment: {} }),
    ...unitSettings,
  });
});

test("the unit sets what the files say that it sets", () => {
  const lines = [...read("ghostai.service").matchAll(/^Environment=(.*)$/gm)].map(([, set]) => set);
  const expected = (Object.keys(unitSettings) as SettingKey[]).map(
    (key) => `${environmentOf(key)}=${unitSettings[key]}`,
  );
  assert.deepEqual(lines, expected);
});

test("the installed command has the unit's settings for whoever asks about the service", () => {
  const lines = [...read("service_settings.sh").matchAll(/export (\w+)="\$\{\1-(.*)\}"$/gm)];
  const given = Object.fromEntries(lines.map(([, variable, value]) => [variable, value]));
  const expected = (Object.keys(unitSettings) as SettingKey[]).map((key) => [
    environmentOf(key),
    unitSettings[key],
  ]);
  assert.deepEqual(given, {
    GHOSTAI_CONFIG: "/etc/ghostai/ghostai.yaml",
    ...Object.fromEntries(expected),
  });
});

test("an instance differs from the single service by its names alone", () => {
  const instance = read("ghostai.service")
    .replace(/^Description=.*$/m, "$& (%i)")
    .replaceAll("/etc/ghostai/ghostai.", "/etc/ghostai/%i.")
    .replaceAll("/run/ghostai/", "/run/ghostai-%i/")
    .replaceAll("/var/lib/ghostai", "/var/lib/ghostai-%i")
    .replace(/^((?:Runtime|State)Directory)=ghostai$/gm, "$1=ghostai-%i");
  assert.equal(read("ghostai@.service"), instance);
});
