/** What only a raw connection can do: dribble, stop, lie about lengths, leave, pipeline. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Aborted } from "../../src/errors.ts";
import type { Inspector } from "../../src/inspect.ts";
import type { Prompt, Verdict } from "../../src/types.ts";
import { eventually, RawClient, scanHead, verdictOf, withServer } from "./harness.ts";

const small = { bodyBytesMax: 1000 };

test("an announced body over the limit is refused before it comes, and the client can read that", () =>
  withServer({ settings: small }, async ({ port, server }) => {
    const client = new RawClient({ port });
    client.send(scanHead(50_000_000));
    await client.until(/HTTP\/1.1 413 .*"body_too_large"/s);
    client.socket.destroy();
    await eventually(() => server.inFlight === 0);
  }));

test("a client that uploads on after 413 is not cut off, and its connection stays in step", () =>
  withServer({ settings: small }, async ({ port }) => {
    const client = new RawClient({ port });
    const body = Buffer.alloc(8_000_000, "a");
    client.send(scanHead(body.length));
    client.send(body);
    await client.until(/"body_too_large".*\}\}/s);
    client.received = "";
    client.send(`${scanHead(12)}{"text":"b"}`);
    await client.until(/HTTP\/1.1 200 /);
    client.socket.destroy();
  }));

test("a chunked body is counted as it comes", () =>
  withServer({ settings: small }, async ({ port }) => {
    const client = new RawClient({ port });
    const head = "POST /v1/scan HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    client.send(`${head}transfer-encoding: chunked\r\n\r\n`);
    client.send('5\r\n{"tex\r\n');
    client.send('7\r\nt":"b"}\r\n0\r\n\r\n');
    await client.until(/HTTP\/1.1 200 /);
    client.received = "";
    client.send(`${head}transfer-encoding: chunked\r\n\r\n`);
    const chunk = `190\r\n${"a".repeat(400)}\r\n`;
    client.send(chunk.repeat(3));
    await client.until(/HTTP\/1.1 413 .*\}\}/s);
    client.received = "";
    client.send(chunk.repeat(100));
    client.send(`0\r\n\r\n${scanHead(12)}{"text":"b"}`);
    await client.until(/HTTP\/1.1 200 /);
    client.socket.destroy();
  }));

test("curl reads 413 while it uploads a file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
  try {
    const file = join(folder, "body.json");
    writeFileSync(file, JSON.stringify({ text: "a".repeat(5_000_000) }));
    await withServer({}, async ({ url }) => {
      const args = ["-sS", "-w", "%{http_code}", "-H", "content-type: application/json"];
      const upload = ["--data-binary", `@${file}`, `${url}/v1/scan`];
      const expecting = await promisify(execFile)("curl", [...args, ...upload]);
      assert.match(expecting.stdout, /"body_too_large".*413$/);
      const blind = await promisify(execFile)("curl", [...args, "-H", "expect:", ...upload]);
      assert.match(blind.stdout, /"body_too_large".*413$/);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a body that does not arrive in time is answered with 408, and the connection ends", () =>
  withServer({ settings: { bodyTimeoutMs: 150 } }, async ({ port }) => {
    const silent = new RawClient({ port });
    silent.send(scanHead(100));
    const dribbling = new RawClient({ port });
    dribbling.send(scanHead(100_000));
    const dribble = setInterval(() => dribbling.send(" "), 20);
    for (const client of [silent, dribbling]) {
      await client.until(/HTTP\/1.1 408 .*connection: close.*"body_timeout"/is);
      await client.closed;
    }
    clearInterval(dribble);
  }));

test("a body slower than the least rate is answered with 408 before its deadline", () =>
  withServer(
    { settings: { bodyTimeoutMs: 600_000, bodyBytesPerSecondMin: 1000 } },
    async ({ port }) => {
      const client = new RawClient({ port });
      client.send(`${scanHead(10_000)}{`);
      await client.until(/HTTP\/1.1 408 .*1000 bytes a second/s);
    },
  ));

test("a slow body within its limits outlives the server's own idle close", () =>
  withServer(
    { settings: { bodyTimeoutMs: 60_000, bodyBytesPerSecondMin: 0 } },
    async ({ port }) => {
      const client = new RawClient({ port });
      const body = '{"text":"slow"}';
      client.send(scanHead(body.length));
      client.send(body.slice(0, 5));
      await new Promise((resolve) => setTimeout(resolve, 14_000));
      client.send(body.slice(5));
      await client.until(/HTTP\/1.1 200 /);
      client.socket.destroy();
    },
  ));

test("a client that leaves in the middle of its body or while it waits costs nothing", () => {
  let finish = () => {};
  let asked = 0;
  const inspect = (prompt: Prompt) =>
    new Promise<Verdict>((resolve) => {
      asked++;
      finish = () => resolve(verdictOf(prompt));
    });
  return withServer({ inspect }, async ({ port, server, causes }) => {
    const partial = new RawClient({ port });
    partial.send(`${scanHead(100)}{"text":`);
    await eventually(() => server.inFlight === 1);
    partial.socket.resetAndDestroy();
    await eventually(() => server.inFlight === 0);

    const batch = new RawClient({ port });
    const body = JSON.stringify({ texts: Array.from({ length: 50 }, (_, at) => `text ${at}`) });
    batch.send(scanHead(body.length) + body);
    await eventually(() => asked === 4);
    batch.socket.destroy();
    // The server has seen the client leave once a later request has come back.
    await eventually(async () => {
      await fetch(`http://127.0.0.1:${port}/healthz`);
      finish();
      return server.inFlight === 0;
    });
    assert.ok(asked < 50, `${asked} texts were inspected for nobody`);
    assert.deepEqual(causes, []);
  });
});

test("when a client leaves, whoever works for it is told, and it is counted", () => {
  const signals: (AbortSignal | undefined)[] = [];
  const inspect: Inspector["inspect"] = (_prompt, _deadlineAt, _admission, signal) =>
    new Promise((_, reject) => {
      signals.push(signal);
      signal?.addEventListener("abort", () => reject(new Aborted()));
    });
  const settings = { requestsWaitingMax: 2 };
  return withServer({ inspect, settings }, async ({ port, server, metrics, causes }) => {
    const body = '{"texts":["a","b"]}';
    const clients = [1, 2].map(() => new RawClient({ port }));
    for (const client of clients) client.send(scanHead(body.length) + body);
    await eventually(() => signals.length === 4);
    for (const client of clients) client.socket.destroy();
    await eventually(() => server.inFlight === 0);
    assert.ok(signals.every((signal) => signal?.aborted));
    assert.deepEqual(causes, []);
    assert.match(await metrics.text(), /^ghostai_requests_abandoned_total 2$/m);
    // Their places are free.
    const next = new RawClient({ port });
    next.send(scanHead(body.length) + body);
    await eventually(() => signals.length === 6);
    next.socket.destroy();
    await eventually(() => server.inFlight === 0);
  });
});

test("pipelined requests neither crash nor mix: one that waits ends its connection", () => {
  let finish = () => {};
  const inspect = (prompt: Prompt) =>
    new Promise<Verdict>((resolve) => {
      finish = () => resolve(verdictOf(prompt));
    });
  return withServer({ inspect }, async ({ port, server, scan }) => {
    const client = new RawClient({ port });
    client.send(`${scanHead(12)}{"text":"a"}${scanHead(12)}{"text":"b"}`);
    await client.closed;
    assert.doesNotMatch(client.received, /200 OK.*200 OK/s);
    await eventually(() => {
      finish();
      return server.inFlight === 0;
    });
    const later = scan({ text: "c" });
    await eventually(() => server.inFlight === 1);
    await eventually(() => {
      finish();
      return server.inFlight === 0;
    });
    assert.equal((await later).status, 200);
  });
});

test("requests one after another share a connection", () =>
  withServer({}, async ({ port }) => {
    const client = new RawClient({ port });
    for (let at = 0; at < 20; at++) {
      client.received = "";
      client.send(`${scanHead(12)}{"text":"a"}`);
      await client.until(/"verdict".*\}\}$/s);
    }
    client.socket.destroy();
  }));

test("bytes that are no HTTP end their connection alone", () =>
  withServer({}, async ({ port, scan }) => {
    for (const bytes of ["\r\n\r\n", "\0\0\0\0", "GET / HTTP/1.1\r\nhost", "x".repeat(100_000)]) {
      const client = new RawClient({ port });
      client.socket.end(bytes);
      await client.closed;
    }
    for (const lengths of [
      "content-length: -1",
      "content-length: 1x",
      "content-length: 1\r\ncontent-length: 2",
    ]) {
      const client = new RawClient({ port });
      client.socket.end(
        `POST /v1/scan HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n${lengths}\r\n\r\n{}`,
      );
      await client.closed;
      assert.doesNotMatch(client.received, /^HTTP\/1.1 200/);
    }
    assert.equal((await scan({ text: "still there" })).status, 200);
  }));
