/** The HTTP server in this process on a free port, with an inspector that a test decides. */
import assert from "node:assert/strict";
import { BlockList, connect, type Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { readSettings } from "../../src/config/read.ts";
import type { Settings } from "../../src/config/schema.ts";
import { GhostError } from "../../src/errors.ts";
import type { Operation, Route } from "../../src/http/operation.ts";
import { type Access, createRoutes } from "../../src/http/routes/index.ts";
import type { ScanDependencies } from "../../src/http/routes/scan.ts";
import { type ConnectionGuard, HttpServer } from "../../src/http/server.ts";
import type { Inspector } from "../../src/inspect.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { drawSealKey, Sealer } from "../../src/redact/seal.ts";
import type { Prompt, Verdict } from "../../src/types.ts";

export const defaults: Settings = readSettings({ flags: {}, environment: {} });

/** A verdict that blocks every prompt with one finding for its first segment. */
export function verdictOf(prompt: Prompt): Verdict {
  const [first] = prompt.segments;
  const finding = {
    scanner: "model" as const,
    label: "model/attack",
    score: 0.9,
    start: 0,
    end: first?.text.length ?? 0,
    message: "The model reads this part as an attack",
  };
  const located =
    first?.messageIndex === undefined || first.partIndex === undefined
      ? finding
      : { ...finding, messageIndex: first.messageIndex, partIndex: first.partIndex };
  return {
    id: prompt.id,
    action: "block",
    threatScore: 0.9,
    scannerType: "model",
    findings: [located],
    cache: "none",
    model: "fake@1.0.0",
    latency: { total: 1.23456, queue: 0.1, tokenize: 0.2, model: 0.30049 },
  };
}

/** Metrics of a daemon without model and store. */
export function newMetrics(): Metrics {
  const nothing = () => 0;
  const gauges = {
    queueDepth: nothing,
    windowsByLayer: () => ({}),
    logQueueDepth: nothing,
    storeWritable: nothing,
    diskCacheEntries: nothing,
  };
  return new Metrics(gauges, { version: "0" });
}

/** What a daemon without a model would tell. */
const infoOfNothing = {
  version: "0",
  model: { name: "fake", version: "1.0.0", sha256: "" },
  kernels: "scalar",
  kernels_available: ["scalar"],
  threads: { event_loop_core: null, inference_cores: [0] },
  limits: {
    body_bytes_max: 0,
    texts_max: 0,
    messages_max: 0,
    requests_waiting_max: 0,
    queue_max: 0,
    windows_max: 0,
    deadline_ms: 0,
    queue_wait_ms_max: 0,
    connections_per_address_max: 0,
  },
  cache: { entries_max: 0, ttl_ms: 0 },
  disk_cache: { entries_max: 0, bytes_max: 0, ttl_ms: 0 },
  access: "enforce",
};

export const openAccess: Access = { trustedProxies: new BlockList() };

/** A sealer of restore tokens with a key of its own. */
export const openSealer = new Sealer(
  [drawSealKey()],
  { tokenTtlMs: 60_000, tokenLengthMax: 65_536 },
  () => Date.now(),
);

export interface Options {
  readonly sealer?: Sealer;
  readonly inspect?: Inspector["inspect"];
  readonly access?: Access;
  readonly record?: ScanDependencies["record"];
  readonly guard?: ConnectionGuard;
  readonly settings?: Partial<Settings>;
  readonly refusal?: () => GhostError | undefined;
}

export interface TestServer {
  readonly port: number;
  readonly url: string;
  readonly server: HttpServer;
  readonly metrics: Metrics;
  /** What was thrown behind the errors that were answered. */
  readonly causes: unknown[];
  scan(body: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** The same routes, which note answers and errors that their descriptions don't have. */
export function watched(routes: ReadonlyMap<string, Route>, undescribed: string[]) {
  const watchedOperation = (operation: Operation): Operation => ({
    ...operation,
    async handler(exchange) {
      const { id, errors, answer } = operation;
      try {
        const reply = await operation.handler(exchange);
        const body = answer.mediaType === "application/json" ? JSON.parse(reply.body) : reply.body;
        // A schema takes away what it does not name.
        if (!isDeepStrictEqual(answer.schema.safeParse(body).data, body)) {
          undescribed.push(`${id}: ${reply.body}`);
        }
        return reply;
      } catch (error) {
        const isKnown = error instanceof GhostError && !errors.includes(error.code);
        if (isKnown && error.code !== "internal_error") undescribed.push(`${id}: ${error.code}`);
        throw error;
      }
    },
  });
  return new Map(
    [...routes].map(([path, route]) => [
      path,
      Object.fromEntries(
        Object.entries(route).map(([method, operation]) => [method, watchedOperation(operation)]),
      ) as Route,
    ]),
  );
}

/** Starts a server, hands it to `use` and closes it. */
export async function withServer(
  options: Options,
  use: (server: TestServer) => Promise<void>,
): Promise<void> {
  const metrics = newMetrics();
  const causes: unknown[] = [];
  const undescribed: string[] = [];
  const routes = createRoutes({
    version: "0",
    settings: { ...defaults, ...options.settings },
    inspector: { inspect: options.inspect ?? (async (prompt) => verdictOf(prompt)) },
    refusal: options.refusal ?? (() => undefined),
    info: () => infoOfNothing,
    access: () => options.access ?? openAccess,
    sealer: () => options.sealer ?? openSealer,
    record: options.record ?? (() => undefined),
    metrics,
  });
  const onError = (error: GhostError, cause: unknown) => {
    metrics.refused(error.code);
    causes.push(cause);
  };
  const server = new HttpServer(watched(routes, undescribed), onError, options.guard);
  try {
    const port = await server.listenTcp("127.0.0.1", 0);
    const url = `http://127.0.0.1:${port}`;
    const scan = (body: unknown, headers: Record<string, string> = {}) =>
      fetch(`${url}/v1/scan`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    await use({ port, url, server, metrics, causes, scan });
    assert.deepEqual(undescribed, []);
  } finally {
    server.close();
  }
}

/** A connection that keeps all that came back. */
export class RawClient {
  readonly socket: Socket;
  received = "";
  readonly closed: Promise<void>;
  #changed = () => {};

  constructor(target: { port: number } | { path: string }) {
    this.socket = connect("port" in target ? { ...target, host: "127.0.0.1" } : target);
    this.socket.on("data", (chunk) => {
      this.received += chunk.toString("latin1");
      this.#changed();
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.socket.once("close", () => {
        resolve();
        this.#changed();
      });
    });
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Waits until what came back matches. @throws when the connection ends before */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      if (this.socket.closed) throw new Error(`Closed after: ${this.received}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.received;
  }
}

/** The head of a scan request. */
export function scanHead(contentLength: number, more = ""): string {
  return `POST /v1/scan HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: ${contentLength}\r\n${more}\r\n`;
}

/** Resolves once `holds` does; polls, so that nothing depends on how fast. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}
