/**
 * Words whose letters stand apart ("i g n o r e", "i.g.n.o.r.e"), joined, and rows
 * of letters without spaces taken apart into words.
 */
import type { Edit } from "./edits.ts";
import { type Effort, isAscii, type Layer, peeled } from "./layer.ts";
import { likeness } from "./likeness.ts";
import { segment, stepsMax as segmentStepsMax } from "./segment.ts";

/** Single letters with the same few characters between them. */
const apart =
  /(?<![\p{L}\p{N}])[\p{L}\p{N}]\p{M}*([^\p{L}\p{N}\p{M}]{1,3})[\p{L}\p{N}]\p{M}*(?:\1[\p{L}\p{N}]\p{M}*){3,}(?![\p{L}\p{N}])/gu;
/** Of a row's characters at least this share are letters: the rest may be leetspeak, but a row of numbers is that. */
const letterShareMin = 0.4;
/** Letters in all rows together. */
const lettersMin = 6;
/** Longer words are taken apart: few languages that separate words have any. */
const longWord =
  /(?<![\p{L}\p{N}_./@:-])(?:\p{Lu}?\p{Ll}{19,}|\p{Lu}{20,})(?![\p{L}\p{N}_/@-]|\.\p{L})/gu;
/** Between two rows lies at most this much: spaces, and a word of one letter. */
const gapLengthMax = 16;
/** Shorter rows are words already. */
const rowLengthMin = 10;
const latinLetters = /^[A-Za-z\u00c0-\u024f]+$/;
const latinRun = /[A-Za-z\u00c0-\u024f]+/g;
/** A text is without spaces if its words would be this long, and it holds so many. */
const spacelessLengthMin = 20;
const spacelessWordLength = 20;
const spacelessWordsMin = 4;
/** What makes a row of letters a row of words: logarithm of the likelihood a letter, and letters a word. */
const segmentScoreMin = -3.2;
const wordLengthMin = 2.5;

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** Where words begin in a row of Latin letters; none where it is no row of words. */
function wordStarts(row: string, effort: Effort): readonly number[] {
  effort.visited += row.length * segmentStepsMax;
  const { starts, score } = segment(row);
  const areWords = score >= segmentScoreMin && row.length >= (starts.length + 1) * wordLengthMin;
  return areWords ? starts : [];
}

/** The separator of the rows of single letters, if there are enough of them. */
function separatorOf(text: string): string | undefined {
  if (isAscii(text) && !/\b[^\W_][\W_]{1,3}[^\W_][\W_]{1,3}[^\W_](?![^\W_])/.test(text))
    return undefined;
  const letters = new Map<string, number>();
  for (const { 0: row, 1: separator = "" } of text.matchAll(apart)) {
    const characters = row.match(/[\p{L}\p{N}]/gu) ?? [];
    const count = characters.filter((character) => /\p{L}/u.test(character)).length;
    if (count < characters.length * letterShareMin) continue;
    letters.set(separator, (letters.get(separator) ?? 0) + count);
  }
  const [most] = [...letters].sort((a, b) => b[1] - a[1]);
  return most === undefined || most[1] < lettersMin ? undefined : most[0];
}

/** Where words begin in joined letters: within rows of Latin letters, and after a sign. */
function startsIn(letters: string, effort: Effort): Set<number> {
  const starts = new Set<number>();
  for (const { 0: run, index } of letters.matchAll(latinRun)) {
    if (run.length < rowLengthMin) continue;
    for (const start of wordStarts(run, effort)) starts.add(index + start);
  }
  for (const { index } of letters.matchAll(/(?<=[.,;:!?])\p{L}/gu)) starts.add(index);
  return starts;
}

/** Single letters joined to words. */
export const joined: Layer = (text, effort) => {
  const separator = separatorOf(text);
  if (separator === undefined) return undefined;
  effort.visited += text.length;
  const between = escaped(separator);
  // Between spaces punctuation stands alone as well.
  const isSpace = separator.trim() === "";
  const unit = isSpace ? "\\S\\p{M}*" : "[\\p{L}\\p{N}]\\p{M}*";
  const outside = isSpace ? "\\S" : "[\\p{L}\\p{N}\\p{M}]";
  const row = new RegExp(`(?<!${outside})${unit}(?:${between}${unit})+(?!${outside})`, "gu");
  // Between words the separator stands twice or more, with or without a space amid.
  const gap = new RegExp(`[\\s${between.replace(/-/g, "\\-")}]{2,}`, "gu");
  const edits: Edit[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(row)) {
    if (end > 0 && index - end <= gapLengthMax) {
      for (const { 0: space, index: at } of text.slice(end, index).matchAll(gap)) {
        edits.push({ start: end + at, end: end + at + space.length, replacement: " " });
      }
    }
    end = index + match.length;
    const starts = startsIn(match.replaceAll(separator, ""), effort);
    let removed = 0;
    for (let at = match.indexOf(separator); at !== -1; ) {
      const start = index + at;
      const replacement = starts.has(at - removed) ? " " : "";
      edits.push({ start, end: start + separator.length, replacement });
      removed += separator.length;
      at = match.indexOf(separator, at + separator.length);
    }
  }
  return peeled("joined", edits);
};

/** Whether a text of words has next to no spaces. */
function isWithoutSpaces(text: string): boolean {
  if (text.length < spacelessLengthMin || text.includes("://")) return false;
  const { letters, others } = likeness(text);
  const spaces = text.match(/\s/g)?.length ?? 0;
  return letters > others && letters >= text.length / 2 && spaces * spacelessWordLength < letters;
}

/** Long rows of letters taken apart into words; shorter ones too where a text has no spaces. */
export const takenApart: Layer = (text, effort) => {
  const edits: Edit[] = [];
  if (isWithoutSpaces(text)) {
    for (const start of startsIn(text, effort)) {
      edits.push({ start, end: start, replacement: " " });
    }
    edits.sort((a, b) => a.start - b.start);
    // A name or an address has some words as well.
    return edits.length < spacelessWordsMin ? undefined : peeled("joined", edits);
  }
  for (const { 0: row, index } of text.matchAll(longWord)) {
    if (!latinLetters.test(row)) continue;
    for (const start of wordStarts(row, effort)) {
      edits.push({ start: index + start, end: index + start, replacement: " " });
    }
  }
  return peeled("joined", edits);
};
