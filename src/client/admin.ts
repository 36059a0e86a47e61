/** What the command line asks the running daemon, over its admin socket. */
import { ask } from "./ask.ts";
import { socketTransport, type Transport } from "./transport.ts";

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

export class AdminClient {
  readonly #transport: Transport;

  constructor(socketPath: string) {
    this.#transport = socketTransport(socketPath);
  }

  /** @returns one page of the log. Rejects with ClientError, as all of these do. */
  logs(filters: LogFilters): Promise<LogPage> {
    const query = new URLSearchParams(Object.entries(filters));
    return this.#ask("GET", `/v1/logs?${query}`) as Promise<LogPage>;
  }

  stats(): Promise<unknown> {
    return this.#ask("GET", "/v1/stats");
  }

  config(): Promise<unknown> {
    return this.#ask("GET", "/v1/config");
  }

  reload(): Promise<unknown> {
    return this.#ask("POST", "/v1/reload");
  }

  clearCache(): Promise<unknown> {
    return this.#ask("DELETE", "/v1/cache");
  }

  #ask(method: "GET" | "POST" | "DELETE", path: string): Promise<unknown> {
    return ask(this.#transport, { method, path }, timeoutMs);
  }
}
