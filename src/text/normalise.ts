/**
 * Compatibility normalisation (NFKC) that hostile text cannot make slow or
 * large: long runs of combining marks are broken first (the stream-safe format
 * of UAX 15), text is normalised in short pieces, and growth is capped.
 */
import { applyEdits, compose, type Edit, type MappedText, unchanged } from "./edits.ts";

/** Changes whenever a reading of some text changes: part of every cache key. */
export const normaliserVersion = "1";

/** UAX 15: no more non-starters than this follow each other. */
const marksMax = 30;
const breaker = "\u034f";
/** Output may be this much longer than the input; the rest stays as it is. U+FDFA alone grows 18-fold. */
const growthMax = 4;
const growthSlack = 1024;
const blockLength = 4096;

/** What may combine with the character before it: marks, Hangul vowels and finals, half-width voicing marks. */
const joining = "[\\p{M}\\u1160-\\u11ff\\ud7b0-\\ud7fb\\uff9e\\uff9f]";
const pieces = new RegExp(`[\\s\\S]${joining}*`, "gu");
const joins = new RegExp(joining, "u");
const longRun = /\p{M}{31,}/gu;

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
  let room = source.length * (growthMax - 1) + growthSlack;
  for (let start = 0; start < source.length && room > 0; ) {
    const end = blockEnd(source, start + blockLength);
    const block = source.slice(start, end);
    if (block.normalize("NFKC") !== block) {
      for (const { 0: piece, index } of block.matchAll(pieces)) {
        const replacement = piece.normalize("NFKC");
        if (replacement === piece) continue;
        room -= replacement.length - piece.length;
        if (room <= 0) break;
        const from = start + index;
        edits.push({ start: from, end: from + piece.length, replacement });
      }
    }
    start = end;
  }
  return compose(safe, applyEdits(source, edits));
}
