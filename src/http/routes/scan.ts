/** `POST /v1/scan`: a prompt or a batch in, a verdict or verdicts out. */
import { z } from "zod";
import { mapBounded } from "../../bounded.ts";
import { Aborted, GhostError } from "../../errors.ts";
import type { Inspector } from "../../inspect.ts";
import { type Action, actions, type Prompt, type Verdict } from "../../types.ts";
import { batchAnswer, verdictAnswer } from "../answers.ts";
import type { BodyCollector } from "../body.ts";
import type { Exchange } from "../exchange.ts";
import { parseJson } from "../json.ts";
import type { RequestLimits } from "../list.ts";
import { type Description, json, type Operation } from "../operation.ts";
import type { Redaction } from "../redaction.ts";
import { jsonReply, type Reply, verdictBody } from "../reply.ts";
import { type ScanRequest, scanRequest, toScanRequest } from "../request.ts";

export interface ScanDependencies {
  readonly inspector: Inspector;
  readonly bodies: BodyCollector;
  readonly limits: RequestLimits;
  readonly redaction: Redaction;
  /** Scan requests under way at once; the next is refused as busy. */
  readonly requestsWaitingMax: () => number;
  /** @throws GhostError where no scan may begin: not ready yet, or stopping */
  readonly admit: () => void;
  /** Who asks. @throws GhostError where they may not */
  readonly identify: (exchange: Exchange) => Caller;
  /** Longest time for a request, milliseconds; a client may ask for less. */
  readonly deadlineMs: () => number;
  /** Whether every answer says allow. */
  readonly observes: () => boolean;
  /** Keeps what was found. @returns whether it is on disk already, where that is waited for */
  readonly record: (
    prompt: Prompt,
    verdict: Verdict,
    caller: Caller,
  ) => Promise<boolean> | undefined;
  /** Told of each request whose client went away while it was under way. */
  readonly abandoned: () => void;
  /** Told of each answer: the worst verdict of a batch. */
  readonly answered: (verdict: Action, seconds: number) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** On whose behalf a request is answered. */
export interface Caller {
  /** The client's address; `unix` where it came over the Unix socket. */
  readonly address: string;
  /** Name of the API key; empty where none was needed. */
  readonly keyName: string;
}

/** Texts of one batch under way at once: a batch must not crowd out single prompts. */
const batchInFlightMax = 4;

/** @throws GhostError `unsupported_media_type` */
export function checkMediaType({ contentType, contentEncoding }: Exchange): void {
  if (!/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new GhostError("unsupported_media_type", "expected content-type application/json");
  }
  if (!/^(identity)?$/i.test(contentEncoding)) {
    throw new GhostError("unsupported_media_type", "expected no content-encoding");
  }
}

const timeoutHeader = z
  .string()
  .regex(/^([1-9]\d{0,4}|[1-5]\d{5}|600000)$/)
  .optional()
  .describe(
    "1-600000: the request is refused rather than answered later than so many milliseconds.",
  );

/** @returns the milliseconds that the request may take */
export function budgetMs(asked: string, setting: number): number {
  if (asked === "") return setting;
  if (!timeoutHeader.safeParse(asked).success) {
    throw new GhostError("invalid_request", "expected 1-600000 for x-timeout-ms");
  }
  return Math.min(Number(asked), setting);
}

/** Headers that requests with texts may have. */
export const scanHeaders = z.object({ "x-timeout-ms": timeoutHeader });

/** What may be wrong with any request that brings texts. */
export const scanErrors = [
  "malformed_json",
  "nesting_too_deep",
  "invalid_request",
  "malformed_unicode",
  "empty_input",
  "unauthorized",
  "forbidden",
  "body_timeout",
  "body_too_large",
  "unsupported_media_type",
  "rate_limited",
  "busy",
  "deadline_exceeded",
  "shutting_down",
  "not_ready",
] as const;

const description: Description = {
  id: "scan",
  summary: "Says of a text, a conversation or each text of a batch whether it is an attack.",
  headers: scanHeaders,
  body: scanRequest,
  answer: {
    ...json(
      "The verdict on a text or a conversation; the verdicts on a batch.",
      z.union([verdictAnswer, batchAnswer]),
    ),
    headers: { "x-ghostai-logged": "`durable` where the record is on disk already." },
  },
  errors: [...scanErrors, "token_too_large"],
  takesKey: true,
};

function worst(verdicts: readonly Verdict[]): Action {
  const ranks = verdicts.map((verdict) => actions.indexOf(verdict.action));
  return actions[Math.max(...ranks)] ?? "allow";
}

function answer(
  request: ScanRequest,
  verdicts: readonly Verdict[],
  observes: boolean,
  redacted: object | undefined,
): Reply {
  const bodies = verdicts.map((verdict) =>
    verdictBody(observes ? { ...verdict, action: "allow" } : verdict),
  );
  const body = request.isBatch ? { results: bodies } : bodies[0];
  return jsonReply(200, redacted === undefined ? body : { ...body, redacted });
}

/** Builds `POST /v1/scan`. */
export function scanOperation(dependencies: ScanDependencies): Operation {
  const { inspector, bodies, limits, admit, identify, observes, record, answered, now } =
    dependencies;
  const { redaction } = dependencies;
  let waiting = 0;

  const refuseWhereFull = () => {
    const max = dependencies.requestsWaitingMax();
    if (waiting >= max) throw new GhostError("busy", `at most ${max}`);
  };

  async function inspectAll(
    exchange: Exchange,
    prompts: readonly Prompt[],
    deadlineAt: number,
  ): Promise<Verdict[]> {
    refuseWhereFull();
    waiting++;
    const admission = { isAdmitted: false };
    const leaving = new AbortController();
    exchange.onAborted(() => {
      dependencies.abandoned();
      leaving.abort();
    });
    try {
      return await mapBounded(prompts, batchInFlightMax, (prompt) => {
        if (exchange.isGone) throw new Aborted();
        return inspector.inspect(prompt, deadlineAt, admission, leaving.signal);
      });
    } finally {
      waiting--;
    }
  }

  async function recordAll(
    prompts: readonly Prompt[],
    verdicts: readonly Verdict[],
    caller: Caller,
  ): Promise<boolean> {
    const waits = verdicts.map((verdict, index) =>
      record(prompts[index] as Prompt, verdict, caller),
    );
    const due = waits.filter((wait) => wait !== undefined);
    if (due.length < waits.length) return false;
    return (await Promise.all(due)).every(Boolean);
  }

  const handler = async (exchange: Exchange) => {
    const started = now();
    admit();
    const caller = identify(exchange);
    checkMediaType(exchange);
    const deadlineAt = started + budgetMs(exchange.timeoutMs, dependencies.deadlineMs());
    refuseWhereFull();
    const body = await bodies.collect(exchange);
    const request = toScanRequest(parseJson(body), exchange.requestId, limits);
    const verdicts = await inspectAll(exchange, request.prompts, deadlineAt);
    const redacted = request.redact
      ? await redaction.redact(request, caller.keyName, { deadlineAt, exchange })
      : undefined;
    const isDurable = await recordAll(request.prompts, verdicts, caller);
    answered(worst(verdicts), (now() - started) / 1000);
    const reply = answer(request, verdicts, observes(), redacted);
    return isDurable ? { ...reply, headers: { "x-ghostai-logged": "durable" } } : reply;
  };
  return { ...description, handler };
}
