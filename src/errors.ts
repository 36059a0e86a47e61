/**
 * Every error that a caller can meet, one row each. The reference page, the
 * HTTP replies and the tests read this table; nothing else defines an error.
 */
export const errors = {
  malformed_json: { status: 400, message: "The body is not valid JSON" },
  nesting_too_deep: { status: 400, message: "The JSON is nested deeper than allowed" },
  invalid_request: { status: 400, message: "The request does not have the expected shape" },
  malformed_unicode: { status: 400, message: "A text is not well-formed Unicode" },
  empty_input: { status: 400, message: "There is no text to inspect" },
  invalid_token: { status: 400, message: "The token cannot be opened" },
  unauthorized: { status: 401, message: "An API key is needed" },
  forbidden: { status: 403, message: "The API key does not allow this" },
  not_found: { status: 404, message: "There is no such route" },
  method_not_allowed: { status: 405, message: "The route does not take this method" },
  body_timeout: { status: 408, message: "The body did not arrive in time" },
  token_expired: { status: 410, message: "The token has expired" },
  body_too_large: { status: 413, message: "The body is larger than allowed" },
  token_too_large: { status: 413, message: "What was redacted does not fit into a token" },
  unsupported_media_type: { status: 415, message: "The body must be JSON" },
  rate_limited: { status: 429, message: "The API key's rate is used up" },
  internal_error: { status: 500, message: "The request could not be inspected" },
  busy: { status: 503, message: "Too many requests are waiting" },
  deadline_exceeded: { status: 503, message: "The request waited longer than allowed" },
  shutting_down: { status: 503, message: "The daemon is shutting down" },
  store_unavailable: { status: 503, message: "The store cannot be read" },
  not_ready: { status: 503, message: "The model is not ready" },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof errors;

/** The caller went away: there is nobody to answer, so it has no row in the table. */
export class Aborted extends Error {
  constructor() {
    super("The caller went away");
    this.name = "Aborted";
  }
}

/** An error with a row in the table; `message` adds what was expected and what came. */
export class GhostError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, detail?: string) {
    super(detail === undefined ? errors[code].message : `${errors[code].message}: ${detail}`);
    this.name = "GhostError";
    this.code = code;
  }
  get status(): number {
    return errors[this.code].status;
  }
}
