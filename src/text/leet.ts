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
const token = /(?<![\p{L}\p{N}@$!|+€£])[A-Za-z0-9@$!|+€£]{2,24}(?![\p{L}\p{N}@$|+€£])/gu;
const hasSubstitute = /[0-9@$!|+€£]/;
/** A sign between letters, or before or after two of them. */
const isPossible =
  /[A-Za-z][0-9@$!|+€£]{1,3}[A-Za-z]|[0-9@$!|+€£][A-Za-z]{2}|[A-Za-z]{2}[0-9@$|+€£]/;
const beamWidth = 4;
/** Likelihood a letter from which a word is one, and from which it is surely one. */
const scoreMin = 0;
const sureScoreMin = 0.3;
/** Words that are surely meant so, and their share of all, from which a text is. */
const sureWordsMin = 2;
const sureShareMin = 0.1;

interface Candidate {
  readonly text: string;
  readonly score: number;
  readonly a: number;
  readonly b: number;
}

/** The likeliest word that a token stands for, and its likelihood a letter. */
function fold(word: string): { text: string; score: number } {
  let beam: Candidate[] = [{ text: "", score: 0, a: 0, b: 0 }];
  for (const sign of word) {
    const options = substitutes.get(sign) ?? sign;
    const longer: Candidate[] = [];
    for (const { text, score, a, b } of beam) {
      for (const option of options) {
        const c = letterOf[option.charCodeAt(0)] as number;
        longer.push({ text: text + option, score: score + likelihood(a, b, c), a: b, b: c });
      }
    }
    beam = longer.sort((one, other) => other.score - one.score).slice(0, beamWidth);
  }
  const [best] = beam as [Candidate];
  return { text: best.text, score: best.score / word.length };
}

/** Whether nobody writes a word so who means the digits: not `mp3`, `4th`, `h264` or `covid19`. */
function isSure(word: string, score: number): boolean {
  const inside = word.replace(/^[0-9]+|[0-9!]+$/g, "");
  const signs = word.match(/[0-9@$!|+€£]/g)?.length ?? 0;
  return (
    score >= sureScoreMin &&
    word.length >= 4 &&
    hasSubstitute.test(inside) &&
    signs * 2 <= word.length + 1
  );
}

/** Tokens of letters and look-alike signs as words, in texts where that is the rule. */
export const leet: Layer = (text, effort) => {
  if (!isPossible.test(text)) return undefined;
  effort.visited += text.length * beamWidth;
  const edits: Edit[] = [];
  let [words, sure] = [0, 0];
  for (const { 0: match, index } of text.matchAll(token)) {
    words++;
    const word = match.replace(/!+$/, "");
    if (!hasSubstitute.test(word)) continue;
    const isNumber = !/[A-Za-z]/.test(word);
    if (isNumber && word.length > 3) continue;
    const folded = fold(word);
    if (folded.score < (isNumber ? sureScoreMin : scoreMin)) continue;
    if (!isNumber && isSure(word, folded.score)) sure++;
    edits.push({
      start: index,
      end: index + word.length,
      replacement: folded.text,
      unitByUnit: true,
    });
  }
  return sure < sureWordsMin || sure < words * sureShareMin ? undefined : peeled("leet", edits);
};
