/**
 * Text that a page or a rendered document does not show but a model reads:
 * comments, attributes, elements that are not displayed, definitions of links.
 */
import { applyEdits, type Edit, type MappedText } from "./edits.ts";

const mayBeMarkup = /<!--|<[A-Za-z][^<>]*[=\s]|\]\(|\]:/;
const tag = /<([A-Za-z][A-Za-z0-9-]{0,40})(?:[\s/][^<>]*)?>/g;
const attribute =
  /[\s/](?:alt|title|aria-[a-z]{1,30}|placeholder|content|summary|label|value|data-[\w-]{1,60})\s{0,8}=\s{0,8}(?:"([^"]*)"|'([^']*)')/gi;
const notShown =
  /\shidden(?=[\s=/>])|display\s{0,4}:\s{0,4}none|visibility\s{0,4}:\s{0,4}hidden|font-size\s{0,4}:\s{0,4}0|opacity\s{0,4}:\s{0,4}0(?![.\d])|type\s{0,4}=\s{0,4}["']?hidden/i;
/** `![what stands for an image](...)`, `[text](address "title")` and `[//]: # (comment)`. */
const markdown =
  /!\[([^\][\n]{1,2000})\]\(|\]\([^()\s"']{0,2000}\s{1,8}["']([^"'\n]{1,2000})["']\)|^\s{0,3}\[[^\][\n]{1,200}\]:\s{0,8}\S{1,2000}\s{1,8}["'(](.{1,4000})["')]\s*$/gm;
/** Shorter parts name an image or a button; a word may be letters that stand apart. */
const partLengthMin = 12;
const wordsMin = 3;
const word = /\p{Lo}|[\p{L}\p{M}]+/gu;

interface Part {
  readonly start: number;
  readonly end: number;
}

function* comments(text: string): Generator<Part> {
  for (let at = text.indexOf("<!--"); at !== -1; ) {
    const start = at + 4;
    const close = text.indexOf("-->", start);
    // A comment that is never closed hides all that follows.
    const end = close === -1 ? text.length : close;
    yield { start, end };
    at = close === -1 ? -1 : text.indexOf("<!--", end);
  }
}

function* tagParts(text: string): Generator<Part> {
  for (const { 0: whole, index } of text.matchAll(tag)) {
    for (const found of whole.matchAll(attribute)) {
      const value = found[1] ?? found[2] ?? "";
      const start = index + found.index + found[0].length - 1 - value.length;
      yield { start, end: start + value.length };
    }
    if (!notShown.test(whole)) continue;
    const start = index + whole.length;
    const next = text.indexOf("<", start);
    yield { start, end: next === -1 ? text.length : next };
  }
}

function* markdownParts(text: string): Generator<Part> {
  for (const found of text.matchAll(markdown)) {
    const value = found[1] ?? found[2] ?? found[3] ?? "";
    const start = found.index + found[0].lastIndexOf(value);
    yield { start, end: start + value.length };
  }
}

/** All such parts of a text, one a line; undefined where they say nothing in words. */
export function hiddenMarkup(text: string): MappedText | undefined {
  if (!mayBeMarkup.test(text)) return undefined;
  const parts = [...comments(text), ...tagParts(text), ...markdownParts(text)]
    .filter(({ start, end }) => {
      if (end - start < partLengthMin) return false;
      return (text.slice(start, end).match(word)?.length ?? 0) >= wordsMin;
    })
    .sort((a, b) => a.start - b.start);
  const edits: Edit[] = [];
  let at = 0;
  for (const { start, end } of parts) {
    if (start < at) continue;
    edits.push({ start: at, end: start, replacement: at === 0 ? "" : "\n" });
    at = end;
  }
  if (edits.length === 0) return undefined;
  edits.push({ start: at, end: text.length, replacement: "" });
  return applyEdits(text, edits);
}
