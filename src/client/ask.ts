/** One question in JSON, within a time. */
import type { ErrorCode } from "../errors.ts";
import { ClientError } from "./error.ts";
import type { Answered, Asked, Transport } from "./transport.ts";

export interface Question {
  readonly method: Asked["method"];
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

function parsed(
  text: string,
): { readonly error?: { readonly code?: unknown; readonly message?: unknown } } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @throws ClientError for every status but 200 */
function read({ status, retryAfter, text }: Answered): unknown {
  const value = parsed(text);
  if (status === 200 && value !== undefined) return value;
  const retryAfterS = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const { code, message } = value?.error ?? {};
  if (typeof code === "string" && typeof message === "string") {
    throw new ClientError(code as ErrorCode, message, { status, retryAfterS });
  }
  const detail = `Expected a daemon's answer but received status ${status} and no error of its own`;
  throw new ClientError("unintelligible", detail, { status, retryAfterS });
}

/**
 * Asks once.
 *
 * @param timeoutMs from now to the last byte of the answer
 * @returns the JSON of an answer with status 200; rejects with ClientError, or with the signal's
 * reason once it is aborted
 */
export async function ask(
  transport: Transport,
  { method, path, headers = {}, body }: Question,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<unknown> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  const end = () => ending.abort();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, timeoutMs);
  signal?.addEventListener("abort", end);
  try {
    const json = body === undefined ? {} : { "content-type": "application/json" };
    const answered = await transport({
      method,
      path,
      headers: { ...json, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: ending.signal,
    });
    return read(answered);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (isLate) throw new ClientError("timed_out", `Expected an answer within ${timeoutMs} ms`);
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}
