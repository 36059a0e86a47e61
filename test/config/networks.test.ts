/** Lists of addresses and networks, as settings spell them. */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { isNetworkList, networks } from "../../src/config/networks.ts";

test("a list holds addresses and networks of both families, with blanks and empty entries", () => {
  const lists = [
    "",
    " , ,",
    "10.0.0.1",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "10.0.0.1/32, ::1/128",
    "2001:db8::/32,fd00::/8 ,::/0",
    "::ffff:10.0.0.0/104",
  ];
  for (const list of lists) assert.equal(isNetworkList(list), true, list);
});

test("anything else in a list is wrong", () => {
  const entries = [
    "localhost",
    "10.0.0",
    "10.0.0.256",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.0/1e1",
    "10.0.0.0/0x8",
    "10.0.0.0/ 8",
    "10.0.0.0/8.0",
    "::/129",
    "[::1]",
    "10.0.0.1:80",
    "10.0.0.1;10.0.0.2",
    "10.0.0.1 10.0.0.2",
    "*",
    "/8",
  ];
  for (const entry of entries) {
    assert.equal(isNetworkList(entry), false, entry);
    assert.equal(isNetworkList(`127.0.0.1, ${entry}`), false, entry);
    assert.equal(networks(entry).rules.length, 0, entry);
  }
});

test("an address lies in a network by its first bits", () => {
  const list = networks("10.1.0.0/16, 192.0.2.7, 2001:db8::/33, fd00::1");
  const inside = ["10.1.0.0", "10.1.255.255", "192.0.2.7", "2001:db8:7fff::1", "fd00::1"];
  const outside = ["10.0.255.255", "10.2.0.0", "192.0.2.8", "2001:db8:8000::", "fd00::2", "::1"];
  const has = (address: string) => list.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
  assert.deepEqual([...inside, ...outside].filter(has), inside);
});

test("an IPv4 network holds its addresses as IPv6 spells them too", () => {
  const list = networks("10.0.0.0/8");
  assert.equal(list.check("::ffff:10.1.2.3", "ipv6"), true);
  assert.equal(list.check("::ffff:11.1.2.3", "ipv6"), false);
  assert.equal(list.check("::10.1.2.3", "ipv6"), false);
});

test("an empty list holds nobody, and a network of no bits everybody of its family", () => {
  assert.equal(networks("").check("127.0.0.1", "ipv4"), false);
  const everybody = networks("0.0.0.0/0");
  assert.equal(everybody.check("203.0.113.9", "ipv4"), true);
  assert.equal(everybody.check("2001:db8::1", "ipv6"), false);
  assert.equal(networks("::/0").check("2001:db8::1", "ipv6"), true);
});

test("property: whether an IPv4 address lies in a network is what its bits say", () =>
  fc.assert(
    fc.property(
      fc.ipV4(),
      fc.ipV4(),
      fc.integer({ min: 0, max: 32 }),
      fc.boolean(),
      (address, other, prefix, isNear) => {
        const bits = (text: string) =>
          text.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
        // A near one differs in the last byte alone.
        const asked = isNear ? address.replace(/\d+$/, other.split(".")[3] ?? "0") : other;
        const size = 2 ** (32 - prefix);
        const expected = Math.floor(bits(address) / size) === Math.floor(bits(asked) / size);
        assert.equal(networks(`${address}/${prefix}`).check(asked, "ipv4"), expected);
      },
    ),
    { numRuns: 1000 },
  ));

test("property: a list of any text is right or wrong, and never thrown at", () =>
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("1", "0", ".", ":", "/", ",", "f", " ", "%", "[", "-") }),
      (list) => {
        const { length } = networks(list).rules;
        const count = list.split(",").filter((entry) => entry.trim() !== "").length;
        assert.ok(isNetworkList(list) ? length <= count : length < count);
      },
    ),
    { numRuns: 2000 },
  ));
