import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { calibrationSchema, riskScore } from "../../src/model/calibration.ts";

const calibration = calibrationSchema.parse({
  source: "test",
  texts: 100,
  points: [
    { logit: -4, score: 0 },
    { logit: 0, score: 0.5, false_positive_rate: 0.03 },
    { logit: 1, score: 0.8, false_positive_rate: 0.01 },
    { logit: 3, score: 1 },
  ],
});

test("points map to their scores and the ends are flat", () => {
  const logits = [-100, -4, -2, 0, 0.5, 1, 2, 3, 100];
  const expected = [0, 0, 0.25, 0.5, 0.65, 0.8, 0.9, 1, 1];
  for (const [index, logit] of logits.entries()) {
    assert.ok(Math.abs(riskScore(calibration, logit) - (expected[index] as number)) < 1e-12);
  }
});

test("the map never falls and stays within 0 and 1", () => {
  const logit = fc.double({ noNaN: true });
  fc.assert(
    fc.property(logit, logit, (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      const [from, to] = [riskScore(calibration, low), riskScore(calibration, high)];
      return from >= 0 && to <= 1 && from <= to;
    }),
  );
});

test("points that do not ascend are refused", () => {
  const points = [
    { logit: 0, score: 0.5 },
    { logit: 0, score: 0.8 },
  ];
  assert.equal(calibrationSchema.safeParse({ source: "test", texts: 1, points }).success, false);
  const falling = [
    { logit: 0, score: 0.8 },
    { logit: 1, score: 0.5 },
  ];
  assert.equal(
    calibrationSchema.safeParse({ source: "test", texts: 1, points: falling }).success,
    false,
  );
});
