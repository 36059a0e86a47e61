/** The real daemon as a child process, and what the kernel says of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Daemon {
  readonly port: number;
  readonly socketPath: string;
  readonly process: ChildProcess;
  /** From spawn to the first 200 of /readyz, milliseconds. */
  readonly readyMs: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const readyWaitMsMax = 30_000;

/** Settings under which every request is computed. */
export const cacheOff = {
  GHOSTAI_CACHE_ENTRIES_MAX: "0",
  GHOSTAI_CACHE_DISK_ENTRIES_MAX: "0",
} as const;

/** Starts `ghostai serve` on a free port with a new, empty store. @throws when it does not become ready */
export async function startDaemon(settings: Readonly<Record<string, string>>): Promise<Daemon> {
  const folder = mkdtempSync(join(tmpdir(), "ghostai-bench-"));
  const socketPath = join(folder, "ghostai.sock");
  const started = performance.now();
  const child = spawn(process.execPath, ["dist/cli/main.js", "serve"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      GHOSTAI_PORT: "0",
      GHOSTAI_SOCKET_PATH: socketPath,
      GHOSTAI_ADMIN_SOCKET_PATH: join(folder, "ghostai-admin.sock"),
      GHOSTAI_STORE_PATH: join(folder, "store"),
      ...settings,
    },
  });
  let output = "";
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`The daemon printed no port: ${output}`)),
      readyWaitMsMax,
    );
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(output);
      if (found !== null) {
        clearTimeout(timer);
        resolve(Number(found[1]));
      }
    });
    child.once("exit", (code) => reject(new Error(`The daemon ended with ${code}: ${output}`)));
  });
  const ready = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200;
    } catch {
      return false;
    }
  };
  while (!(await ready())) {
    if (performance.now() - started > readyWaitMsMax) throw new Error("The daemon is not ready");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const readyMs = performance.now() - started;
  return {
    port,
    socketPath,
    process: child,
    readyMs,
    pid: child.pid as number,
    async stop() {
      child.removeAllListeners("exit");
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Seconds of processor time that a process has used, all threads, user and system. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const ticks = Number(fields[11]) + Number(fields[12]);
  const ticksPerSecond = 100; // USER_HZ of Linux on every architecture we run on
  return ticks / ticksPerSecond;
}

/** Resident memory now and at its peak, megabytes of 10^6 bytes. */
export function residentMegabytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (field: string) =>
    (Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024) / 1e6;
  return { now: read("VmRSS"), peak: read("VmHWM") };
}
