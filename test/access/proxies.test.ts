/** Whose address: bytes to text, and the walk over X-Forwarded-For that nobody may lie to. */
import assert from "node:assert/strict";
import { isIP, SocketAddress } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { addressText, clientAddress, isLoopback, isTrusted } from "../../src/access/proxies.ts";
import { networks } from "../../src/config/networks.ts";

const ipv6Text = (groups: readonly number[]) => groups.map((group) => group.toString(16)).join(":");
const ipv6Bytes = (groups: readonly number[]) =>
  Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));

const group = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }) },
);
const groups = fc.array(group, { minLength: 8, maxLength: 8 });

test("property: the bytes of an IPv4 address are its four numbers, mapped into IPv6 too", () =>
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
      const text = addressText(bytes);
      assert.equal(isIP(text), 4);
      assert.deepEqual(text.split(".").map(Number), [...bytes]);
      const mapped = Uint8Array.from([...Array<number>(10).fill(0), 255, 255, ...bytes]);
      assert.equal(addressText(mapped), text);
    }),
  ));

test("property: an IPv6 address is spelled as the system spells it", () =>
  fc.assert(
    fc.property(groups, (given) => {
      const text = addressText(ipv6Bytes(given));
      const system = new SocketAddress({ address: ipv6Text(given), family: "ipv6" }).address;
      // The system writes the last 32 bits of addresses that begin with zeros in dots.
      if (!system.includes(".")) assert.equal(text, system);
      const isMapped = given.slice(0, 5).every((value) => value === 0) && given[5] === 0xffff;
      assert.equal(isIP(text), isMapped ? 4 : 6);
    }),
    { numRuns: 2000 },
  ));

test("the first of two longest runs of zeros is left out, and a single zero is not", () => {
  const spelled: readonly [groups: number[], text: string][] = [
    [[0, 0, 0, 0, 0, 0, 0, 0], "::"],
    [[0, 0, 0, 0, 0, 0, 0, 1], "::1"],
    [[1, 0, 0, 0, 0, 0, 0, 0], "1::"],
    [[0, 0, 1, 0, 0, 1, 1, 1], "::1:0:0:1:1:1"],
    [[0x2001, 0xdb8, 0, 1, 1, 1, 1, 1], "2001:db8:0:1:1:1:1:1"],
    [[0x2001, 0, 0, 1, 0, 0, 0, 1], "2001:0:0:1::1"],
    [[0xa0, 0, 0x10, 0, 0, 0x100, 0, 0], "a0:0:10::100:0:0"],
  ];
  for (const [given, text] of spelled) assert.equal(addressText(ipv6Bytes(given)), text);
});

test("bytes that are no address are no text", () => {
  for (const length of [0, 1, 3, 5, 15, 17]) assert.equal(addressText(new Uint8Array(length)), "");
});

test("loopback is all of 127/8 and ::1, and nothing that looks like it", () => {
  for (const address of ["127.0.0.1", "127.255.0.9", "::1"]) assert.ok(isLoopback(address));
  const others = ["", "unix", "128.0.0.1", "1.127.0.0", "12.7.0.1", "::", "::2", "localhost"];
  for (const address of others) assert.equal(isLoopback(address), false, address);
});

test("only an address can be trusted", () => {
  const trusted = networks("10.0.0.0/8, fd00::/8");
  for (const address of ["10.1.2.3", "fd00::1", "::ffff:10.1.2.3"]) {
    assert.ok(isTrusted(address, trusted), address);
  }
  for (const address of ["", "unix", "11.0.0.1", "fe80::1", "10.0.0", "10.0.0.0/8"]) {
    assert.equal(isTrusted(address, trusted), false, address);
  }
});

const trusted = networks("10.0.0.0/8,fd00::/8");

test("without a trusted proxy the header is anybody's", () => {
  for (const header of ["", "1.1.1.1", "10.0.0.1", "127.0.0.1, 10.0.0.1"]) {
    assert.equal(clientAddress("203.0.113.9", header, trusted), "203.0.113.9");
    assert.equal(clientAddress("10.0.0.1", header, networks("")), "10.0.0.1");
    assert.equal(clientAddress("", header, trusted), "");
  }
});

test("each trusted proxy vouches for the entry that it added, from the right", () => {
  const walked: readonly [header: string, client: string][] = [
    ["", "10.0.0.1"],
    ["198.51.100.7", "198.51.100.7"],
    ["198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["198.51.100.7,10.0.0.2,fd00::5", "198.51.100.7"],
    ["10.0.0.3, 10.0.0.2", "10.0.0.3"],
    [" , 198.51.100.7 , ,", "198.51.100.7"],
    ["2001:db8::9", "2001:db8::9"],
  ];
  for (const [header, client] of walked) {
    assert.equal(clientAddress("10.0.0.1", header, trusted), client, header);
  }
});

test("what a client writes itself stands left of what a proxy adds, and is not believed", () => {
  for (const lie of ["127.0.0.1", "10.0.0.9", "::1", "8.8.8.8, 10.0.0.9", "garbage", "1.2.3.4:5"]) {
    const header = `${lie}, 198.51.100.7`;
    assert.equal(clientAddress("10.0.0.1", header, trusted), "198.51.100.7", header);
    assert.equal(clientAddress("10.0.0.1", `${header}, 10.0.0.2`, trusted), "198.51.100.7");
  }
});

test("an entry that is no address ends the walk at the proxy that wrote it", () => {
  const garbage = [
    "unknown",
    "_hidden",
    "1.2.3",
    "1.2.3.4.5",
    "[::1",
    "::1]:80",
    "1.2.3.4:",
    "a:b",
  ];
  for (const hop of [
    ...garbage,
    "256.1.1.1",
    "1.2.3.4/8",
    "[1.2.3.4]]",
    "\u0000",
    "127.0.0.1\t1",
  ]) {
    const header = `198.51.100.7, ${hop}, 10.0.0.2`;
    assert.equal(clientAddress("10.0.0.1", header, trusted), "10.0.0.2", hop);
  }
});

test("a hop's port is left out", () => {
  const hops: readonly [hop: string, address: string][] = [
    ["198.51.100.7:1234", "198.51.100.7"],
    ["[2001:db8::1]:443", "2001:db8::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["2001:db8::1:443", "2001:db8::1:443"],
  ];
  for (const [hop, address] of hops) {
    assert.equal(clientAddress("10.0.0.1", hop, trusted), address, hop);
    assert.equal(clientAddress("10.0.0.1", `${hop}, 10.0.0.2:99`, trusted), address, hop);
  }
});

test("an address has one spelling, however a proxy writes it", () => {
  for (const hop of ["2001:DB8::1", "2001:db8:0:0:0:0:0:1", "2001:0db8::0001"]) {
    assert.equal(clientAddress("10.0.0.1", hop, trusted), "2001:db8::1", hop);
  }
  for (const hop of ["::ffff:198.51.100.7", "::FFFF:c633:6407", "[::ffff:198.51.100.7]:9"]) {
    assert.equal(clientAddress("10.0.0.1", hop, trusted), "198.51.100.7", hop);
  }
  const throughProxy = "198.51.100.7, ::ffff:10.0.0.2";
  assert.equal(clientAddress("10.0.0.1", throughProxy, trusted), "198.51.100.7");
  assert.equal(clientAddress("10.0.0.1", "fe80::1%eth0", trusted), "fe80::1");
});

const hop = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV4().map((address) => `${address}:80`),
  fc.constantFrom("10.0.0.2", "fd00::1", "127.0.0.1", "::1"),
  fc.string({ maxLength: 12 }),
);

test("property: any header gives an address, and only trusted proxies are walked over", () =>
  fc.assert(
    fc.property(fc.array(hop, { maxLength: 8 }), fc.ipV4(), (hops, client) => {
      const header = hops.join(",");
      assert.notEqual(isIP(clientAddress("10.0.0.1", header, trusted)), 0);
      // Whatever came before, the address that our proxy saw is the client's where it is no proxy.
      if (isTrusted(client, trusted)) return;
      assert.equal(clientAddress("10.0.0.1", `${header}, ${client}`, trusted), client);
    }),
    { numRuns: 1000 },
  ));
