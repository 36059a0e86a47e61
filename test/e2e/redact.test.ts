/** Redaction through the real daemon, and that nothing of a value stays behind. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run, withDaemon } from "./harness.ts";

const jane = "jane.canary.7391@mail.example.org";
const iban = "DE89 3704 0044 0532 0130 00";

interface Redacted {
  readonly text: string;
  readonly texts: readonly string[];
  readonly messages: readonly Record<string, unknown>[];
  readonly replacements: readonly Record<string, unknown>[];
  readonly is_cut: boolean;
  readonly token: string;
  readonly expires_at: string;
  readonly restored: readonly { readonly placeholder: string; readonly count: number }[];
  readonly error: { readonly code: string; readonly message: string };
}

async function ask(url: string, body: unknown): Promise<[number, Redacted]> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return [response.status, (await response.json()) as Redacted];
}

test("a text is redacted, answered about and restored", () =>
  withDaemon([], async ({ url }) => {
    const text = `Write to ${jane}, IBAN ${iban}.`;
    const [status, answer] = await ask(`${url}/v1/redact`, { text, restore: true });
    assert.equal(status, 200);
    assert.equal(answer.text, "Write to <EMAIL_1>, IBAN <IBAN_1>.");
    assert.deepEqual(answer.replacements[0], {
      kind: "EMAIL",
      placeholder: "<EMAIL_1>",
      start: 9,
      end: 9 + jane.length,
    });
    assert.equal(answer.is_cut, false);
    assert.ok(Date.parse(answer.expires_at) > Date.now());
    const reply = { text: "Sent to &lt;email\\_1&gt; and <EMAIL_1>", token: answer.token };
    const [, restored] = await ask(`${url}/v1/restore`, reply);
    assert.equal(restored.text, `Sent to ${jane} and ${jane}`);
    assert.deepEqual(restored.restored, [
      { placeholder: "<EMAIL_1>", count: 2 },
      { placeholder: "<IBAN_1>", count: 0 },
    ]);
  }));

test("messages keep their shape, a batch its order; both share their numbers", () =>
  withDaemon([], async ({ url }) => {
    const messages = [
      { role: "system", content: "" },
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "data:," } },
          { type: "text", text: `I am ${jane}` },
        ],
      },
      {
        role: "assistant",
        content: null,
        refusal: `No ${iban}`,
        function_call: { name: "mail", arguments: `{"to":"${jane}"}` },
        tool_calls: [{ type: "custom", custom: { name: "look", input: `x@mail.example.org` } }],
      },
    ];
    const [, answer] = await ask(`${url}/v1/redact`, { messages, restore: true });
    assert.deepEqual(answer.messages, [
      { role: "system", content: "" },
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "data:," } },
          { type: "text", text: "I am <EMAIL_1>" },
        ],
      },
      {
        role: "assistant",
        content: null,
        refusal: "No <IBAN_1>",
        function_call: { name: "mail", arguments: '{"to":"<EMAIL_1>"}' },
        tool_calls: [{ type: "custom", custom: { name: "look", input: "<EMAIL_2>" } }],
      },
    ]);
    assert.deepEqual(
      answer.replacements.map((place) => [place.message_index, place.part_index]),
      [
        [1, 1],
        [2, 0],
        [2, 1],
        [2, 2],
      ],
    );
    const { token } = answer;
    const [, restored] = await ask(`${url}/v1/restore`, { messages: answer.messages, token });
    assert.deepEqual(restored.messages, messages);
    const [, batch] = await ask(`${url}/v1/redact`, { texts: [jane, "none", `${iban} ${jane}`] });
    assert.deepEqual(batch.texts, ["<EMAIL_1>", "none", "<IBAN_1> <EMAIL_1>"]);
    assert.deepEqual(
      batch.replacements.map((place) => place.text_index),
      [0, 2, 2],
    );
    assert.equal("token" in batch, false);
  }));

test("a scan redacts beside its verdict, more than it tells findings", () =>
  withDaemon([], async ({ url }) => {
    const text = Array.from({ length: 80 }, (_, at) => `p${at}@mail.example.org`).join(" ");
    const body = { text, redact: true, restore: true };
    const [status, answer] = await ask(`${url}/v1/scan`, body);
    const { redacted, findings } = answer as unknown as {
      redacted: Redacted;
      findings: readonly unknown[];
    };
    assert.deepEqual([status, findings.length <= 50], [200, true]);
    assert.equal(redacted.replacements.length, 80);
    const again = { text: redacted.text, token: redacted.token };
    assert.equal((await ask(`${url}/v1/restore`, again))[1].text, text);
    const [, batch] = await ask(`${url}/v1/scan`, { texts: [jane, jane], redact: true });
    assert.deepEqual((batch as unknown as { redacted: Redacted }).redacted.texts, [
      "<EMAIL_1>",
      "<EMAIL_1>",
    ]);
    const [, plain] = await ask(`${url}/v1/scan`, { text: jane });
    assert.equal("redacted" in plain, false);
  }));

test("bad input is answered with a row of the table", () =>
  withDaemon([], async ({ url }) => {
    for (const [path, body, code] of [
      ["redact", "{", "malformed_json"],
      ["redact", { text: "" }, "empty_input"],
      ["redact", { text: "a", texts: ["a"] }, "invalid_request"],
      ["redact", { text: "a", redact: true }, "invalid_request"],
      ["redact", { text: "a", restore: 1 }, "invalid_request"],
      ["redact", { messages: [{ role: "user", content: [{ type: "no" }] }] }, "invalid_request"],
      ["scan", { text: "a", restore: true }, "invalid_request"],
      ["scan", { text: "a", redact: "yes" }, "invalid_request"],
      ["restore", { text: "a" }, "invalid_request"],
      ["restore", { text: "a", token: 1 }, "invalid_request"],
      ["restore", { token: "AQ" }, "invalid_request"],
      ["restore", { text: "a", token: "" }, "invalid_token"],
      ["restore", { text: "a", token: "AQAA" }, "invalid_token"],
      ["restore", { text: "a", token: "Ay5h".repeat(50) }, "invalid_token"],
    ] as const) {
      const [status, { error }] = await ask(`${url}/v1/${path}`, body);
      assert.deepEqual([status, error?.code], [400, code], JSON.stringify(body));
    }
  }));

test("nothing of a value stays in the store, the metrics, the output or an error", () =>
  withDaemon([], async ({ child, url, storePath, ended }) => {
    const text = `Write to ${jane}`;
    const [, { token }] = await ask(`${url}/v1/redact`, { text, restore: true });
    await ask(`${url}/v1/scan`, { text, redact: true, restore: true });
    await ask(`${url}/v1/restore`, { text: "<EMAIL_1>", token });
    const damaged = `${token.slice(0, -4)}AAAA`;
    const [, refused] = await ask(`${url}/v1/restore`, { text: jane, token: damaged });
    assert.equal(refused.error.code, "invalid_token");
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /^ghostai_redactions_total\{outcome="whole"\} 2$/m);
    assert.match(metrics, /^ghostai_replacements_total 2$/m);
    assert.match(metrics, /^ghostai_restorations_total 1$/m);
    child.kill("SIGTERM");
    const { stdout, stderr } = await ended;
    const stored = readdirSync(storePath, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    assert.ok(stored.length > 0);
    for (const kept of [JSON.stringify(refused), metrics, stdout, stderr, ...stored]) {
      assert.equal(kept.includes("canary.7391"), false);
      assert.equal(kept.includes(token), false);
    }
  }));

test("the command line redacts without a daemon, and has no token to give", async () => {
  const lines = [
    { text: jane, redact: true },
    { text: jane, redact: true, restore: true },
  ];
  const { code, stdout } = await run(
    ["scan"],
    lines.map((line) => JSON.stringify(line)).join("\n"),
  );
  const [first, second] = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(first.redacted.text, "<EMAIL_1>");
  assert.equal(second.error.code, "invalid_request");
  assert.equal(code, 1);
});
