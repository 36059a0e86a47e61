/** The OpenAPI documents are valid, are the copies in docs, and hold for every example and every error. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { type ErrorCode, errors, GhostError } from "../../src/errors.ts";
import { errorReply } from "../../src/http/reply.ts";
import { withDaemon } from "../e2e/harness.ts";
import {
  documents,
  type Json,
  operatorsDocument,
  operatorsRoutes,
  publicDocument,
  publicRoutes,
} from "./documents.ts";

const both = { publicDocument, operatorsDocument };

function componentsOf(document: Json, kind: "responses" | "schemas"): Json {
  return (document.components as Json)[kind] as Json;
}

/** @returns a check against the schema that lies there in the document */
function validator(document: Json, pointer: string) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, "document");
  const check = ajv.compile({ $ref: `document#${pointer}` });
  return (value: unknown) => {
    assert.ok(check(value), `${JSON.stringify(value)}: ${ajv.errorsText(check.errors)}`);
  };
}

test("the documents are OpenAPI 3.1", async () => {
  for (const [name, document] of Object.entries(both)) {
    const { valid, errors: found } = await new Validator().validate(structuredClone(document));
    assert.ok(valid, `${name}: ${JSON.stringify(found)}`);
    assert.match(String(document.openapi), /^3\.1\./);
  }
});

test("making the copies in docs anew changes nothing", () => {
  for (const { file, text } of documents()) assert.equal(readFileSync(file, "utf8"), text, file);
});

test("every operation that is routed is described", () => {
  for (const [document, routes] of [
    [publicDocument, publicRoutes],
    [operatorsDocument, operatorsRoutes],
  ] as const) {
    const routed = [...routes].map(([path, route]) => [path, Object.keys(route).sort()]);
    const described = Object.entries(document.paths as Json).map(([path, item]) => [
      path,
      Object.keys(item)
        .map((method) => method.toUpperCase())
        .sort(),
    ]);
    assert.deepEqual(described, routed);
  }
});

test("every row of the error table holds against its response", () => {
  for (const document of Object.values(both)) {
    for (const code of Object.keys(errors) as ErrorCode[]) {
      const reply = errorReply(new GhostError(code, "detail"));
      const response = `/components/responses/${code}`;
      const check = validator(document, `${response}/content/application~1json/schema`);
      check(JSON.parse(reply.body));
      const other = code === "busy" ? "not_ready" : "busy";
      assert.throws(() => check({ error: { code: other, message: "" } }));
      const { headers } = componentsOf(document, "responses")[code] as Json;
      assert.deepEqual(
        Object.keys(headers as Json).sort(),
        [...Object.keys(reply.headers), "x-request-id"].sort(),
      );
    }
  }
});

/** JSON values that a page shows: what curl sends, and blocks of their own. */
function examplesOf(file: string): { readonly requests: Json[]; readonly answers: Json[] } {
  const page = readFileSync(file, "utf8");
  const json = (text: string) => JSON.parse(text) as Json;
  const sent = [...page.matchAll(/--json '([^']+)'/g)].map(([, text]) => json(text as string));
  const inTable = [...page.matchAll(/^\| `(\{"(?:text|texts|messages)".*?\})` \|/gm)].map(
    ([, text]) => json((text as string).replace('"...", "..."', '"a", "b"')),
  );
  // A page that lists what a field may be writes a|b, and the first of them stands for all; … is what is left out.
  const blocks = [...page.matchAll(/^ {4}\{\n(?: {6}.*\n)+ {4}\}$/gm)].map(([text]) =>
    json(text.replace(/"(\w+)\|[\w|]+"/g, '"$1"').replace(/, …(?=\])/g, "")),
  );
  return { requests: [...sent, ...inTable], answers: blocks };
}

test("the examples of the pages hold against the document", () => {
  const request = validator(publicDocument, "/components/schemas/ScanRequest");
  const verdict = validator(publicDocument, "/components/schemas/Verdict");
  const redacted = validator(publicDocument, "/components/schemas/Redacted");
  const counts = ["README.md", "docs/http.md", "docs/clients.md"].map((file) => {
    const { requests, answers } = examplesOf(file);
    requests.forEach(request);
    for (const answer of answers) ("replacements" in answer ? redacted : verdict)(answer);
    return [file, requests.length > 0, answers.length > 0];
  });
  // So that a change of how examples are written does not leave them unchecked.
  assert.deepEqual(counts, [
    ["README.md", true, true],
    ["docs/http.md", false, true],
    ["docs/clients.md", true, false],
  ]);
});

test("the examples of the document hold against it", () => {
  const schemas = Object.entries(componentsOf(publicDocument, "schemas"));
  const exemplified = schemas.filter(([, { examples }]) => examples !== undefined);
  assert.deepEqual(exemplified.map(([name]) => name).sort(), ["RedactRequest", "ScanRequest"]);
  for (const [name, { examples }] of exemplified) {
    const check = validator(publicDocument, `/components/schemas/${name}`);
    for (const example of Object.values(examples as Json)) check(example);
  }
  const check = validator(publicDocument, "/components/schemas/ScanRequest");
  assert.throws(() => check({}));
  assert.throws(() => check({ text: "a", texts: ["b"] }));
  check({ text: "a", redact: true, restore: true });
  assert.throws(() => check({ text: "a", restore: true }));
});

test("a daemon serves the document with its own limits", () =>
  withDaemon(["--texts-max", "3"], async ({ url, scan }) => {
    const served = (await (await fetch(`${url}/openapi.json`)).json()) as Json;
    const check = validator(served, "/components/schemas/ScanRequest");
    const texts = (count: number) => ({ texts: Array(count).fill("a") });
    check(texts(3));
    assert.throws(() => check(texts(4)));
    assert.equal((await scan(texts(3))).status, 200);
    assert.equal((await scan(texts(4))).status, 400);
  }));
