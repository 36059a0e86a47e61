/** One HTTP exchange with the daemon: over TCP with fetch, over a Unix socket with node:http. */
import type { Agent } from "node:http";
import { ClientError } from "./error.ts";

export interface Asked {
  readonly method: "GET" | "POST" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

export interface Answered {
  readonly status: number;
  /** Value of retry-after; empty without one. */
  readonly retryAfter: string;
  readonly text: string;
}

/** Rejects with ClientError `unreachable`, or with anything once the signal is aborted. */
export type Transport = (asked: Asked) => Promise<Answered>;

/** As the operating system and undici name a connection that ended while an answer was due. */
const lostCodes = ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"];

function unreachable(where: string, error: unknown): ClientError {
  const { cause, code, message } = error as NodeJS.ErrnoException;
  const reason = code ?? (cause as NodeJS.ErrnoException | undefined)?.code ?? message;
  return new ClientError("unreachable", `Expected a daemon at ${where} but got ${reason}`, {
    isLost: lostCodes.includes(reason),
  });
}

/** @param url of the daemon, without the path of a route; connections are fetch's own, and kept */
export function tcpTransport(url: string): Transport {
  const base = url.replace(/\/+$/, "");
  return async ({ path, ...asked }) => {
    try {
      // A redirect would take the key and the text to somebody else.
      const response = await fetch(base + path, {
        ...asked,
        body: asked.body ?? null,
        redirect: "error",
      });
      const retryAfter = response.headers.get("retry-after") ?? "";
      return { status: response.status, retryAfter, text: await response.text() };
    } catch (error) {
      throw unreachable(base, error);
    }
  };
}

/** Loaded when it is asked for: where there are no Unix sockets there is no node:http either. */
async function openAgent() {
  const { Agent, request } = await import("node:http");
  return { agent: new Agent({ keepAlive: true }) as Agent, request };
}

/** Connections are kept, and don't keep the process alive. */
export function socketTransport(socketPath: string): Transport {
  let opened: ReturnType<typeof openAgent> | undefined;
  return async ({ body, ...asked }) => {
    opened ??= openAgent();
    const { agent, request } = await opened;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(unreachable(`the socket ${socketPath}`, error));
      const sent = request({ ...asked, socketPath, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", fail);
        response.on("end", () => {
          const retryAfter = response.headers["retry-after"] ?? "";
          resolve({ status: response.statusCode ?? 0, retryAfter, text });
        });
      });
      sent.on("error", fail);
      sent.end(body);
    });
  };
}
