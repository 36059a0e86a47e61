/** A durable answer leaves after its record is on disk: seen from the system calls. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../http/harness.ts";
import { withDaemon } from "./harness.ts";

/** Why system calls cannot be watched here, or nothing. */
function missing(): string | false {
  const tried = spawnSync("strace", ["-o", "/dev/null", "true"]);
  if (tried.error !== undefined) return "strace is not installed";
  return tried.status === 0 ? false : "strace may not watch processes here";
}

test("the disk's flush comes before the answer", { skip: missing() }, () =>
  withDaemon(["--log-durable", "true"], async (daemon, folder) => {
    // Once the store is open, answers are durable.
    await eventually(async () => {
      const { headers } = await daemon.scan({ text: "Hello" });
      return headers.get("x-ghostai-logged") === "durable";
    });
    const file = join(folder, "calls");
    const calls = ["-f", "-e", "trace=fdatasync,fsync,msync,sendto", "-s", "1000", "-o", file];
    const tracer = spawn("strace", [...calls, "-p", String(daemon.pid)]);
    const ended = new Promise((resolve) => tracer.once("close", resolve));
    const traced = () => (existsSync(file) ? readFileSync(file, "utf8") : "");
    await eventually(async () => {
      await fetch(`${daemon.url}/healthz`);
      return traced().includes("sendto");
    });
    const before = traced().length;
    const response = await daemon.scan({ text: "A text that nobody sent before", id: "watched" });
    assert.equal(response.headers.get("x-ghostai-logged"), "durable");
    await eventually(() => traced().includes('\\"watched\\"'));
    tracer.kill("SIGINT");
    await ended;
    const [upToAnswer = ""] = traced().slice(before).split('\\"watched\\"');
    assert.match(upToAnswer, /(fdatasync|fsync|msync)\(.*= 0/);
  }),
);
