/** What a layer of disguise is: something that a text can be taken out of. */
import type { Edit } from "./edits.ts";

/** What names the last step to a reading. */
export type ReadingName =
  | "raw"
  | "visible"
  | "tags"
  | "bits"
  | "markup"
  | "url"
  | "entities"
  | "escapes"
  | "base64"
  | "base32"
  | "hex"
  | "codes"
  | "morse"
  | "braille"
  | "folded"
  | "upside-down"
  | "joined"
  | "leet"
  | "shifted"
  | "reversed";

/** Counts the characters that were looked at, so that a test can bound them. */
export interface Effort {
  visited: number;
}

export interface Peeled {
  readonly name: ReadingName;
  readonly edits: readonly Edit[];
}

/**
 * Takes one kind of disguise off a text; undefined where a cheap test does not
 * find it. Time is linear in the text.
 */
export type Layer = (text: string, effort: Effort) => Peeled | undefined;

/** What a layer made of its edits; undefined where there are none. */
export function peeled(name: ReadingName, edits: readonly Edit[]): Peeled | undefined {
  return edits.length === 0 ? undefined : { name, edits };
}

/** Most texts are, and what cannot be in them need not be looked for. */
export function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  return /^[\x00-\x7f]*$/.test(text);
}
