/**
 * `npm run test:schemathesis`: requests made from the OpenAPI documents, right and wrong ones, against
 * the built daemon; every answer must be what the document says. Wants schemathesis from PyPI; ends
 * non-zero when it finds anything.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { run, withDaemon, withFolder } from "../e2e/harness.ts";

const version = "4.32.5";
const command = process.env.GHOSTAI_TEST_SCHEMATHESIS ?? "schemathesis";
const cases = process.env.GHOSTAI_TEST_SCHEMATHESIS_CASES ?? "1000";

const configuration = "test/schemathesis/schemathesis.toml";

const missing = `Expected schemathesis ${version}, in PATH or named by GHOSTAI_TEST_SCHEMATHESIS. Install it with

  python3 -m venv /tmp/schemathesis && /tmp/schemathesis/bin/pip install schemathesis==${version}
  GHOSTAI_TEST_SCHEMATHESIS=/tmp/schemathesis/bin/schemathesis npm run test:schemathesis
`;

/** @returns whether nothing was found */
async function checked(name: string, url: string, more: readonly string[] = []): Promise<boolean> {
  process.stdout.write(`\n== ${name}\n`);
  const settings = ["--checks", "all", "--max-examples", cases, "--generation-database", "none"];
  const args = [
    "--config-file",
    configuration,
    "run",
    `${url}/openapi.json`,
    ...settings,
    "--no-color",
    ...more,
  ];
  const [code] = await once(spawn(command, args, { stdio: "inherit" }), "close");
  return code === 0;
}

/** Gives a Unix socket a TCP port: schemathesis asks over TCP alone. */
async function withPort<T>(socketPath: string, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((client) => {
    const daemon = connect(socketPath);
    client.pipe(daemon).pipe(client);
    for (const [one, other] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

async function runAll(): Promise<boolean> {
  const found: boolean[] = [];
  await withDaemon([], async ({ url, adminSocketPath }) => {
    found.push(await checked("the public listener", url));
    await withPort(adminSocketPath, async (port) => {
      found.push(await checked("the operators' socket", port));
    });
  });
  await withFolder(async (folder) => {
    const keys = join(folder, "keys.json");
    const { stdout } = await run(["key", "add", "schemathesis", "--file", keys]);
    const header = ["--header", `x-api-key: ${stdout.trim()}`];
    await withDaemon(["--keys-file", keys, "--keys-on-loopback", "true"], async ({ url }) => {
      found.push(await checked("the public listener, with keys", url, header));
    });
  });
  return found.every(Boolean);
}

if (spawnSync(command, ["--version"]).status === 0) {
  process.exitCode = (await runAll()) ? 0 : 1;
} else {
  process.stderr.write(missing);
  process.exitCode = 1;
}
