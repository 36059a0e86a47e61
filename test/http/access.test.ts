/** Who asks, over a real server: keys, trusted proxies, deadlines, and what is recorded of each request. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type ApiKey, KeyRing, makeKey } from "../../src/access/keys.ts";
import { networks } from "../../src/config/networks.ts";
import type { Settings } from "../../src/config/schema.ts";
import { GhostError } from "../../src/errors.ts";
import type { Caller } from "../../src/http/routes/scan.ts";
import type { Action, Prompt, Verdict } from "../../src/types.ts";
import { type Options, RawClient, type TestServer, verdictOf, withServer } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
after(() => rmSync(folder, { recursive: true }));

function keyNamed(name: string, more: Partial<ApiKey> = {}) {
  const { key, sha256 } = makeKey();
  return { key, entry: { name, sha256, policies: ["*"], ...more } };
}

const good = keyNamed("good");
const foreign = keyNamed("foreign", { policies: ["other"] });
// So slow that a test never sees its second request.
const slow = keyNamed("slow", { requestsPerSecondMax: 1e-6 });
const keys = new KeyRing([good.entry, foreign.entry, slow.entry]);

interface Recorded {
  readonly prompt: Prompt;
  readonly verdict: Verdict;
  readonly caller: Caller;
}

interface Given extends Omit<Options, "access" | "record"> {
  readonly trusted?: string;
  readonly keys?: KeyRing | undefined;
}

/** A server that asks for keys unless told otherwise; hands what it recorded on too. */
function withAccess(
  given: Given,
  use: (server: TestServer, records: readonly Recorded[]) => Promise<void>,
): Promise<void> {
  const { trusted = "", ...options } = given;
  const records: Recorded[] = [];
  const access = {
    keys: "keys" in given ? given.keys : keys,
    trustedProxies: networks(trusted),
  };
  const record = (prompt: Prompt, verdict: Verdict, caller: Caller) => {
    records.push({ prompt, verdict, caller });
    return undefined;
  };
  return withServer({ ...options, access, record }, (server) => use(server, records));
}

async function codeOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error?: { code: string } };
  return error?.code ?? "ok";
}

const onLoopback: Partial<Settings> = { keysOnLoopback: true };
const attack = { text: "attack" };

test("without keys everybody may ask, and the record has the address and no key", () =>
  withAccess({ keys: undefined, settings: onLoopback }, async ({ scan }, records) => {
    assert.equal((await scan(attack)).status, 200);
    assert.equal((await scan(attack, { "x-api-key": "any" })).status, 200);
    assert.deepEqual(
      records.map(({ caller }) => caller),
      Array(2).fill({ address: "127.0.0.1", keyName: "" }),
    );
  }));

test("loopback needs no key by default, and a wrong one is refused all the same", () =>
  withAccess({}, async ({ scan }, records) => {
    assert.equal((await scan(attack)).status, 200);
    assert.equal(await codeOf(await scan(attack, { "x-api-key": "wrong" })), "unauthorized");
    assert.equal(records.length, 1);
  }));

test("where a key is needed, none and a wrong one are 401 and say how to present it", () =>
  withAccess({ settings: onLoopback }, async ({ scan, metrics }, records) => {
    const wrong: Record<string, string>[] = [
      {},
      { "x-api-key": "wrong" },
      { authorization: "Bearer wrong" },
      { authorization: `Basic ${good.key}` },
      { authorization: good.key },
      { "x-api-key": good.entry.sha256 },
      { "x-api-key": `${good.key}x` },
    ];
    for (const headers of wrong) {
      const response = await scan(attack, headers);
      assert.equal(response.status, 401);
      assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="ghostai"');
      assert.equal(response.headers.get("retry-after"), null);
      assert.equal(await codeOf(response), "unauthorized");
    }
    assert.equal(records.length, 0);
    assert.match(await metrics.text(), /code="unauthorized"\} 7$/m);
  }));

test("a good key passes as Bearer and as x-api-key, and the record has its name", () =>
  withAccess({ settings: onLoopback }, async ({ scan }, records) => {
    for (const headers of [
      { authorization: `Bearer ${good.key}` },
      { authorization: `bearer ${good.key}` },
      { "x-api-key": good.key },
    ]) {
      assert.equal((await scan(attack, headers)).status, 200);
    }
    assert.deepEqual(
      records.map(({ caller }) => caller.keyName),
      ["good", "good", "good"],
    );
  }));

test("a key for other policies is 403", () =>
  withAccess({}, async ({ scan }) => {
    const response = await scan(attack, { "x-api-key": foreign.key });
    assert.equal(response.status, 403);
    assert.equal(response.headers.get("www-authenticate"), null);
    assert.equal(await codeOf(response), "forbidden");
  }));

test("a key whose rate is used up is 429 with Retry-After, and others go on", () =>
  withAccess({}, async ({ scan }, records) => {
    assert.equal((await scan(attack, { "x-api-key": slow.key })).status, 200);
    const response = await scan(attack, { "x-api-key": slow.key });
    assert.equal(response.status, 429);
    assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    assert.equal(await codeOf(response), "rate_limited");
    assert.equal((await scan(attack, { "x-api-key": good.key })).status, 200);
    assert.deepEqual(
      records.map(({ caller }) => caller.keyName),
      ["slow", "good"],
    );
  }));

test("who may not ask is told so before the body is read", () =>
  withAccess({ settings: onLoopback }, async ({ port }) => {
    const client = new RawClient({ port });
    client.send("POST /v1/scan HTTP/1.1\r\nhost: t\r\ncontent-length: 1000000\r\n\r\n");
    await client.until(/ 401 .*unauthorized/s);
    client.socket.destroy();
  }));

test("health, metrics and info need no key", () =>
  withAccess({ settings: onLoopback }, async ({ url }) => {
    for (const path of ["/healthz", "/readyz", "/metrics", "/v1/info"]) {
      assert.equal((await fetch(url + path)).status, 200, path);
    }
  }));

const body = JSON.stringify(attack);
const head = (more = "") =>
  `POST /v1/scan HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${more}\r\n`;

/** Sends the bytes, then one scan; @returns the status of the answer */
async function rawScan(
  target: { port: number } | { path: string },
  more = "",
  before: Uint8Array = Buffer.alloc(0),
): Promise<number> {
  const client = new RawClient(target);
  client.send(Buffer.concat([before, Buffer.from(head(more) + body)]));
  const received = await client.until(/^HTTP\/1\.1 \d+ .*\}$/s);
  client.socket.destroy();
  return Number(received.slice(9, 12));
}

test("the Unix socket never needs a key, whatever its headers say, and is recorded as unix", () =>
  withAccess({ settings: onLoopback, trusted: "0.0.0.0/0,::/0" }, async ({ server }, records) => {
    const path = join(folder, "access.sock");
    await server.listenUnix(path);
    for (const more of [
      "",
      "x-forwarded-for: 203.0.113.9\r\n",
      "x-api-key: wrong\r\n",
      "authorization: Bearer wrong\r\n",
    ]) {
      assert.equal(await rawScan({ path }, more), 200);
    }
    assert.deepEqual(
      records.map(({ caller }) => caller),
      Array(4).fill({ address: "unix", keyName: "" }),
    );
  }));

test("what came through a proxy is not loopback's, whether the proxy is trusted or not", async () => {
  for (const trusted of ["", "127.0.0.1", "127.0.0.0/8"]) {
    await withAccess({ trusted }, async ({ scan }) => {
      for (const hops of ["127.0.0.1", "203.0.113.9", "garbage", "::1", "garbage, 127.0.0.2"]) {
        const forwarded = { "x-forwarded-for": hops };
        assert.equal((await scan(attack, forwarded)).status, 401, `${trusted} ${hops}`);
        const withKey = { ...forwarded, "x-api-key": good.key };
        assert.equal((await scan(attack, withKey)).status, 200, `${trusted} ${hops}`);
      }
    });
  }
});

test("the record has the client's address where the proxy is trusted, else the connection's", async () => {
  const seenAt = async (trusted: string, hops: string) => {
    let address = "";
    await withAccess({ keys: undefined, trusted }, async ({ scan }, records) => {
      assert.equal((await scan(attack, { "x-forwarded-for": hops })).status, 200);
      address = records[0]?.caller.address ?? "";
    });
    return address;
  };
  assert.equal(await seenAt("127.0.0.1", "203.0.113.9"), "203.0.113.9");
  assert.equal(await seenAt("127.0.0.1", "8.8.8.8, 203.0.113.9:4711"), "203.0.113.9");
  assert.equal(await seenAt("127.0.0.1,10.0.0.0/8", "203.0.113.9, 10.1.1.1"), "203.0.113.9");
  assert.equal(await seenAt("127.0.0.1", "2001:DB8::0:9"), "2001:db8::9");
  assert.equal(await seenAt("127.0.0.1", "nobody"), "127.0.0.1");
  assert.equal(await seenAt("", "203.0.113.9"), "127.0.0.1");
  assert.equal(await seenAt("10.0.0.0/8", "203.0.113.9"), "127.0.0.1");
});

test("a header line that the proxy adds below the client's own is the one that counts", async () => {
  const lines = (...values: string[]) =>
    values.map((value) => `x-forwarded-for: ${value}\r\n`).join("");
  await withAccess({ keys: undefined, trusted: "127.0.0.1" }, async ({ port }, records) => {
    assert.equal(await rawScan({ port }, lines("8.8.8.8", "203.0.113.9")), 200);
    assert.equal(await rawScan({ port }, lines("", "203.0.113.9")), 200);
    assert.equal(await rawScan({ port }, lines("8.8.8.8, 9.9.9.9", "203.0.113.9", "")), 200);
    assert.deepEqual(
      records.map(({ caller }) => caller.address),
      Array(3).fill("203.0.113.9"),
    );
  });
  await withAccess({}, async ({ port }) => {
    for (const values of [[""], ["", "203.0.113.9"], ["", ""]]) {
      assert.equal(await rawScan({ port }, lines(...values)), 401);
    }
  });
});

/** A PROXY protocol header of version 2 for a TCP connection. */
function proxyHeader(source: readonly number[], family: 4 | 6): Buffer {
  const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
  const addresses = Buffer.concat([
    Buffer.from(source),
    Buffer.alloc(source.length, 1), // where the client connected to
    Buffer.from([0x12, 0x34, 0x00, 0x50]),
  ]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(addresses.length);
  return Buffer.concat([
    signature,
    Buffer.from([0x21, family === 4 ? 0x11 : 0x21]),
    length,
    addresses,
  ]);
}

const client4 = [203, 0, 113, 9];
const client6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const claimed4 = [127, 0, 0, 1];

test("a PROXY header of a trusted peer says whose address it is", () =>
  withAccess({ keys: undefined, trusted: "127.0.0.1" }, async ({ port }, records) => {
    assert.equal(await rawScan({ port }, "", proxyHeader(client4, 4)), 200);
    assert.equal(await rawScan({ port }, "", proxyHeader(client6, 6)), 200);
    assert.deepEqual(
      records.map(({ caller }) => caller.address),
      ["203.0.113.9", "2001:db8::9"],
    );
  }));

test("a PROXY header of anybody else says nothing, but ends loopback's privilege", async () => {
  await withAccess({ keys: undefined }, async ({ port }, records) => {
    assert.equal(await rawScan({ port }, "", proxyHeader(client4, 4)), 200);
    assert.equal(records[0]?.caller.address, "127.0.0.1");
  });
  for (const trusted of ["", "127.0.0.1"]) {
    await withAccess({ trusted }, async ({ port }) => {
      for (const header of [proxyHeader(client4, 4), proxyHeader(claimed4, 4)]) {
        assert.equal(await rawScan({ port }, "", header), 401);
        assert.equal(await rawScan({ port }, `x-api-key: ${good.key}\r\n`, header), 200);
      }
      assert.equal(await rawScan({ port }), 200);
    });
  }
});

test("behind a PROXY header only a trusted client's X-Forwarded-For is read", () =>
  withAccess(
    { keys: undefined, trusted: "127.0.0.1,198.51.100.0/24" },
    async ({ port }, records) => {
      const forwarded = "x-forwarded-for: 192.0.2.1\r\n";
      assert.equal(await rawScan({ port }, forwarded, proxyHeader(client4, 4)), 200);
      assert.equal(await rawScan({ port }, forwarded, proxyHeader([198, 51, 100, 7], 4)), 200);
      assert.deepEqual(
        records.map(({ caller }) => caller.address),
        ["203.0.113.9", "192.0.2.1"],
      );
    },
  ));

/** An inspector that gives the verdict that the text names. */
const asNamed = async (prompt: Prompt): Promise<Verdict> => ({
  ...verdictOf(prompt),
  action: prompt.segments[0]?.text as Action,
});

test("observe answers allow; record and metrics have what was found", () =>
  withAccess(
    { settings: { access: "observe" }, inspect: asNamed },
    async ({ scan, metrics }, records) => {
      const one = (await (await scan({ text: "block" })).json()) as { verdict: string };
      assert.equal(one.verdict, "allow");
      assert.equal((one as unknown as { threat_score: number }).threat_score, 0.9);
      const texts = ["allow", "flag", "allow"];
      const { results } = (await (await scan({ texts })).json()) as {
        results: { verdict: string }[];
      };
      assert.deepEqual(
        results.map(({ verdict }) => verdict),
        ["allow", "allow", "allow"],
      );
      assert.deepEqual(
        records.map(({ verdict }) => verdict.action),
        ["block", "allow", "flag", "allow"],
      );
      const text = await metrics.text();
      assert.match(text, /^ghostai_observed_total\{verdict="block"\} 1$/m);
      assert.match(text, /^ghostai_observed_total\{verdict="flag"\} 1$/m);
      assert.match(text, /^ghostai_observed_total\{verdict="allow"\} 0$/m);
      assert.match(text, /^ghostai_requests_total\{verdict="block",code="ok"\} 1$/m);
    },
  ));

test("enforce answers what was found, and counts nothing as observed", () =>
  withAccess({ inspect: asNamed }, async ({ scan, metrics }) => {
    const { verdict } = (await (await scan({ text: "block" })).json()) as { verdict: string };
    assert.equal(verdict, "block");
    assert.match(await metrics.text(), /^ghostai_observed_total\{verdict="block"\} 0$/m);
  }));

test("a batch is recorded prompt by prompt, with each one's id and verdict", () =>
  withAccess({ inspect: asNamed }, async ({ scan }, records) => {
    const texts = ["allow", "block", "flag"];
    const response = await scan({ texts, id: "b" }, { "x-api-key": good.key });
    assert.equal(response.status, 200);
    assert.deepEqual(
      records.map(({ prompt, verdict, caller }) => [
        prompt.segments[0]?.text,
        verdict.id,
        verdict.action,
        caller.keyName,
      ]),
      texts.map((text, at) => [text, `b/${at}`, text, "good"]),
    );
  }));

test("what is refused leaves no record", () => {
  const inspect = async () => {
    throw new GhostError("busy");
  };
  return withAccess({ inspect }, async ({ scan }, records) => {
    assert.equal((await scan(attack)).status, 503);
    assert.equal((await scan("{")).status, 400);
    assert.equal(records.length, 0);
  });
});

test("an answer that is on disk says so: only where every record of it is", async () => {
  for (const [waits, expected] of [
    [[true, true], "durable"],
    [[true, false], null],
    [[true, undefined], null],
    [[undefined, undefined], null],
  ] as const) {
    const answers = [...waits];
    const record = () => {
      const isDurable = answers.shift();
      return isDurable === undefined ? undefined : Promise.resolve(isDurable);
    };
    await withServer({ record }, async ({ scan }) => {
      const response = await scan({ texts: ["a", "b"] });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("x-ghostai-logged"), expected);
    });
  }
});

test("x-timeout-ms shortens the request's deadline, and never lengthens it", () => {
  const deadlines: number[] = [];
  const inspect = async (prompt: Prompt, deadlineAt: number) => {
    deadlines.push(deadlineAt);
    return verdictOf(prompt);
  };
  return withAccess({ inspect, settings: { deadlineMs: 5000 } }, async ({ scan }) => {
    for (const [asked, budgetMs] of [
      ["", 5000],
      ["1", 1],
      ["250", 250],
      ["5000", 5000],
      ["5001", 5000],
      ["600000", 5000],
    ] as const) {
      const from = performance.now();
      const headers: Record<string, string> = asked === "" ? {} : { "x-timeout-ms": asked };
      assert.equal((await scan(attack, headers)).status, 200);
      const deadlineAt = deadlines.pop() ?? Number.NaN;
      // Counted from the request's arrival, which lies between.
      assert.ok(deadlineAt >= from + budgetMs, asked);
      assert.ok(deadlineAt <= performance.now() + budgetMs, asked);
    }
  });
});

test("every prompt of a batch has the deadline of its request", () => {
  const deadlines = new Set<number>();
  const inspect = async (prompt: Prompt, deadlineAt: number) => {
    deadlines.add(deadlineAt);
    return verdictOf(prompt);
  };
  return withAccess({ inspect }, async ({ scan }) => {
    assert.equal((await scan({ texts: ["a", "b", "c", "d", "e", "f"] })).status, 200);
    assert.equal(deadlines.size, 1);
  });
});

test("an x-timeout-ms that is no time is refused", () =>
  withAccess({}, async ({ scan }, records) => {
    for (const asked of [
      "0",
      "0250",
      "-1",
      "1.5",
      "abc",
      "1e3",
      "600001",
      "9999999",
      "Infinity",
      "1 2",
    ]) {
      const response = await scan(attack, { "x-timeout-ms": asked });
      assert.equal(response.status, 400, asked);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      assert.equal(error.code, "invalid_request");
      assert.match(error.message, /expected 1-600000 for x-timeout-ms/);
    }
    assert.equal(records.length, 0);
  }));
