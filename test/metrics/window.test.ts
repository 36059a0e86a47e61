/** Rates and latency of the last hour, by a clock that the test sets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "../../src/metrics/window.ts";
import { Statistics } from "../../src/service/statistics.ts";
import { newMetrics } from "../http/harness.ts";

class Clock {
  at = 1_700_000_000_000;
  readonly now = () => this.at;
  pass(seconds: number): void {
    this.at += seconds * 1000;
  }
}

function newWindow() {
  const clock = new Clock();
  return { clock, window: new Window(clock.now) };
}

/** Within the two digits of the histograms. */
function assertNear(actual: number | undefined, expected: number): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= expected * 0.02,
    `${actual} is not near ${expected}`,
  );
}

test("before the first request there is nothing, and no latency", () => {
  const { window } = newWindow();
  const nothing = { answered: 0, refused: 0, answersPerSecond: 0, errorRate: 0 };
  assert.deepEqual(window.summary(), {
    minute: nothing,
    fiveMinutes: nothing,
    hour: nothing,
    peakPerSecond: 0,
    sustainedPerSecond: 0,
  });
});

test("percentiles, average and maximum are those of what was answered", () => {
  const { clock, window } = newWindow();
  for (let ms = 1; ms <= 1000; ms++) window.answered(ms / 1000);
  clock.pass(1);
  for (const { latency } of [window.summary().minute, window.summary().hour]) {
    assertNear(latency?.p50, 500);
    assertNear(latency?.p95, 950);
    assertNear(latency?.p99, 990);
    assertNear(latency?.average, 500.5);
    assertNear(latency?.max, 1000);
  }
});

test("times beyond the histogram count as its ends", () => {
  const { window } = newWindow();
  window.answered(0);
  window.answered(3600);
  const { latency } = window.summary().minute;
  assertNear(latency?.p50, 0.001);
  assertNear(latency?.max, 60_000);
});

test("each window forgets what is older than itself", () => {
  const { clock, window } = newWindow();
  const answered = () => {
    const { minute, fiveMinutes, hour } = window.summary();
    return [minute.answered, fiveMinutes.answered, hour.answered];
  };
  for (let count = 0; count < 10; count++) window.answered(0.001);
  assert.deepEqual(answered(), [10, 10, 10]);
  clock.pass(54);
  assert.deepEqual(answered(), [10, 10, 10]);
  clock.pass(6);
  assert.deepEqual(answered(), [0, 10, 10]);
  window.answered(0.001);
  clock.pass(240);
  assert.deepEqual(answered(), [0, 1, 11]);
  clock.pass(3_300);
  assert.deepEqual(answered(), [0, 0, 1]);
  clock.pass(60);
  assert.deepEqual(answered(), [0, 0, 0]);
  clock.pass(1_000_000);
  window.answered(0.001);
  assert.deepEqual(answered(), [1, 1, 1]);
});

test("refusals among all requests are the error rate", () => {
  const { window } = newWindow();
  for (let count = 0; count < 3; count++) window.answered(0.001);
  window.refused();
  const { minute } = window.summary();
  assert.deepEqual([minute.answered, minute.refused, minute.errorRate], [3, 1, 0.25]);
  const { window: only } = newWindow();
  only.refused();
  assert.equal(only.summary().hour.errorRate, 1);
  assert.equal(only.summary().hour.latency, undefined);
});

test("a rate is over the time since the start where that is shorter than the window", () => {
  const { clock, window } = newWindow();
  for (let second = 0; second < 10; second++) {
    for (let count = 0; count < 20; count++) window.answered(0.001);
    clock.pass(1);
  }
  const { minute, fiveMinutes, hour } = window.summary();
  for (const { answersPerSecond } of [minute, fiveMinutes, hour]) assertNear(answersPerSecond, 20);
});

test("peak is the best second, sustained the best minute, and both stay", () => {
  const { clock, window } = newWindow();
  for (let second = 0; second < 60; second++) {
    for (let count = 0; count < 5; count++) window.answered(0.001);
    clock.pass(1);
  }
  for (let count = 0; count < 65; count++) window.answered(0.001);
  assert.deepEqual(
    [window.summary().peakPerSecond, window.summary().sustainedPerSecond],
    [65, (59 * 5 + 65) / 60],
  );
  clock.pass(600);
  window.answered(0.001);
  assert.deepEqual(
    [window.summary().peakPerSecond, window.summary().sustainedPerSecond],
    [65, (59 * 5 + 65) / 60],
  );
});

test("answers far apart make no busy minute", () => {
  const { clock, window } = newWindow();
  for (const gap of [59, 60, 61, 120, 3600, 1]) {
    window.answered(0.001);
    clock.pass(gap);
  }
  window.answered(0.001);
  // 0 and 59 s lie in one minute; so do the last two.
  assert.deepEqual(
    [window.summary().peakPerSecond, window.summary().sustainedPerSecond],
    [1, 2 / 60],
  );
});

test("a clock that is set back breaks nothing", () => {
  const { clock, window } = newWindow();
  window.answered(0.001);
  clock.pass(-1);
  for (let count = 0; count < 3; count++) window.answered(0.001);
  window.refused();
  clock.pass(-7_200);
  window.answered(0.001);
  const { minute, peakPerSecond } = window.summary();
  assert.ok(minute.answered >= 1);
  assert.ok(Number.isFinite(minute.answersPerSecond) && minute.answersPerSecond >= 0);
  assert.equal(peakPerSecond, 5);
});

test("the statistics are in the names of the wire", () => {
  const metrics = newMetrics();
  const statistics = new Statistics(metrics, () => ({ open: true }));
  try {
    const nothing = statistics.read();
    assert.equal(nothing.last_minute.latency_ms, null);
    assert.equal(nothing.cache.l1.hit_rate, 0);
    metrics.answered("block", 0.002, false);
    metrics.answered("allow", 0.004, false);
    metrics.refused("busy");
    for (const outcome of ["hit", "hit", "miss", "joined"] as const) metrics.cache("l1", outcome);
    metrics.cache("l3", "miss");
    metrics.log("written", 7);
    metrics.log("dropped", 2);
    const read = statistics.read();
    assert.deepEqual(Object.keys(read), [
      "uptime_s",
      "last_minute",
      "last_5_minutes",
      "last_60_minutes",
      "throughput",
      "cpu_cores",
      "memory_bytes",
      "cache",
      "log",
      "store",
    ]);
    for (const window of [read.last_minute, read.last_5_minutes, read.last_60_minutes]) {
      assert.deepEqual([window.answered, window.refused, window.error_rate], [2, 1, 0.333]);
      assert.deepEqual(Object.keys(window.latency_ms ?? {}), [
        "p50",
        "p95",
        "p99",
        "average",
        "max",
      ]);
    }
    assertNear(read.last_minute.latency_ms?.max, 4);
    assert.deepEqual(read.cache, {
      l1: { hits: 2, misses: 1, joined: 1, hit_rate: 0.5 },
      l3: { hits: 0, misses: 1, joined: 0, hit_rate: 0 },
    });
    assert.deepEqual(read.log, { written: 7, dropped: 2 });
    assert.deepEqual(read.store, { open: true });
    assert.ok(read.memory_bytes.rss > 0 && read.cpu_cores >= 0 && read.uptime_s >= 0);
  } finally {
    statistics.stop();
  }
});
