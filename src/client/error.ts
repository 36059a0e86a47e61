/** What goes wrong between a client and the daemon. */
import type { ErrorCode } from "../errors.ts";

/** What happened on the way, where the daemon itself said nothing. */
export type WayCode = "unreachable" | "timed_out" | "unintelligible";

/** The daemon answered with an error, or no answer came that can be understood. */
export class ClientError extends Error {
  /**
   * The error's code in the daemon's table; else `unreachable` where nobody answered, `timed_out`
   * where the answer did not come in time, `unintelligible` where what came is no daemon's answer.
   */
  readonly code: ErrorCode | WayCode;
  /** The HTTP status; absent where there was no answer. */
  readonly status: number | undefined;
  /** Whether the connection was lost while it waited for the answer. */
  readonly isLost: boolean;
  /** Seconds after which the daemon says to try again. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: ErrorCode | WayCode,
    message: string,
    { status, isLost = false, retryAfterS }: ErrorDetails = {},
  ) {
    super(message);
    this.name = "ClientError";
    this.code = code;
    this.status = status;
    this.isLost = isLost;
    this.retryAfterS = retryAfterS;
  }
}

interface ErrorDetails {
  readonly status?: number;
  readonly isLost?: boolean;
  readonly retryAfterS?: number | undefined;
}
