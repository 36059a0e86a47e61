/** The scan request: its schema, and the way from it to prompts. HTTP and the command line share it. */
import { z } from "zod";
import { GhostError } from "../errors.ts";
import type { Origin, Prompt, Segment } from "../types.ts";

/** A checked request: one prompt, or a batch whose results come in order. */
export interface ScanRequest {
  readonly prompts: readonly Prompt[];
  readonly isBatch: boolean;
  /** Whether the answer is to have the texts redacted, and a token that restores them. */
  readonly redact: boolean;
  readonly restore: boolean;
  /** The texts where they came, checked. */
  readonly source: Source;
}

/** One of three forms of texts as a body has it. */
export type Source =
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly messages: readonly unknown[] };

/** What restores texts, and the texts to restore. */
export interface RestoreRequest {
  readonly texts: readonly string[];
  readonly source: Source;
  readonly token: string;
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

/**
 * A list whose entries are checked one by one afterwards. A schema of the whole list would note
 * every wrong entry, and a body of nothing but wrong entries would hold the event loop for seconds.
 */
const list = z.custom<readonly unknown[]>(Array.isArray, "expected a list");

/** Parts without text are let through unread: the model of this product reads text. */
const part = z.discriminatedUnion("type", [
  z.strictObject({ type: z.enum(["text", "input_text", "output_text"]), text: z.string() }),
  z.strictObject({ type: z.literal("refusal"), refusal: z.string() }),
  z.strictObject({ type: z.literal("image_url"), image_url: z.unknown() }),
  z.strictObject({ type: z.literal("input_image"), image_url: z.unknown(), detail: z.unknown() }),
  z.strictObject({ type: z.literal("input_audio"), input_audio: z.unknown() }),
  z.strictObject({ type: z.literal("file"), file: z.unknown() }),
]);

const plainText = z.string();

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
  content: z.union([z.string(), list, z.null()]).optional(),
  name: name.optional(),
  tool_call_id: z.string().max(256).optional(),
  tool_calls: list.optional(),
  function_call: functionCall.nullish(),
  refusal: z.string().nullish(),
  audio: z.unknown().optional(),
  annotations: z.unknown().optional(),
});

type Message = z.infer<typeof message>;
type Part = z.infer<typeof part>;
type ToolCall = z.infer<typeof toolCall>;

const forms = {
  text: z.string().optional(),
  messages: list.optional(),
  texts: list.optional(),
};

const redactRequest = z.strictObject({
  ...forms,
  origin: z.enum(origins).optional(),
  id: z.string().min(1).max(256).optional(),
  restore: z.boolean().optional(),
});

const request = z.strictObject({ ...redactRequest.shape, redact: z.boolean().optional() });

const restoreRequest = z.strictObject({ ...forms, token: z.string() });

type Checked = Omit<z.infer<typeof request>, "redact" | "restore">;

function at(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** One line for the first thing that is wrong at `path`. Never holds a text of the request. */
function explain(error: z.ZodError, path: readonly PropertyKey[]): string {
  const [issue] = error.issues;
  if (issue === undefined) return "unexpected";
  const where = at([...path, ...issue.path]);
  if (issue.code === "unrecognized_keys") {
    const field = JSON.stringify((issue.keys[0] ?? "").slice(0, 64));
    return `there is no field ${field}${where === "" ? "" : ` in ${where}`}`;
  }
  if (issue.code === "invalid_union") {
    return issue.path.at(-1) === "content"
      ? `${where}: expected a string or a list of content parts`
      : `${where}: there is no such type`;
  }
  return `${where === "" ? "the body" : where}: ${issue.message.replace(/^Invalid input: /, "")}`;
}

function check<T>(schema: z.ZodType<T>, value: unknown, path: readonly PropertyKey[]): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new GhostError("invalid_request", explain(parsed.error, path));
  return parsed.data;
}

/** Before the entries of a list are looked at: what is refused must not cost more than what is read. */
function checkCount(count: number, max: number, what: string): void {
  if (count <= max) return;
  const detail = `expected at most ${max} ${what} but received ${count}`;
  throw new GhostError("invalid_request", detail);
}

function partText(content: Part): string {
  if ("text" in content) return content.text;
  return "refusal" in content ? content.refusal : "";
}

function callText(call: ToolCall): string {
  return call.type === "function" ? call.function.arguments : call.custom.input;
}

/** The texts of a message in order; the place in the list is the part index that findings name. */
function textsOf(value: Message, path: readonly PropertyKey[], partsMax: number): string[] {
  const { content, refusal, function_call: called, tool_calls: calls = [] } = value;
  const parts = typeof content === "string" ? [content] : (content ?? []);
  const others = [refusal, called].filter((given) => given !== undefined && given !== null);
  checkCount(parts.length + others.length + calls.length, partsMax, `parts in ${at(path)}`);
  const texts =
    typeof content === "string"
      ? [content]
      : parts.map((entry, index) => partText(check(part, entry, [...path, "content", index])));
  if (typeof refusal === "string") texts.push(refusal);
  if (called) texts.push(called.arguments);
  for (const [index, call] of calls.entries()) {
    texts.push(callText(check(toolCall, call, [...path, "tool_calls", index])));
  }
  return texts;
}

function messageSegments(value: unknown, messageIndex: number, partsMax: number): Segment[] {
  const path = ["messages", messageIndex];
  const checked = check(message, value, path);
  const origin = originOfRole[checked.role];
  return textsOf(checked, path, partsMax)
    .map((text, partIndex) => ({ text, origin, messageIndex, partIndex }))
    .filter((segment) => segment.text !== "");
}

function conversation(messages: readonly unknown[], { messagesMax }: RequestLimits): Segment[] {
  checkCount(messages.length, messagesMax, "messages");
  return messages.flatMap((value, index) => messageSegments(value, index, messagesMax));
}

type Read = Pick<ScanRequest, "prompts" | "isBatch" | "source">;

function batch(texts: readonly unknown[], origin: Origin, id: string, textsMax: number): Read {
  checkCount(texts.length, textsMax, "texts");
  if (texts.length === 0) throw new GhostError("empty_input", "texts is empty");
  const checked = texts.map((value, index) => {
    const text = check(plainText, value, ["texts", index]);
    if (text === "") throw new GhostError("empty_input", `texts[${index}] is empty`);
    return text;
  });
  const prompts = checked.map((text, index) => ({
    id: `${id}/${index}`,
    segments: [{ text, origin }],
  }));
  return { prompts, isBatch: true, source: { texts: checked } };
}

function read(checked: Checked, fallbackId: string, limits: RequestLimits): Read {
  const { text, messages, texts, origin = "user", id = fallbackId } = checked;
  const given = [text, messages, texts].filter((value) => value !== undefined).length;
  if (given !== 1) {
    const detail = `expected exactly one of text, messages and texts but received ${given}`;
    throw new GhostError("invalid_request", detail);
  }
  if (texts !== undefined) return batch(texts, origin, id, limits.textsMax);
  const single = text ? [{ text, origin }] : [];
  const segments = messages === undefined ? single : conversation(messages, limits);
  if (segments.length === 0) throw new GhostError("empty_input");
  const source = messages === undefined ? { text: text as string } : { messages };
  return { prompts: [{ id, segments }], isBatch: false, source };
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
  const { redact = false, restore = false, ...checked } = check(request, body, []);
  if (restore && !redact) {
    throw new GhostError("invalid_request", "expected redact: true beside restore: true");
  }
  return { ...read(checked, fallbackId, limits), redact, restore };
}

/** The same of what is only to be redacted. @throws GhostError `invalid_request` or `empty_input` */
export function toRedactRequest(
  body: unknown,
  fallbackId: string,
  limits: RequestLimits,
): ScanRequest {
  const { restore = false, ...checked } = check(redactRequest, body, []);
  return { ...read(checked, fallbackId, limits), redact: true, restore };
}

/** Checks what is to be restored. @throws GhostError `invalid_request` or `empty_input` */
export function toRestoreRequest(body: unknown, limits: RequestLimits): RestoreRequest {
  const { token, ...checked } = check(restoreRequest, body, []);
  const { prompts, source } = read(checked, "", limits);
  return { texts: textsIn(prompts), source, token };
}

/** All texts of a request in order: those that {@link withTexts} takes. */
export function textsIn(prompts: readonly Prompt[]): string[] {
  return prompts.flatMap(({ segments }) => segments.map(({ text }) => text));
}

/** A message with its texts replaced, in the order in which {@link textsOf} reads them. */
function replaceTexts(value: Message, next: (text: string) => string): Message {
  const { content, refusal, function_call: called, tool_calls: calls } = value;
  const partWith = (entry: Part) => {
    if ("text" in entry) return { ...entry, text: next(entry.text) };
    return "refusal" in entry ? { ...entry, refusal: next(entry.refusal) } : entry;
  };
  const callWith = (call: ToolCall) =>
    call.type === "function"
      ? { ...call, function: { ...call.function, arguments: next(call.function.arguments) } }
      : { ...call, custom: { ...call.custom, input: next(call.custom.input) } };
  const replaced: Message = { ...value };
  if (typeof content === "string") replaced.content = next(content);
  else if (content) replaced.content = content.map((entry) => partWith(entry as Part));
  if (typeof refusal === "string") replaced.refusal = next(refusal);
  if (called) replaced.function_call = { ...called, arguments: next(called.arguments) };
  if (calls) replaced.tool_calls = calls.map((call) => callWith(call as ToolCall));
  return replaced;
}

/**
 * The texts back where they came from.
 *
 * @param source of a checked request
 * @param texts as many as {@link textsIn} gave of it, in that order
 */
export function withTexts(source: Source, texts: readonly string[]): Source {
  if ("text" in source) return { text: texts[0] as string };
  if ("texts" in source) return { texts };
  let index = 0;
  // An empty text is no segment, so that nothing was made of it.
  const next = (text: string) => (text === "" ? text : (texts[index++] as string));
  return { messages: source.messages.map((value) => replaceTexts(value as Message, next)) };
}
