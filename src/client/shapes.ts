/** What is sent and answered, in types; and the way from an answer to a verdict. */
import {
  type Action,
  actions,
  type Explanation,
  type LocatedFinding,
  type Verdict,
} from "../types.ts";
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

interface WireExplanation
  extends Pick<Explanation, "start" | "end" | "window" | "score" | "passes"> {
  readonly score_without: number;
  readonly message_index?: number;
  readonly part_index?: number;
}

interface WireVerdict extends Pick<Verdict, "id" | "cache" | "model"> {
  readonly verdict: Action;
  readonly threat_score: number;
  readonly scanner_type: Verdict["scannerType"];
  readonly findings: readonly WireFinding[];
  readonly latency_ms: Verdict["latency"];
  readonly explanation?: WireExplanation;
}

/** What an application decides by is looked at; the rest is taken as it comes. */
function isVerdict(value: unknown): value is WireVerdict {
  if (typeof value !== "object" || value === null) return false;
  const { verdict, threat_score: score, findings } = value as Partial<WireVerdict>;
  return (
    actions.some((action) => action === verdict) &&
    typeof score === "number" &&
    Array.isArray(findings) &&
    findings.every((finding: unknown) => typeof finding === "object" && finding !== null)
  );
}

function findingOf({ message_index, part_index, ...finding }: WireFinding): LocatedFinding {
  return {
    ...finding,
    ...(message_index === undefined ? {} : { messageIndex: message_index }),
    ...(part_index === undefined ? {} : { partIndex: part_index }),
  };
}

function explanationOf(explanation: WireExplanation): Explanation {
  const { score_without, message_index, part_index, ...rest } = explanation;
  return {
    ...rest,
    scoreWithout: score_without,
    ...(message_index === undefined ? {} : { messageIndex: message_index }),
    ...(part_index === undefined ? {} : { partIndex: part_index }),
  };
}

function unintelligible(): ClientError {
  return new ClientError(
    "unintelligible",
    "Expected the answer to what was asked but received something else",
    {
      status: 200,
    },
  );
}

/** @throws ClientError `unintelligible` */
export function verdictOf(value: unknown): Verdict & { explanation?: Explanation } {
  if (!isVerdict(value)) throw unintelligible();
  const {
    id,
    verdict,
    threat_score,
    scanner_type,
    findings,
    cache,
    model,
    latency_ms,
    explanation,
  } = value;
  return {
    id,
    action: verdict,
    threatScore: threat_score,
    scannerType: scanner_type,
    findings: findings.map(findingOf),
    cache,
    model,
    latency: latency_ms,
    ...(explanation === undefined ? {} : { explanation: explanationOf(explanation) }),
  };
}

/** @throws ClientError `unintelligible`, also where there are not so many */
export function verdictsOf(value: unknown, count: number): readonly Verdict[] {
  const { results } = value as { results?: unknown };
  if (!Array.isArray(results) || results.length !== count) throw unintelligible();
  return results.map(verdictOf);
}

/** A text, the texts of a batch, or a conversation. */
export type Content = string | readonly string[] | readonly Message[];

export interface Replacement {
  /** What was found, `EMAIL` for example. */
  readonly kind: string;
  /** What stands for it, `<EMAIL_1>` for example. */
  readonly placeholder: string;
  /** UTF-16 code units of the text as it was sent. */
  readonly start: number;
  readonly end: number;
  /** In a batch. */
  readonly textIndex?: number;
  /** In a conversation. */
  readonly messageIndex?: number;
  readonly partIndex?: number;
}

export interface Redacted<T extends Content> {
  /** What was sent, with placeholders. */
  readonly content: T;
  readonly replacements: readonly Replacement[];
  /** Whether there may be more to replace. */
  readonly isCut: boolean;
  /** What `restore` takes, and until when (ISO 8601); where it was asked for. */
  readonly token?: string;
  readonly expiresAt?: string;
}

export interface Restored<T extends Content> {
  /** What was sent, with values in place of placeholders. */
  readonly content: T;
  /** Each placeholder of the token, and how many times it was put back. */
  readonly restored: readonly { readonly placeholder: string; readonly count: number }[];
}

interface WireReplacement extends Pick<Replacement, "kind" | "placeholder" | "start" | "end"> {
  readonly text_index?: number;
  readonly message_index?: number;
  readonly part_index?: number;
}

type Form = "text" | "texts" | "messages";

function formOf(content: Content): Form {
  if (typeof content === "string") return "text";
  return content.every((entry) => typeof entry === "string") ? "texts" : "messages";
}

/** @returns the field of a request that has this content */
export function fieldOf(content: Content): object {
  return { [formOf(content)]: content };
}

/** @returns the content of an answer, in the form of what was sent. @throws ClientError `unintelligible` */
function contentOf<T extends Content>(answer: object, sent: T): T {
  const form = formOf(sent);
  const content = (answer as Partial<Record<Form, unknown>>)[form];
  const isSame =
    form === "text"
      ? typeof content === "string"
      : Array.isArray(content) &&
        content.length === sent.length &&
        content.every((entry) =>
          form === "texts"
            ? typeof entry === "string"
            : typeof entry === "object" && entry !== null,
        );
  if (!isSame) throw unintelligible();
  return content as T;
}

function replacementOf({
  text_index,
  message_index,
  part_index,
  ...replacement
}: WireReplacement): Replacement {
  return {
    ...replacement,
    ...(text_index === undefined ? {} : { textIndex: text_index }),
    ...(message_index === undefined ? {} : { messageIndex: message_index }),
    ...(part_index === undefined ? {} : { partIndex: part_index }),
  };
}

function isObjects(value: unknown): value is object[] {
  return (
    Array.isArray(value) && value.every((entry) => typeof entry === "object" && entry !== null)
  );
}

/** @throws ClientError `unintelligible`, also where a token was asked for and there is none */
export function redactedOf<T extends Content>(
  answer: object,
  sent: T,
  restore: boolean,
): Redacted<T> {
  const content = contentOf(answer, sent);
  const { replacements, is_cut, token, expires_at } = answer as Readonly<Record<string, unknown>>;
  if (!isObjects(replacements) || typeof is_cut !== "boolean") throw unintelligible();
  const known = { content, replacements: (replacements as WireReplacement[]).map(replacementOf) };
  if (!restore) return { ...known, isCut: is_cut };
  if (typeof token !== "string" || typeof expires_at !== "string") throw unintelligible();
  return { ...known, isCut: is_cut, token, expiresAt: expires_at };
}

/** @throws ClientError `unintelligible` */
export function restoredOf<T extends Content>(answer: object, sent: T): Restored<T> {
  const content = contentOf(answer, sent);
  const { restored } = answer as { readonly restored?: unknown };
  if (!isObjects(restored)) throw unintelligible();
  return { content, restored: restored as Restored<T>["restored"] };
}
