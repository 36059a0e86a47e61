/** Starts that cannot be, and stops that leave nobody without an answer. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { RawClient, scanHead } from "../http/harness.ts";
import { type Ended, modelPath, run, startDaemon, withDaemon, withFolder } from "./harness.ts";

/** One line on standard error, exit code 1, no stack trace. */
function assertOneLine({ code, stderr }: Ended, pattern: RegExp): void {
  assert.match(stderr, /^ghostai: [^\n]+\n$/);
  assert.match(stderr, pattern);
  assert.equal(code, 1);
}

function serve(folder: string, ...flags: string[]): Promise<Ended> {
  const socket = join(folder, "own.sock");
  return run(["serve", "--port", "0", "--socket-path", socket, ...flags]);
}

test("a port that is taken", async () => {
  const other = createServer();
  await new Promise<void>((listening) => other.listen(0, "127.0.0.1", listening));
  const { port } = other.address() as { port: number };
  const taken = await run(["serve", "--port", `${port}`, "--socket-path", ""]);
  other.close();
  assertOneLine(taken, new RegExp(`Port ${port} on 127.0.0.1 is in use`));
});

test("a second daemon on the port or on the socket of the first, which goes on", () =>
  withDaemon([], async ({ port, scan, socketPath }) => {
    const samePort = await run(["serve", "--port", `${port}`, "--socket-path", ""]);
    assertOneLine(samePort, /is in use by another process/);
    const sameSocket = await run(["serve", "--port", "0", "--socket-path", socketPath]);
    assertOneLine(sameSocket, /Another process answers on the socket/);
    const client = new RawClient({ path: socketPath });
    client.send("GET /readyz HTTP/1.1\r\nhost: t\r\n\r\n");
    await client.until(/200 OK/);
    client.socket.destroy();
    assert.equal((await scan({ text: "Hello" })).status, 200);
  }));

test("the socket file of a daemon that was killed is replaced", () =>
  withFolder(async (folder) => {
    const first = await startDaemon(folder);
    first.child.kill("SIGKILL");
    await first.ended;
    assert.equal(existsSync(first.socketPath), true);
    const second = await startDaemon(folder);
    const client = new RawClient({ path: second.socketPath });
    client.send("GET /readyz HTTP/1.1\r\nhost: t\r\n\r\n");
    await client.until(/200 OK/);
    client.socket.destroy();
    second.child.kill("SIGTERM");
    assert.equal((await second.ended).code, 0);
    assert.equal(existsSync(second.socketPath), false);
  }));

test("a folder that cannot be written", () =>
  withFolder(async (folder) => {
    writeFileSync(join(folder, "file"), "");
    const blocked = join(folder, "file", "run", "ghostai.sock");
    assertOneLine(await run(["serve", "--port", "0", "--socket-path", blocked]), /writable folder/);
    // Nobody may make files here, not even root.
    const unwritable = "/proc/ghostai.sock";
    assertOneLine(
      await run(["serve", "--port", "0", "--socket-path", unwritable]),
      /writable folder/,
    );
  }));

test("a model that is damaged, incomplete or not there", () =>
  withFolder(async (folder) => {
    const damaged = join(folder, "model");
    const isRuntimeFile = (source: string) => !source.endsWith(".safetensors");
    cpSync(modelPath, damaged, { recursive: true, filter: isRuntimeFile });
    const weights = readFileSync(join(damaged, "model.int8"));
    const middle = weights.length >> 1;
    weights.writeUInt8(weights.readUInt8(middle) ^ 1, middle);
    writeFileSync(join(damaged, "model.int8"), weights);
    assertOneLine(
      await serve(folder, "--model-path", damaged),
      /model\.int8: the checksum of section '[^']+' is off/,
    );
    writeFileSync(join(damaged, "manifest.json"), "{}");
    assertOneLine(
      await serve(folder, "--model-path", damaged),
      /manifest\.json is not as expected/,
    );
    const none = join(folder, "none");
    assertOneLine(await serve(folder, "--model-path", none), /manifest\.json but got ENOENT/);
    assert.equal(existsSync(join(folder, "own.sock")), false);
  }));

test("a setting that is wrong, and kernels that are not there", () =>
  withFolder(async (folder) => {
    assertOneLine(
      await serve(folder, "--model-threads", "many"),
      /Expected 0-256 for model.threads/,
    );
    assertOneLine(await serve(folder, "--model-kernels", "abacus"), /abacus/);
    const environment = { GHOSTAI_CACHE_TTL_MS: "-1" };
    assertOneLine(await run(["serve"], "", { environment }), /\(from GHOSTAI_CACHE_TTL_MS\)/);
  }));

test("an addon that was not built", () =>
  withFolder(async (folder) => {
    cpSync("dist", join(folder, "dist"), { recursive: true });
    cpSync("package.json", join(folder, "package.json"));
    symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
    mkdirSync(join(folder, "build"));
    const program = join(folder, "dist", "cli", "main.js");
    const args = ["serve", "--port", "0", "--socket-path", ""];
    assertOneLine(await run(args, "", { program }), /addon, which `npm run build` makes/);
  }));

test("an error that nobody caught ends the daemon with one line, not with a stack", () =>
  withFolder(async (folder) => {
    for (const failure of ["throw new Error('boom\\nmore')", "Promise.reject(new Error('boom'))"]) {
      // Fails once the command line runs, which it does when it listens for signals.
      const preload = `const wait = setInterval(() => {
        if (process.listenerCount("SIGTERM") === 0) return;
        clearInterval(wait);
        ${failure};
      }, 1)`;
      const url = `data:text/javascript,${encodeURIComponent(preload)}`;
      const environment = { NODE_OPTIONS: `--import=${url}` };
      const socket = join(folder, "own.sock");
      const args = ["serve", "--port", "0", "--socket-path", socket, "--store-path", ""];
      assertOneLine(await run(args, "", { environment }), /unexpected failure: boom$/m);
    }
  }));

test("SIGTERM: what was accepted is answered, what comes later refused, and it ends with 0", () =>
  withDaemon([], async (daemon) => {
    const { port, child, socketPath } = daemon;
    const health = "GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n";
    const body = JSON.stringify({ text: "What is the capital of France?" });
    const accepted = new RawClient({ path: socketPath });
    const later = new RawClient({ port });
    const half = body.length >> 1;
    accepted.send(scanHead(body.length) + body.slice(0, half));
    later.send(health);
    // Sent after the first half and answered: the daemon has seen that half too.
    await later.until(/\{"status":"ok"\}/);
    child.kill("SIGTERM");
    do {
      later.received = "";
      later.send("GET /readyz HTTP/1.1\r\nhost: t\r\n\r\n");
      await later.until(/"status":"ready"|shutting_down/);
    } while (!later.received.includes("503 "));
    later.received = "";
    later.send(scanHead(body.length) + body);
    await later.until(/503 .*retry-after.*shutting_down/s);
    later.received = "";
    later.send(health);
    await later.until(/200 OK/);
    assert.equal(existsSync(socketPath), false);
    await assert.rejects(daemon.scan({ text: "Hello" }));
    accepted.send(body.slice(half));
    await accepted.until(/200 OK.*"verdict":"allow"/s);
    const { code, stderr } = await daemon.ended;
    assert.deepEqual([code, stderr], [0, ""]);
  }));

test("SIGINT under load: every request that was accepted is answered", () =>
  withDaemon(["--deadline-ms", "600000", "--queue-wait-ms-max", "600000"], async (daemon) => {
    const body = JSON.stringify({
      texts: Array.from({ length: 30 }, (_, at) => `${at} ${"A walk in the park. ".repeat(40)}`),
    });
    const clients = Array.from({ length: 8 }, () => new RawClient({ port: daemon.port }));
    for (const client of clients) client.send(scanHead(body.length) + body);
    const health = new RawClient({ port: daemon.port });
    health.send("GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n");
    await health.until(/200 OK/);
    health.socket.destroy();
    daemon.child.kill("SIGINT");
    for (const client of clients) {
      await client.until(/200 OK.*\]\}$/s);
      assert.equal(client.received.match(/"verdict"/g)?.length, 30);
    }
    assert.equal((await daemon.ended).code, 0);
  }));
