/** The cap on connections by address: what the kernel's list says, the count on a clock of ours, and a server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { networks } from "../../src/config/networks.ts";
import { ConnectionCap, countConnections } from "../../src/http/connections.ts";
import type { ConnectionGuard } from "../../src/http/server.ts";
import { eventually, RawClient, withServer } from "./harness.ts";

const head =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/** A line of the kernel's list. */
function line(local: string, remote: string, state: string): string {
  return `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 1076 1 00000000ab309e2c 100 0 0 10 0\n`;
}

function counted(table: string, port = 5004): [string, number][] {
  const into = new Map<string, number>();
  countConnections(table, port, into);
  return [...into];
}

test("established connections to the port are counted by their address", () => {
  const ours = "0100007F:138C";
  const table = [
    head,
    line("00000000:138C", "00000000:0000", "0A"), // listens
    line(ours, "0100007F:9C40", "01"),
    line(ours, "0100007F:9C41", "01"),
    line(ours, "090071CB:0050", "01"),
    line(ours, "0100007F:9C42", "06"), // waits for its end
    line(ours, "0100007F:9C43", "08"),
    line("0100007F:9C40", ours, "01"), // the client's own end
    line("0100007F:1F90", "0100007F:138C", "01"), // another port
  ].join("");
  assert.deepEqual(counted(table), [
    ["127.0.0.1", 2],
    ["203.113.0.9", 1],
  ]);
});

test("IPv6 connections are counted too, and mapped IPv4 ones as IPv4", () => {
  const ours = "00000000000000000000000001000000:138C";
  const table = [
    head,
    line(ours, "00000000000000000000000001000000:9C40", "01"),
    line(ours, "B80D0120000000000000000009000000:9C41", "01"),
    line("0000000000000000FFFF00000100007F:138C", "0000000000000000FFFF0000090071CB:9C42", "01"),
  ].join("");
  assert.deepEqual(counted(table), [
    ["::1", 1],
    ["2001:db8::9", 1],
    ["203.113.0.9", 1],
  ]);
});

test("a port has four digits, and nothing is counted of a list that is empty", () => {
  const table = head + line("0100007F:0050", "0100007F:9C40", "01");
  assert.deepEqual(counted(table, 80), [["127.0.0.1", 1]]);
  assert.deepEqual(counted(table, 0x50_50), []);
  for (const empty of ["", head, `${head}\n`, "no list\nat all"])
    assert.deepEqual(counted(empty), []);
});

interface Setup {
  readonly cap: ConnectionCap;
  /** Connections that were closed for the cap. */
  readonly refused: () => number;
  pass(ms: number): void;
}

/** A cap on a port that nobody has, so that the kernel's list is empty. */
function setup(max: number, trusted = ""): Setup {
  let now = 0;
  let refusals = 0;
  const cap = new ConnectionCap({
    perAddressMax: () => max,
    trusted: () => networks(trusted),
    port: () => 0,
    now: () => now,
    refused: () => {
      refusals++;
    },
  });
  return {
    cap,
    refused: () => refusals,
    pass(ms) {
      now += ms;
    },
  };
}

/** Opens `count` connections; @returns how many may stay. Those that may not end at once, as in the server. */
function open(cap: ConnectionGuard, address: string, count: number): number {
  let stayed = 0;
  for (let at = 0; at < count; at++) {
    if (cap.opened(address)) stayed++;
    else cap.closed();
  }
  return stayed;
}

test("an address has so many connections and no more; another has its own", () => {
  const { cap, refused } = setup(3);
  assert.equal(open(cap, "203.0.113.9", 5), 3);
  assert.equal(refused(), 2);
  assert.equal(open(cap, "203.0.113.10", 5), 3);
  assert.equal(open(cap, "2001:db8::1", 5), 3);
  assert.equal(refused(), 6);
});

test("without a cap, over the Unix socket and from a trusted proxy there are any number", () => {
  for (const [max, trusted, address] of [
    [0, "", "203.0.113.9"],
    [3, "", ""],
    [3, "203.0.113.0/24", "203.0.113.9"],
  ] as const) {
    const { cap, refused } = setup(max, trusted);
    assert.equal(open(cap, address, 100), 100);
    assert.equal(refused(), 0);
  }
});

test("once nothing is open everybody begins anew, and a refused one's end frees no place", () => {
  const { cap } = setup(3);
  open(cap, "203.0.113.9", 3);
  assert.equal(open(cap, "203.0.113.9", 10), 0);
  for (let at = 0; at < 3; at++) cap.closed();
  assert.equal(open(cap, "203.0.113.9", 4), 3);
});

test("ends over the Unix socket and of proxies free no place of anybody else", () => {
  const { cap } = setup(3, "10.0.0.1");
  // The kernel's list is looked at once now, and not again within its second.
  open(cap, "192.0.2.1", 3);
  open(cap, "", 1);
  cap.closed();
  open(cap, "192.0.2.1", 1);
  open(cap, "203.0.113.9", 3);
  for (const address of ["", "10.0.0.1"]) {
    for (let at = 0; at < 50; at++) {
      open(cap, address, 1);
      cap.closed();
    }
  }
  assert.equal(open(cap, "203.0.113.9", 10), 0);
});

test("an address whose connections are short has a place whatever it had in this second", () => {
  const { cap, refused } = setup(3);
  open(cap, "203.0.113.10", 1);
  for (let at = 0; at < 100; at++) {
    assert.equal(open(cap, "203.0.113.9", 2), 2);
    cap.closed();
    cap.closed();
  }
  assert.equal(refused(), 0);
});

test("after an end the kernel's list is read, at most once a second", () => {
  const { cap, pass } = setup(2);
  open(cap, "203.0.113.9", 2);
  open(cap, "203.0.113.10", 2);
  cap.closed();
  // The list, which is empty here, says that every place is free.
  assert.equal(open(cap, "203.0.113.9", 3), 2);
  cap.closed();
  pass(999);
  assert.equal(open(cap, "203.0.113.9", 1), 0);
  pass(1);
  assert.equal(open(cap, "203.0.113.9", 3), 2);
});

/** The server with a cap of three, and a clock that a test moves. */
function withCap(
  use: (port: number, refused: () => number, pass: (ms: number) => void) => Promise<void>,
): Promise<void> {
  let now = 0;
  let refusals = 0;
  let port = 0;
  let ends = 0;
  const cap = new ConnectionCap({
    perAddressMax: () => 3,
    trusted: () => networks(""),
    port: () => port,
    now: () => now,
    refused: () => {
      refusals++;
    },
  });
  const guard: ConnectionGuard = {
    opened: (address) => cap.opened(address),
    closed() {
      ends++;
      cap.closed();
    },
  };
  return withServer({ guard }, async (server) => {
    port = server.port;
    // The connection by which the server looked whether it listens.
    await eventually(() => ends === 1);
    const pass = (ms: number) => {
      now += ms;
    };
    await use(server.port, () => refusals, pass);
  });
}

async function answered(client: RawClient): Promise<void> {
  client.received = "";
  client.send("GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n");
  await client.until(/200 OK.*\}$/s);
}

/** Whether the server keeps a new connection from this address; one that it keeps is added to `kept`. */
async function isKept(port: number, kept: RawClient[], localAddress = "127.0.0.1") {
  const target = { port, localAddress };
  const client = new RawClient(target);
  try {
    await answered(client);
    kept.push(client);
    return true;
  } catch {
    return false;
  }
}

test("the fourth connection of an address is closed, and the three go on", () =>
  withCap(async (port, refused) => {
    const kept: RawClient[] = [];
    for (let at = 0; at < 3; at++) assert.equal(await isKept(port, kept), true);
    const fourth = new RawClient({ port });
    await fourth.closed;
    assert.equal(fourth.received, "");
    assert.equal(refused(), 1);
    for (const client of kept) await answered(client);
    for (const client of kept) client.socket.destroy();
  }));

test("after one of three has ended the next is let in, and again only one", () =>
  withCap(async (port, refused, pass) => {
    const others: RawClient[] = [];
    const kept: RawClient[] = [];
    for (let at = 0; at < 3; at++) {
      assert.equal(await isKept(port, kept), true);
      // So many are open that only the kernel's list tells whose connection ended.
      assert.equal(await isKept(port, others, "127.0.0.2"), true);
    }
    for (let round = 0; round < 3; round++) {
      kept.shift()?.socket.destroy();
      // The end arrives in its time; a try before it is refused.
      await eventually(() => {
        pass(1000);
        return isKept(port, kept);
      });
      for (let at = 0; at < 3; at++) {
        pass(1000);
        assert.equal(await isKept(port, kept), false);
        assert.equal(await isKept(port, others, "127.0.0.2"), false);
      }
    }
    assert.ok(refused() >= 18);
    for (const client of [...kept, ...others]) await answered(client);
    for (const client of [...kept, ...others]) client.socket.destroy();
  }));
