/** docs/http.md has every error as src/errors.ts has it, every route and every metric. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { errors } from "../../src/errors.ts";
import { createAdminRoutes } from "../../src/http/admin/index.ts";
import { createRoutes } from "../../src/http/routes/index.ts";
import { defaults, newMetrics, openAccess, openSealer } from "./harness.ts";

const page = readFileSync("docs/http.md", "utf8");

test("the error table is src/errors.ts", () => {
  const rows = [...page.matchAll(/^\| `(\w+)` +\| (\d{3}) +\| (.*?) +\|$/gm)].map(
    ([, code, status, message]) => [code, Number(status), message],
  );
  const table = Object.entries(errors).map(([code, { status, message }]) => [
    code,
    status,
    message,
  ]);
  assert.deepEqual(rows, table);
});

test("the route table is what is routed", () => {
  const rows = [...page.matchAll(/^\| `(\/\S+)` +\| (GET|POST|DELETE) +\|/gm)].map(
    ([, path, method]) => [path, method],
  );
  const routes = createRoutes({
    version: "0",
    settings: defaults,
    inspector: { inspect: () => Promise.reject() },
    refusal: () => undefined,
    info: () => ({}),
    access: () => openAccess,
    sealer: () => openSealer,
    record: () => undefined,
    metrics: newMetrics(),
  });
  const nothing = () => Promise.reject();
  const operators = createAdminRoutes(
    {
      version: "0",
      queryLog: nothing,
      stats: () => ({}),
      settings: defaults,
      clearCache: nothing,
      reload: () => ({}),
    },
    new Map(),
  );
  const routed = [...routes, ...operators].flatMap(([path, route]) =>
    Object.keys(route).map((method) => [path, method]),
  );
  assert.deepEqual(rows, routed);
});

test("the metrics of our own are all on the page", async () => {
  const text = await newMetrics().text();
  const names = [...text.matchAll(/^# TYPE (ghostai_\w+) (\w+)$/gm)].map(([, name, type]) => [
    name,
    type,
  ]);
  const rows = [...page.matchAll(/^\| `(ghostai_\w+)(?:\{[\w,]+\})?` +\| (\w+) +\|/gm)].map(
    ([, name, type]) => [name, type],
  );
  assert.deepEqual(rows, names);
});
