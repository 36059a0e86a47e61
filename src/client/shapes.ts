/** What is sent and answered, in types; and the way from an answer to a verdict. */
import { type Action, actions, type LocatedFinding, type Verdict } from "../types.ts";
import { ClientError } from "./error.ts";

/** Parts without text are let through unread. */
export type ContentPart =
  | { readonly type: "text" | "input_text" | "output_text"; readonly text: string }
  | { readonly type: "refusal"; readonly refusal: string }
  | { readonly type: "image_url"; readonly image_url: unknown }
  | { readonly type: "input_image"; readonly image_url: unknown; readonly detail?: unknown }
  | { readonly type: "input_audio"; readonly input_audio: unknown }
  | { readonly type: "file"; readonly file: unknown };

export interface FunctionCall {
  readonly name: string;
  readonly arguments: string;
}

export type ToolCall =
  | { readonly id?: string; readonly type: "function"; readonly function: FunctionCall }
  | {
      readonly id?: string;
      readonly type: "custom";
      readonly custom: { readonly name: string; readonly input: string };
    };

/** A message as OpenAI's chat completions have it. */
export interface Message {
  readonly role: "user" | "assistant" | "system" | "developer" | "tool" | "function";
  readonly content?: string | readonly ContentPart[] | null;
  readonly name?: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly ToolCall[];
  readonly function_call?: FunctionCall | null;
  readonly refusal?: string | null;
  readonly audio?: unknown;
  readonly annotations?: unknown;
}

interface WireFinding extends Omit<LocatedFinding, "messageIndex" | "partIndex"> {
  readonly message_index?: number;
  readonly part_index?: number;
}

interface WireVerdict extends Pick<Verdict, "id" | "cache" | "model"> {
  readonly verdict: Action;
  readonly threat_score: number;
  readonly scanner_type: Verdict["scannerType"];
  readonly findings: readonly WireFinding[];
  readonly latency_ms: Verdict["latency"];
}

/** What an application decides by is looked at; the rest is taken as it comes. */
function isVerdict(value: unknown): value is WireVerdict {
  if (typeof value !== "object" || value === null) return false;
  const { verdict, threat_score: score, findings } = value as Partial<WireVerdict>;
  return (
    actions.some((action) => action === verdict) &&
    typeof score === "number" &&
    Array.isArray(findings)
  );
}

function findingOf({ message_index, part_index, ...finding }: WireFinding): LocatedFinding {
  return {
    ...finding,
    ...(message_index === undefined ? {} : { messageIndex: message_index }),
    ...(part_index === undefined ? {} : { partIndex: part_index }),
  };
}

function unintelligible(): ClientError {
  return new ClientError("unintelligible", "Expected a verdict but received something else", {
    status: 200,
  });
}

/** @throws ClientError `unintelligible` */
export function verdictOf(value: unknown): Verdict {
  if (!isVerdict(value)) throw unintelligible();
  const { id, verdict, threat_score, scanner_type, findings, cache, model, latency_ms } = value;
  return {
    id,
    action: verdict,
    threatScore: threat_score,
    scannerType: scanner_type,
    findings: findings.map(findingOf),
    cache,
    model,
    latency: latency_ms,
  };
}

/** @throws ClientError `unintelligible`, also where there are not so many */
export function verdictsOf(value: unknown, count: number): readonly Verdict[] {
  const { results } = value as { results?: unknown };
  if (!Array.isArray(results) || results.length !== count) throw unintelligible();
  return results.map(verdictOf);
}
