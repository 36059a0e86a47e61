/** The installed service in a machine of its own: install, serve, reload, die, restart, uninstall. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { Container, eventually, packagePath, whyNot } from "./container.ts";
import type { Outcome } from "./load.ts";
import { Unit } from "./unit.ts";

const install = `${packagePath}/systemd/install.sh`;
const uninstall = `${packagePath}/systemd/uninstall.sh`;
const port = 5004;
const skip = whyNot() ?? false;

/** `0-2,5` > 0, 1, 2, 5 */
function coresOf(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

// The limit ends what hangs; it judges no speed.
describe("the systemd service", { skip, timeout: 900_000 }, () => {
  let machine: Container;
  let unit: Unit;

  before(async () => {
    machine = await Container.boot();
    unit = new Unit(machine);
  });
  after(() => machine?.stop());

  /** Sets the YAML file's lines and restarts the service. */
  async function restartWith(lines: readonly string[]): Promise<void> {
    unit.configure(lines);
    await unit.control("restart");
  }

  test("install.sh refuses with what is needed", async () => {
    const refused = async (expected: RegExp, ...command: string[]) => {
      const { code, stdout, stderr } = await machine.run(...command);
      assert.match(stderr, expected);
      assert.notEqual(code, 0, `Expected a refusal but received 0: ${stdout}`);
      assert.match(stderr, /^install\.sh: [^\n]*\n$/);
    };
    // All programs but Node, wherever the machine has it.
    await machine.shell("mkdir /tmp/bin && ln -s /usr/bin/* /tmp/bin/ && rm -f /tmp/bin/node");
    const range = />=\d[\d.]* <\d+/;
    await refused(/there is no node in PATH.*--node FILE/, "env", "PATH=/tmp/bin", "bash", install);
    await refused(range, "env", "PATH=/tmp/bin", "bash", install);
    await machine.shell("mkdir -p /opt/node /home/someone");
    for (const version of ["v18.20.4", "v20.11.1", "v24.0.0"]) {
      await machine.shell(`printf '#!/bin/sh\\necho ${version}\\n' >/opt/node/node`);
      await machine.shell("chmod 755 /opt/node/node; cp /opt/node/node /home/someone/");
      await refused(
        new RegExp(`Expected Node ${range.source} but /opt/node/node is ${version.slice(1)}`),
        ...["bash", install, "--node", "/opt/node/node"],
      );
    }
    await refused(
      /\/home\/someone\/node is hidden/,
      "bash",
      install,
      "--node",
      "/home/someone/node",
    );
    await refused(/no such program/, "bash", install, "--node", "/opt/node/none");
    await refused(/no option --nothing/, "bash", install, "--nothing");
    await refused(/Expected an absolute path/, "bash", install, "--prefix", "usr");
    const nobody = ["setpriv", "--reuid=65534", "--clear-groups"];
    await refused(/Expected to run as root/, ...nobody, "bash", install);
    await machine.shell("mkdir -p /opt/unbuilt && cp -r /opt/ghostai-package/systemd /opt/unbuilt");
    await machine.shell("cp /opt/ghostai-package/package.json /opt/unbuilt");
    await refused(/Expected a built package in/, "bash", "/opt/unbuilt/systemd/install.sh");
    assert.equal(await machine.shell("ls /usr/lib/ghostai /etc/ghostai 2>/dev/null || true"), "");
  });

  test("install.sh without a start installs and enables", async () => {
    await machine.shell(`bash ${install} --no-start`);
    assert.equal(await unit.property("ActiveState"), "inactive");
    assert.equal(await machine.shell("systemctl is-enabled ghostai"), "enabled");
    const [yaml, env] = ["yaml", "env"].map((end) =>
      readFileSync(machine.path(`/etc/ghostai/ghostai.${end}`), "utf8"),
    );
    assert.equal(yaml, readFileSync("systemd/ghostai.yaml", "utf8"));
    assert.equal(env, readFileSync("systemd/ghostai.env", "utf8"));
    await machine.shell("ghostai config check --config /etc/ghostai/ghostai.yaml");
    assert.equal(
      await machine.shell("find /usr/lib/ghostai ! -user root -o -perm /022 ! -type l"),
      "",
      "Expected the package to be root's alone to write",
    );
  });

  test("install.sh starts the service, and running it again changes nothing that was edited", async () => {
    await machine.shell(`bash ${install}`);
    assert.equal(await unit.property("ActiveState"), "active");
    const status = await machine.shell(
      `grep -E '^(Uid|CapBnd|Seccomp):' /proc/${await unit.pid()}/status`,
    );
    const user = await machine.shell("id --user ghostai");
    assert.match(status, new RegExp(`^Uid:\\s+${user}\\s+${user}\\s`, "m"));
    assert.match(status, /^CapBnd:\s+0+$/m);
    assert.match(status, /^Seccomp:\s+2$/m);

    unit.configure(["# edited", "textsMax: 7"]);
    const before = await unit.pid();
    const output = await machine.shell(`bash ${install}`);
    assert.match(output, /kept \/etc\/ghostai\/ghostai\.yaml, which was edited/);
    assert.doesNotMatch(output, /kept \/etc\/ghostai\/ghostai\.env/);
    assert.match(readFileSync(machine.path("/etc/ghostai/ghostai.yaml"), "utf8"), /# edited/);
    assert.notEqual(await unit.pid(), before, "Expected an update to restart the service");
    await restartWith([]);
  });

  test("requests are answered over TCP and over the Unix socket", async () => {
    for (const answer of [
      await unit.scanByPort(port, "What is the capital of France?"),
      await unit.scan("What is the capital of France?"),
    ]) {
      assert.equal(answer.status, 200, answer.body);
      assert.equal(JSON.parse(answer.body).verdict, "allow");
    }
    assert.equal((await unit.getAsAdmin("/healthz")).status, 200);
  });

  test("the group reaches the socket, others do not, and the admin socket is the user's alone", async () => {
    const modes = await machine.shell(
      `stat --format='%a %U %G' /run/ghostai ${unit.socketPath} ${unit.adminSocketPath} ` +
        `${unit.statePath} /etc/ghostai /etc/ghostai/ghostai.yaml`,
    );
    assert.deepEqual(modes.split("\n"), [
      "750 ghostai ghostai",
      "660 ghostai ghostai",
      "600 ghostai ghostai",
      "700 ghostai ghostai",
      "750 root ghostai",
      "640 root ghostai",
    ]);
    const group = await machine.shell("getent group ghostai | cut -d: -f3");
    const reach = async (path: string, groups: string) => {
      const as = ["setpriv", "--reuid=65534", "--regid=65534", groups];
      const ask = ["curl", "--silent", "--unix-socket", path, "http://localhost/healthz"];
      return (await machine.run(...as, ...ask)).code === 0;
    };
    assert.equal(await reach(unit.socketPath, `--groups=${group}`), true);
    assert.equal(await reach(unit.socketPath, "--clear-groups"), false);
    assert.equal(await reach(unit.adminSocketPath, `--groups=${group}`), false);
  });

  test("the installed command finds the service", async () => {
    const config = JSON.parse(await machine.shell("ghostai config"));
    assert.equal(config.socketPath, unit.socketPath);
    const logs = () => machine.shell("ghostai logs --json");
    await eventually(
      "a record in the log",
      async () => ((await logs()).includes("verdict") ? true : undefined),
      logs,
    );
  });

  test("each thread keeps to the core that the daemon says", async () => {
    const { threads } = JSON.parse((await unit.get("/v1/info")).body) as {
      threads: { event_loop_core: number | null; inference_cores: (number | null)[] };
    };
    const masks = await machine.shell(
      `grep -H Cpus_allowed_list /proc/${await unit.pid()}/task/*/status`,
    );
    const byThread = new Map(
      [...masks.matchAll(/task\/(\d+)\/status:Cpus_allowed_list:\s*(\S+)/g)].map(
        ([, thread, list = ""]) => [Number(thread), coresOf(list)] as const,
      ),
    );
    const allowed = coresOf(
      await machine.shell("sed -n 's/^Cpus_allowed_list:\\s*//p' /proc/1/status"),
    );
    const main = byThread.get(await unit.pid());
    if (allowed.length === 1) {
      assert.equal(threads.event_loop_core, null, "one core is nothing to pin to");
      assert.deepEqual(main, allowed);
      return;
    }
    assert.equal(threads.event_loop_core, allowed[0]);
    assert.deepEqual(main, [threads.event_loop_core], masks);
    assert.ok(threads.inference_cores.length > 0, "Expected an inference thread");
    const alone = [...byThread.values()].filter((list) => list.length === 1).flat();
    for (const core of threads.inference_cores) {
      assert.ok(core !== null && core !== threads.event_loop_core && allowed.includes(core));
      const count: number = alone.filter((only) => only === core).length;
      assert.equal(count, 1, `Expected one thread on core ${core} alone: ${masks}`);
    }
  });

  test("the sandbox scores at most 1.5", async () => {
    const template = new Unit(machine, "score");
    for (const { name } of [unit, template]) {
      const report = await machine.shell(`systemd-analyze security --no-pager ${name}`);
      const score = /Overall exposure level for \S+: (\d+\.\d+)/.exec(report)?.[1];
      assert.ok(Number(score) <= 1.5, `Expected at most 1.5 for ${name} but received ${report}`);
    }
  });

  test("a reload takes a good file over in the same process", async () => {
    const text = "x".repeat(100);
    await restartWith(["bodyBytesMax: 1000"]);
    const pid = await unit.pid();
    assert.equal((await unit.scan(text)).status, 200);
    unit.configure(["bodyBytesMax: 50"]);
    await unit.control("reload");
    await eventually("413 after the reload", async () =>
      (await unit.scan(text)).status === 413 ? true : undefined,
    );
    assert.equal(await unit.pid(), pid);
    assert.equal(await unit.property("ActiveState"), "active");
  });

  test("a reload of a bad file fails with the reason, and the old settings stay", async () => {
    const text = "x".repeat(100);
    const reason = /Expected 1-67108864 for bodyBytesMax but received many/;
    const pid = await unit.pid();
    unit.configure(["bodyBytesMax: many"]);
    const { code } = await machine.run("systemctl", "reload", unit.name);
    assert.notEqual(code, 0, "Expected the reload to fail");
    assert.match(await unit.log(), reason);
    assert.equal((await unit.scan(text)).status, 413, "Expected the settings from before");

    // Who signals the daemon without asking first gets no further.
    await machine.shell(`systemctl kill --kill-whom=main --signal=HUP ${unit.name}`);
    const status = () => unit.property("StatusText");
    await eventually(
      "a status that says so",
      async () => (/bodyBytesMax/.test(await status()) ? true : undefined),
      status,
    );
    assert.equal((await unit.scan(text)).status, 413, "Expected the settings from before");
    assert.equal(await unit.pid(), pid);
    assert.equal(await unit.property("ActiveState"), "active");

    unit.configure(["bodyBytesMax: 1000"]);
    await unit.control("reload");
    await eventually(
      "the repaired file to be taken over",
      async () =>
        (await unit.scan(text)).status === 200 && !/bodyBytesMax/.test(await status())
          ? true
          : undefined,
      status,
    );
    assert.equal(await unit.pid(), pid);
  });

  test("killed, it comes back in spite of the socket that was left", async () => {
    const pid = await unit.pid();
    const inode = (path: string) => statSync(machine.path(path)).ino;
    const [folder, socket] = [inode("/run/ghostai"), inode(unit.socketPath)];
    await machine.shell(`kill -KILL ${pid}`);
    await unit.replaced(pid);
    // The folder outlived the process, which had no time to remove its socket.
    assert.equal(inode("/run/ghostai"), folder);
    assert.notEqual(inode(unit.socketPath), socket);
    assert.equal((await unit.scan("hello")).status, 200);
    assert.equal((await unit.scanByPort(port, "hello")).status, 200);
    assert.notEqual(await unit.property("NRestarts"), "0");
  });

  test("stopped in its tracks, it is replaced by the watchdog", async () => {
    await unit.override(["WatchdogSec=2"]);
    try {
      await unit.control("restart");
      const pid = await unit.pid();
      await machine.shell(`kill -STOP ${pid}`);
      await unit.replaced(pid);
      assert.match(await unit.log(), /Watchdog timeout/);
      assert.equal((await unit.scan("hello")).status, 200);
    } finally {
      await unit.override([]);
    }
  });

  /** Has one request answered on a connection and sends half of the next; @returns what ends it. */
  async function halfway(id: string): Promise<() => Promise<string>> {
    const body = JSON.stringify({ text: `What is the capital of ${id}?` });
    const head =
      "POST /v1/scan HTTP/1.1\r\nhost: ghostai\r\ncontent-type: application/json\r\n" +
      `x-request-id: ${id}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    const socket = connect(machine.path(unit.socketPath));
    const closed = new Promise((done) => socket.once("close", done));
    const answered = once(socket, "data");
    socket.write(head + body);
    await answered;
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", (error) => {
      text += error.message;
    });
    socket.write(head + body.slice(0, 10));
    return async () => {
      socket.write(body.slice(10));
      await closed;
      return text;
    };
  }

  test("a restart waits for requests that were accepted", async () => {
    await restartWith(["bodyBytesPerSecondMin: 0"]);
    const pid = await unit.pid();
    const finish = await Promise.all(["Chad", "Peru", "Laos", "Mali"].map(halfway));
    // The daemon reads in order: once this one is answered, it has seen the halves.
    assert.equal((await unit.scan("hello")).status, 200);
    const restarted = machine.run("systemctl", "restart", unit.name);
    await eventually("a daemon that takes no more connections", async () => {
      if ((await unit.pid()) !== pid) return true;
      return unit.get("/healthz").then(
        () => undefined,
        () => true,
      );
    });
    for (const answer of await Promise.all(finish.map((end) => end()))) {
      assert.match(answer, /^HTTP\/1\.1 200 /);
    }
    const { code, stderr } = await restarted;
    assert.equal(code, 0, stderr);
    await unit.replaced(pid);
    assert.equal(await unit.property("Result"), "success");
  });

  /** Ids of the requests in the log that begin so; none while the store is not open yet. */
  async function loggedIds(beginning: string): Promise<string[]> {
    const ids: string[] = [];
    for (let next: string | undefined = ""; next !== undefined; ) {
      const page = await unit.getAsAdmin(`/v1/logs?limit=10000${next}`);
      if (page.status === 503) return [];
      assert.equal(page.status, 200, page.body);
      const { records, cursor } = JSON.parse(page.body) as {
        records: { id: string }[];
        cursor?: string;
      };
      ids.push(...records.map(({ id }) => id).filter((id) => id.startsWith(beginning)));
      next = cursor === undefined ? undefined : `&cursor=${encodeURIComponent(cursor)}`;
    }
    return ids;
  }

  test("under load, a restart leaves no request that it accepted without its answer", async (t) => {
    await restartWith([]);
    const script = ["--import", "tsx", resolve("test/systemd/load.ts")];
    const program = [process.execPath, ...script, String(port), machine.path(unit.socketPath)];
    const [command = "", ...rest] = machine.inNetwork(...program);
    const child = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, "started");
    for (let round = 0; round < 2; round++) await unit.control("restart");
    child.stdin.end("enough\n");
    const outcome = JSON.parse((await lines.next()).value ?? "{}") as Outcome;
    const answered = new Set(outcome.answered);
    const logged = await eventually("every verdict in the log", async () => {
      const ids = new Set(await loggedIds("load-"));
      return outcome.verdicts.every((id) => ids.has(id)) ? ids : undefined;
    });
    const lost = [...logged].filter((id) => !answered.has(id));
    assert.deepEqual(lost, [], "Expected an answer for each request that is in the log");
    // The others were never read: their connection waited to be accepted, or had no request yet.
    t.diagnostic(
      `${answered.size} answered, ${outcome.verdicts.length} of them with a verdict, ${outcome.refused} found nobody listening, ` +
        `${outcome.broken.length} connections ended unread`,
    );
    assert.equal(await unit.property("Result"), "success");
  });

  test("two instances run beside the service, each with its own settings, sockets and store", async () => {
    const instances = [
      { instance: new Unit(machine, "a"), at: 5101 },
      { instance: new Unit(machine, "b"), at: 5102 },
    ];
    for (const { instance, at } of instances) {
      instance.configure([`port: ${at}`]);
      await instance.control("start");
      assert.equal((await instance.scanByPort(at, "hello")).status, 200);
      assert.equal((await instance.scan("hello")).status, 200);
      assert.equal((await instance.getAsAdmin("/healthz")).status, 200);
      await machine.shell(`test -d ${instance.statePath}/store`);
    }
    // They share nothing: the end of one, or of the service, leaves the others alone.
    const [first, second] = instances.map(({ instance }) => instance) as [Unit, Unit];
    const pid = await second.pid();
    await first.control("stop");
    await unit.control("restart");
    assert.equal(await second.pid(), pid);
    assert.equal((await second.scan("hello")).status, 200);
    assert.equal((await unit.scan("hello")).status, 200);
    await first.control("start");
  });

  test("an update restarts the instances that run", async () => {
    const instance = new Unit(machine, "b");
    const pid = await instance.pid();
    await machine.shell(`systemctl --quiet enable ${instance.name}`);
    await machine.shell(`bash ${install}`);
    assert.notEqual(await instance.pid(), pid);
    assert.equal((await instance.scan("hello")).status, 200);
  });

  const gone = async () => {
    const left =
      "ls -d /usr/lib/ghostai* /usr/bin/ghostai /usr/lib/systemd/system/ghostai* " +
      "/usr/lib/sysusers.d/ghostai* /run/ghostai* /etc/systemd/system/*.wants/ghostai* 2>/dev/null";
    assert.equal(await machine.shell(`${left} || true`), "");
    const running = await machine.shell(
      "systemctl list-units --all --plain --no-legend 'ghostai*'",
    );
    assert.doesNotMatch(running, /\bactive\b|\brunning\b/);
    assert.equal(await machine.shell("pgrep -u ghostai || true"), "");
  };

  test("uninstall.sh keeps data and settings, and can be run again", async () => {
    await machine.shell("bash /usr/lib/ghostai/systemd/uninstall.sh");
    await gone();
    await machine.shell(`bash ${uninstall}`);
    await machine.shell("test -d /var/lib/ghostai/store && test -d /var/lib/ghostai-a/store");
    await machine.shell("test -f /etc/ghostai/ghostai.yaml && id ghostai");
  });

  test("a new install finds what was kept", async () => {
    unit.configure(["textsMax: 7"]);
    await machine.shell(`bash ${install} --prefix /opt/ghostai`);
    assert.match(readFileSync(machine.path("/etc/ghostai/ghostai.yaml"), "utf8"), /textsMax: 7/);
    assert.equal((await unit.scan("hello")).status, 200);
    assert.match(await unit.property("ExecStart"), /path=\/opt\/ghostai\/bin\/ghostai /);
  });

  test("uninstall.sh --purge leaves nothing, and can be run again", async () => {
    await machine.shell("mkdir /var/lib/ghostai-of-others");
    writeFileSync(machine.path("/var/lib/ghostai-of-others/file"), "");
    await machine.shell("bash /opt/ghostai/lib/ghostai/systemd/uninstall.sh --purge");
    await gone();
    const left = await machine.shell(
      "ls -d /etc/ghostai /var/lib/ghostai* /opt/ghostai/*/* /etc/systemd/system/ghostai* " +
        "/etc/sysusers.d/ghostai* 2>/dev/null || true",
    );
    assert.equal(left, "/var/lib/ghostai-of-others");
    assert.equal(await machine.shell("getent passwd ghostai; getent group ghostai || true"), "");
    await machine.shell(`bash ${uninstall} --purge`);
    await machine.shell("test -f /var/lib/ghostai-of-others/file");
  });
});
