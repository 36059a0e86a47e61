/** One operation of a route: its handler together with its description, so that nothing is routed undescribed. */
import type { z } from "zod";
import type { ErrorCode } from "../errors.ts";
import type { Handler } from "./exchange.ts";

/** What an operation takes and answers. `src/http/openapi.ts` makes the OpenAPI document of it. */
export interface Description {
  /** Its name in clients that are generated from the document. */
  readonly id: string;
  readonly summary: string;
  /** The schemas that check the request. */
  readonly headers?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The answer with status 200. */
  readonly answer: Answer;
  /** Rows of the error table that it may answer, besides `internal_error`. */
  readonly errors: readonly ErrorCode[];
  /** Whether an API key is looked at. */
  readonly takesKey?: boolean;
}

export interface Answer {
  readonly description: string;
  readonly mediaType: "application/json" | "text/plain";
  readonly schema: z.ZodType;
  /** Headers of its own by name, with what they say. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Operations that take something of the answer on, by what that is for. */
  readonly links?: Readonly<Record<string, Link>>;
}

export interface Link {
  readonly operationId: string;
  /** Runtime expressions of OpenAPI by parameter. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface Operation extends Description {
  readonly handler: Handler;
}

/** Operations of one path by method. HEAD is answered by GET's without its body. */
export type Route = Readonly<Partial<Record<"GET" | "POST" | "DELETE", Operation>>>;

/** @returns an answer in JSON */
export function json(description: string, schema: z.ZodType): Answer {
  return { description, mediaType: "application/json", schema };
}
