/** The scan route over HTTP: answers, errors of the table, limits on who waits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GhostError } from "../../src/errors.ts";
import type { Prompt } from "../../src/types.ts";
import { eventually, verdictOf, withServer } from "./harness.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function codeOf(response: Response): Promise<[number, string]> {
  const body = (await response.json()) as { error: { code: string; message: string } };
  assert.deepEqual(Object.keys(body), ["error"]);
  assert.deepEqual(Object.keys(body.error), ["code", "message"]);
  return [response.status, body.error.code];
}

test("answers a text in the names of the wire", () =>
  withServer({}, async ({ scan }) => {
    const response = await scan({ text: "héllo", id: "mine" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.match(response.headers.get("x-request-id") ?? "", uuid);
    assert.deepEqual(await response.json(), {
      id: "mine",
      verdict: "block",
      threat_score: 0.9,
      scanner_type: "model",
      findings: [
        {
          scanner: "model",
          label: "model/attack",
          score: 0.9,
          start: 0,
          end: 5,
          message: "The model reads this part as an attack",
        },
      ],
      cache: "none",
      model: "fake@1.0.0",
      latency_ms: { total: 1.235, queue: 0.1, tokenize: 0.2, model: 0.3 },
    });
  }));

test("findings of messages name message and part", () =>
  withServer({}, async ({ scan }) => {
    const content = [
      { type: "image_url", image_url: { url: "data:," } },
      { type: "text", text: "look" },
    ];
    const response = await scan({ messages: [{ role: "user", content }] });
    const { findings } = (await response.json()) as { findings: Record<string, number>[] };
    assert.equal(findings[0]?.message_index, 0);
    assert.equal(findings[0]?.part_index, 1);
  }));

test("a batch is answered in order, whatever finishes first", () => {
  const waiting: (() => void)[] = [];
  const inspect = async (prompt: Prompt) => {
    // The first text of the batch is answered only after the second.
    if (prompt.id === "b/0") await new Promise<void>((resolve) => waiting.push(resolve));
    else waiting.pop()?.();
    return verdictOf(prompt);
  };
  return withServer({ inspect }, async ({ scan }) => {
    const response = await scan({ texts: ["a", "bc", "def"], id: "b" });
    const { results } = (await response.json()) as {
      results: { id: string; findings: { end: number }[] }[];
    };
    assert.deepEqual(
      results.map(({ id, findings }) => [id, findings[0]?.end]),
      [
        ["b/0", 1],
        ["b/1", 2],
        ["b/2", 3],
      ],
    );
  });
});

test("x-request-id is taken over where it is one, and is the answer's id", () =>
  withServer({}, async ({ scan }) => {
    const taken = await scan({ text: "a" }, { "x-request-id": "trace/1:2.3_4-5" });
    assert.equal(taken.headers.get("x-request-id"), "trace/1:2.3_4-5");
    assert.equal(((await taken.json()) as { id: string }).id, "trace/1:2.3_4-5");
    for (const odd of ["has space", "a".repeat(129), "<script>"]) {
      const made = await scan({ text: "a" }, { "x-request-id": odd });
      assert.match(made.headers.get("x-request-id") ?? "", uuid);
    }
    const failed = await scan("{", { "x-request-id": "failed" });
    assert.equal(failed.headers.get("x-request-id"), "failed");
  }));

test("bad bodies are rows of the table", () =>
  withServer({ settings: { textsMax: 2, messagesMax: 2 } }, async ({ scan, causes }) => {
    const user = (content: unknown) => ({ messages: [{ role: "user", content }] });
    const cases: [body: unknown, code: string][] = [
      ["", "malformed_json"],
      ["{", "malformed_json"],
      ['{"text":"a"} x', "malformed_json"],
      ["\u{feff}{", "malformed_json"],
      ["[".repeat(65) + "]".repeat(65), "nesting_too_deep"],
      ["[".repeat(300_000), "nesting_too_deep"],
      ['{"text":"\\ud800"}', "malformed_unicode"],
      ['{"text":"\\udc00\\ud800"}', "malformed_unicode"],
      ['{"\\ud800":"a"}', "malformed_unicode"],
      ['{"text":"a","text":"b"}', "invalid_request"],
      ['{"text":"a","te\\u0078t":"b"}', "invalid_request"],
      ['{"text":"a","__proto__":{}}', "invalid_request"],
      ["null", "invalid_request"],
      ["[]", "invalid_request"],
      [{}, "invalid_request"],
      [{ text: 1 }, "invalid_request"],
      [{ text: "a", texts: ["b"] }, "invalid_request"],
      [{ text: "a", extra: 1 }, "invalid_request"],
      [{ text: "a", origin: "mars" }, "invalid_request"],
      [{ text: "a", id: "" }, "invalid_request"],
      [{ texts: ["a", "b", "c"] }, "invalid_request"],
      [user([{ type: "hologram" }]), "invalid_request"],
      [user(7), "invalid_request"],
      [user([1, 2, 3].map(() => ({ type: "text", text: "a" }))), "invalid_request"],
      [{ text: "" }, "empty_input"],
      [{ texts: [] }, "empty_input"],
      [{ texts: ["a", ""] }, "empty_input"],
      [{ messages: [] }, "empty_input"],
      [user(""), "empty_input"],
      [user([{ type: "image_url", image_url: {} }]), "empty_input"],
    ];
    for (const [body, code] of cases) {
      assert.deepEqual(await codeOf(await scan(body)), [400, code], JSON.stringify(body));
    }
    assert.equal(causes.length, cases.length);
  }));

test("a message about a field names it", () =>
  withServer({}, async ({ scan }) => {
    const message = async (body: unknown) =>
      ((await (await scan(body)).json()) as { error: { message: string } }).error.message;
    assert.match(await message({ text: "a", colour: 1 }), /there is no field "colour"$/);
    const messages = [{ role: "user", content: [{ type: "text", text: "a", size: 1 }] }];
    assert.match(await message({ messages }), /no field "size" in messages\[0\]\.content\[0\]$/);
    assert.match(
      await message({ text: "a", messages: [] }),
      /exactly one of text, messages and texts but received 2$/,
    );
  }));

test("bytes that are not UTF-8 are refused", () =>
  withServer({}, async ({ url }) => {
    for (const bytes of [[0xff], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xe2, 0x82]]) {
      const body = Buffer.concat([Buffer.from('{"text":"'), Buffer.from(bytes), Buffer.from('"}')]);
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${url}/v1/scan`, { method: "POST", headers, body });
      assert.deepEqual(await codeOf(response), [400, "malformed_unicode"]);
    }
  }));

test("anything but JSON as content type is refused; parameters are not", () =>
  withServer({}, async ({ scan, url }) => {
    for (const type of ["text/plain", "application/jsonx", "application/x-www-form-urlencoded"]) {
      const response = await scan({ text: "a" }, { "content-type": type });
      assert.deepEqual(await codeOf(response), [415, "unsupported_media_type"]);
    }
    const none = await fetch(`${url}/v1/scan`, { method: "POST", body: Buffer.from("{}") });
    assert.equal(none.status, 415);
    const packed = await scan({ text: "a" }, { "content-encoding": "gzip" });
    assert.equal(packed.status, 415);
    const parameters = await scan(
      { text: "a" },
      { "content-type": "Application/JSON; charset=utf-8" },
    );
    assert.equal(parameters.status, 200);
  }));

test("unknown routes and wrong methods", () =>
  withServer({}, async ({ url }) => {
    for (const path of ["/", "/v1/scan/", "/v1/scanx", "/constructor", "/v1/..//scan"]) {
      const response = await fetch(`${url}${path}`, { method: "POST", body: "{}" });
      assert.deepEqual(await codeOf(response), [404, "not_found"], path);
    }
    const allows: [path: string, method: string, allow: string][] = [
      ["/v1/scan", "GET", "POST"],
      ["/v1/scan", "PUT", "POST"],
      ["/v1/scan", "OPTIONS", "POST"],
      ["/healthz", "POST", "GET, HEAD"],
      ["/metrics", "DELETE", "GET, HEAD"],
    ];
    for (const [path, method, allow] of allows) {
      const response = await fetch(`${url}${path}`, { method });
      assert.equal(response.headers.get("allow"), allow);
      assert.deepEqual(await codeOf(response), [405, "method_not_allowed"]);
    }
    const head = await fetch(`${url}/healthz`, { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
  }));

test("what the inspector rejects with is answered, and only the table's own words leave", () => {
  const inspect = async (prompt: Prompt) => {
    const [segment] = prompt.segments;
    if (segment?.text === "crash") throw new TypeError("secret detail");
    throw new GhostError(segment?.text as "busy");
  };
  return withServer({ inspect }, async ({ scan }) => {
    for (const code of ["busy", "deadline_exceeded", "shutting_down"]) {
      const response = await scan({ text: code });
      assert.match(response.headers.get("retry-after") ?? "", /^\d+$/);
      assert.deepEqual(await codeOf(response), [503, code]);
    }
    const response = await scan({ text: "crash" });
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /secret/);
  });
});

test("past requestsWaitingMax a request is refused as busy, and accepted again after", () => {
  let finish = () => {};
  const inspect = async (prompt: Prompt) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return verdictOf(prompt);
  };
  return withServer({ inspect, settings: { requestsWaitingMax: 1 } }, async ({ scan, server }) => {
    for (let round = 0; round < 2; round++) {
      finish = () => {};
      const started = finish;
      const first = scan({ text: "a" });
      await eventually(() => finish !== started);
      const second = await scan({ text: "b" });
      assert.match(second.headers.get("retry-after") ?? "", /^\d+$/);
      assert.deepEqual(await codeOf(second), [503, "busy"]);
      finish();
      assert.equal((await first).status, 200);
      await eventually(() => server.inFlight === 0);
    }
  });
});

test("before it is ready and while it stops, only health, metrics and errors are answered", () => {
  let refusal: GhostError | undefined = new GhostError("not_ready");
  return withServer({ refusal: () => refusal }, async ({ scan, url }) => {
    for (const code of ["not_ready", "shutting_down"] as const) {
      refusal = new GhostError(code);
      assert.deepEqual(await codeOf(await scan({ text: "a" })), [503, code]);
      const ready = await fetch(`${url}/readyz`);
      assert.match(ready.headers.get("retry-after") ?? "", /^\d+$/);
      assert.deepEqual(await codeOf(ready), [503, code]);
      assert.equal((await fetch(`${url}/healthz`)).status, 200);
    }
    refusal = undefined;
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    assert.equal((await scan({ text: "a" })).status, 200);
  });
});

test("metrics count verdicts and errors", () =>
  withServer({}, async ({ scan, url }) => {
    await scan({ text: "a" });
    await scan("{");
    const response = await fetch(`${url}/metrics`);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
    const text = await response.text();
    assert.match(text, /^ghostai_requests_total\{verdict="block",code="ok"\} 1$/m);
    assert.match(text, /^ghostai_requests_total\{verdict="none",code="malformed_json"\} 1$/m);
    assert.match(text, /^ghostai_request_duration_seconds_count 1$/m);
  }));
