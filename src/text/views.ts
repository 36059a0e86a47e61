/**
 * The readings of a text: what a model might make of it that a person does not
 * see. Each is made only where a cheap test says that it differs from the text
 * as it was sent, and each can be mapped back to that text.
 */
import { applyEdits, compose, type Edit, type MappedText, unchanged } from "./edits.ts";
import { normalise } from "./normalise.ts";

export type ReadingName = "raw" | "visible" | "tags" | "base64";

export interface Reading extends MappedText {
  readonly name: ReadingName;
}

export interface Readings {
  /** The text as it was sent comes first. */
  readonly readings: readonly Reading[];
  /** True where more readings were possible than the budget allows. */
  readonly budgetExceeded: boolean;
}

const readingsMax = 8;

/** Characters that show nothing: zero-width, bidi controls, variation selectors, tags, fillers, annotations. */
const invisible = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]+/gu;
const hasInvisible = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;

/** A flag of a region as emoji have it: its tags spell the region and hide nothing. */
export const flagTags = /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}/gu;
const tagRun = /[\u{e0020}-\u{e007e}]{2,}/gu;
const hasTag = /[\u{e0020}-\u{e007e}]{2}/u;

/** Characters of base64 or base64url, in lines; 16 of them hold 12 bytes, too few to say much. */
const base64Run =
  /[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{16,})*(?:\r?\n[A-Za-z0-9+/_-]{1,15}(?![A-Za-z0-9+/_-]))?={0,2}/g;
const hasBase64Run = /[A-Za-z0-9+/_-]{16}/;
/** Of a decoded text, at least this share is letters, marks, digits and spaces. */
const languageShareMin = 0.75;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The text without what shows nothing, in compatibility form. */
function visible(text: string): MappedText {
  if (!hasInvisible.test(text)) return normalise(text);
  const edits: Edit[] = [];
  for (const { 0: run, index } of text.matchAll(invisible)) {
    edits.push({ start: index, end: index + run.length, replacement: "" });
  }
  const stripped = applyEdits(text, edits);
  return compose(stripped, normalise(stripped.text));
}

/** What is left when everything but letters and digits is a gap: a reading that changes only dots, spaces or emoji says nothing new. */
function lettersOf(text: string): string {
  return text.replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}

/** Text spelled in tag characters, all runs together. */
function hiddenTags(text: string): MappedText | undefined {
  if (!hasTag.test(text)) return undefined;
  const plain = text.replace(flagTags, (flag) => " ".repeat(flag.length));
  const edits: Edit[] = [];
  let at = 0;
  for (const { 0: run, index } of plain.matchAll(tagRun)) {
    edits.push({ start: at, end: index, replacement: edits.length === 0 ? "" : " " });
    for (let offset = 0; offset < run.length; offset += 2) {
      const letter = String.fromCodePoint((run.codePointAt(offset) as number) - 0xe0000);
      edits.push({ start: index + offset, end: index + offset + 2, replacement: letter });
    }
    at = index + run.length;
  }
  if (edits.length === 0) return undefined;
  edits.push({ start: at, end: text.length, replacement: "" });
  return applyEdits(text, edits);
}

function readsAsLanguage(text: string): boolean {
  const letters = text.match(/[\p{L}\p{M}\p{N}\p{Zs}\n.,;:!?'"()-]/gu)?.length ?? 0;
  // Words, not a random string of letters: something must separate them, or the script has no spaces.
  const words = /\p{L}{2}[\s\p{P}]+\p{L}/u.test(text) || /[\p{Lo}]{4}/u.test(text);
  return words && letters >= [...text].length * languageShareMin && !/\p{Cc}{2}/u.test(text);
}

/**
 * The last, shorter line of a run may be its end or the first word after it, so
 * the run is tried with and without it. Returns the part that decoded.
 */
function decodeRun(run: string): { text: string; length: number } | undefined {
  const whole = decodeBase64(run);
  if (whole !== undefined) return { text: whole, length: run.length };
  const length = run.search(/\r?\n[^\r\n]{1,17}$/);
  const text = length > 0 ? decodeBase64(run.slice(0, length)) : undefined;
  return text === undefined ? undefined : { text, length };
}

function decodeBase64(run: string): string | undefined {
  const bytes = Buffer.from(run.replace(/[\r\n]/g, ""), "base64");
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return undefined;
  }
  return readsAsLanguage(text) ? text : undefined;
}

/** One mapped text for each run that decodes to language. */
function* base64Texts(view: MappedText): Generator<MappedText> {
  if (!hasBase64Run.test(view.text)) return;
  for (const { 0: run, index } of view.text.matchAll(base64Run)) {
    const decoded = decodeRun(run);
    if (decoded === undefined) continue;
    const [start, end] = view.toOriginal(index, index + decoded.length);
    yield { text: decoded.text, toOriginal: () => [start, end] };
  }
}

/**
 * All readings of a text.
 *
 * @param text well-formed UTF-16
 */
export function readings(text: string): Readings {
  const found: Reading[] = [{ name: "raw", ...unchanged(text) }];
  let budgetExceeded = false;
  const add = (name: ReadingName, view: MappedText) => {
    if (view.text.trim() === "" || found.some((reading) => reading.text === view.text)) return;
    if (found.length < readingsMax) found.push({ name, ...view });
    else budgetExceeded = true;
  };
  const shown = visible(text);
  if (shown.text !== text && lettersOf(shown.text) !== lettersOf(text)) add("visible", shown);
  const tags = hiddenTags(text);
  if (tags !== undefined) add("tags", tags);
  for (const decoded of base64Texts(shown)) {
    add("base64", decoded);
    if (budgetExceeded) break;
  }
  return { readings: found, budgetExceeded };
}
