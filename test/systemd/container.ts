/** A machine with a systemd of its own, booted over this machine's files. Needs root. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Far beyond what anything takes: a limit here ends a test that hangs, it judges no speed. */
const limitMs = 120_000;
const pauseMs = 100;

/** The package as the machine sees it. */
export const packagePath = "/opt/ghostai-package";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Asks until `check` gives something other than undefined. @throws with what it saw last */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | Promise<T | undefined>,
  seen: () => string | Promise<string> = () => "nothing",
): Promise<T> {
  for (const started = performance.now(); performance.now() - started < limitMs; ) {
    const found = await check();
    if (found !== undefined) return found;
    await sleep(pauseMs);
  }
  throw new Error(`Expected ${what} but after ${limitMs / 1000} s there was ${await seen()}`);
}

/** @returns why no machine can be booted here, or nothing where one can */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "this needs root";
  const wanted: readonly (readonly [program: string, packageName: string])[] = [
    ["systemd-nspawn", "systemd-container"],
    ["dbus-daemon", "dbus"],
    ["curl", "curl"],
  ];
  for (const [program, packageName] of wanted) {
    try {
      execFileSync("which", [program], { stdio: "ignore" });
    } catch {
      return `${program} is missing (apt-get install ${packageName})`;
    }
  }
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], {
      stdio: "ignore",
    });
  } catch {
    return "nothing may be mounted here";
  }
  try {
    // The unit's PrivateUsers needs one; a process in a chroot, for example, cannot make it.
    execFileSync("unshare", ["--user", "true"], { stdio: "ignore" });
  } catch {
    return "no user namespace can be made here";
  }
  const type = execFileSync("stat", ["--file-system", "--format=%T", "/sys/fs/cgroup"], {
    encoding: "utf8",
  }).trim();
  // cgroup2fs, or a tmpfs with the hierarchies of the first version in it.
  if (!/^(cgroup2fs|tmpfs)$/.test(type))
    return `there are no control groups at /sys/fs/cgroup (${type})`;
  return undefined;
}

/** @returns the process whose parent this is, once there is one named so */
function childOf(parent: number, name: string): number | undefined {
  for (const entry of readdirSync("/proc").filter((file) => /^\d+$/.test(file))) {
    try {
      // pid (name) state parent ...
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const [, is = "", of = ""] = /^\d+ \((.*)\) \S (\d+) /.exec(stat) ?? [];
      if (is === name && Number(of) === parent) return Number(entry);
    } catch {} // it has ended meanwhile
  }
  return undefined;
}

export class Container {
  readonly #child: ChildProcess;
  readonly #scratch: string;
  readonly leader: number;

  private constructor(child: ChildProcess, scratch: string, leader: number) {
    this.#child = child;
    this.#scratch = scratch;
    this.leader = leader;
  }

  /** Boots a machine and waits until its services are up. */
  static async boot(): Promise<Container> {
    const scratch = mkdtempSync(join(tmpdir(), "ghostai-machine-"));
    const name = scratch.slice(scratch.lastIndexOf("/") + 1).toLowerCase();
    const boot = ["bash", resolve("test/systemd/boot.sh"), scratch, name, resolve(".")];
    const isolated = ["unshare", "--mount", "--propagation", "private", ...boot, process.execPath];
    // Whoever kills the tests kills the machine.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...isolated], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const keep = (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-4000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const seen = () => `this output: ${output}`;
    const leader = await eventually(
      "a systemd in the new machine",
      () => {
        if (child.exitCode !== null) throw new Error(`Expected a machine but it ended: ${output}`);
        return childOf(child.pid as number, "systemd");
      },
      seen,
    );
    const container = new Container(child, scratch, leader);
    try {
      await eventually(
        "the new machine to be up",
        async () => {
          const { stdout } = await container.run("systemctl", "is-system-running");
          return /^(running|degraded)$/.test(stdout.trim()) || undefined;
        },
        seen,
      );
    } catch (error) {
      await container.stop();
      throw error;
    }
    return container;
  }

  /** The path by which we reach a file of the machine. */
  path(file: string): string {
    return `/proc/${this.leader}/root${file}`;
  }

  /** Arguments of a command that runs on this machine's files, but in the new one's network. */
  inNetwork(...command: readonly string[]): readonly string[] {
    return ["nsenter", `--net=/proc/${this.leader}/ns/net`, "--", ...command];
  }

  /** Runs a command in the machine to its end. */
  run(...command: readonly string[]): Promise<Ran> {
    // The root too: where we run in a chroot, that of the mount namespace is another.
    const spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"];
    const environment = [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "LC_ALL=C.UTF-8",
      "SYSTEMD_PAGER=cat",
    ];
    const enter = ["--target", String(this.leader), ...spaces, "--", "env", "-i", ...environment];
    return new Promise((done) => {
      execFile(
        "nsenter",
        [...enter, ...command],
        { timeout: limitMs, maxBuffer: 2 ** 26 },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
          done({ code, stdout, stderr });
        },
      );
    });
  }

  /** Runs a line of shell. @returns its output. @throws where it fails */
  async shell(line: string): Promise<string> {
    const { code, stdout, stderr } = await this.run("bash", "--norc", "-c", line);
    if (code !== 0) {
      throw new Error(`Expected 0 from \`${line}\` but received ${code}: ${stdout}${stderr}`);
    }
    return stdout.trim();
  }

  /** Ends the machine with everything in it. */
  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#child.once("close", done));
    if (this.#child.exitCode === null) {
      process.kill(this.leader, "SIGKILL");
      await ended;
    }
    rmdirSync(this.#scratch);
  }
}
