/**
 * An open-loop load: requests become due at their times whether or not earlier
 * ones were answered, and a request's time counts from when it was due, so that
 * a stall is seen by everyone who would have waited (no coordinated omission).
 */
import { connect, type Socket } from "node:net";

/** Where the daemon listens: TCP, or a Unix socket. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** How one request ended. */
export interface Ending {
  /** When it was due and when its answer was whole, milliseconds from the load's start. */
  readonly dueMs: number;
  readonly doneMs: number;
  /** HTTP status; 0 where the connection ended without an answer. */
  readonly status: number;
  readonly body: string;
}

export interface LoadOptions {
  readonly address: Address;
  /** Requests a second, evenly spaced. */
  readonly rate: number;
  readonly seconds: number;
  readonly connections: number;
  /** The body of the n-th request. */
  readonly body: (index: number) => string;
  /** Told of each request that ended. */
  readonly ended?: (ending: Ending) => void;
}

export interface LoadResult {
  readonly sent: number;
  /** Answers with status 200. */
  readonly answered: number;
  /** Answers other than 200, and requests that got none. */
  readonly errors: number;
  /** The errors by what came: `503 busy`, `no answer`. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Of the answers with status 200. */
  readonly milliseconds: Summary;
  /** Answers a second really reached. */
  readonly rate: number;
}

export interface Summary {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

interface Due {
  readonly at: number;
  readonly payload: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

const answerWaitMsMax = 20_000;
const noAnswer: Answer = { status: 0, body: "" };

type Finished = (due: Due, answer: Answer, lane: Lane) => void;

/** One connection with at most one request on it. */
class Lane {
  #socket: Socket | undefined;
  #pending = "";
  #busy: Due | undefined;
  readonly #finished: Finished;
  readonly #address: Address;

  constructor(address: Address, finished: Finished) {
    this.#address = address;
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
    const socket = connect({ ...this.#address, noDelay: true });
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => this.#read(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      // One that was left for another has no request any more.
      if (this.#socket === socket) this.#finish(noAnswer);
    });
    this.#socket = socket;
    this.#pending = "";
  }

  #read(chunk: string): void {
    this.#pending += chunk;
    const end = this.#pending.indexOf("\r\n\r\n");
    if (end === -1) return;
    const head = this.#pending.slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#pending.length < end + 4 + length) return;
    const answer = { status: Number(head.slice(9, 12)), body: this.#pending.slice(end + 4) };
    this.#pending = "";
    if (/\r\nconnection: close/i.test(head)) {
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.destroy();
    }
    this.#finish(answer);
  }

  #finish(answer: Answer): void {
    const due = this.#busy;
    this.#busy = undefined;
    if (due !== undefined) this.#finished(due, answer, this);
  }
}

/** Mean and percentiles (nearest rank) of times. */
export function summarise(times: Float64Array | readonly number[]): Summary {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return { mean, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** `503 busy`: the status and the answer's error code. */
function nameOf({ status, body }: Answer): string {
  if (status === 0) return "no answer";
  const code = /"code":"([a-z_]+)"/.exec(body)?.[1];
  return code === undefined ? `${status}` : `${status} ${code}`;
}

/** Runs one load and waits until every request is answered or given up. */
export async function openLoop(options: LoadOptions): Promise<LoadResult> {
  const total = Math.max(1, Math.round(options.rate * options.seconds));
  const payloads = Array.from({ length: total }, (_, index) => {
    const body = options.body(index);
    return `POST /v1/scan HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  });
  const times = new Float64Array(total);
  const refusals: Record<string, number> = {};
  let answered = 0;
  let failed = 0;
  let next = 0;
  const waiting: Due[] = [];
  let done: () => void = () => {};
  const allDone = new Promise<void>((resolve) => {
    done = resolve;
  });
  const lanes: Lane[] = [];
  const start = performance.now() + 50;
  const finished = (due: Due, answer: Answer, lane: Lane) => {
    const now = performance.now();
    if (answer.status === 200) {
      times[answered++] = now - due.at;
    } else {
      failed++;
      const name = nameOf(answer);
      refusals[name] = (refusals[name] ?? 0) + 1;
    }
    options.ended?.({ dueMs: due.at - start, doneMs: now - start, ...answer });
    const first = waiting.shift();
    if (first !== undefined) lane.send(first);
    else lanes.push(lane);
    if (answered + failed === total) done();
  };
  const all = Array.from(
    { length: options.connections },
    () => new Lane(options.address, finished),
  );
  lanes.push(...all);
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
  const unanswered = total - answered - failed;
  if (unanswered > 0) refusals["no answer"] = (refusals["no answer"] ?? 0) + unanswered;
  for (const lane of all) lane.close();
  return {
    sent: next,
    answered,
    errors: total - answered,
    refusals,
    milliseconds: summarise(times.subarray(0, answered)),
    rate: answered / elapsed,
  };
}
