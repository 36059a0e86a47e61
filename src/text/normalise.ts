/**
 * Compatibility normalisation (NFKC) that hostile text cannot make slow or
 * large: long runs of combining marks are broken first (the stream-safe format
 * of UAX 15), text is normalised in short pieces, and growth is capped.
 */
import { applyEdits, compose, type Edit, type MappedText, unchanged } from "./edits.ts";

/** Changes whenever a reading of some text changes: part of every cache key. */
export const normaliserVersion = "3";

/** UAX 15: no more non-starters than this follow each other. */
const marksMax = 30;
const breaker = "\u034f";
/**
 * Output is at most this many times the input, and this many UTF-16 code units more. Only what grows
 * faster (U+FDFA grows 18-fold) stays as it is past that: a run of it must not hide what follows.
 */
export const growthMax = 4;
export const growthSlack = 1024;
const blockLength = 4096;

/** What may combine with the character before it: marks, Hangul vowels and finals, half-width voicing marks. */
const joining = "[\\p{M}\\u1160-\\u11ff\\ud7b0-\\ud7fb\\uff9e\\uff9f]";
const pieces = new RegExp(`[\\s\\S]${joining}*`, "gu");
const joins = new RegExp(joining, "u");
/** The half-width voicing marks are letters by category, but become combining marks. */
const longRun = /[\p{M}\uff9e\uff9f]{31,}/gu;

/** Breaks runs of more than 30 combining marks by inserting U+034F. */
export function streamSafe(text: string): MappedText {
  const edits: Edit[] = [];
  for (const { 0: run, index } of text.matchAll(longRun)) {
    let at = index;
    let count = 0;
    for (const mark of run) {
      if (count === marksMax) {
        edits.push({ start: at, end: at, replacement: breaker });
        count = 0;
      }
      at += mark.length;
      count++;
    }
  }
  return applyEdits(text, edits);
}

/** Where a block that should end at `wanted` may end: before a character that joins nothing. */
function blockEnd(text: string, wanted: number): number {
  let end = wanted;
  while (end < text.length) {
    const point = text.codePointAt(end) as number;
    const inPair = point >= 0xdc00 && point <= 0xdfff;
    if (!inPair && !joins.test(String.fromCodePoint(point))) break;
    end++;
  }
  return Math.min(end, text.length);
}

/** NFKC with a map back to the offsets of `text`. Returns the same text where nothing changes. */
export function normalise(text: string): MappedText {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  if (/^[\x00-\x7f]*$/.test(text)) return unchanged(text);
  const safe = streamSafe(text);
  const source = safe.text;
  const edits: Edit[] = [];
  let slack = growthSlack;
  for (let start = 0; start < source.length; ) {
    const end = blockEnd(source, start + blockLength);
    const block = source.slice(start, end);
    if (block.normalize("NFKC") !== block) {
      for (const { 0: piece, index } of block.matchAll(pieces)) {
        const replacement = piece.normalize("NFKC");
        if (replacement === piece) continue;
        const excess = replacement.length - piece.length * growthMax;
        if (excess > slack) continue;
        slack -= Math.max(0, excess);
        const from = start + index;
        edits.push({ start: from, end: from + piece.length, replacement });
      }
    }
    start = end;
  }
  return compose(safe, applyEdits(source, edits));
}
