/**
 * An open-loop load: requests become due at their times whether or not earlier
 * ones were answered, and a request's time counts from when it was due, so that
 * a stall is seen by everyone who would have waited (no coordinated omission).
 */
import { connect, type Socket } from "node:net";

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  /** Requests a second, evenly spaced. */
  readonly rate: number;
  readonly seconds: number;
  readonly connections: number;
  /** The body of the n-th request. */
  readonly body: (index: number) => string;
}

export interface LoadResult {
  readonly sent: number;
  readonly answered: number;
  /** Answers other than 200, and requests that got none. */
  readonly errors: number;
  readonly milliseconds: { mean: number; p50: number; p95: number; p99: number; max: number };
  /** Answers a second really reached. */
  readonly rate: number;
}

interface Due {
  readonly at: number;
  readonly payload: string;
}

const answerWaitMsMax = 20_000;

/** One connection with at most one request on it. */
class Lane {
  #socket: Socket | undefined;
  #pending = "";
  #busy: Due | undefined;
  readonly #finished: (due: Due, ok: boolean, lane: Lane) => void;
  readonly #options: LoadOptions;

  constructor(options: LoadOptions, finished: (due: Due, ok: boolean, lane: Lane) => void) {
    this.#options = options;
    this.#finished = finished;
  }

  send(due: Due): void {
    this.#busy = due;
    if (this.#socket === undefined || this.#socket.destroyed) this.#open();
    this.#socket?.write(due.payload);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): void {
    const socket = connect({ host: this.#options.host, port: this.#options.port, noDelay: true });
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => this.#read(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#finish(false));
    this.#socket = socket;
    this.#pending = "";
  }

  #read(chunk: string): void {
    this.#pending += chunk;
    const head = this.#pending.indexOf("\r\n\r\n");
    if (head === -1) return;
    const length = /content-length: (\d+)/i.exec(this.#pending.slice(0, head));
    if (this.#pending.length < head + 4 + Number(length?.[1] ?? 0)) return;
    const ok = this.#pending.startsWith("HTTP/1.1 200");
    this.#pending = "";
    this.#finish(ok);
  }

  #finish(ok: boolean): void {
    const due = this.#busy;
    this.#busy = undefined;
    if (due !== undefined) this.#finished(due, ok, this);
  }
}

function summarise(times: Float64Array): LoadResult["milliseconds"] {
  const sorted = times.slice().sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return { mean, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** Runs one load and waits until every request is answered or given up. */
export async function openLoop(options: LoadOptions): Promise<LoadResult> {
  const total = Math.round(options.rate * options.seconds);
  const payloads = Array.from({ length: total }, (_, index) => {
    const body = options.body(index);
    return `POST /v1/scan HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  });
  const times = new Float64Array(total);
  let answered = 0;
  let failed = 0;
  let next = 0;
  const waiting: Due[] = [];
  let done: () => void = () => {};
  const allDone = new Promise<void>((resolve) => {
    done = resolve;
  });
  const lanes: Lane[] = [];
  const finished = (due: Due, ok: boolean, lane: Lane) => {
    if (ok) times[answered++] = performance.now() - due.at;
    else failed++;
    const first = waiting.shift();
    if (first !== undefined) lane.send(first);
    else lanes.push(lane);
    if (answered + failed === total) done();
  };
  const all = Array.from({ length: options.connections }, () => new Lane(options, finished));
  lanes.push(...all);
  const start = performance.now() + 50;
  const tick = () => {
    const now = performance.now();
    while (next < total && start + (next * 1000) / options.rate <= now) {
      const due = { at: start + (next * 1000) / options.rate, payload: payloads[next] as string };
      next++;
      const lane = lanes.pop();
      if (lane === undefined) waiting.push(due);
      else lane.send(due);
    }
    if (next < total) setTimeout(tick, 1);
  };
  tick();
  const giveUp = setTimeout(done, options.seconds * 1000 + answerWaitMsMax);
  await allDone;
  clearTimeout(giveUp);
  const elapsed = (performance.now() - start) / 1000;
  for (const lane of all) lane.close();
  return {
    sent: next,
    answered,
    errors: total - answered,
    milliseconds: summarise(times.subarray(0, answered)),
    rate: answered / elapsed,
  };
}
