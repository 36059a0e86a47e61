/** What goes back: the answer's shape, and errors as rows of the table. */
import { type ErrorCode, errors, GhostError } from "../errors.ts";
import type { LocatedFinding, Verdict } from "../types.ts";

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the connection ends after this reply. */
  readonly closes: boolean;
}

const retryAfterSeconds = 1;

/** @returns a reply that holds `value` as JSON */
export function jsonReply(status: number, value: unknown): Reply {
  const body = JSON.stringify(value);
  return { status, contentType: "application/json", body, headers: {}, closes: false };
}

/** Anything thrown as a GhostError; what is not one is `internal_error` and keeps its details to itself. */
export function asGhostError(error: unknown): GhostError {
  return error instanceof GhostError ? error : new GhostError("internal_error");
}

/** @returns `{"error":{"code","message"}}` */
export function errorBody(error: GhostError): { error: { code: ErrorCode; message: string } } {
  return { error: { code: error.code, message: error.message } };
}

/** @returns the reply for an error of the table */
export function errorReply(error: GhostError): Reply {
  const { status } = errors[error.code];
  const headers: Record<string, string> =
    status === 503 || status === 429 ? { "retry-after": String(retryAfterSeconds) } : {};
  if (status === 401) headers["www-authenticate"] = 'Bearer realm="ghostai"';
  const closes = error.code === "body_timeout";
  return { ...jsonReply(status, errorBody(error)), headers, closes };
}

/** @returns a finding in the names of the wire */
export function findingBody(finding: LocatedFinding) {
  const { messageIndex, partIndex } = finding;
  return {
    scanner: finding.scanner,
    label: finding.label,
    score: finding.score,
    start: finding.start,
    end: finding.end,
    message: finding.message,
    ...(messageIndex === undefined ? {} : { message_index: messageIndex }),
    ...(partIndex === undefined ? {} : { part_index: partIndex }),
  };
}

function milliseconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** @returns a verdict in the names of the wire */
export function verdictBody(verdict: Verdict) {
  const { latency } = verdict;
  return {
    id: verdict.id,
    verdict: verdict.action,
    threat_score: verdict.threatScore,
    scanner_type: verdict.scannerType,
    findings: verdict.findings.map(findingBody),
    cache: verdict.cache,
    model: verdict.model,
    latency_ms: {
      total: milliseconds(latency.total),
      queue: milliseconds(latency.queue),
      tokenize: milliseconds(latency.tokenize),
      model: milliseconds(latency.model),
    },
  };
}
