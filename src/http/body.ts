/** Collects a request's body within its limits of size, time and rate. */
import { Aborted, GhostError } from "../errors.ts";

/** What the collector needs of a request; the server implements it. */
export interface BodySource {
  /** Value of Content-Length; empty where the body is chunked. */
  readonly contentLength: string;
  /** Chunks are only valid during the call. */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): void;
  onAborted(handler: () => void): void;
  /** Puts off the connection's own idle close: the limits here decide, and answer. */
  keepOpen(): void;
}

/** Read anew for each body. */
export interface BodyLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
  /** 0 looks at no rate. */
  readonly bytesPerSecondMin: number;
  /** Bodies that may be arriving at once; one that arrives with its head needs no place. */
  readonly arrivingMax: number;
}

/** One tick looks at all bodies that are arriving: a thousand slow ones must not have a thousand timers. */
const tickMs = 1000;
/** The server closes a connection that is idle for ten seconds. */
const keepOpenTicks = 4;
/** A body is not measured before this: a slow start is no attack. */
const rateGraceMs = 3000;

/** A body that has begun to arrive. */
interface Arriving {
  readonly source: BodySource;
  readonly started: number;
  readonly received: () => number;
  readonly fail: (error: Error) => void;
}

/** Collects bodies; knows how many are arriving. */
export class BodyCollector {
  readonly #limits: BodyLimits;
  /** Bounded by `arrivingMax`. */
  readonly #arriving = new Set<Arriving>();
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Bodies that have begun to arrive and are not whole. */
  get arriving(): number {
    return this.#arriving.size;
  }

  /**
   * Must be called before the request's handler first waits.
   *
   * @returns the bytes; rejects with GhostError `body_too_large` (before anything is
   * kept, where the length is declared), `body_timeout` or `busy`, or with Aborted
   */
  collect(source: BodySource): Promise<Buffer> {
    const { bytesMax } = this.#limits;
    if (Number(source.contentLength) > bytesMax) {
      const detail = `expected at most ${bytesMax} bytes but ${source.contentLength} were announced`;
      return Promise.reject(new GhostError("body_too_large", detail));
    }
    return new Promise((resolve, reject) => this.#collect(source, resolve, reject));
  }

  #collect(
    source: BodySource,
    resolve: (body: Buffer) => void,
    reject: (error: Error) => void,
  ): void {
    const { bytesMax, arrivingMax } = this.#limits;
    let chunks: Buffer[] = [];
    let received = 0;
    let stopWatching: (() => void) | undefined;
    let settled = false;
    const settle = (finish: () => void) => {
      if (settled) return;
      settled = true;
      stopWatching?.();
      chunks = [];
      finish();
    };
    source.onAborted(() => settle(() => reject(new Aborted())));
    source.onData((chunk, isLast) => {
      if (settled) return;
      received += chunk.byteLength;
      if (received > bytesMax) {
        const detail = `expected at most ${bytesMax} bytes`;
        return settle(() => reject(new GhostError("body_too_large", detail)));
      }
      chunks.push(Buffer.from(chunk.slice(0)));
      if (isLast) {
        const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, received);
        return settle(() => resolve(body));
      }
      if (stopWatching !== undefined) return;
      if (this.#arriving.size >= arrivingMax) return settle(() => reject(new GhostError("busy")));
      stopWatching = this.#watch(
        source,
        () => received,
        (error) => settle(() => reject(error)),
      );
    });
  }

  /** Watches a body that is not whole yet; @returns what ends the watch. */
  #watch(source: BodySource, received: () => number, fail: (error: Error) => void): () => void {
    const { timeoutMs } = this.#limits;
    const arriving = { source, started: performance.now(), received, fail };
    this.#arriving.add(arriving);
    this.#timer ??= setInterval(() => this.#tick(), tickMs);
    const deadline = setTimeout(() => {
      fail(new GhostError("body_timeout", `expected it whole within ${timeoutMs} ms`));
    }, timeoutMs);
    return () => {
      clearTimeout(deadline);
      this.#arriving.delete(arriving);
      if (this.#arriving.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #tick(): void {
    const { bytesPerSecondMin } = this.#limits;
    const keepsOpen = ++this.#ticks % keepOpenTicks === 0;
    for (const { source, started, received, fail } of [...this.#arriving]) {
      const elapsedMs = performance.now() - started;
      const expected = (bytesPerSecondMin * elapsedMs) / 1000;
      if (elapsedMs >= rateGraceMs && received() < expected) {
        const detail = `expected at least ${bytesPerSecondMin} bytes a second`;
        fail(new GhostError("body_timeout", detail));
      } else if (keepsOpen) {
        source.keepOpen();
      }
    }
  }
}
