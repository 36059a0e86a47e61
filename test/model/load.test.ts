/** The expected wait for the model, by a clock that the test sets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QueueLoad } from "../../src/model/load.ts";

test("before anything ended no wait is expected", () => {
  const load = new QueueLoad(1);
  assert.equal(load.expectedWaitMs, 0);
  for (let call = 0; call < 100; call++) load.begin(0, 1);
  assert.equal(load.expectedWaitMs, 0);
});

test("with one thread the wait is the calls before, times what one takes", () => {
  const load = new QueueLoad(1);
  for (let call = 0; call < 10; call++) load.begin(0, 1);
  for (let call = 1; call <= 5; call++) load.end(call * 8, 1, true);
  assert.equal(load.expectedWaitMs, 5 * 8);
  load.begin(40, 1);
  assert.equal(load.expectedWaitMs, 6 * 8);
});

test("calls that threads take at once do not wait for each other", () => {
  const load = new QueueLoad(4);
  for (let call = 0; call < 8; call++) load.begin(0, 1);
  // Four threads: one ends every 2 ms.
  for (let call = 1; call <= 4; call++) load.end(call * 2, 1, true);
  assert.equal(load.expectedWaitMs, 2);
  load.end(10, 1, true);
  assert.equal(load.expectedWaitMs, 0);
  for (let call = 0; call < 3; call++) load.end(12, 1, true);
  assert.equal(load.expectedWaitMs, 0);
});

test("idle time does not count as work", () => {
  const load = new QueueLoad(1);
  load.begin(0, 1);
  load.end(10, 1, true);
  load.begin(1_000_000, 1);
  load.end(1_000_010, 1, true);
  load.begin(2_000_000, 1);
  assert.equal(load.expectedWaitMs, 10);
});

test("the mean follows a model that becomes slower, and one that becomes faster", () => {
  const load = new QueueLoad(1);
  let now = 0;
  const work = (ms: number) => {
    for (let call = 0; call < 200; call++) {
      now += ms;
      load.begin(now - ms, 1);
      load.end(now, 1, true);
    }
    load.begin(now, 1);
    const { expectedWaitMs } = load;
    load.end(now + ms, 1, true);
    now += ms;
    return expectedWaitMs;
  };
  const near = (value: number, expected: number) =>
    assert.ok(Math.abs(value - expected) < expected * 0.01, `${value} is not near ${expected}`);
  near(work(5), 5);
  near(work(50), 50);
  near(work(2), 2);
});

test("after many calls a single slow one moves the mean by a twentieth", () => {
  const load = new QueueLoad(1);
  let now = 0;
  for (let call = 0; call < 500; call++) {
    load.begin(now, 1);
    now += 10;
    load.end(now, 1, true);
  }
  load.begin(now, 1);
  load.end(now + 210, 1, true);
  load.begin(now + 210, 1);
  assert.ok(Math.abs(load.expectedWaitMs - 20) < 0.01);
});

test("what counts is the work, not the number of calls", () => {
  const load = new QueueLoad(1);
  load.begin(0, 100);
  load.begin(0, 1);
  load.end(200, 100, true);
  load.end(202, 1, true);
  load.begin(300, 10);
  assert.ok(Math.abs(load.expectedWaitMs - 20) < 0.2);
  assert.ok(Math.abs(load.expectedEndMs(90) - 200) < 2);
});

test("one that would be alone is expected to end in any time", () => {
  const load = new QueueLoad(1);
  load.begin(0, 1);
  load.end(1_000, 1, true);
  assert.equal(load.expectedEndMs(1_000), 0);
});

test("a refused call is no work done, but its time is", () => {
  const load = new QueueLoad(1);
  load.begin(0, 1);
  load.begin(0, 1);
  load.end(10, 1, false);
  assert.equal(load.expectedWaitMs, 0);
  load.end(20, 1, true);
  load.begin(20, 1);
  assert.equal(load.expectedWaitMs, 20);
});
