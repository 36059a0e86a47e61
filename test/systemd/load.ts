/**
 * Clients that ask without a pause, across a restart:
 *
 *   node --import tsx test/systemd/load.ts PORT SOCKET_PATH
 *
 * Says `started` once every client was answered a few times. A line on standard input asks for a
 * few answers more of each; then it prints what came of every request, as JSON, and ends.
 */
import { Agent, request } from "node:http";

export interface Outcome {
  /** Ids of the requests that were answered, whatever the answer. */
  readonly answered: readonly string[];
  /** Those of them that got a verdict. */
  readonly verdicts: readonly string[];
  /** Requests that nobody accepted, since nobody listened. */
  readonly refused: number;
  /** Requests whose connection ended without an answer. */
  readonly broken: readonly { id: string; code: string; onUsedConnection: boolean }[];
}

const clientsPerTarget = 4;
const answersWanted = 20;
const refused = new Set(["ECONNREFUSED", "ENOENT"]);

const outcome = {
  answered: [] as string[],
  verdicts: [] as string[],
  refused: 0,
  broken: [] as Outcome["broken"][number][],
};
let isMarked = false;

interface Target {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
}

/** Sends one request; @returns whether it was answered. */
function ask(target: Target, agent: Agent, id: string): Promise<boolean> {
  return new Promise((done) => {
    const headers = { "content-type": "application/json", "x-request-id": id };
    const sent = request({ ...target, agent, method: "POST", path: "/v1/scan", headers });
    const failed = (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      if (refused.has(code)) outcome.refused++;
      else outcome.broken.push({ id, code, onUsedConnection: sent.reusedSocket });
      done(false);
    };
    sent.once("error", failed);
    sent.once("response", (answer) => {
      answer.once("error", failed);
      answer.resume().once("end", () => {
        outcome.answered.push(id);
        if (answer.statusCode === 200) outcome.verdicts.push(id);
        done(true);
      });
    });
    sent.end(JSON.stringify({ text: `What is the capital of country ${id}?` }));
  });
}

/** One client on one connection, until it was answered a few times before the mark and after it. */
async function client(name: string, target: Target, started: () => void): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let answers = 0;
  for (let count = 0, past = 0; past < answersWanted; count++) {
    const wasMarked = isMarked;
    const isAnswered = await ask(target, agent, `load-${name}-${count}`);
    if (isAnswered && ++answers === answersWanted) started();
    if (isAnswered && wasMarked) past++;
    // Where nobody listens there is nothing to wait for; let the others have the processor.
    if (!isAnswered) await new Promise((next) => setTimeout(next, 10));
  }
  agent.destroy();
}

const [port = "", socketPath = ""] = process.argv.slice(2);
const targets: readonly Target[] = [{ host: "127.0.0.1", port: Number(port) }, { socketPath }];
const clients = targets.flatMap((target, which) =>
  Array.from({ length: clientsPerTarget }, (_, index) => ({ target, name: `${which}-${index}` })),
);
let waiting = clients.length;
process.stdin.once("data", () => {
  isMarked = true;
});
await Promise.all(
  clients.map(({ target, name }) =>
    client(name, target, () => {
      if (--waiting === 0) process.stdout.write("started\n");
    }),
  ),
);
process.stdout.write(`${JSON.stringify(outcome)}\n`);
process.exit(0);
