/**
 * bench:service against a unit that is installed for it, in a systemd of its own
 * that is booted over this machine's files and goes away afterwards. Needs root.
 *
 *   npm run bench:service:machine -- [--json FILE and what bench:service takes]
 *
 * The load runs outside of the service's sandbox, in the same network.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Container, eventually, packagePath, whyNot } from "../test/systemd/container.ts";

const reason = whyNot();
if (reason !== undefined) throw new Error(`Expected a machine of its own but ${reason}`);
const machine = await Container.boot();
try {
  await machine.shell(`${packagePath}/systemd/install.sh --node /usr/local/bin/node`);
  await eventually("the unit to be ready", async () => {
    const { stdout } = await machine.run("systemctl", "is-active", "ghostai");
    return stdout.trim() === "active" || undefined;
  });
  const socket = machine.path("/run/ghostai/ghostai.sock");
  // Its process as this machine numbers it: the one that systemd of the new machine started.
  const processes = execFileSync("pgrep", ["-f", "ghostai.*serve --config /etc/ghostai"], {
    encoding: "utf8",
  });
  const pid = processes
    .trim()
    .split("\n")
    .find((entry) => readFileSync(`/proc/${entry}/comm`, "utf8").trim() === "node");
  const bench = [process.execPath, "--import", "tsx", "bench/service.ts"];
  const target = ["--socket", socket, "--pid", String(pid)];
  const [command = "", ...rest] = machine.inNetwork(...bench, ...target, ...process.argv.slice(2));
  spawnSync(command, rest, { stdio: "inherit" });
  console.log(await machine.shell("journalctl -u ghostai --no-pager --output cat | tail -5"));
  console.log(await machine.shell("ghostai stats | head -12"));
  const notified = await machine.shell(
    "systemctl show ghostai --property=ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic",
  );
  const [start = 0, ready = 0] = [...notified.matchAll(/=(\d+)/g)].map(([, time]) => Number(time));
  console.log(`exec to READY=1: ${Math.abs(ready - start) / 1000} ms`);
} finally {
  await machine.stop();
}
