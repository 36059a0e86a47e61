/** `POST /v1/redact` and `POST /v1/restore`: texts without what they give away, and with it again. */
import { Aborted, GhostError } from "../../errors.ts";
import { redactedAnswer, restoredAnswer } from "../answers.ts";
import type { Exchange, Handler } from "../exchange.ts";
import { parseJson } from "../json.ts";
import { type Description, json, type Operation } from "../operation.ts";
import { jsonReply } from "../reply.ts";
import { redactRequest, restoreRequest, toRedactRequest, toRestoreRequest } from "../request.ts";
import {
  budgetMs,
  type Caller,
  checkMediaType,
  type ScanDependencies,
  scanErrors,
  scanHeaders,
} from "./scan.ts";

type Dependencies = Pick<
  ScanDependencies,
  | "bodies"
  | "limits"
  | "requestsWaitingMax"
  | "admit"
  | "identify"
  | "deadlineMs"
  | "redaction"
  | "now"
>;

interface Asked {
  readonly body: unknown;
  readonly caller: Caller;
  readonly deadlineAt: number;
}

/** Takes a request in as a scan is, and bounds how many are under way. */
function handler(
  dependencies: Dependencies,
  work: (exchange: Exchange, asked: Asked) => object | Promise<object>,
): Handler {
  const { bodies, admit, identify, deadlineMs, requestsWaitingMax, now } = dependencies;
  let waiting = 0;
  const refuseWhereFull = () => {
    const max = requestsWaitingMax();
    if (waiting >= max) throw new GhostError("busy", `at most ${max}`);
  };
  return async (exchange) => {
    const started = now();
    admit();
    const caller = identify(exchange);
    checkMediaType(exchange);
    const deadlineAt = started + budgetMs(exchange.timeoutMs, deadlineMs());
    refuseWhereFull();
    const body = parseJson(await bodies.collect(exchange));
    refuseWhereFull();
    waiting++;
    try {
      if (exchange.isGone) throw new Aborted();
      return jsonReply(200, await work(exchange, { body, caller, deadlineAt }));
    } finally {
      waiting--;
    }
  };
}

const redacting: Description = {
  id: "redact",
  summary: "Replaces secrets and personal data by typed placeholders.",
  headers: scanHeaders,
  body: redactRequest,
  answer: json("The texts as they were sent, redacted.", redactedAnswer),
  errors: [...scanErrors, "token_too_large"],
  takesKey: true,
};

const restoring: Description = {
  id: "restore",
  summary: "Puts back what a redaction took out.",
  headers: scanHeaders,
  body: restoreRequest,
  answer: json("The texts with their values in place of placeholders.", restoredAnswer),
  errors: [...scanErrors, "invalid_token", "token_expired"],
  takesKey: true,
};

/** Builds `POST /v1/redact`. */
export function redactOperation(dependencies: Dependencies): Operation {
  const { limits, redaction } = dependencies;
  const answer = handler(dependencies, (exchange, { body, caller, deadlineAt }) => {
    const request = toRedactRequest(body, exchange.requestId, limits);
    return redaction.redact(request, caller.keyName, { deadlineAt, exchange });
  });
  return { ...redacting, handler: answer };
}

/** Builds `POST /v1/restore`. */
export function restoreOperation(dependencies: Dependencies): Operation {
  const { limits, redaction } = dependencies;
  const answer = handler(dependencies, (_, { body, caller }) =>
    redaction.restore(toRestoreRequest(body, limits), caller.keyName),
  );
  return { ...restoring, handler: answer };
}
