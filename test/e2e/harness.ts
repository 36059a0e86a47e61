/** The built command line as a child process: `npm run build` comes before these tests. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const commandPath = resolve("dist/cli/main.js");
export const modelPath = resolve("models/ghostai-small");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment without settings of whoever runs the tests. */
function cleanEnvironment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("GHOSTAI_"));
  // No test shares a store or an admin socket with another: who wants one names it.
  const apart = { GHOSTAI_STORE_PATH: "", GHOSTAI_ADMIN_SOCKET_PATH: "" };
  return { ...Object.fromEntries(inherited), ...apart, ...more };
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Command that runs ours, `taskset -c 0` for example. */
  readonly wrapper?: readonly string[];
  readonly program?: string;
  readonly cwd?: string;
}

/** Starts the command line with these arguments. */
export function start(
  args: readonly string[],
  options: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const program = [process.execPath, options.program ?? commandPath];
  const [command = "", ...rest] = [...(options.wrapper ?? []), ...program, ...args];
  return spawn(command, rest, {
    env: cleanEnvironment(options.environment ?? {}),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** Resolves with all output once the child has ended. */
export function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((finish) => {
    child.once("close", (code) => finish({ code, stdout, stderr }));
  });
}

/** Runs the command line to its end. */
export function run(
  args: readonly string[],
  input: string | Uint8Array = "",
  options: RunOptions = {},
): Promise<Ended> {
  const child = start(args, options);
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return ended(child);
}

export interface Daemon {
  readonly child: ChildProcessWithoutNullStreams;
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  readonly socketPath: string;
  readonly adminSocketPath: string;
  readonly storePath: string;
  /** What it printed until it was ready. */
  readonly lines: readonly string[];
  readonly ended: Promise<Ended>;
  scan(body: unknown): Promise<Response>;
}

/** A folder of its own that goes away after `use`. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Waits until the child has printed a line that starts so. @throws when it ends before */
function printed(child: ChildProcessWithoutNullStreams, beginning: string): Promise<string[]> {
  let output = "";
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk;
  });
  return new Promise((found, failed) => {
    const look = (chunk: Buffer) => {
      output += chunk;
      const lines = output.split("\n").slice(0, -1);
      if (lines.some((line) => line.startsWith(beginning))) found(lines);
    };
    child.stdout.on("data", look);
    child.once("close", (code) =>
      failed(new Error(`Ended with ${code} after: ${output}${errors}`)),
    );
  });
}

/** Starts a daemon on a free port and a socket in a folder of its own. Whoever starts it ends it. */
export async function startDaemon(
  folder: string,
  flags: readonly string[] = [],
  options: RunOptions = {},
): Promise<Daemon> {
  const socketPath = join(folder, "ghostai.sock");
  const adminSocketPath = join(folder, "admin.sock");
  const storePath = join(folder, "store");
  const own = ["--port", "0", "--socket-path", socketPath];
  const operators = ["--admin-socket-path", adminSocketPath, "--store-path", storePath];
  const args = ["serve", ...own, ...operators, ...flags];
  const child = start(args, options);
  const all = ended(child);
  const lines = await printed(child, "ready in ");
  const port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+)$/m.exec(lines.join("\n"))?.[1]);
  const url = `http://127.0.0.1:${port}`;
  const scan = (body: unknown) =>
    fetch(`${url}/v1/scan`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const pid = child.pid as number;
  const paths = { socketPath, adminSocketPath, storePath };
  return { child, pid, port, url, ...paths, lines, ended: all, scan };
}

/** Starts a daemon, hands it to `use`, and ends it with SIGKILL if it still runs. */
export function withDaemon(
  flags: readonly string[],
  use: (daemon: Daemon, folder: string) => Promise<void>,
  options: RunOptions = {},
): Promise<void> {
  return withFolder(async (folder) => {
    const daemon = await startDaemon(folder, flags, options);
    try {
      await use(daemon, folder);
    } finally {
      daemon.child.kill("SIGKILL");
      await daemon.ended;
    }
  });
}
