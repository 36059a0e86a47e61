/** A daemon with a store and an admin socket of its own, and what its operator asks. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { join } from "node:path";
import { AdminClient, type LoggedRequest } from "../../src/client/admin.ts";
import { eventually } from "../store/harness.ts";
import { type Ended, ended, type RunOptions, run, start } from "./harness.ts";

export interface StoredDaemon {
  readonly child: ChildProcessWithoutNullStreams;
  readonly url: string;
  readonly admin: AdminClient;
  readonly ended: Promise<Ended>;
  /** What it said so far. */
  readonly output: { stdout: string; stderr: string };
  scan(body: unknown): Promise<Response>;
  /** Value of one metric. */
  metric(name: string): Promise<number>;
  /** Waits until the store is open: an earlier unclean end has it verified first. */
  opened(): Promise<void>;
  /** Ends it in order. */
  stop(): Promise<Ended>;
  kill(): Promise<Ended>;
}

export function storeFolder(folder: string): string {
  return join(folder, "store");
}

export interface StoredOptions extends RunOptions {
  /** Of its sockets. */
  readonly name?: string;
  /** Another folder of the store; empty for none. */
  readonly store?: string;
}

/** Arguments of a daemon whose sockets and store lie in `folder`. */
export function serveArguments(folder: string, options: StoredOptions = {}): string[] {
  const { name = "ghostai", store = storeFolder(folder) } = options;
  return [
    ...["serve", "--port", "0", "--store-path", store],
    ...["--socket-path", join(folder, `${name}.sock`)],
    ...["--admin-socket-path", join(folder, `${name}-admin.sock`)],
  ];
}

/** Whoever starts it ends it. */
export async function startStored(
  folder: string,
  options: StoredOptions = {},
): Promise<StoredDaemon> {
  const child = start(serveArguments(folder, options), options);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output.stderr += chunk;
  });
  const all = ended(child);
  await eventually("a daemon that is ready", () => {
    if (child.exitCode !== null) throw new Error(`Ended with ${child.exitCode}: ${output.stderr}`);
    return /^ready in /m.test(output.stdout);
  });
  const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)$/m.exec(output.stdout)?.[1];
  const url = `http://127.0.0.1:${port}`;
  const admin = new AdminClient(join(folder, "ghostai-admin.sock"));
  return {
    child,
    url,
    admin,
    ended: all,
    output,
    scan: (body) =>
      fetch(`${url}/v1/scan`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    },
    async opened() {
      await eventually("an open store", async () => {
        const { store } = (await admin.stats()) as { store: { open: boolean } };
        return store.open;
      });
    },
    stop() {
      child.kill("SIGTERM");
      return all;
    },
    kill() {
      child.kill("SIGKILL");
      return all;
    },
  };
}

/** Hands a daemon to `use` and ends it with SIGKILL if it still runs. */
export async function withStored<T>(
  folder: string,
  use: (daemon: StoredDaemon) => Promise<T>,
  options: StoredOptions = {},
): Promise<T> {
  const daemon = await startStored(folder, options);
  try {
    return await use(daemon);
  } finally {
    await daemon.kill();
  }
}

/** All records, newest first, page by page. */
export async function allLogged(admin: AdminClient): Promise<LoggedRequest[]> {
  const records: LoggedRequest[] = [];
  let cursor: string | undefined;
  do {
    const from = cursor === undefined ? {} : { cursor };
    const page = await admin.logs({ limit: "10000", ...from });
    records.push(...page.records);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return records;
}

/** What `ghostai logs verify` says of the store. */
export async function verified(
  folder: string,
): Promise<{ readonly records: number; readonly disagreements: number }> {
  const { code, stdout, stderr } = await run(["logs", "verify", "--store", storeFolder(folder)]);
  const [, records, disagreements] = /^(\d+) records, (\d+) disagreements$/m.exec(stdout) ?? [];
  if (records === undefined || Number(disagreements) > 0 !== (code === 1)) {
    throw new Error(`Expected a verified log but got ${code}: ${stdout}${stderr}`);
  }
  return { records: Number(records), disagreements: Number(disagreements) };
}
