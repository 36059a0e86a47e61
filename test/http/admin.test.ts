/** The admin socket's routes beside the public ones: neither answers what is the other's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GhostError } from "../../src/errors.ts";
import { type AdminDependencies, createAdminRoutes } from "../../src/http/admin/index.ts";
import type { Route } from "../../src/http/operation.ts";
import { createRoutes, createStateRoutes } from "../../src/http/routes/index.ts";
import { HttpServer } from "../../src/http/server.ts";
import { cursorOf, type LogPage, type LogQuery, type LogRow } from "../../src/log/query.ts";
import { Statistics } from "../../src/service/statistics.ts";
import { defaults, newMetrics, openAccess, openSealer, verdictOf } from "./harness.ts";

const emptyPage: LogPage = { rows: [], plan: { index: "by_time", examined: 0 } };

/** An admin server on a port, for the sake of fetch; and what it was asked of the log. */
async function withAdmin(
  given: Partial<AdminDependencies>,
  use: (url: string, queries: readonly LogQuery[], causes: readonly unknown[]) => Promise<void>,
): Promise<void> {
  const queries: LogQuery[] = [];
  const causes: unknown[] = [];
  const dependencies: AdminDependencies = {
    version: "0",
    queryLog: async (query) => {
      queries.push(query);
      return emptyPage;
    },
    stats: () => ({}),
    settings: defaults,
    clearCache: async () => {},
    reload: () => ({}),
    ...given,
  };
  const state = { refusal: () => undefined, info: () => ({}), metrics: newMetrics() };
  const routes = createAdminRoutes(dependencies, createStateRoutes(state));
  const server = new HttpServer(routes, (_error, cause) => causes.push(cause));
  try {
    const port = await server.listenTcp("127.0.0.1", 0);
    await use(`http://127.0.0.1:${port}`, queries, causes);
  } finally {
    server.close();
  }
}

interface Answer {
  readonly status: number;
  readonly body: {
    readonly error?: { readonly code: string; readonly message: string };
    readonly [field: string]: unknown;
  };
}

async function ask(url: string, method = "GET"): Promise<Answer> {
  const response = await fetch(url, { method });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

const shared = ["/v1/info", "/healthz", "/readyz", "/metrics", "/openapi.json"];

const publicRoutes = createRoutes({
  version: "0",
  settings: defaults,
  inspector: { inspect: async (prompt) => verdictOf(prompt) },
  refusal: () => undefined,
  info: () => ({}),
  access: () => openAccess,
  sealer: () => openSealer,
  record: () => undefined,
  metrics: newMetrics(),
});
const adminRoutes = createAdminRoutes(
  {
    version: "0",
    queryLog: async () => emptyPage,
    stats: () => ({}),
    settings: defaults,
    clearCache: async () => {},
    reload: () => ({}),
  },
  createStateRoutes({ refusal: () => undefined, info: () => ({}), metrics: newMetrics() }),
);

async function withRoutes(
  routes: ReadonlyMap<string, Route>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = new HttpServer(routes, () => {});
  try {
    await use(`http://127.0.0.1:${await server.listenTcp("127.0.0.1", 0)}`);
  } finally {
    server.close();
  }
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

test("the public listener and the admin socket have these routes and no others", () => {
  const callers = ["/v1/scan", "/v1/redact", "/v1/restore"];
  assert.deepEqual([...publicRoutes.keys()].sort(), [...callers, ...shared].sort());
  const operators = ["/v1/logs", "/v1/stats", "/v1/config", "/v1/cache", "/v1/reload"];
  assert.deepEqual([...adminRoutes.keys()].sort(), [...operators, ...shared].sort());
});

test("every route of both, asked of both, with every method: each answers its own alone", async () => {
  const paths = [...new Set([...publicRoutes.keys(), ...adminRoutes.keys()])];
  for (const routes of [publicRoutes, adminRoutes]) {
    await withRoutes(routes, async (url) => {
      for (const path of paths) {
        for (const method of methods) {
          const response = await fetch(url + path, { method });
          const text = await response.text();
          const route = routes.get(path);
          const what = `${method} ${path}`;
          if (route === undefined) {
            assert.equal(response.status, 404, what);
            if (method !== "HEAD") assert.match(text, /"code":"not_found"/, what);
          } else if (Object.hasOwn(route, method === "HEAD" ? "GET" : method)) {
            assert.ok(![404, 405, 500].includes(response.status), what);
          } else {
            assert.equal(response.status, 405, what);
          }
        }
      }
    });
  }
});

test("no other spelling of an admin path reaches it from outside", () =>
  withRoutes(publicRoutes, async (url) => {
    for (const path of adminRoutes.keys()) {
      if (shared.includes(path)) continue;
      for (const spelling of [`${path}/`, `/${path}`, path.toUpperCase(), `${path}?x=1`]) {
        assert.equal((await ask(url + spelling)).status, 404, spelling);
        assert.equal((await ask(url + spelling, "POST")).status, 404, spelling);
      }
    }
  }));

test("logs: without filters the newest hundred, and each filter is handed on", () =>
  withAdmin({}, async (url, queries) => {
    const asked = async (filters: string) => {
      assert.equal((await ask(`${url}/v1/logs${filters}`)).status, 200, filters);
      return queries.at(-1);
    };
    const plain = { limit: 100, order: "newest" };
    assert.deepEqual(await asked(""), plain);
    assert.deepEqual(await asked("?"), plain);
    const cursor = cursorOf({ at: 5, sequence: 7n });
    assert.deepEqual(
      await asked(
        `?since=1000&until=2026-01-31T12:00:00Z&min_score=0.5&scanner_type=signature&ip=%3A%3A1&verdict=block&limit=10000&order=oldest&cursor=${cursor}`,
      ),
      {
        limit: 10_000,
        order: "oldest",
        since: 1000,
        until: Date.UTC(2026, 0, 31, 12),
        scoreMin: 0.5,
        scannerType: "signature",
        address: "::1",
        verdict: "block",
        cursor,
      },
    );
    for (const [text, value] of [
      ["0", 0],
      ["1", 1],
      [".25", 0.25],
      ["1.0", 1],
    ] as const) {
      assert.deepEqual(await asked(`?min_score=${text}`), { ...plain, scoreMin: value });
    }
    for (const [text, at] of [
      ["2026-01-31", Date.UTC(2026, 0, 31)],
      ["2026-01-31T12:00:00.5Z", Date.UTC(2026, 0, 31, 12, 0, 0, 500)],
      ["2026-01-31T12:00%2B01:00", Date.UTC(2026, 0, 31, 11)],
    ] as const) {
      assert.deepEqual(await asked(`?since=${text}`), { ...plain, since: at });
    }
  }));

test("logs: what is no filter is refused in one line that names it", () =>
  withAdmin({}, async (url, queries) => {
    const wrong: readonly [filters: string, pattern: RegExp][] = [
      ["nothing=1", /there is no filter "nothing"$/],
      ["__proto__=1", /there is no filter "__proto__"$/],
      ["a%0Ab=1", /there is no filter "a\\nb"$/],
      ["since=1&since=2", /since is there twice$/],
      ["verdict=block&limit=1&verdict=block", /verdict is there twice$/],
      ["since=", /since: expected milliseconds since 1970 or a date/],
      ["since=yesterday", /since: expected milliseconds/],
      ["since=-1", /since: expected milliseconds/],
      ["since=1e3", /since: expected milliseconds/],
      ["since=9999999999999999", /since: expected milliseconds/],
      ["since=May+5", /since: expected milliseconds/],
      ["until=2026-13-01", /until: expected milliseconds/],
      ["until=2026-01-31T25:00Z", /until: expected milliseconds/],
      ["until=1969-12-31", /until: expected milliseconds/],
      ["min_score=", /min_score: expected a number from 0 to 1/],
      ["min_score=1.1", /min_score: expected a number from 0 to 1/],
      ["min_score=-0", /min_score: expected a number from 0 to 1/],
      ["min_score=NaN", /min_score: expected a number from 0 to 1/],
      ["min_score=1e-9", /min_score: expected a number from 0 to 1/],
      ["scanner_type=all", /scanner_type: .*"model"/],
      ["verdict=maybe", /verdict: .*"allow"/],
      ["order=random", /order: .*"newest"/],
      ["ip=", /ip: /],
      [`ip=${"1".repeat(65)}`, /ip: /],
      ["limit=0", /limit: expected 1-10000/],
      ["limit=10001", /limit: expected 1-10000/],
      ["limit=1.5", /limit: expected 1-10000/],
      ["limit=-1", /limit: expected 1-10000/],
      ["limit=", /limit: expected 1-10000/],
      ["cursor=", /cursor: expected a cursor of an answer/],
      ["cursor=abc", /cursor: expected a cursor of an answer/],
      [`cursor=${"_".repeat(22)}`, /cursor: expected a cursor of an answer/],
      [`cursor=${cursorOf({ at: 5, sequence: 7n })}A`, /cursor: expected a cursor of an answer/],
    ];
    for (const [filters, pattern] of wrong) {
      const { status, body } = await ask(`${url}/v1/logs?${filters}`);
      assert.equal(status, 400, filters);
      assert.equal(body.error?.code, "invalid_request", filters);
      assert.match(body.error?.message ?? "", pattern);
      assert.doesNotMatch(body.error?.message ?? "", /\n/);
    }
    assert.equal(queries.length, 0);
  }));

const row: LogRow = {
  sequence: 41n,
  at: Date.UTC(2026, 0, 31, 12),
  id: "r-1",
  verdict: "block",
  observed: true,
  threatScore: 0.9,
  scannerType: "model",
  findings: [
    {
      scanner: "model",
      label: "model/attack",
      score: 0.9,
      start: 0,
      end: 6,
      message: "said",
      messageIndex: 1,
      partIndex: 2,
    },
  ],
  address: "203.0.113.9",
  keyName: "team",
  origin: "document",
  model: "m@1.0.0",
  signatures: "s",
  normaliser: "n",
  cache: "l3",
  latency: { total: 1, queue: 0.1, tokenize: 0.2, model: 0.3 },
  textHash: "ab",
};

test("logs: a record in the names of the wire; its text only where it was kept", async () => {
  const page: LogPage = {
    rows: [row, { ...row, sequence: 40n, text: "attack" }],
    cursor: "next",
    plan: { index: "by_score", examined: 9 },
  };
  await withAdmin({ queryLog: async () => page }, async (url) => {
    const { body } = await ask(`${url}/v1/logs`);
    const expected = {
      sequence: 41,
      time: "2026-01-31T12:00:00.000Z",
      id: "r-1",
      verdict: "block",
      observed: true,
      threat_score: 0.9,
      scanner_type: "model",
      findings: [
        {
          scanner: "model",
          label: "model/attack",
          score: 0.9,
          start: 0,
          end: 6,
          message: "said",
          message_index: 1,
          part_index: 2,
        },
      ],
      ip_address: "203.0.113.9",
      key: "team",
      origin: "document",
      versions: { model: "m@1.0.0", signatures: "s", normaliser: "n" },
      cache: "l3",
      latency_ms: { total: 1, queue: 0.1, tokenize: 0.2, model: 0.3 },
      text_hash: "ab",
    };
    assert.deepEqual(body, {
      records: [expected, { ...expected, sequence: 40, text: "attack" }],
      cursor: "next",
      plan: { index: "by_score", examined: 9 },
    });
  });
});

test("logs and cache: without a store 503 with its reason and Retry-After", async () => {
  const fail = async () => {
    throw new Error("The store is not open");
  };
  await withAdmin({ queryLog: fail, clearCache: fail }, async (url) => {
    for (const [path, method] of [
      ["/v1/logs", "GET"],
      ["/v1/cache", "DELETE"],
    ] as const) {
      const response = await fetch(url + path, { method });
      assert.equal(response.status, 503);
      assert.match(response.headers.get("retry-after") ?? "", /^\d+$/);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      assert.equal(error.code, "store_unavailable");
      assert.match(error.message, /: The store is not open$/);
    }
  });
});

test("cache: DELETE empties it, once for each request", async () => {
  let cleared = 0;
  const clearCache = async () => {
    cleared++;
  };
  await withAdmin({ clearCache }, async (url) => {
    assert.deepEqual(await ask(`${url}/v1/cache`, "DELETE"), {
      status: 200,
      body: { cleared: true },
    });
    assert.equal((await ask(`${url}/v1/cache`)).status, 405);
    assert.equal(cleared, 1);
  });
});

test("cache: before the model is there it is not ready", async () => {
  const clearCache = async () => {
    throw new GhostError("not_ready");
  };
  await withAdmin({ clearCache }, async (url) => {
    const { status, body } = await ask(`${url}/v1/cache`, "DELETE");
    assert.deepEqual([status, body.error?.code], [503, "not_ready"]);
  });
});

test("reload: what changed, or why nothing did, and that as the operator's error", async () => {
  const results: { error?: string; changed?: string[]; need_restart?: string[] }[] = [
    { changed: ["deadlineMs"], need_restart: ["port"] },
    { error: "Expected 1-600000 for deadlineMs but received 0 (from a.yaml)" },
  ];
  const reload = () => results.shift() ?? {};
  await withAdmin({ reload }, async (url, _queries, causes) => {
    const done = await ask(`${url}/v1/reload`, "POST");
    assert.deepEqual(done.body, { changed: ["deadlineMs"], need_restart: ["port"] });
    const { status, body } = await ask(`${url}/v1/reload`, "POST");
    assert.deepEqual([status, body.error?.code], [400, "invalid_request"]);
    assert.match(body.error?.message ?? "", /: Expected 1-600000 for deadlineMs but received 0/);
    assert.equal((await ask(`${url}/v1/reload`)).status, 405);
    assert.equal(causes.length, 2);
  });
});

test("config: every setting as it is", () =>
  withAdmin({}, async (url) => {
    assert.deepEqual((await ask(`${url}/v1/config`)).body, { ...defaults });
  }));

test("stats: their shape, at nothing and after requests", async () => {
  const metrics = newMetrics();
  const statistics = new Statistics(metrics, () => ({ open: true }));
  try {
    await withAdmin({ stats: () => statistics.read() }, async (url) => {
      const windows = ["last_minute", "last_5_minutes", "last_60_minutes"] as const;
      const before = (await ask(`${url}/v1/stats`)).body;
      for (const name of windows) {
        assert.deepEqual(before[name], {
          answered: 0,
          refused: 0,
          requests_per_second: 0,
          error_rate: 0,
          latency_ms: null,
        });
      }
      for (let at = 0; at < 30; at++) metrics.answered("allow", 0.004, false);
      for (let at = 0; at < 10; at++) metrics.refused("busy");
      for (const outcome of ["hit", "hit", "hit", "miss"] as const) metrics.cache("l1", outcome);
      metrics.cache("l3", "miss");
      metrics.log("written", 3);
      const { body } = await ask(`${url}/v1/stats`);
      assert.deepEqual(Object.keys(body).sort(), [
        "cache",
        "cpu_cores",
        "last_5_minutes",
        "last_60_minutes",
        "last_minute",
        "log",
        "memory_bytes",
        "store",
        "throughput",
        "uptime_s",
      ]);
      for (const name of windows) {
        const window = body[name] as Record<string, unknown>;
        assert.deepEqual([window.answered, window.refused, window.error_rate], [30, 10, 0.25]);
        assert.ok(Number(window.requests_per_second) > 0);
        const latency = window.latency_ms as Record<string, number>;
        assert.deepEqual(Object.keys(latency), ["p50", "p95", "p99", "average", "max"]);
        // Histograms keep two digits.
        for (const ms of Object.values(latency)) assert.ok(ms > 3.9 && ms < 4.1, String(ms));
      }
      assert.deepEqual(body.cache, {
        l1: { hits: 3, misses: 1, joined: 0, hit_rate: 0.75 },
        l3: { hits: 0, misses: 1, joined: 0, hit_rate: 0 },
      });
      assert.deepEqual(body.log, { written: 3, dropped: 0 });
      assert.deepEqual(body.store, { open: true });
      const { peak_per_second: peak, sustained_per_second: sustained } = body.throughput as Record<
        string,
        number
      >;
      // The thirty may lie in two seconds.
      assert.ok(Number(peak) >= 15 && Number(peak) <= 30);
      assert.equal(sustained, 0.5);
      assert.ok((body.memory_bytes as { rss: number }).rss > 1e6);
    });
  } finally {
    statistics.stop();
  }
});
