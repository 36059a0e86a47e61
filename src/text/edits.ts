/** A text made from another by replacing parts of it, and the way back to the first one's offsets. */
import { countBefore } from "./sorted.ts";

/** Replaces [start, end) of a text. Edits of one text ascend and do not overlap. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** The replacement is as long as what it replaces, and unit stands for unit. */
  readonly unitByUnit?: boolean;
}

export interface MappedText {
  readonly text: string;
  /**
   * The part of the original that [start, end) came from, UTF-16 code units. A
   * position inside a replacement stands for the whole part that was replaced,
   * unless that was replaced unit by unit.
   */
  toOriginal(start: number, end: number): [number, number];
}

export function unchanged(text: string): MappedText {
  return { text, toOriginal: (start, end) => [start, end] };
}

/** Applies edits. Time and memory are linear in the text and the number of edits. */
export function applyEdits(original: string, edits: readonly Edit[]): MappedText {
  if (edits.length === 0) return unchanged(original);
  const pieces: string[] = [];
  /** Where each edit's replacement begins in the result. */
  const places = new Uint32Array(edits.length);
  let at = 0;
  let length = 0;
  for (const [index, { start, end, replacement }] of edits.entries()) {
    pieces.push(original.slice(at, start), replacement);
    length += start - at;
    places[index] = length;
    length += replacement.length;
    at = end;
  }
  pieces.push(original.slice(at));

  /** The last edit that begins at or before `position`, or -1. */
  const editBefore = (position: number): number =>
    countBefore(edits.length, (index) => (places[index] as number) <= position) - 1;
  const map = (position: number, isEnd: boolean): number => {
    // An end belongs to the character before it.
    const index = editBefore(isEnd ? position - 1 : position);
    if (index < 0) return position;
    const edit = edits[index] as Edit;
    const offset = position - (places[index] as number);
    const inside = isEnd ? offset <= edit.replacement.length : offset < edit.replacement.length;
    if (inside && edit.unitByUnit) return edit.start + offset;
    if (inside) return isEnd ? edit.end : edit.start;
    return edit.end + offset - edit.replacement.length;
  };
  return {
    text: pieces.join(""),
    toOriginal: (start, end) => {
      const from = map(start, false);
      return [from, Math.max(from, end <= start ? from : map(end, true))];
    },
  };
}

/** The result of `second` on the text of `first`, mapped back through both. */
export function compose(first: MappedText, second: MappedText): MappedText {
  if (second.text === first.text) return first;
  return {
    text: second.text,
    toOriginal: (start, end) => first.toOriginal(...second.toOriginal(start, end)),
  };
}
