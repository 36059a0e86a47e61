/** The token bucket of each key, on a clock that the test sets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RateLimits } from "../../src/access/limits.ts";

test("a second's worth passes at once, then as many as the rate gives", () => {
  let now = 0;
  const limits = new RateLimits(() => now);
  const take = () => limits.take("a", 10);
  assert.deepEqual(Array.from({ length: 11 }, take), [...Array<boolean>(10).fill(true), false]);
  now = 99;
  assert.equal(take(), false);
  now = 100;
  assert.deepEqual([take(), take()], [true, false]);
  now = 350;
  assert.deepEqual([take(), take(), take()], [true, true, false]);
});

test("what is not used is not saved up beyond a second's worth", () => {
  let now = 0;
  const limits = new RateLimits(() => now);
  limits.take("a", 3);
  now = 3_600_000;
  const answers = Array.from({ length: 4 }, () => limits.take("a", 3));
  assert.deepEqual(answers, [true, true, true, false]);
});

test("a refused request costs nothing", () => {
  let now = 0;
  const limits = new RateLimits(() => now);
  limits.take("a", 1);
  for (now = 0; now < 1000; now += 10) assert.equal(limits.take("a", 1), false);
  now = 1000;
  assert.equal(limits.take("a", 1), true);
});

test("a rate below one a second lets one through at first, and the next in its time", () => {
  let now = 0;
  const limits = new RateLimits(() => now);
  assert.deepEqual([limits.take("a", 0.1), limits.take("a", 0.1)], [true, false]);
  now = 9_999;
  assert.equal(limits.take("a", 0.1), false);
  now = 10_000;
  assert.equal(limits.take("a", 0.1), true);
});

test("keys do not share, and a rate that a reload lowers holds from the next request", () => {
  const limits = new RateLimits(() => 0);
  assert.deepEqual([limits.take("a", 1), limits.take("a", 1)], [true, false]);
  assert.equal(limits.take("b", 5), true);
  assert.deepEqual([limits.take("b", 1), limits.take("b", 1)], [true, false]);
});

test("property: over any stretch of time no more pass than the rate gives and one burst", () =>
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 50, noNaN: true }),
      fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 }),
      (rate, waits) => {
        let now = 0;
        const limits = new RateLimits(() => now);
        let passed = 0;
        for (const wait of waits) {
          now += wait;
          if (limits.take("a", rate)) passed++;
          assert.ok(passed <= Math.max(1, rate) + (now / 1000) * rate + 1e-6);
        }
      },
    ),
  ));
