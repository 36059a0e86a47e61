/** Who may ask, in every combination of address, header, key and setting. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { admit, type Credentials, defaultPolicy } from "../../src/access/access.ts";
import { type ApiKey, KeyRing, makeKey } from "../../src/access/keys.ts";
import { RateLimits } from "../../src/access/limits.ts";
import { GhostError } from "../../src/errors.ts";

const remote = "203.0.113.9";

function keyNamed(name: string, more: Partial<ApiKey> = {}) {
  const { key, sha256 } = makeKey();
  return { key, entry: { name, sha256, policies: ["*"], ...more } };
}

const plain = keyNamed("plain");
const named = keyNamed("named", { policies: ["other", defaultPolicy] });
const foreign = keyNamed("foreign", { policies: ["other"] });
const slow = keyNamed("slow", { requestsPerSecondMax: 2 });
const ring = new KeyRing([plain.entry, named.entry, foreign.entry, slow.entry]);

/** @returns the key's name, or the error's code */
function outcome(
  credentials: Partial<Credentials>,
  {
    keys = ring as KeyRing | undefined,
    keysOnLoopback = false,
    limits = new RateLimits(() => 0),
  } = {},
): string {
  const nobody = { address: remote, isForwarded: false, authorization: "", apiKey: "" };
  try {
    return admit({ ...nobody, ...credentials }, keys, limits, keysOnLoopback);
  } catch (error) {
    assert.ok(error instanceof GhostError);
    assert.doesNotMatch(error.message, /\n|ghostai_/);
    return error.code;
  }
}

test("without a file of keys nobody needs one", () => {
  const limits = new RateLimits(() => 0);
  const asked = { address: remote, isForwarded: true, authorization: "Bearer x", apiKey: "y" };
  assert.equal(admit(asked, undefined, limits, true), "");
});

test("the Unix socket never needs a key, and none is looked at", () => {
  assert.equal(outcome({ address: "" }, { keysOnLoopback: true }), "");
  assert.equal(outcome({ address: "", isForwarded: true }, { keysOnLoopback: true }), "");
  assert.equal(outcome({ address: "", apiKey: "wrong" }, { keysOnLoopback: true }), "");
});

test("loopback needs a key where it was passed on, or where the setting says so", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1"]) {
    assert.equal(outcome({ address }), "");
    assert.equal(outcome({ address, isForwarded: true }), "unauthorized");
    assert.equal(outcome({ address }, { keysOnLoopback: true }), "unauthorized");
    assert.equal(outcome({ address, apiKey: plain.key }, { keysOnLoopback: true }), "plain");
  }
});

test("a key that is presented counts on loopback too: it has a name, and a wrong one is refused", () => {
  assert.equal(outcome({ address: "127.0.0.1", apiKey: plain.key }), "plain");
  assert.equal(outcome({ address: "127.0.0.1", apiKey: "wrong" }), "unauthorized");
});

test("anybody else needs a key", () => {
  for (const address of [remote, "10.0.0.1", "2001:db8::1", "::ffff:127.0.0.1"]) {
    assert.equal(outcome({ address }), "unauthorized");
    assert.equal(outcome({ address, apiKey: plain.key }), "plain");
  }
  assert.equal(outcome({ apiKey: plain.key }, { keys: new KeyRing([]) }), "unauthorized");
});

test("a key comes as Bearer, in any case, or as x-api-key; Bearer goes first", () => {
  for (const scheme of ["Bearer ", "bearer ", "BEARER   "]) {
    assert.equal(outcome({ authorization: `${scheme}${plain.key}` }), "plain");
  }
  assert.equal(outcome({ authorization: `Bearer ${plain.key}`, apiKey: named.key }), "plain");
  assert.equal(outcome({ authorization: "Bearer wrong", apiKey: named.key }), "unauthorized");
  assert.equal(outcome({ authorization: "Basic YTpi", apiKey: named.key }), "named");
  for (const authorization of [
    plain.key,
    `Basic ${plain.key}`,
    "Bearer",
    "Bearer ",
    "Bearer a b",
  ]) {
    assert.equal(outcome({ authorization }), "unauthorized");
  }
});

test("a key for other policies is forbidden, and does not use up its rate", () => {
  assert.equal(outcome({ apiKey: named.key }), "named");
  assert.equal(outcome({ apiKey: foreign.key }), "forbidden");
});

test("a key's rate is used up by its own requests alone, from any address", () => {
  const limits = new RateLimits(() => 0);
  const ask = (address: string) => outcome({ address, apiKey: slow.key }, { limits });
  assert.deepEqual([ask(remote), ask("127.0.0.1"), ask(remote)], ["slow", "slow", "rate_limited"]);
  assert.equal(outcome({ apiKey: plain.key }, { limits }), "plain");
  assert.equal(outcome({ apiKey: "wrong" }, { limits }), "unauthorized");
});
