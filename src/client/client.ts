/** A typed client of the daemon over a Unix socket: scans on the public one, the rest on the admin socket. */
import { request } from "node:http";

/** The daemon cannot be reached, or answered with an error; the message is one line. */
export class ClientError extends Error {
  /** The error's code in the daemon's table; `unreachable` where nobody answered. */
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "ClientError";
    this.code = code;
  }
}

export interface LogFilters {
  readonly since?: string;
  readonly until?: string;
  readonly min_score?: string;
  readonly scanner_type?: string;
  readonly ip?: string;
  readonly verdict?: string;
  readonly limit?: string;
  readonly order?: string;
  readonly cursor?: string;
}

export interface LoggedRequest {
  readonly sequence: number;
  readonly time: string;
  readonly id: string;
  readonly verdict: string;
  readonly observed: boolean;
  readonly threat_score: number;
  readonly scanner_type: string;
  readonly findings: readonly { readonly label: string; readonly score: number }[];
  readonly ip_address: string;
  readonly key: string;
  readonly cache: string;
  readonly latency_ms: { readonly total: number };
}

export interface LogPage {
  readonly records: readonly LoggedRequest[];
  readonly cursor?: string;
  readonly plan: { readonly index: string; readonly examined: number };
}

const timeoutMs = 30_000;

export class Client {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** @returns one page of the log. Rejects with ClientError, as all of these do. */
  logs(filters: LogFilters): Promise<LogPage> {
    const query = new URLSearchParams(Object.entries(filters));
    return this.ask("GET", `/v1/logs?${query}`) as Promise<LogPage>;
  }

  stats(): Promise<unknown> {
    return this.ask("GET", "/v1/stats");
  }

  config(): Promise<unknown> {
    return this.ask("GET", "/v1/config");
  }

  reload(): Promise<unknown> {
    return this.ask("POST", "/v1/reload");
  }

  clearCache(): Promise<unknown> {
    return this.ask("DELETE", "/v1/cache");
  }

  /** One exchange of JSON. */
  ask(method: string, path: string, body?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/json" };
      const sent = request({ socketPath: this.#socketPath, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => settle(Buffer.concat(chunks).toString("utf8"), resolve, reject));
      });
      sent.setTimeout(timeoutMs, () => sent.destroy(new Error("ETIMEDOUT")));
      sent.on("error", (error: NodeJS.ErrnoException) => {
        const reason = error.code ?? error.message;
        const message = `Expected a daemon at the socket ${this.#socketPath} but got ${reason}`;
        reject(new ClientError("unreachable", message));
      });
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function settle(
  text: string,
  resolve: (value: unknown) => void,
  reject: (error: ClientError) => void,
): void {
  let value: { error?: { code: string; message: string } };
  try {
    value = JSON.parse(text);
  } catch {
    reject(new ClientError("unreachable", "Expected JSON from the daemon"));
    return;
  }
  if (value.error === undefined) resolve(value);
  else reject(new ClientError(value.error.code, value.error.message));
}
