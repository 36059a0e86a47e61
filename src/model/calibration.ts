/**
 * From a model's logit to the product's risk scale: a monotone piecewise-linear
 * map whose points are false-positive rates measured on benign texts.
 */
import { z } from "zod";

const point = z.strictObject({
  logit: z.number(),
  score: z.number().min(0).max(1),
  /** Share of the benign calibration texts above this logit; absent at the two ends. */
  false_positive_rate: z.number().min(0).max(1).optional(),
});

/** One early head, in the order of the model's exits. */
const exit = z
  .strictObject({
    /** After how many layers it sits. */
    layer: z.int().positive(),
    /** A window whose logit there is at most this is surely benign. */
    benign: z.number(),
    /** A window whose logit there is at least this is surely an attack. */
    attack: z.number(),
    /** From a logit that leaves here to the last head's scale, as two straight lines. */
    benign_line: z.strictObject({ from: z.number(), to: z.number(), at_most: z.number() }),
    attack_at: z.number(),
  })
  .refine(({ benign, attack }) => benign < attack, "benign must lie below attack");

export const calibrationSchema = z.strictObject({
  /** What the points were measured on and with which command. */
  source: z.string(),
  texts: z.int().positive(),
  points: z
    .array(point)
    .min(2)
    .refine(
      (points) =>
        points.every((current, index) => {
          const previous = points[index - 1];
          return (
            previous === undefined ||
            (current.logit > previous.logit && current.score >= previous.score)
          );
        }),
      "points must ascend in logit and must not descend in score",
    ),
  /** Absent or empty: no window leaves early. */
  exits: z.array(exit).default([]),
});

export type Calibration = z.infer<typeof calibrationSchema>;
export type Exit = z.infer<typeof exit>;

/**
 * The last head's logit that stands for one of an early head: what left as
 * benign lies below the point of 5 % false positives, what left as an attack at
 * that of 0.1 %, so that an early answer means on the risk scale what a late one does.
 */
export function lastHeadLogit(exit: Exit, logit: number): number {
  if (logit >= exit.attack) return exit.attack_at;
  const { from, to, at_most } = exit.benign_line;
  const share = Math.min(1, Math.max(0, (logit - from) / (exit.benign - from)));
  return to + share * (at_most - to);
}

/** @returns the risk score of a logit; below the first point its score, above the last point its score. */
export function riskScore(calibration: Calibration, logit: number): number {
  const { points } = calibration;
  let below = points[0] as (typeof points)[number];
  if (!(logit > below.logit)) return below.score;
  for (const above of points.slice(1)) {
    if (logit < above.logit) {
      const share = (logit - below.logit) / (above.logit - below.logit);
      return below.score + share * (above.score - below.score);
    }
    below = above;
  }
  return below.score;
}
