import assert from "node:assert/strict";
import { test } from "node:test";
import { decide } from "../../src/policy/policy.ts";
import type { Finding, Scores, Segment } from "../../src/types.ts";

const plain: Segment = { text: "some text", origin: "user" };
const finding = (score: number): Finding => ({
  scanner: "unicode",
  label: "unicode/tags",
  score,
  start: 1,
  end: 3,
  message: "hidden",
});
const scored = (modelScore: number, ...findings: Finding[]): Scores => ({ findings, modelScore });

test("the thresholds themselves flag and block", () => {
  const action = (score: number) => decide([plain], [scored(score)]).action;
  assert.deepEqual([0, 0.499, 0.5, 0.799, 0.8, 1].map(action), [
    "allow",
    "allow",
    "flag",
    "flag",
    "block",
    "block",
  ]);
});

test("the scanner behind the highest score is named", () => {
  assert.equal(decide([plain], [scored(0.3)]).scannerType, "model");
  assert.equal(decide([plain], [scored(0.3, finding(0.6))]).scannerType, "unicode");
  assert.equal(decide([plain], [scored(0.9, finding(0.6))]).scannerType, "model");
  assert.equal(decide([plain], [{ findings: [] }]).scannerType, "none");
});

test("a prompt is as risky as its riskiest segment", () => {
  const decision = decide([plain, plain], [scored(0.1), scored(0.85)]);
  assert.equal(decision.action, "block");
  assert.equal(decision.threatScore, 0.85);
});

test("findings of messages say where they lie, those of a plain text do not", () => {
  const message: Segment = { ...plain, messageIndex: 2, partIndex: 1 };
  const whole: Segment = { ...plain, messageIndex: 3 };
  const { findings } = decide(
    [message, whole, plain],
    [scored(0, finding(0.5)), scored(0, finding(0.5)), scored(0, finding(0.5))],
  );
  assert.deepEqual(
    findings.map(({ messageIndex, partIndex }) => [messageIndex, partIndex]),
    [
      [2, 1],
      [3, undefined],
      [undefined, undefined],
    ],
  );
  assert.ok(!("messageIndex" in (findings[2] ?? {})));
});
