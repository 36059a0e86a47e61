/** What each kind of personal data tells the scanner that walks the text. */

export interface Found {
  /** Label after `pii/`. */
  readonly id: string;
  readonly start: number;
  readonly end: number;
}

/** Characters around a number in which a word may say what it is. */
const contextBefore = 48;
const contextAfter = 24;

/** Whether a word that names a number stands near it. */
export function isNamed(text: string, start: number, end: number, words: RegExp): boolean {
  if (words.test(text.slice(Math.max(0, start - contextBefore), start))) return true;
  return words.test(text.slice(end, end + contextAfter));
}

/** Where the match of an expression with the flag `y` ends that begins at a place, or -1. */
export function endOfMatch(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}
