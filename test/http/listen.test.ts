/** Listening: exclusive ports, socket files that are stale, live, or something else. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { HttpServer } from "../../src/http/server.ts";
import { ListenError, verifyListener } from "../../src/http/sockets.ts";
import { eventually, RawClient, withServer } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
after(() => rmSync(folder, { recursive: true }));

const other = () => new HttpServer(new Map(), () => {});

test("a port that another server has is refused in one line", () =>
  withServer({}, async ({ port }) => {
    const second = other();
    await assert.rejects(second.listenTcp("127.0.0.1", port), (error: Error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.message, `Port ${port} on 127.0.0.1 is in use by another process`);
      return true;
    });
    second.close();
  }));

test("an address that is not ours is refused in one line", async () => {
  const server = other();
  await assert.rejects(
    server.listenTcp("192.0.2.1", 0),
    /^ListenError: .*192\.0\.2\.1 port 0 but got \w+$/,
  );
  server.close();
});

test("both listeners answer, and stopping removes the socket file", () =>
  withServer({}, async ({ server }) => {
    const path = join(folder, "made", "too", "a.sock");
    await server.listenUnix(path);
    assert.equal(statSync(path).isSocket(), true);
    const client = new RawClient({ path });
    client.send("GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n");
    await client.until(/200 OK.*\{"status":"ok"\}/s);
    client.socket.destroy();
    server.stopAccepting();
    assert.equal(existsSync(path), false);
  }));

test("a socket on which another server answers is left to it", () =>
  withServer({}, async ({ server }) => {
    const path = join(folder, "live.sock");
    await server.listenUnix(path);
    const second = other();
    await assert.rejects(second.listenUnix(path), /Another process answers on the socket/);
    second.close();
    const client = new RawClient({ path });
    client.send("GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n");
    await client.until(/200 OK/);
    client.socket.destroy();
  }));

test("a socket file of a process that is gone is replaced", () =>
  withServer({}, async ({ server }) => {
    const path = join(folder, "stale.sock");
    // A server whose file outlives it: it is linked away before it closes, and back after.
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(path, resolve));
    renameSync(path, `${path}.kept`);
    await new Promise((resolve) => gone.close(resolve));
    renameSync(`${path}.kept`, path);
    await server.listenUnix(path);
    const client = new RawClient({ path });
    client.send("GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n");
    await client.until(/200 OK/);
    client.socket.destroy();
  }));

test("a path that is no socket, or lies in no folder, is refused and untouched", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "precious");
  const server = other();
  await assert.rejects(
    server.listenUnix(file),
    /socket or nothing at .*file but there is something else/,
  );
  await assert.rejects(server.listenUnix(join(file, "a.sock")), /writable folder .* but got \w+/);
  assert.equal(statSync(file).size, 8);
  server.close();
});

test("a listener that another process answers on is noticed", () =>
  withServer({}, async ({ port }) => {
    const target = { host: "127.0.0.1", port, isSecure: false };
    await assert.rejects(
      verifyListener(target, "a", () => false),
      /Another process answers/,
    );
    await verifyListener(target, "a", () => true);
  }));

test("draining waits for what was accepted, and not for ever", () => {
  let finish = () => {};
  const inspect = () =>
    new Promise<never>((_resolve, reject) => {
      finish = () => reject(new Error("done"));
    });
  return withServer({ inspect }, async ({ scan, server }) => {
    assert.equal(await server.drained(1), true);
    const waiting = scan({ text: "a" });
    await eventually(() => server.inFlight === 1);
    server.stopAccepting();
    assert.equal(await server.drained(1), false);
    const drained = server.drained(60_000);
    finish();
    assert.equal(await drained, true);
    const response = await waiting;
    assert.equal(response.status, 500);
    assert.equal(response.headers.get("connection"), "close");
    await assert.rejects(scan({ text: "b" }));
  });
});
