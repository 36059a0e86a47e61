/**
 * The client that applications import as `ghostai/client`: asks the daemon for verdicts, and says what
 * to do where none comes. Depends on nothing; over TCP it needs fetch alone.
 */
import type { Explanation, Origin, Verdict } from "../types.ts";
import { ask, type Question } from "./ask.ts";
import { ClientError } from "./error.ts";
import {
  type Content,
  fieldOf,
  type Message,
  type Redacted,
  type Restored,
  redactedOf,
  restoredOf,
  verdictOf,
  verdictsOf,
} from "./shapes.ts";
import { socketTransport, type Transport, tcpTransport } from "./transport.ts";

interface CommonOptions {
  /** Needed where the daemon has API keys, but over its Unix socket. */
  readonly apiKey?: string;
  /**
   * Longest time for a call in milliseconds, 1-600000, with its second attempt. The daemon is told,
   * and refuses what it could only answer later.
   */
  readonly timeoutMs: number;
  /**
   * What a scan gives where the daemon has no verdict: `open` an allow, so that the application works on
   * unprotected, `closed` a block. There is no default: it is the application's risk either way.
   */
  readonly onFailure: "open" | "closed";
}

/** Where the daemon is, and the two choices that every application has to make. */
export type ClientOptions = CommonOptions &
  (
    | { readonly url: string; readonly socketPath?: undefined }
    | { readonly socketPath: string; readonly url?: undefined }
  );

export interface ScanOptions {
  /** Who wrote the text; `user` by default. Of messages each role says it. */
  readonly origin?: Origin;
  /** Whether to say which part of a text made the model's score; takes about a dozen times as long. */
  readonly explain?: boolean;
  /** 1-256 characters that come back as the verdict's id and stand in the log. */
  readonly id?: string;
  /** Once aborted, the call rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface RedactOptions {
  /** Whether to ask for a token by which `restore` puts the values back. */
  readonly restore?: boolean;
  /** Once aborted, the call rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** The daemon's verdict. */
export interface Scanned extends Verdict {
  /** With `explain`, where the model found something and there was time to say where. */
  readonly explanation?: Explanation;
  readonly failedOpen?: undefined;
  readonly failedClosed?: undefined;
}

/** No verdict: nobody looked at the text, and it passes because the client is told to fail open. */
export interface FailedOpen {
  readonly action: "allow";
  readonly failedOpen: true;
  readonly failedClosed?: undefined;
  readonly cause: ClientError;
}

/** No verdict: nobody looked at the text, and it is held back because the client is told to fail closed. */
export interface FailedClosed {
  readonly action: "block";
  readonly failedClosed: true;
  readonly failedOpen?: undefined;
  readonly cause: ClientError;
}

export type ScanResult = Scanned | FailedOpen | FailedClosed;

export interface Health {
  /** Whether scans are answered. */
  readonly isReady: boolean;
  /** Why not. */
  readonly cause?: ClientError;
}

const timeoutMsMax = 600_000;

function refuse(expected: string, name: string, received: unknown): never {
  throw new TypeError(`Expected ${expected} for ${name} but received ${String(received)}`);
}

function checkOptions(options: ClientOptions): void {
  const { url, socketPath, apiKey, timeoutMs, onFailure } = options;
  if ((url === undefined) === (socketPath === undefined)) {
    throw new TypeError("Expected one of url and socketPath");
  }
  if (url !== undefined && !/^https?:\/\/[^/]/.test(url)) refuse("http:// or https://", "url", url);
  if (socketPath === "") refuse("a path", "socketPath", "nothing");
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > timeoutMsMax) {
    refuse(`1-${timeoutMsMax}`, "timeoutMs", timeoutMs);
  }
  if (onFailure !== "open" && onFailure !== "closed")
    refuse("open or closed", "onFailure", onFailure);
  // The key itself is in no message.
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new TypeError("Expected visible ASCII for apiKey");
  }
}

/**
 * Whether nothing is wrong with the request itself: the way, the daemon's load or its state is. Only then
 * may a call fail open. Were it so for a request that is refused for what is in it, whoever wrote the
 * text could choose one that is never looked at.
 */
function isFailure(error: unknown): error is ClientError {
  if (!(error instanceof ClientError)) return false;
  const { status } = error;
  return status === undefined || status < 400 || status === 408 || status === 429 || status >= 500;
}

/** @returns how long to wait before the second attempt, milliseconds; nothing where there is none */
function pauseMs(error: unknown): number | undefined {
  if (!(error instanceof ClientError)) return undefined;
  // What is asked changes nothing, so it may be sent again though it may have arrived.
  if (error.isLost) return 0;
  const isBusy = error.status === 429 || error.status === 503;
  return isBusy && error.retryAfterS !== undefined ? error.retryAfterS * 1000 : undefined;
}

/** Rejects with the signal's reason once it is aborted. */
function paused(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

export class GhostClient {
  readonly #transport: Transport;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #onFailure: "open" | "closed";

  /** @throws TypeError where an option is missing or is not what it has to be */
  constructor(options: ClientOptions) {
    checkOptions(options);
    const { url, socketPath, apiKey, timeoutMs, onFailure } = options;
    this.#transport = url === undefined ? socketTransport(socketPath) : tcpTransport(url);
    this.#headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    this.#timeoutMs = timeoutMs;
    this.#onFailure = onFailure;
  }

  /**
   * Scans one text or one conversation.
   *
   * @returns the verdict, or what stands for it where there is none: of that only `action` looks like one.
   * Rejects with ClientError where the request or the key is wrong (400, 401, 403, 404, 405, 413, 415), and
   * with the signal's reason where it is aborted
   */
  scan(prompt: string | readonly Message[], options: ScanOptions = {}): Promise<ScanResult> {
    const what = typeof prompt === "string" ? { text: prompt } : { messages: prompt };
    return this.#scan(
      what,
      options,
      (answer): ScanResult => verdictOf(answer),
      (failed) => failed,
    );
  }

  /**
   * Scans many texts in one request.
   *
   * @returns one result a text, in order; where there is no answer, all of them stand for one. Rejects as `scan`
   */
  scanBatch(texts: readonly string[], options: ScanOptions = {}): Promise<readonly ScanResult[]> {
    return this.#scan(
      { texts },
      options,
      (answer): readonly ScanResult[] => verdictsOf(answer, texts.length),
      (failed) => texts.map(() => failed),
    );
  }

  /**
   * Replaces secrets and personal data by placeholders, in a text, the texts of a batch or a conversation.
   *
   * @returns the same with placeholders. Rejects with ClientError wherever there is no answer, whatever
   * `onFailure` says: a text that is not redacted never stands for one that is
   */
  redact(text: string, options?: RedactOptions): Promise<Redacted<string>>;
  redact<T extends readonly string[] | readonly Message[]>(
    content: T,
    options?: RedactOptions,
  ): Promise<Redacted<T>>;
  async redact(
    content: Content,
    { restore = false, signal }: RedactOptions = {},
  ): Promise<Redacted<Content>> {
    const body = { ...fieldOf(content), restore };
    const answer = await this.#askTwice({ method: "POST", path: "/v1/redact", body }, signal);
    return redactedOf(answer as object, content, restore);
  }

  /**
   * Puts back what a redaction took out, into a model's answer for example.
   *
   * @param token of `redact` with `restore`
   * @returns the same with values. Rejects with ClientError: `invalid_token`, `token_expired`, or as `redact`
   */
  restore(text: string, token: string, signal?: AbortSignal): Promise<Restored<string>>;
  restore<T extends readonly string[] | readonly Message[]>(
    content: T,
    token: string,
    signal?: AbortSignal,
  ): Promise<Restored<T>>;
  async restore(content: Content, token: string, signal?: AbortSignal): Promise<Restored<Content>> {
    const body = { ...fieldOf(content), token };
    const answer = await this.#askTwice({ method: "POST", path: "/v1/restore", body }, signal);
    return restoredOf(answer as object, content);
  }

  /** @returns whether the daemon answers scans; rejects only where the signal is aborted */
  async health(signal?: AbortSignal): Promise<Health> {
    try {
      await ask(this.#transport, { method: "GET", path: "/readyz" }, this.#timeoutMs, signal);
      return { isReady: true };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return { isReady: false, cause: error };
    }
  }

  async #scan<T>(
    what: object,
    { origin, explain, id, signal }: ScanOptions,
    read: (answer: unknown) => T,
    standIn: (failed: FailedOpen | FailedClosed) => T,
  ): Promise<T> {
    const body = { ...what, origin, explain, id };
    try {
      return read(await this.#askTwice({ method: "POST", path: "/v1/scan", body }, signal));
    } catch (error) {
      if (!isFailure(error)) throw error;
      return standIn(
        this.#onFailure === "open"
          ? { action: "allow", failedOpen: true, cause: error }
          : { action: "block", failedClosed: true, cause: error },
      );
    }
  }

  /** Asks, and once more where that can help and there is time for it. */
  async #askTwice(question: Question, signal: AbortSignal | undefined): Promise<unknown> {
    const endsAt = performance.now() + this.#timeoutMs;
    const once = (leftMs: number) => {
      const headers = { ...this.#headers, "x-timeout-ms": String(leftMs) };
      return ask(this.#transport, { ...question, headers }, leftMs, signal);
    };
    try {
      return await once(this.#timeoutMs);
    } catch (error) {
      const pause = pauseMs(error);
      if (pause === undefined || performance.now() + pause >= endsAt) throw error;
      if (pause > 0) await paused(pause, signal);
      const leftMs = Math.floor(endsAt - performance.now());
      if (leftMs < 1) throw error;
      return once(leftMs);
    }
  }
}
