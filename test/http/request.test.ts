/** From bytes to prompts, without a server: every input ends in prompts or in a row of the table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GhostError } from "../../src/errors.ts";
import { parseJson } from "../../src/http/json.ts";
import { type ScanRequest, toScanRequest } from "../../src/http/request.ts";

const limits = { textsMax: 5, messagesMax: 5 };
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const read = (value: unknown): ScanRequest => toScanRequest(parseJson(bytes(value)), "r", limits);

/** @returns the error's code, or `ok` */
function outcome(work: () => unknown): string {
  try {
    work();
    return "ok";
  } catch (error) {
    assert.ok(error instanceof GhostError, String(error));
    assert.equal(error.status, 400);
    assert.doesNotMatch(error.message, /\n/);
    return error.code;
  }
}

test("a text", () => {
  assert.deepEqual(read({ text: "a" }), {
    prompts: [{ id: "r", segments: [{ text: "a", origin: "user" }] }],
    isBatch: false,
    redact: false,
    restore: false,
    source: { text: "a" },
  });
  const [prompt] = read({ text: "a", origin: "document", id: "mine" }).prompts;
  assert.deepEqual(prompt, { id: "mine", segments: [{ text: "a", origin: "document" }] });
});

test("a role implies the origin", () => {
  const roles = ["user", "assistant", "system", "developer", "tool", "function"];
  const origins = roles.map(
    (role) => read({ messages: [{ role, content: "a" }] }).prompts[0]?.segments[0]?.origin,
  );
  assert.deepEqual(origins, ["user", "assistant", "system", "system", "tool", "tool"]);
});

test("every text of a conversation is a segment that says where it is", () => {
  const messages = [
    { role: "system", content: "s" },
    {
      role: "user",
      name: "ada",
      content: [
        { type: "image_url", image_url: { url: "https://example.org/a.png", detail: "low" } },
        { type: "text", text: "u" },
        { type: "input_audio", input_audio: { data: "", format: "wav" } },
        { type: "file", file: { file_id: "f" } },
        { type: "text", text: "" },
      ],
    },
    {
      role: "assistant",
      content: null,
      refusal: null,
      tool_calls: [
        { id: "c1", type: "function", function: { name: "look.up", arguments: '{"q":1}' } },
        { id: "c2", type: "custom", custom: { name: "run", input: "ls" } },
      ],
    },
    { role: "tool", tool_call_id: "c1", content: "t" },
    { role: "assistant", content: [{ type: "refusal", refusal: "no" }], refusal: "never" },
  ];
  const [prompt] = read({ messages }).prompts;
  assert.deepEqual(
    prompt?.segments.map(({ text, origin, messageIndex, partIndex }) => [
      text,
      origin,
      messageIndex,
      partIndex,
    ]),
    [
      ["s", "system", 0, 0],
      ["u", "user", 1, 1],
      ['{"q":1}', "assistant", 2, 0],
      ["ls", "assistant", 2, 1],
      ["t", "tool", 3, 0],
      ["no", "assistant", 4, 0],
      ["never", "assistant", 4, 1],
    ],
  );
});

test("a batch keeps its order and numbers its ids", () => {
  const { prompts, isBatch } = read({ texts: ["a", "b"], origin: "tool" });
  assert.equal(isBatch, true);
  assert.deepEqual(
    prompts.map(({ id, segments }) => [id, segments]),
    [
      ["r/0", [{ text: "a", origin: "tool" }]],
      ["r/1", [{ text: "b", origin: "tool" }]],
    ],
  );
});

test("unknown fields are refused on every level", () => {
  const message = { role: "user", content: "a" };
  const call = { type: "function", function: { name: "f", arguments: "" } };
  for (const value of [
    { text: "a", x: 1 },
    { messages: [{ ...message, x: 1 }] },
    { messages: [{ role: "user", content: [{ type: "text", text: "a", x: 1 }] }] },
    { messages: [{ ...message, tool_calls: [{ ...call, x: 1 }] }] },
    { messages: [{ ...message, tool_calls: [{ ...call, function: { ...call.function, x: 1 } }] }] },
  ]) {
    assert.throws(() => read(value), /there is no field "x"/);
  }
});

test("nesting of 64 is read, of 65 refused, of a million too", () => {
  const nested = (depth: number) => Buffer.from("[".repeat(depth) + "]".repeat(depth));
  assert.equal(
    outcome(() => parseJson(nested(64))),
    "ok",
  );
  assert.equal(
    outcome(() => parseJson(nested(65))),
    "nesting_too_deep",
  );
  assert.equal(
    outcome(() => parseJson(nested(1_000_000))),
    "nesting_too_deep",
  );
  assert.equal(
    outcome(() => parseJson(Buffer.from('{"a":'.repeat(200_000)))),
    "nesting_too_deep",
  );
});

test("a key twice is refused however it is spelt; the same key in two objects is not", () => {
  const code = (text: string) => outcome(() => parseJson(Buffer.from(text)));
  assert.equal(code('{"a":1,"a":2}'), "invalid_request");
  assert.equal(code('{"a":1,"b":[{"a":1}],"\\u0061":2}'), "invalid_request");
  assert.equal(code('[{"a":1},{"a":2},{"b":{"a":1},"a":"a"}]'), "ok");
  assert.equal(code('{"__proto__":1,"__proto__":2}'), "invalid_request");
});

test("lone surrogates are refused, pairs and escaped backslashes are not", () => {
  const code = (text: string) => outcome(() => parseJson(Buffer.from(`["${text}"]`)));
  for (const bad of [
    "\\ud800",
    "\\ud800a",
    "\\ud800\\n",
    "\\udc00",
    "\\ud800\\u0041",
    "\\ud800\\ud800\\udc00",
  ]) {
    assert.equal(code(bad), "malformed_unicode", bad);
  }
  for (const good of ["\\ud83d\\ude00", "\\\\ud800", "\\uD83D\\uDE00\\ud83d\\ude00", "😀"]) {
    assert.equal(code(good), "ok", good);
  }
  assert.equal(code("\\u12"), "malformed_json");
  assert.equal(code("\\ud83d\\"), "malformed_unicode");
});

test("property: what JSON.parse takes is read alike, or refused for a reason of ours", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6, stringUnit: "binary" }), (text) => {
      const code = outcome(() => assert.deepEqual(parseJson(Buffer.from(text)), JSON.parse(text)));
      assert.ok(["ok", "malformed_unicode"].includes(code), code);
      if (code === "malformed_unicode") assert.match(text, /\\u[dD]/);
    }),
  );
});

test("property: any bytes are JSON or a row of the table", () => {
  const jsonish = fc
    .array(fc.constantFrom("{", "}", "[", "]", '"', ":", ",", "\\", "\\u", "d800", "a", "1", " "))
    .map((pieces) => Buffer.from(pieces.join("")));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), jsonish), (body) => {
      outcome(() => parseJson(body));
    }),
    { numRuns: 2000 },
  );
});

test("a list is counted before its entries are looked at, and the first wrong entry ends the check", () => {
  const many = (entry: unknown) => Array.from({ length: 300_000 }, () => entry);
  const user = (more: object) => ({ messages: [{ role: "user", content: "a", ...more }] });
  let looked = 0;
  const watched = () => ({
    get role() {
      looked++;
      return "x";
    },
  });
  for (const value of [
    { texts: many(1) },
    { messages: many({}) },
    { messages: many(1) },
    user({ content: many({}) }),
    user({ content: many({ type: "text", text: 1 }) }),
    user({ tool_calls: many({}) }),
  ]) {
    assert.equal(
      outcome(() => toScanRequest(value, "r", limits)),
      "invalid_request",
    );
    const wide = { textsMax: 1_000_000, messagesMax: 1_000_000 };
    assert.equal(
      outcome(() => toScanRequest(value, "r", wide)),
      "invalid_request",
    );
  }
  const messages = [watched(), watched(), watched()];
  outcome(() => toScanRequest({ messages }, "r", limits));
  const once = looked;
  outcome(() => toScanRequest({ messages: [watched()] }, "r", limits));
  assert.equal(looked - once, once, "only the first of three wrong messages was looked at");
});

test("what is wrong in a list is named by its place", () => {
  const detail = (value: unknown) => {
    try {
      read(value);
    } catch (error) {
      return (error as Error).message.replace(/^.*shape: /, "");
    }
    return "ok";
  };
  const user = (more: object) => ({ messages: [{ role: "user", content: "a", ...more }] });
  assert.equal(detail({ texts: ["a", 1] }), "texts[1]: expected string, received number");
  assert.equal(detail({ texts: "a" }), "texts: expected a list");
  assert.equal(detail({ messages: [7] }), "messages[0]: expected object, received number");
  assert.equal(
    detail(user({ content: 7 })),
    "messages[0].content: expected a string or a list of content parts",
  );
  assert.equal(
    detail(user({ content: [{ type: "text", text: 1 }] })),
    "messages[0].content[0].text: expected string, received number",
  );
  assert.equal(
    detail(user({ tool_calls: [{ type: "x" }] })),
    "messages[0].tool_calls[0].type: there is no such type",
  );
  assert.equal(
    detail(user({ tool_calls: [1, 2, 3, 4, 5] })),
    "expected at most 5 parts in messages[0] but received 6",
  );
});

test("property: any JSON value is a request or a row of the table, and a request has text", () => {
  const text = fc.string({ unit: "binary" });
  const loose = fc.oneof(text, fc.jsonValue(), fc.constant(undefined));
  const part = fc.record({
    type: fc.constantFrom("text", "refusal", "image_url", "x"),
    text: loose,
  });
  const message = fc.record(
    {
      role: fc.constantFrom("user", "assistant", "tool", "x"),
      content: fc.oneof(text, fc.array(fc.oneof(part, loose)), fc.constant(null)),
      tool_calls: fc.oneof(loose, fc.array(loose)),
    },
    { requiredKeys: ["role"] },
  );
  const request = fc.record(
    {
      text: loose,
      texts: fc.oneof(loose, fc.array(text)),
      messages: fc.oneof(loose, fc.array(fc.oneof(message, loose))),
      origin: loose,
      id: loose,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(request, fc.jsonValue()), (value) => {
      outcome(() => {
        const { prompts, isBatch } = read(value);
        assert.ok(isBatch || prompts.length === 1);
        for (const prompt of prompts) {
          assert.ok(prompt.segments.length > 0);
          for (const segment of prompt.segments) assert.ok(segment.text.length > 0);
        }
      });
    }),
    { numRuns: 2000 },
  );
});

test("property: a valid request is taken whole", () => {
  const text = fc.string({ minLength: 1, unit: "grapheme" });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (texts) => {
      const { prompts } = read({ texts });
      assert.deepEqual(
        prompts.map((prompt) => prompt.segments[0]?.text),
        texts,
      );
    }),
  );
});
