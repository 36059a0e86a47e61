/**
 * Slow clients, as a process of its own: each connection sends one byte a
 * second, half of them of a request's head and half of its body. One that is
 * closed begins anew at its next byte; one that is only refused goes on.
 *
 * Started by `startDribblers`. They come from 127.0.0.2, an address other than the measured load's,
 * so that it is not the limit of connections per address that keeps them out.
 */
import { fork } from "node:child_process";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";

/** What the slow clients saw. */
export interface Dribbled {
  /** Connections open when asked. */
  readonly open: number;
  readonly bytesSent: number;
  /** Connections that the daemon closed. */
  readonly closed: number;
  /** Answers by status. */
  readonly answers: Readonly<Record<string, number>>;
}

export interface Dribblers {
  /** Ends them. @returns what they saw */
  stop(): Promise<Dribbled>;
}

/** Opens the connections and waits until each has sent its first byte. */
export async function startDribblers(port: number, connections: number): Promise<Dribblers> {
  const child = fork(fileURLToPath(import.meta.url), [String(port), String(connections)], {
    execArgv: ["--import", "tsx"],
  });
  const next = () =>
    new Promise<unknown>((resolve, reject) => {
      child.once("message", resolve);
      child.once("exit", () => reject(new Error("The slow clients ended early")));
    });
  await next();
  return {
    async stop() {
      const told = next();
      child.send("stop");
      const seen = (await told) as Dribbled;
      child.removeAllListeners("exit");
      child.disconnect();
      return seen;
    },
  };
}

const head =
  "POST /v1/scan HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n";
const secondMs = 1000;
const body = "x";

/** One slow client. */
class Dribbler {
  #socket: Socket | undefined;
  #sent = 0;
  readonly #port: number;
  readonly #slowHead: boolean;
  readonly #counts: { bytesSent: number; closed: number; answers: Record<string, number> };

  constructor(
    port: number,
    slowHead: boolean,
    counts: { bytesSent: number; closed: number; answers: Record<string, number> },
  ) {
    this.#port = port;
    this.#slowHead = slowHead;
    this.#counts = counts;
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === "open";
  }

  /** Sends the next byte; a slow body's head goes out whole with its first one. */
  tick(): void {
    if (this.#socket === undefined || this.#socket.destroyed) this.#open();
    const isFirst = this.#sent === 0;
    const bytes = this.#slowHead ? (head[this.#sent] ?? body) : isFirst ? head + body : body;
    this.#socket?.write(bytes);
    this.#sent++;
    this.#counts.bytesSent += bytes.length;
  }

  close(): void {
    this.#socket?.removeAllListeners("close");
    this.#socket?.destroy();
  }

  #open(): void {
    const from = { localAddress: "127.0.0.2" };
    const socket = connect({ host: "127.0.0.1", port: this.#port, noDelay: true, ...from });
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      const status = /^HTTP\/1\.1 (\d+)/.exec(chunk)?.[1] ?? "more";
      this.#counts.answers[status] = (this.#counts.answers[status] ?? 0) + 1;
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#counts.closed++;
    });
    this.#socket = socket;
    this.#sent = 0;
  }
}

/** Every client once a second, evenly over it. */
async function dribble(port: number, connections: number): Promise<void> {
  const counts = { bytesSent: 0, closed: 0, answers: {} };
  const clients = Array.from(
    { length: connections },
    (_, index) => new Dribbler(port, index % 2 === 0, counts),
  );
  const start = performance.now();
  let ticks = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - start) / secondMs) * connections);
    for (; ticks < due; ticks++) clients[ticks % connections]?.tick();
  }, 10);
  await new Promise((resolve) => setTimeout(resolve, secondMs));
  while (ticks < connections) await new Promise((resolve) => setTimeout(resolve, 10));
  process.send?.("started");
  process.once("message", () => {
    clearInterval(timer);
    const open = clients.filter((client) => client.isOpen).length;
    for (const client of clients) client.close();
    process.send?.({ open, ...counts });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port, connections] = process.argv.slice(2).map(Number) as [number, number];
  await dribble(port, connections);
}
