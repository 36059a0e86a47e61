/** `ghostai doctor`: checks what the daemon needs of this machine, one line each. */
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import type { Settings } from "../config/schema.ts";
import { verifyModelFolder } from "../model/folder.ts";
import { openModel } from "../model/model.ts";
import { native } from "../model/native.ts";
import { planCores } from "../service/affinity.ts";
import { groupId } from "../service/groups.ts";
import { packageEngines, shippedModelPath } from "../service/package.ts";
import { readAccess } from "../service/reload.ts";
import { endedUncleanly } from "../store/lmdb.ts";
import { parseArguments } from "./arguments.ts";
import { booleanFlags, refusePositionals, settingFlags, settingsFrom } from "./settings.ts";

export const doctorHelp = `Usage: ghostai doctor [flags]

Checks Node, the addon and its kernels, cores and pinning, memory, the data folder, sockets, the
model's files and self-test, the port and the clock, for a daemon with these settings. Says one
line each: ok, warn or fail, and what to do. Exit code: 1 where anything fails.
`;

type Level = "ok" | "warn" | "fail";

interface Result {
  readonly level: Level;
  readonly text: string;
}

type Check = (settings: Settings) => Result | Promise<Result>;

const ok = (text: string): Result => ({ level: "ok", text });
const warn = (text: string, advice: string): Result => ({
  level: "warn",
  text: `${text}: ${advice}`,
});
const fail = (text: string, advice: string): Result => ({
  level: "fail",
  text: `${text}: ${advice}`,
});

const firstLine = (error: unknown) => (error as Error).message.split("\n")[0] ?? "";
const reasonOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? firstLine(error);

const node: Check = () => {
  const { from, below } = packageEngines();
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isNew = major > from[0] || (major === from[0] && minor >= from[1]);
  const text = `Node ${process.versions.node}`;
  if (isNew && major < below) return ok(text);
  return fail(text, `install Node ${from.join(".")} or newer, below ${below}`);
};

const kernels: Check = () => {
  const { available } = native().system.kernels();
  const [best = "none"] = available;
  const text = `CPU kernels ${available.join(", ")}`;
  if (best !== "scalar") return ok(text);
  return warn(
    text,
    "this processor has neither AVX2 nor the NEON dot product; expect 50 times the time",
  );
};

const cores: Check = (settings) => {
  const allowed = native().system.allowedCores();
  const plan = planCores(allowed, settings["model.threads"], settings["model.pin"]);
  const text = `cores ${allowed.join(", ")}, inference threads ${plan.threads}`;
  if (plan.eventLoop !== undefined) {
    return ok(`${text}, event loop pinned to ${plan.eventLoop}, inference to ${plan.inference}`);
  }
  if (!settings["model.pin"]) return ok(`${text}, not pinned as set`);
  return warn(`${text}, not pinned`, "give the service one core more than inference threads");
};

function limitOf(name: string): string {
  const limits = readFileSync("/proc/self/limits", "utf8");
  return new RegExp(`^${name} +(\\S+)`, "m").exec(limits)?.[1] ?? "unknown";
}

const memory: Check = () => {
  const free = Number(/^MemAvailable: +(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]);
  const locked = limitOf("Max locked memory");
  const text = `memory available ${Math.round(free / 1024)} MB, lock limit ${locked} bytes (nothing is locked)`;
  return free >= 512 * 1024
    ? ok(text)
    : warn(text, "keep 512 MB free, or the model may be swapped");
};

const files: Check = () => {
  const limit = limitOf("Max open files");
  const text = `open files limit ${limit}`;
  if (limit === "unlimited" || Number(limit) >= 4096) return ok(text);
  return warn(text, "raise it to 4096 or more (LimitNOFILE=), one for each connection");
};

const store: Check = (settings) => {
  const folder = settings["store.path"];
  if (folder === "") return warn("no store", "set store.path for a log and a cache that last");
  const nearest = existing(folder);
  try {
    mustBeWritable(nearest);
  } catch {
    return fail(`data folder ${folder}`, `make ${nearest} a folder that this user may write to`);
  }
  if (!existsSync(folder)) return ok(`data folder ${folder} will be made`);
  if ((statSync(folder).mode & 0o077) !== 0) {
    return warn(`data folder ${folder} is readable by others`, `chmod 700 ${folder}`);
  }
  // Asked only where it is there: a file made here would belong to whoever asks.
  const lock = `${folder}/daemon.lock`;
  if (existsSync(lock) && !native().system.lockFile(lock)) {
    return ok(`data folder ${folder}, in use by a running daemon`);
  }
  if (!endedUncleanly(folder)) return ok(`data folder ${folder}`);
  return warn(`data folder ${folder} was not closed`, "the next start verifies it by itself");
};

/** The folder, or what is there of the way to it. */
function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path));
}

/** Throws where the path is no folder, or not one that this user may write to. */
function mustBeWritable(path: string): void {
  if (!statSync(path).isDirectory()) throw new Error(`${path} is no folder`);
  accessSync(path, constants.W_OK);
}

const sockets: Check = (settings) => {
  for (const [path, group] of [
    [settings.socketPath, settings.socketGroup],
    [settings.adminSocketPath, settings.adminSocketGroup],
  ] as const) {
    if (path === "") continue;
    try {
      groupId(group);
      mustBeWritable(existing(dirname(path)));
    } catch (error) {
      const reason = reasonOf(error);
      return fail(`socket ${path}`, `${reason}; make its folder writable and its group exist`);
    }
  }
  return ok(`sockets ${settings.socketPath || "none"}, ${settings.adminSocketPath || "none"}`);
};

const access: Check = (settings) => {
  const { keys } = readAccess(settings);
  return ok(
    keys === undefined ? "no API keys: for loopback and the Unix socket" : `API keys ${keys.size}`,
  );
};

const model: Check = async (settings) => {
  const path = settings["model.path"] || shippedModelPath;
  try {
    return await tried(path, settings);
  } catch (error) {
    return fail(`model ${path}`, `${firstLine(error)}; install it again, or set model.path`);
  }
};

async function tried(path: string, settings: Settings): Promise<Result> {
  const opened = openModel({
    path,
    kernels: settings["model.kernels"],
    cores: [],
    threads: 1,
    queueMax: 64,
    windowsMax: settings["model.windowsMax"],
    earlyExit: settings["model.earlyExit"],
    queueWaitMsMax: () => 60_000,
  });
  try {
    await opened.selfTest("all");
    // What a start does not do: every byte of every file, the originals too.
    verifyModelFolder(path);
    const identity = `${opened.identity} sha256 ${opened.sha256.slice(0, 12)}`;
    return ok(`model ${identity}, all its files as in its manifest, self-test passed`);
  } finally {
    await opened.close();
  }
}

const port: Check = ({ host, port: wanted }) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => {
      const reason = reasonOf(error);
      const text = `port ${wanted} on ${host} is not free (${reason})`;
      resolve(warn(text, "is the daemon running already? If not, choose another with --port"));
    });
    server.listen({ host, port: wanted, exclusive: true }, () => {
      server.close(() => resolve(ok(`port ${wanted} on ${host} is free`)));
    });
  });

const clock: Check = () => {
  // A machine whose clock stands before this package was made has lost it.
  const isSet = Date.now() >= statSync(new URL(import.meta.url)).mtimeMs;
  const text = `clock ${new Date().toISOString()}`;
  if (!isSet) return fail(text, "set the clock; records and cached scores go by it");
  return existsSync("/run/systemd/timesync/synchronized") || !existsSync("/run/systemd/system")
    ? ok(text)
    : warn(text, "no synchronisation by systemd-timesyncd is seen; use any time service");
};

const checks: Readonly<Record<string, Check>> = {
  node,
  kernels,
  cores,
  memory,
  files,
  store,
  sockets,
  access,
  model,
  port,
  clock,
};

/** @returns the exit code */
export async function doctorCommand(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, {
    valued: settingFlags,
    switches: [],
    booleans: booleanFlags,
  });
  refusePositionals(given);
  const settings = settingsFrom(given);
  let isFailed = false;
  for (const [name, check] of Object.entries(checks)) {
    let result: Result;
    try {
      result = await check(settings);
    } catch (error) {
      result = { level: "fail", text: firstLine(error) };
    }
    isFailed ||= result.level === "fail";
    process.stdout.write(`${result.level.padEnd(4)}  ${name.padEnd(8)} ${result.text}\n`);
  }
  return isFailed ? 1 : 0;
}
