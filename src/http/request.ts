/** The scan request: its schema, and the way from it to prompts. HTTP and the command line share it. */
import { z } from "zod";
import { GhostError } from "../errors.ts";
import type { Origin, Prompt, Segment } from "../types.ts";

/** A checked request: one prompt, or a batch whose results come in order. */
export interface ScanRequest {
  readonly prompts: readonly Prompt[];
  readonly isBatch: boolean;
}

export interface RequestLimits {
  readonly textsMax: number;
  readonly messagesMax: number;
}

const origins = ["user", "document", "tool", "assistant", "system"] as const satisfies Origin[];

const originOfRole = {
  user: "user",
  assistant: "assistant",
  system: "system",
  developer: "system",
  tool: "tool",
  function: "tool",
} as const satisfies Record<string, Origin>;

type Role = keyof typeof originOfRole;
const roles = Object.keys(originOfRole) as [Role, ...Role[]];

/** Names are not read as text, so they may only look like names. */
const name = z.string().regex(/^[A-Za-z0-9_.:-]{1,128}$/, "expected 1-128 of A-Z a-z 0-9 _ . : -");

/** Parts without text are let through unread: the model of this product reads text. */
const part = z.discriminatedUnion("type", [
  z.strictObject({ type: z.enum(["text", "input_text", "output_text"]), text: z.string() }),
  z.strictObject({ type: z.literal("refusal"), refusal: z.string() }),
  z.strictObject({ type: z.literal("image_url"), image_url: z.unknown() }),
  z.strictObject({ type: z.literal("input_image"), image_url: z.unknown(), detail: z.unknown() }),
  z.strictObject({ type: z.literal("input_audio"), input_audio: z.unknown() }),
  z.strictObject({ type: z.literal("file"), file: z.unknown() }),
]);

const functionCall = z.strictObject({ name, arguments: z.string() });

const toolCall = z.discriminatedUnion("type", [
  z.strictObject({
    id: z.string().optional(),
    type: z.literal("function"),
    function: functionCall,
  }),
  z.strictObject({
    id: z.string().optional(),
    type: z.literal("custom"),
    custom: z.strictObject({ name, input: z.string() }),
  }),
]);

const message = z.strictObject({
  role: z.enum(roles),
  content: z.union([z.string(), z.array(part), z.null()]).optional(),
  name: name.optional(),
  tool_call_id: z.string().max(256).optional(),
  tool_calls: z.array(toolCall).optional(),
  function_call: functionCall.nullish(),
  refusal: z.string().nullish(),
  audio: z.unknown().optional(),
  annotations: z.unknown().optional(),
});

type Message = z.infer<typeof message>;
type Part = z.infer<typeof part>;

const request = z.strictObject({
  text: z.string().optional(),
  messages: z.array(message).optional(),
  texts: z.array(z.string()).optional(),
  origin: z.enum(origins).optional(),
  id: z.string().min(1).max(256).optional(),
});

function at(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** One line for the first thing that is wrong. Never holds a text of the request. */
function explain(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return "unexpected";
  const where = at(issue.path);
  if (issue.code === "unrecognized_keys") {
    const field = JSON.stringify((issue.keys[0] ?? "").slice(0, 64));
    return `there is no field ${field}${where === "" ? "" : ` in ${where}`}`;
  }
  if (issue.code === "invalid_union" && issue.path.at(-1) === "content") {
    const inner = issue.errors.flat().find((one) => one.path.length > 0);
    if (inner !== undefined)
      return explain(new z.ZodError([{ ...inner, path: [...issue.path, ...inner.path] }]));
    return `${where}: expected a string or a list of content parts`;
  }
  if (issue.code === "invalid_union") return `${where}: there is no such type`;
  return `${where === "" ? "the body" : where}: ${issue.message.replace(/^Invalid input: /, "")}`;
}

function partText(content: Part): string {
  if ("text" in content) return content.text;
  return "refusal" in content ? content.refusal : "";
}

/** The texts of a message in order; the place in the list is the part index that findings name. */
function textsOf(value: Message): string[] {
  const { content } = value;
  const texts = typeof content === "string" ? [content] : (content ?? []).map(partText);
  if (typeof value.refusal === "string") texts.push(value.refusal);
  if (value.function_call) texts.push(value.function_call.arguments);
  for (const call of value.tool_calls ?? []) {
    texts.push(call.type === "function" ? call.function.arguments : call.custom.input);
  }
  return texts;
}

function messageSegments(value: Message, messageIndex: number): Segment[] {
  const origin = originOfRole[value.role];
  return textsOf(value)
    .map((text, partIndex) => ({ text, origin, messageIndex, partIndex }))
    .filter((segment) => segment.text !== "");
}

function checkCounts(messages: readonly Message[], limits: RequestLimits): void {
  const { messagesMax } = limits;
  if (messages.length > messagesMax) {
    const detail = `expected at most ${messagesMax} messages but received ${messages.length}`;
    throw new GhostError("invalid_request", detail);
  }
  for (const [index, value] of messages.entries()) {
    const parts = textsOf(value).length;
    if (parts > messagesMax) {
      const detail = `expected at most ${messagesMax} parts in messages[${index}] but received ${parts}`;
      throw new GhostError("invalid_request", detail);
    }
  }
}

function batch(
  texts: readonly string[],
  origin: Origin,
  id: string,
  textsMax: number,
): ScanRequest {
  if (texts.length > textsMax) {
    const detail = `expected at most ${textsMax} texts but received ${texts.length}`;
    throw new GhostError("invalid_request", detail);
  }
  if (texts.length === 0) throw new GhostError("empty_input", "texts is empty");
  const prompts = texts.map((text, index) => {
    if (text === "") throw new GhostError("empty_input", `texts[${index}] is empty`);
    return { id: `${id}/${index}`, segments: [{ text, origin }] };
  });
  return { prompts, isBatch: true };
}

/**
 * Checks a parsed body and turns it into prompts.
 *
 * @param fallbackId the answer's id where the body names none
 * @throws GhostError `invalid_request` or `empty_input`
 */
export function toScanRequest(
  body: unknown,
  fallbackId: string,
  limits: RequestLimits,
): ScanRequest {
  const parsed = request.safeParse(body);
  if (!parsed.success) throw new GhostError("invalid_request", explain(parsed.error));
  const { text, messages, texts, origin = "user", id = fallbackId } = parsed.data;
  const given = [text, messages, texts].filter((value) => value !== undefined).length;
  if (given !== 1) {
    const detail = `expected exactly one of text, messages and texts but received ${given}`;
    throw new GhostError("invalid_request", detail);
  }
  if (texts !== undefined) return batch(texts, origin, id, limits.textsMax);
  if (messages !== undefined) checkCounts(messages, limits);
  const segments = messages?.flatMap(messageSegments) ?? (text ? [{ text, origin }] : []);
  if (segments.length === 0) throw new GhostError("empty_input");
  return { prompts: [{ id, segments }], isBatch: false };
}
