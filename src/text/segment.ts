/**
 * Words in a row of letters without spaces: the likeliest row of the pieces that
 * the model's tokenizer knows (Viterbi over a unigram model), each of which
 * either begins a word or goes on with one.
 */
import { alphabetLength, letterOf } from "./likeness.ts";
import { pieces } from "./pieces.data.ts";

/** In steps of a tenth; 0 where no piece ends. Of pieces that begin a word, and of those that go on. */
interface Trie {
  readonly next: Uint16Array;
  readonly begins: Uint8Array;
  readonly goesOn: Uint8Array;
}

/** A piece that goes on costs this much more: what is split too finely is still read, what is not split is not. */
const goesOnCost = 4;
/** Pieces are longer only where nobody runs words together. */
const pieceLengthMax = 16;
/** Steps that a letter takes at most. */
export const stepsMax = pieceLengthMax;
/** A letter that no piece holds in its place. */
const unknownCost = 20;
/** Letters looked at together; a longer row is cut, at worst in the middle of a word. */
const blockLength = 1024;

let trie: Trie | undefined;

function buildTrie(): Trie {
  const nodesMax = 0xffff;
  const next = new Uint16Array(nodesMax * alphabetLength);
  const begins = new Uint8Array(nodesMax);
  const goesOn = new Uint8Array(nodesMax);
  let nodes = 1;
  for (const line of pieces.split("\n")) {
    const [score, ...names] = line.split(" ");
    const cost = Math.max(1, Math.round(-10 * Number(score)));
    for (const name of names) {
      const from = name.startsWith("_") ? 1 : 0;
      if (name.length - from > pieceLengthMax) continue;
      let node = 0;
      for (let at = from; at < name.length; at++) {
        const edge = node * alphabetLength + (letterOf[name.charCodeAt(at)] as number);
        if (next[edge] === 0) {
          if (nodes === nodesMax) throw new Error(`Expected at most ${nodesMax} nodes of pieces`);
          next[edge] = nodes++;
        }
        node = next[edge] as number;
      }
      (from === 1 ? begins : goesOn)[node] = Math.min(cost, 255);
    }
  }
  return {
    next: next.slice(0, nodes * alphabetLength),
    begins: begins.slice(0, nodes),
    goesOn: goesOn.slice(0, nodes),
  };
}

export interface Segmentation {
  /** Offsets at which a word begins, without the first. */
  readonly starts: number[];
  /** Natural logarithm of the likelihood a letter. */
  readonly score: number;
}

/**
 * Finds the words in a row of Latin letters. Takes at most 16 steps a letter.
 *
 * @param letters a text of Latin letters alone
 */
export function segment(letters: string): Segmentation {
  const starts: number[] = [];
  let cost = 0;
  for (let from = 0; from < letters.length; from += blockLength) {
    const block = letters.slice(from, from + blockLength);
    const found = segmentBlock(block);
    cost += found.cost;
    if (from > 0) starts.push(from);
    for (const start of found.starts) starts.push(from + start);
  }
  return { starts, score: -cost / Math.max(1, letters.length) };
}

function segmentBlock(letters: string): { starts: number[]; cost: number } {
  trie ??= buildTrie();
  const { next, begins, goesOn } = trie;
  const length = letters.length;
  const best = new Float64Array(length + 1).fill(Number.POSITIVE_INFINITY);
  /** Where the last piece of the best row began; negative where it goes on with a word. */
  const before = new Int32Array(length + 1);
  best[0] = 0;
  const offer = (end: number, cost: number, start: number) => {
    if (cost >= (best[end] as number)) return;
    best[end] = cost;
    before[end] = start;
  };
  for (let from = 0; from < length; from++) {
    const cost = best[from] as number;
    let node = 0;
    for (let at = from; at < Math.min(length, from + pieceLengthMax); at++) {
      const edge = node * alphabetLength + (letterOf[letters.charCodeAt(at)] as number);
      node = next[edge] as number;
      if (node === 0) break;
      const [begin, goOn] = [begins[node] as number, goesOn[node] as number];
      if (begin > 0) offer(at + 1, cost + begin / 10, from);
      if (goOn > 0 && from > 0) offer(at + 1, cost + goOn / 10 + goesOnCost, -from);
    }
    offer(from + 1, cost + unknownCost, -from);
  }
  const starts: number[] = [];
  for (let end = length; end > 0; ) {
    const start = before[end] as number;
    if (start > 0) starts.push(start);
    end = Math.abs(start);
  }
  return { starts: starts.reverse(), cost: best[length] as number };
}
