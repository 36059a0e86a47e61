/** `POST /v1/scan`: a prompt or a batch in, a verdict or verdicts out. */
import { mapBounded } from "../../bounded.ts";
import { GhostError } from "../../errors.ts";
import type { Inspector } from "../../inspect.ts";
import type { Action, Prompt, Verdict } from "../../types.ts";
import { Aborted, type BodyCollector } from "../body.ts";
import type { Exchange, Handler } from "../exchange.ts";
import { parseJson } from "../json.ts";
import { jsonReply, type Reply, verdictBody } from "../reply.ts";
import { type RequestLimits, type ScanRequest, toScanRequest } from "../request.ts";

export interface ScanDependencies {
  readonly inspector: Inspector;
  readonly bodies: BodyCollector;
  readonly limits: RequestLimits;
  /** Scan requests under way at once; the next is refused as busy. */
  readonly requestsWaitingMax: number;
  /** @throws GhostError where no scan may begin: not ready yet, or stopping */
  readonly admit: () => void;
  /** Told of each answer: the worst verdict of a batch. */
  readonly answered: (verdict: Action, seconds: number) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Texts of one batch under way at once: a batch must not crowd out single prompts. */
const batchInFlightMax = 4;
const severity: readonly Action[] = ["allow", "flag", "block"];

function checkMediaType({ contentType, contentEncoding }: Exchange): void {
  if (!/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new GhostError("unsupported_media_type", "expected content-type application/json");
  }
  if (!/^(identity)?$/i.test(contentEncoding)) {
    throw new GhostError("unsupported_media_type", "expected no content-encoding");
  }
}

function worst(verdicts: readonly Verdict[]): Action {
  const ranks = verdicts.map((verdict) => severity.indexOf(verdict.action));
  return severity[Math.max(...ranks)] ?? "allow";
}

function answer(request: ScanRequest, verdicts: readonly Verdict[]): Reply {
  const bodies = verdicts.map(verdictBody);
  return jsonReply(200, request.isBatch ? { results: bodies } : bodies[0]);
}

/** Builds the handler of `POST /v1/scan`. */
export function scanHandler(dependencies: ScanDependencies): Handler {
  const { inspector, bodies, limits, requestsWaitingMax, admit, answered, now } = dependencies;
  let waiting = 0;

  const refuseWhereFull = () => {
    if (waiting < requestsWaitingMax) return;
    throw new GhostError("busy", `at most ${requestsWaitingMax}`);
  };

  async function inspectAll(exchange: Exchange, prompts: readonly Prompt[]): Promise<Verdict[]> {
    refuseWhereFull();
    waiting++;
    try {
      return await mapBounded(prompts, batchInFlightMax, (prompt) => {
        if (exchange.isGone) throw new Aborted("The client went away");
        return inspector.inspect(prompt);
      });
    } finally {
      waiting--;
    }
  }

  return async (exchange) => {
    const started = now();
    checkMediaType(exchange);
    admit();
    refuseWhereFull();
    const body = await bodies.collect(exchange);
    const request = toScanRequest(parseJson(body), exchange.requestId, limits);
    const verdicts = await inspectAll(exchange, request.prompts);
    answered(worst(verdicts), (now() - started) / 1000);
    return answer(request, verdicts);
  };
}
