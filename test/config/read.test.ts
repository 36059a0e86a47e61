/** Settings: which source wins, and what a wrong one says. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readSettings, SettingsError } from "../../src/config/read.ts";
import { settingsHelp, settingsReference } from "../../src/config/reference.ts";
import {
  environmentOf,
  flagOf,
  type Setting,
  settingKeys,
  settings,
} from "../../src/config/schema.ts";

const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
after(() => rmSync(folder, { recursive: true }));

function yaml(content: string): string {
  const file = join(folder, "settings.yaml");
  writeFileSync(file, content);
  return file;
}

function refused(
  flags: Record<string, string>,
  environment: Record<string, string>,
  message: string | RegExp,
) {
  assert.throws(
    () => readSettings({ flags, environment }),
    (error: Error) => {
      assert.ok(error instanceof SettingsError);
      assert.doesNotMatch(error.message, /\n/);
      if (typeof message === "string") assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    },
  );
}

test("every default is within its own range", () => {
  for (const key of settingKeys) {
    const setting: Setting<unknown> = settings[key];
    assert.equal(setting.schema.safeParse(setting.default).success, true, key);
  }
});

test("a flag wins over the environment, that over the file, that over the default", () => {
  const file = yaml("port: 1\nmodel:\n  threads: 3\n  pin: false\ncache.ttlMs: 7\nhost: '::1'\n");
  const read = readSettings({
    flags: { "--port": "3", "--config": file, "--model-pin": "true" },
    environment: { GHOSTAI_PORT: "2", GHOSTAI_MODEL_QUEUE_MAX: "9", GHOSTAI_SOCKET_PATH: "" },
  });
  assert.equal(read.port, 3);
  assert.equal(read["model.queueMax"], 9);
  assert.equal(read["model.threads"], 3);
  assert.equal(read["model.pin"], true);
  assert.equal(read["cache.ttlMs"], 7);
  assert.equal(read.host, "::1");
  assert.equal(read.socketPath, "");
  assert.equal(read.bodyBytesMax, 1_048_576);
  const byVariable = readSettings({ flags: {}, environment: { GHOSTAI_CONFIG: file } });
  assert.equal(byVariable.port, 1);
});

test("names are made from the key; kernels have their own", () => {
  assert.equal(flagOf("bodyBytesPerSecondMin"), "--body-bytes-per-second-min");
  assert.equal(environmentOf("socketPath"), "GHOSTAI_SOCKET_PATH");
  assert.equal(environmentOf("cache.entriesMax"), "GHOSTAI_CACHE_ENTRIES_MAX");
  assert.equal(environmentOf("cache.disk.ttlMs"), "GHOSTAI_CACHE_DISK_TTL_MS");
  assert.equal(environmentOf("model.kernels"), "GHOSTAI_KERNELS");
});

test("a wrong value says what was expected, what came and from where", () => {
  refused({ "--port": "70000" }, {}, "Expected 0-65535 for port but received 70000 (from --port)");
  refused(
    {},
    { GHOSTAI_PORT: "x y" },
    'Expected 0-65535 for port but received "x y" (from GHOSTAI_PORT)',
  );
  refused({ "--port": "" }, {}, 'Expected 0-65535 for port but received "" (from --port)');
  refused({ "--port": "1.5" }, {}, "Expected 0-65535 for port but received 1.5 (from --port)");
  refused({ "--port": "0x10" }, {}, /received 0x10/);
  refused({ "--model-pin": "yes" }, {}, /Expected true or false for model.pin but received yes/);
  refused({ "--socket-path": "a".repeat(108) }, {}, /at most 107 bytes/);
  refused(
    {},
    { GHOSTAI_CONFIG: yaml("port: '80'") },
    /Expected 0-65535 for port but received 80 \(from .*yaml\)/,
  );
  refused(
    {},
    { GHOSTAI_CONFIG: yaml("model: 3") },
    /Expected settings by name under model but received 3/,
  );
  refused({}, { GHOSTAI_CONFIG: yaml("- 1") }, /Expected settings by name but received \[1\]/);
});

test("unknown keys are refused wherever they stand", () => {
  refused({ "--prot": "1" }, {}, "There is no setting --prot");
  refused({}, { GHOSTAI_PROT: "1" }, "There is no setting GHOSTAI_PROT (from the environment)");
  refused({}, { GHOSTAI_MODEL_KERNELS: "" }, /no setting GHOSTAI_MODEL_KERNELS/);
  refused(
    { "--config": yaml("model:\n  thread: 1") },
    {},
    /There is no setting model.thread \(from/,
  );
  refused({ "--config": yaml("toString: 1") }, {}, /There is no setting toString/);
  readSettings({ flags: {}, environment: { GHOSTAI_DEV_DATA: "somewhere", HOME: "/" } });
});

test("a file that is missing, empty or no YAML", () => {
  refused(
    { "--config": join(folder, "none.yaml") },
    {},
    /settings file at .*none.yaml but got ENOENT/,
  );
  refused({ "--config": folder }, {}, /but got EISDIR/);
  refused({ "--config": yaml("a: [") }, {}, /^Expected YAML in /);
  refused({ "--config": yaml("port: 1\nport: 2") }, {}, /^Expected YAML in /);
  assert.equal(readSettings({ flags: { "--config": yaml("") }, environment: {} }).port, 5004);
  assert.equal(
    readSettings({ flags: { "--config": yaml("# nothing\n") }, environment: {} }).port,
    5004,
  );
});

test("docs/settings.md is what the table says", () => {
  assert.equal(readFileSync("docs/settings.md", "utf8"), settingsReference());
});

test("the help names every flag", () => {
  const help = settingsHelp();
  for (const key of settingKeys) assert.ok(help.includes(`${flagOf(key)} `), key);
});
