/** `POST /v1/scan`: a prompt or a batch in, a verdict or verdicts out. */
import { mapBounded } from "../../bounded.ts";
import { Aborted, GhostError } from "../../errors.ts";
import type { Inspector } from "../../inspect.ts";
import type { Action, Prompt, Verdict } from "../../types.ts";
import type { BodyCollector } from "../body.ts";
import type { Exchange, Handler } from "../exchange.ts";
import { parseJson } from "../json.ts";
import type { Redaction } from "../redaction.ts";
import { jsonReply, type Reply, verdictBody } from "../reply.ts";
import { type RequestLimits, type ScanRequest, toScanRequest } from "../request.ts";

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
const severity: readonly Action[] = ["allow", "flag", "block"];

/** @throws GhostError `unsupported_media_type` */
export function checkMediaType({ contentType, contentEncoding }: Exchange): void {
  if (!/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new GhostError("unsupported_media_type", "expected content-type application/json");
  }
  if (!/^(identity)?$/i.test(contentEncoding)) {
    throw new GhostError("unsupported_media_type", "expected no content-encoding");
  }
}

/** Longest time that a client may ask for. */
const timeoutMsMax = 600_000;

/** @returns the milliseconds that the request may take */
export function budgetMs(asked: string, setting: number): number {
  if (asked === "") return setting;
  if (!/^\d{1,6}$/.test(asked) || Number(asked) < 1 || Number(asked) > timeoutMsMax) {
    throw new GhostError("invalid_request", `expected 1-${timeoutMsMax} for x-timeout-ms`);
  }
  return Math.min(Number(asked), setting);
}

function worst(verdicts: readonly Verdict[]): Action {
  const ranks = verdicts.map((verdict) => severity.indexOf(verdict.action));
  return severity[Math.max(...ranks)] ?? "allow";
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

/** Builds the handler of `POST /v1/scan`. */
export function scanHandler(dependencies: ScanDependencies): Handler {
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

  return async (exchange) => {
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
}
