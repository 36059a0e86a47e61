/** Digits and signs that stand for the letters they look like: "1gn0r3 4ll". */
import type { Edit } from "./edits.ts";
import { type Layer, peeled } from "./layer.ts";
import { letterOf, likelihood } from "./likeness.ts";

/** The letters that a sign may stand for. */
const substitutes = new Map<string, string>([
  ["0", "o"],
  ["1", "il"],
  ["2", "z"],
  ["3", "e"],
  ["4", "a"],
  ["5", "s"],
  ["6", "g"],
  ["7", "t"],
  ["8", "b"],
  ["9", "g"],
  ["@", "a"],
  ["$", "s"],
  ["!", "i"],
  ["|", "li"],
  ["+", "t"],
  ["\u20ac", "e"],
  ["\u00a3", "l"],
]);
const signs = "0-9@$!|+€£";
const token = new RegExp(
  `(?<![\\p{L}\\p{N}@$!|+€£])[\\p{L}${signs}]{1,24}(?![\\p{L}\\p{N}@$|+€£])`,
  "gu",
);
const hasSign = new RegExp(`[${signs}]`);
const anySign = new RegExp(`[${signs}]`, "g");
/** A sign between letters, or before or after two of them. */
const isPossible = new RegExp(
  `\\p{L}[${signs}]{1,3}\\p{L}|[${signs}]\\p{L}{2}|\\p{L}{2}[0-9@$|+€£]`,
  "u",
);
/** What counts, measures or numbers something. */
const quantity = /^\$?[0-9]+(?:st|nd|rd|th|[a-z]{0,2})$/i;
/** Likelihood a letter from which a word is surely one. */
const sureScoreMin = 0.3;
/** Words that are surely meant so, and their share of all, from which a part of a text is. */
const sureWordsMin = 2;
const sureShareMin = 0.1;
/** Words that are judged together: what is long must not hide the few that are. */
const wordsTogether = 40;
/** In a part of which this share is written so, lone signs and short numbers are too. */
const denseShareMin = 0.4;
const denseWordsMin = 3;
/** Likelihood a letter that a word in such a part has at least, and a number. */
const wordScoreMin = -0.8;
const numberScoreMin = 0;
const numberLengthMax = 3;

interface Folded {
  readonly text: string;
  /** Likelihood a letter. */
  readonly score: number;
}

/** The first letter that a sign may stand for, or the sign. */
const firstOption = (sign: string) => (substitutes.get(sign) ?? sign).charCodeAt(0);

/** The likeliest word that a token stands for, in capitals where its letters are. */
function fold(word: string): Folded {
  let [text, score, a, b] = ["", 0, 0, 0];
  for (let at = 0; at < word.length; at++) {
    const sign = word.charAt(at);
    const options = substitutes.get(sign) ?? sign;
    const next = at + 1 < word.length ? (letterOf[firstOption(word.charAt(at + 1))] as number) : 0;
    let [best, highest, own] = [options.charAt(0), Number.NEGATIVE_INFINITY, 0];
    for (const option of options) {
      const c = letterOf[option.charCodeAt(0)] as number;
      const likely = likelihood(a, b, c);
      const ahead = likely + likelihood(b, c, next);
      if (ahead > highest) [best, highest, own] = [option, ahead, likely];
    }
    text += best;
    score += own;
    a = b;
    b = letterOf[best.charCodeAt(0)] as number;
  }
  const isUpper = word.length > 1 && word === word.toUpperCase() && /\p{Lu}/u.test(word);
  const inCase = isUpper ? text.toUpperCase() : text;
  return { text: inCase.length === word.length ? inCase : text, score: score / word.length };
}

/** Whether nobody writes a word so who means the digits: not `mp3`, `4th`, `h264` or `covid19`. */
function isSure(word: string, { score }: Folded): boolean {
  const inside = word.replace(/^[0-9]+|[0-9!]+$/g, "");
  const count = word.match(anySign)?.length ?? 0;
  return (
    score >= sureScoreMin &&
    word.length >= 4 &&
    hasSign.test(inside) &&
    count * 2 <= word.length + 1
  );
}

interface Token {
  readonly word: string;
  readonly start: number;
  readonly folded: Folded;
  readonly isNumber: boolean;
}

/** Words of a text that stand together. */
interface Part {
  /** Those with a sign, as words. */
  readonly found: Token[];
  words: number;
}

/** The words of a part in letters; none where that is not how it is meant. */
function foldPart({ found, words }: Part): Edit[] {
  let [mixed, sure, likely, length] = [0, 0, 0, 0];
  for (const { word, folded, isNumber } of found) {
    if (isNumber || quantity.test(word)) continue;
    mixed++;
    likely += folded.score * word.length;
    length += word.length;
    if (isSure(word, folded)) sure++;
  }
  const isDense =
    mixed >= Math.max(denseWordsMin, words * denseShareMin) && likely >= length * sureScoreMin;
  const isMeant = isDense || (sure >= sureWordsMin && sure >= words * sureShareMin);
  if (!isMeant) return [];
  return found
    .filter(({ folded, isNumber }) =>
      isNumber ? isDense && folded.score >= numberScoreMin : folded.score >= wordScoreMin,
    )
    .map(({ word, start, folded }) => {
      const end = start + word.length;
      return { start, end, replacement: folded.text, unitByUnit: true };
    });
}

/** Tokens of letters and look-alike signs as words, where that is the rule. */
export const leet: Layer = (text, effort) => {
  if (!isPossible.test(text)) return undefined;
  effort.visited += text.length;
  const edits: Edit[] = [];
  let part: Part = { found: [], words: 0 };
  for (const { 0: match, index } of text.matchAll(token)) {
    if (part.words === wordsTogether) {
      edits.push(...foldPart(part));
      part = { found: [], words: 0 };
    }
    const word = match.length > 1 ? match.replace(/!+$/, "") : match;
    const isNumber = !/\p{L}/u.test(word);
    if (!isNumber) part.words++;
    if (!hasSign.test(word) || (isNumber && word.length > numberLengthMax)) continue;
    part.found.push({ word, start: index, folded: fold(word), isNumber });
  }
  edits.push(...foldPart(part));
  return peeled("leet", edits);
};
