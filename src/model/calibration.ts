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
});

export type Calibration = z.infer<typeof calibrationSchema>;

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
