/**
 * Parts of a text whose letters are shifted (rot13 and the other Caesar shifts),
 * mirrored (atbash) or written backwards. Nothing marks such a part but that it
 * looks like no language and that, undone, it does.
 */
import type { Edit } from "./edits.ts";
import { type Effort, type Layer, peeled } from "./layer.ts";
import { alphabetLength, isOtherScript, letterOf, likelihood, likeness } from "./likeness.ts";

/** Digits that may stand for letters, so that leetspeak in a cipher still counts as letters. */
const digitLetters = "oi\0eas\0t";

/** A word with a larger share of digits is a number or an identifier. */
const digitShareMax = 0.5;

/** A letter below this is unlike language: language has 0.8 on average, backwards -0.4, rot13 -1.8. */
const languageScore = 0.25;
/** Sum of what is missing, from which a part is looked at. */
const unlikeMin = 6;
/** A part ends where so much of that is made up for. */
const dropMax = 6;
/** So much of it may be made up for by words at its ends: a few words look alike in both forms. */
const edgeDropMax = 3;
/** What a part must have undone: letters, likelihood a letter, and gain in all. */
const lettersMin = 10;
/** And so many different ones: a row of one letter is another under any shift. */
const differentMin = 6;
const undoneScoreMin = 0.3;
const gainMin = 13;
/** Backwards, every word of a long text is a try. */
const backwardGainMin = 20;
/** And of what is backwards, on average a letter. */
const backwardGainShare = 0.6;
/** The rare ciphers are 25 times as many, so chance has 25 times as many tries. */
const rareGainMin = 22;
/** Letters of a part by which its cipher is chosen. */
const sampleLength = 256;

/** Digits have numbers of their own, so that a cipher may leave them as they are. */
const digitsFrom = alphabetLength;

/** What undoes a cipher: to which letter each letter goes, and then each digit's letter. */
const undoings: readonly Uint8Array[] = [
  undoing((letter) => letter),
  undoing((letter) => shifted(letter, 13)),
  // Leetspeak that was written over rot13, not under it.
  undoing(
    (letter) => shifted(letter, 13),
    (letter) => shifted(letter, 13),
  ),
  undoing((letter) => alphabetLength - letter),
  ...Array.from({ length: 25 }, (_, index) => index + 1)
    .filter((by) => by !== 13)
    .map((by) => undoing((letter) => shifted(letter, by))),
];
const frequentUndoings = 3;
const digitsToo = 2;

function shifted(letter: number, by: number): number {
  return ((letter - 1 + by) % 26) + 1;
}

function undoing(
  ofLetter: (letter: number) => number,
  ofDigit: (letter: number) => number = (letter) => letter,
): Uint8Array {
  const table = new Uint8Array(2 * alphabetLength);
  for (let letter = 1; letter < alphabetLength; letter++) {
    table[letter] = ofLetter(letter);
    table[digitsFrom + letter] = ofDigit(letter);
  }
  return table;
}

function letterOrDigit(unit: number): number {
  const digit = unit <= 0x39 ? digitLetters.charCodeAt(unit - 0x30) : 0;
  return digit > 0 ? digitsFrom + (letterOf[digit] as number) : (letterOf[unit] as number);
}

interface Part {
  readonly start: number;
  readonly end: number;
}

/** Collects parts from word to word in which a value is positive on the whole. One pass. */
class Parts {
  readonly found: Part[] = [];
  readonly #sumMin: number;
  #start = -1;
  #end = -1;
  #sum = 0;
  #peak = 0;

  constructor(sumMin: number) {
    this.#sumMin = sumMin;
  }

  add(start: number, end: number, value: number): void {
    if (this.#start === -1) this.#start = start;
    this.#sum += value;
    this.#peak = Math.max(this.#peak, this.#sum);
    if (this.#sum >= this.#peak - edgeDropMax) this.#end = end;
    if (this.#sum <= -edgeDropMax || this.#sum < this.#peak - dropMax) this.close();
  }

  close(): void {
    if (this.#peak >= this.#sumMin) this.found.push({ start: this.#start, end: this.#end });
    this.#start = -1;
    this.#sum = 0;
    this.#peak = 0;
  }
}

const asLetters = undoings[0] as Uint8Array;

/** Sum over a word's letters, from its first to its last or back. */
function wordScore(text: string, from: number, to: number, step: 1 | -1): number {
  let [a, b, score] = [0, 0, 0];
  for (let at = from; at !== to; at += step) {
    const c = asLetters[letterOrDigit(text.charCodeAt(at))] as number;
    score += likelihood(a, b, c);
    a = b;
    b = c;
  }
  return score;
}

/** Parts that look like no language, and parts that look more like it backwards. One pass. */
function suspiciousParts(text: string): { unlike: Part[]; backward: Part[] } {
  const unlike = new Parts(unlikeMin);
  const backward = new Parts(backwardGainMin);
  for (let at = 0; at < text.length; ) {
    const from = at;
    let digits = 0;
    let unit = 0;
    for (; at < text.length; at++) {
      unit = text.charCodeAt(at);
      if (letterOrDigit(unit) === 0) break;
      if (unit <= 0x39) digits++;
    }
    if (at === from) {
      at++;
      if (!isOtherScript(unit)) continue;
      unlike.close();
      backward.close();
    } else if (digits <= (at - from) * digitShareMax) {
      const score = wordScore(text, from, at, 1);
      unlike.add(from, at, (at - from) * languageScore - score);
      backward.add(from, at, wordScore(text, at - 1, from - 1, -1) - score);
    }
  }
  unlike.close();
  backward.close();
  return { unlike: unlike.found, backward: backward.found };
}

/** The first letters of a part as `undoings` number them, 0 between words. */
function sampleOf(text: string, { start, end }: Part): Uint8Array {
  const letters = new Uint8Array(Math.min(end - start, sampleLength));
  for (let at = 0; at < letters.length; at++) {
    letters[at] = letterOrDigit(text.charCodeAt(start + at));
  }
  return letters;
}

function lettersIn(letters: Uint8Array): number {
  return letters.reduce((sum, letter) => sum + (letter > 0 ? 1 : 0), 0);
}

function scoreOf(letters: Uint8Array, undo: Uint8Array, step: 1 | -1): number {
  let [a, b, score] = [0, 0, 0];
  for (let at = step === 1 ? 0 : letters.length - 1; at >= 0 && at < letters.length; at += step) {
    const c = undo[letters[at] as number] as number;
    if (c === 0) a = 0;
    else {
      score += likelihood(a, b, c);
      a = b;
    }
    b = c;
  }
  return score;
}

interface Undoing {
  readonly undo: number;
  readonly step: 1 | -1;
}

/** The undoing under which a part looks most like language, if it does. */
function bestUndoing(text: string, part: Part, effort: Effort): Undoing | undefined {
  const letters = sampleOf(text, part);
  const count = lettersIn(letters);
  if (count < lettersMin || new Set(letters).size < differentMin) return undefined;
  effort.visited += letters.length * undoings.length * 2;
  const before = scoreOf(letters, asLetters, 1);
  let best: Undoing | undefined;
  let highest = undoneScoreMin * count;
  // An identifier has digits, and some of the many rare ciphers make words of any.
  const hasDigits = letters.some((letter) => letter > digitsFrom);
  const tried = hasDigits ? undoings.slice(0, frequentUndoings) : undoings;
  for (const [undo, table] of tried.entries()) {
    for (const step of [1, -1] as const) {
      const score = scoreOf(letters, table, step);
      const gain = undo < frequentUndoings ? gainMin : rareGainMin;
      if (score < highest || score - before < gain) continue;
      highest = score;
      best = { undo, step };
    }
  }
  return best;
}

/** Whether a part is language once it is turned round. */
function isBackward(text: string, part: Part): boolean {
  const letters = sampleOf(text, part);
  const count = lettersIn(letters);
  if (new Set(letters).size < differentMin) return false;
  const score = scoreOf(letters, asLetters, -1);
  const gain = score - scoreOf(letters, asLetters, 1);
  return score >= undoneScoreMin * count && gain >= backwardGainShare * count;
}

/** Each part that some undoing makes language, with it. */
function undoable(text: string, effort: Effort): { part: Part; how: Undoing }[] {
  const { unlike, backward } = suspiciousParts(text);
  const turned = backward.filter((part) => isBackward(text, part));
  if (turned.length > 0) return turned.map((part) => ({ part, how: { undo: 0, step: -1 } }));
  const found: { part: Part; how: Undoing }[] = [];
  for (const part of unlike) {
    const how = bestUndoing(text, part, effort);
    if (how !== undefined) found.push({ part, how });
  }
  return found;
}

function undone(part: string, { undo }: Undoing): string {
  if (undo === 0) return part;
  const table = undoings[undo] as Uint8Array;
  const pattern = undo === digitsToo ? /[A-Za-z013457]/g : /[A-Za-z]/g;
  return part.replace(pattern, (letter) => {
    const code = letter.charCodeAt(0);
    if (code <= 0x39) return String.fromCharCode(0x60 + (table[letterOrDigit(code)] as number));
    return String.fromCharCode((code & 0x60) + (table[code & 0x1f] as number));
  });
}

const reverse = (text: string) => [...text].reverse().join("");

const sign = /[\p{P}\p{S}]/u;

/** From `at` on, past punctuation, as far as `limit` at most. */
function edgeOf(text: string, at: number, limit: number, step: 1 | -1): number {
  let edge = at;
  while (edge !== limit && sign.test(text[step === 1 ? edge : edge - 1] as string)) edge += step;
  return edge;
}

/** How a part that is backwards is turned: whole, or each word by itself. */
type Turn = "whole" | "words";

function cipher(turn: Turn): Layer {
  return (text, effort) => {
    const edits: Edit[] = [];
    let isReversed = false;
    for (const { part, how } of undoable(text, effort)) {
      const plain = undone(text.slice(part.start, part.end), how);
      if (how.step === 1) edits.push({ ...part, replacement: plain, unitByUnit: true });
      else {
        isReversed = true;
        if (turn === "words") {
          const replacement = plain.replace(/[\p{L}\p{M}\p{N}]+/gu, reverse);
          edits.push({ ...part, replacement });
        } else {
          // The full stop of a sentence that is turned round stands before it.
          const start = edgeOf(text, part.start, edits.at(-1)?.end ?? 0, -1);
          const end = edgeOf(text, part.end, text.length, 1);
          const [before, after] = [text.slice(start, part.start), text.slice(part.end, end)];
          edits.push({ start, end, replacement: reverse(before + plain + after) });
        }
      }
    }
    if (turn === "words" && !isReversed) return undefined;
    return peeled(isReversed ? "reversed" : "shifted", edits);
  };
}

/** Ciphers undone; what is backwards is turned as a whole. */
export const ciphers: Layer = cipher("whole");

/** The same where something is backwards, word by word: the words stand in their order. */
export const backwardWords: Layer = cipher("words");

/** The end of a sentence right before a letter at the beginning of a line, as only a line turned round has it. */
const turnedLine = /^[.!?\u3002\uff01\uff1f\u061f\u0964]+(?=[\p{L}\p{N}]).*$/gmu;

/** Lines in other scripts than Latin that end where they should begin. */
export const backwardLines: Layer = (text) => {
  const edits: Edit[] = [];
  for (const { 0: line, index } of text.matchAll(turnedLine)) {
    const { letters, others } = likeness(line);
    if (others <= letters) continue;
    edits.push({ start: index, end: index + line.length, replacement: reverse(line) });
  }
  return peeled("reversed", edits);
};
