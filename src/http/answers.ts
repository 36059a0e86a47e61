/** The shapes of verdicts and errors on the wire. `reply.ts` makes them; the OpenAPI document describes them. */
import { z } from "zod";
import { type ErrorCode, errors } from "../errors.ts";
import { actions, cacheLayers, scannerNames } from "../types.ts";

const score = z.number().min(0).max(1);
const count = z.int().min(0);
const milliseconds = z.number().min(0);

export const findingAnswer = z
  .object({
    scanner: z.enum(scannerNames),
    label: z.string().describe("Stable name of what was found."),
    score: score.describe("Risk on the scale where 0.5 flags and 0.8 blocks."),
    start: count.describe("UTF-16 code units of the text as it was sent."),
    end: count,
    message: z.string().describe("One sentence for a person. Never contains the text itself."),
    message_index: count.optional().describe("In a conversation: the message it lies in."),
    part_index: count.optional().describe("In a conversation: the part of that message."),
  })
  .meta({ id: "Finding" });

export const latencyAnswer = z
  .object({
    total: milliseconds,
    queue: milliseconds,
    tokenize: milliseconds,
    model: milliseconds,
  })
  .meta({
    id: "Latency",
    description: "Milliseconds. Queue, tokenize and model are the largest over the prompt's texts.",
  });

/** What a verdict and its record in the log have in common. */
export const verdictFields = {
  id: z.string().describe("The request's `id`, else its `x-request-id`."),
  verdict: z
    .enum(actions)
    .describe("`flag` passes but deserves a look; `block` should not reach a model."),
  threat_score: score.describe("0.5 is the flag threshold, 0.8 the block threshold."),
  scanner_type: z
    .enum([...scannerNames, "none"])
    .describe("The scanner behind the highest score; `none` where nothing scored."),
  findings: z.array(findingAnswer),
  cache: z
    .enum(cacheLayers)
    .describe("The slowest cache layer that was asked; `none` where anything was computed."),
  latency_ms: latencyAnswer,
};

const placeholder = z.string().describe("As `<EMAIL_1>`: the kind, then a number.");

/** Texts in the form in which they were sent: one of these is there. */
const texts = {
  text: z.string().optional(),
  messages: z.array(z.looseObject({})).optional(),
  texts: z.array(z.string()).optional(),
};

export const redactedAnswer = z
  .object({
    ...texts,
    replacements: z.array(
      z.object({
        kind: z.string().describe("What was found, as `docs/scanners.md` lists it."),
        placeholder,
        start: count.describe("UTF-16 code units of the text as it was sent."),
        end: count,
        text_index: count.optional().describe("In a batch: the text it lies in."),
        message_index: count.optional().describe("In a conversation: the message it lies in."),
        part_index: count.optional().describe("In a conversation: the part of that message."),
      }),
    ),
    is_cut: z.boolean().describe("Whether there was more than `redact.hitsMax` in a text."),
    token: z.string().optional().describe("Sealed: what `/v1/restore` takes."),
    expires_at: z.iso.datetime().optional().describe("Until when the token can be used."),
  })
  .meta({ id: "Redacted", description: "The texts in the form in which they were sent." });

export const restoredAnswer = z
  .object({
    ...texts,
    restored: z.array(z.object({ placeholder, count: z.int().min(1) })),
  })
  .meta({ id: "Restored", description: "The texts in the form in which they were sent." });

export const verdictAnswer = z
  .object({
    ...verdictFields,
    model: z.string().describe("Name and version of the model."),
    redacted: redactedAnswer.optional().describe("Where the request has `redact`."),
  })
  .meta({ id: "Verdict" });

export const batchAnswer = z
  .object({
    results: z.array(verdictAnswer).describe("In the order of `texts`."),
    redacted: redactedAnswer.optional().describe("Where the request has `redact`."),
  })
  .meta({ id: "BatchVerdict" });

const errorCodes = Object.keys(errors) as [ErrorCode, ...ErrorCode[]];

/** @returns the shape of an error with one of these codes */
export function errorAnswer(codes: readonly ErrorCode[] = errorCodes) {
  return z.object({
    error: z.object({
      code: z.enum(codes),
      message: z.string().describe("What was expected and what came, never a text of the request."),
    }),
  });
}
