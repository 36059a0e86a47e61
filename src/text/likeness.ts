/**
 * How much a text looks like language: the log-likelihood of its letters, three
 * at a time, in a mixture of the languages that the model's vocabulary holds,
 * against letters drawn at random. Only Latin letters count, without case and
 * accents; text in other scripts scores nothing.
 */
import { pieces } from "./pieces.data.ts";

/** Letters are 1 to 26, what separates words is 0. */
export const alphabetLength = 27;

/** Letter of each UTF-16 code unit. */
export const letterOf = new Uint8Array(0x10000);
const codeOfA = 0x61;
for (let unit = 0x41; unit < 0x1f00; unit++) {
  const [base = ""] = String.fromCharCode(unit).normalize("NFD").toLowerCase();
  if (base >= "a" && base <= "z") letterOf[unit] = base.charCodeAt(0) - codeOfA + 1;
}
/** Letters of Latin alphabets that Unicode does not take apart. */
for (const [letter = "", base = ""] of ["łl", "Łl", "øo", "Øo", "đd", "Đd", "ıi"].map((pair) =>
  pair.split(""),
)) {
  letterOf[letter.charCodeAt(0)] = base.charCodeAt(0) - codeOfA + 1;
}

/** Weight of the less specific estimate, as a share of all letters: about that of one rare piece. */
const smoothing = 2e-5;
/** Letters that no piece holds in a place are not impossible there. */
const uniformShare = 0.1;

/** Natural logarithm of how much likelier `c` is after `a` and `b` than at random, at [(a * 27 + b) * 27 + c]. */
const trigrams = buildTrigrams();

function buildTrigrams(): Float32Array {
  const size = alphabetLength;
  const three = new Float64Array(size ** 3);
  const two = new Float64Array(size ** 2);
  const one = new Float64Array(size);
  for (const line of pieces.split("\n")) {
    const [score, ...names] = line.split(" ");
    const weight = Math.exp(Number(score));
    for (const name of names) {
      let a = 0;
      let b = 0;
      // Without the beginning of the word the first two letters have no known neighbours.
      let known = name.startsWith("_") ? 2 : 0;
      for (let at = known === 2 ? 1 : 0; at < name.length; at++) {
        const c = letterOf[name.charCodeAt(at)] as number;
        if (known === 2) {
          three[(a * size + b) * size + c] = (three[(a * size + b) * size + c] as number) + weight;
          two[b * size + c] = (two[b * size + c] as number) + weight;
          one[c] = (one[c] as number) + weight;
        } else known++;
        a = b;
        b = c;
      }
    }
  }
  const sum = (values: Float64Array, from: number) =>
    values.subarray(from, from + size).reduce((total, value) => total + value, 0);
  const all = sum(one, 0);
  const table = new Float32Array(size ** 3);
  const letters = size - 1;
  for (let b = 0; b < size; b++) {
    const totalTwo = sum(two, b * size);
    const share = new Float64Array(size);
    for (let c = 1; c < size; c++) {
      const uni = (1 - uniformShare) * ((one[c] as number) / all) + uniformShare / letters;
      const weight = smoothing * 10;
      share[c] = ((two[b * size + c] as number) + weight * uni) / (totalTwo + weight);
    }
    for (let a = 0; a < size; a++) {
      const from = (a * size + b) * size;
      const total = sum(three, from);
      for (let c = 1; c < size; c++) {
        const seen = three[from + c] as number;
        const likelihood = (seen + smoothing * (share[c] as number)) / (total + smoothing);
        table[from + c] = Math.log(likelihood * letters);
      }
    }
  }
  return table;
}

/** Natural logarithm of how much likelier the letter `c` is after `a` and `b` than a random one; 0 for no letter. */
export function likelihood(a: number, b: number, c: number): number {
  return trigrams[(a * alphabetLength + b) * alphabetLength + c] as number;
}

export interface Likeness {
  /** Latin letters. */
  readonly letters: number;
  /** Sum over them; text in any common language has about 0.8 a letter, random letters -1.8. */
  readonly score: number;
  /** Characters of other scripts. */
  readonly others: number;
}

/** Before it come Latin letters and signs; from the second to the third are punctuation and symbols. */
const [otherScriptsFrom, symbolsFrom, symbolsTo] = [0x370, 0x2000, 0x2e80];

export function isOtherScript(unit: number): boolean {
  return unit >= otherScriptsFrom && (unit < symbolsFrom || unit >= symbolsTo);
}

/** Linear in the text. */
export function likeness(text: string): Likeness {
  let [letters, score, others, a, b] = [0, 0, 0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const c = letterOf[unit] as number;
    if (c === 0) {
      a = 0;
      if (isOtherScript(unit)) others++;
    } else {
      letters++;
      score += likelihood(a, b, c);
      a = b;
    }
    b = c;
  }
  return { letters, score, others };
}

const lettersMin = 4;
const scoreMin = 0.2;

/** Whether a text reads as language by its Latin letters, or is mostly in other scripts, of which nothing is known. */
export function looksLikeLanguage(text: string): boolean {
  const { letters, score, others } = likeness(text);
  if (letters + others < lettersMin) return false;
  return others > letters || score >= letters * scoreMin;
}
