/** What goes back: the answer's shape, and errors as rows of the table. */
import type { z } from "zod";
import { type ErrorCode, errors, GhostError } from "../errors.ts";
import type { LocatedFinding, Verdict } from "../types.ts";
import type { findingAnswer, verdictAnswer } from "./answers.ts";

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the connection ends after this reply. */
  readonly closes: boolean;
}

interface ErrorHeader {
  readonly value: string;
  /** Its description. */
  readonly says: string;
}

const retryAfter = { value: "1", says: "Seconds after which to try again." };

/** Headers that errors have by their status. 405 has `allow` besides, which differs. */
export const errorHeaders: Readonly<Record<number, Readonly<Record<string, ErrorHeader>>>> = {
  401: { "www-authenticate": { value: 'Bearer realm="ghostai"', says: "How to show a key." } },
  429: { "retry-after": retryAfter },
  503: { "retry-after": retryAfter },
};

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
  const headers = Object.fromEntries(
    Object.entries(errorHeaders[status] ?? {}).map(([name, { value }]) => [name, value]),
  );
  const closes = error.code === "body_timeout";
  return { ...jsonReply(status, errorBody(error)), headers, closes };
}

/** @returns a finding in the names of the wire */
export function findingBody(finding: LocatedFinding): z.input<typeof findingAnswer> {
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
export function verdictBody(verdict: Verdict): z.input<typeof verdictAnswer> {
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
