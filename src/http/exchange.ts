/** A request as the routes see it, apart from the server that carries it. */
import type { BodySource } from "./body.ts";
import type { Reply } from "./reply.ts";

export interface Exchange extends BodySource {
  readonly contentType: string;
  readonly contentEncoding: string;
  /** Values of authorization and of x-api-key. */
  readonly credentials: { readonly authorization: string; readonly apiKey: string };
  /** Values of x-forwarded-for, joined by commas; not empty where it was there at all. Whether to believe it is another question. */
  readonly forwardedFor: string;
  /** Values of x-timeout-ms, joined by commas; not empty where it was there at all. */
  readonly timeoutMs: string;
  /** What follows the question mark of the URL. */
  readonly query: string;
  /** Address of the connection; empty where it came over a Unix socket. */
  readonly peerAddress: string;
  /** What a PROXY protocol header says of the client; empty without one. */
  readonly proxiedAddress: string;
  /** Taken over from the client or made; goes back as `x-request-id`. */
  readonly requestId: string;
  /** Whether the client went away: there is nobody to answer. */
  readonly isGone: boolean;
}

/** Answers an exchange. Throws or rejects with GhostError, or with Aborted where nobody waits any more. */
export type Handler = (exchange: Exchange) => Reply | Promise<Reply>;
