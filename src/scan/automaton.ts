/**
 * Matching many phrases in one pass over a text's words: the patterns are one
 * automaton whose edges are words, walked from each word of the text that can
 * begin a phrase. Alternatives meet again in one node, so the automaton is as
 * large as the patterns are long, not as their combinations are many. All nodes
 * that a walk can stand on move one word together: a walk costs at most the
 * nodes within the longest pattern's length, and the pass is linear in the text.
 *
 * A pattern is a row of elements: `word`, `one|other`, `[optional|words]`, and
 * `*3` for up to three words of any kind.
 */
import { phraseWords, type Word } from "../text/words.ts";

export interface Phrase {
  readonly pattern: string;
}

export interface PhraseHit<P extends Phrase> {
  readonly phrase: P;
  /** Index of the first word, and of the word after the last. */
  readonly from: number;
  readonly to: number;
}

interface Node<P> {
  readonly next: Map<string, Node<P>[]>;
  /** Reached by any word at all. */
  readonly any: Node<P>[];
  readonly ends: P[];
}

export interface PhraseMatcher<P extends Phrase> {
  /** Nodes of the automaton: linear in the patterns' length. */
  readonly nodes: number;
  /**
   * Calls `found` with the longest hit of each phrase at each place, places ascending.
   * Returns the steps taken: nodes left behind, over all walks.
   */
  match(text: readonly Word[], found: (hit: PhraseHit<P>) => void): number;
}

export function elementsOf(pattern: string): string[] {
  return pattern.match(/\[[^\]]*\]|\S+/g) ?? [];
}

/** Compiles phrases. In an alternative `_` stands for a space: `do|do_not`. */
export function compilePhrases<P extends Phrase>(phrases: readonly P[]): PhraseMatcher<P> {
  let nodes = 0;
  const newNode = (): Node<P> => {
    nodes++;
    return { next: new Map(), any: [], ends: [] };
  };
  const connect = (from: Node<P>, word: string, to: Node<P>): void => {
    const known = from.next.get(word);
    if (known === undefined) from.next.set(word, [to]);
    else if (!known.includes(to)) known.push(to);
  };

  /** The nodes reached from `standing` by a gap of up to `length` words. */
  const throughGap = (standing: readonly Node<P>[], length: number): Node<P>[] => {
    const reached = [...standing];
    let before = standing;
    for (let depth = 0; depth < length; depth++) {
      const node = newNode();
      for (const from of before) from.any.push(node);
      reached.push(node);
      before = [node];
    }
    return reached;
  };

  /** The nodes reached from `standing` by one of some alternatives, all but their last words in nodes of their own. */
  const throughWords = (standing: readonly Node<P>[], alternatives: string[]): Node<P> => {
    const meeting = newNode();
    for (const alternative of alternatives) {
      const row = phraseWords(alternative.replaceAll("_", " "));
      let before = standing;
      for (const [index, word] of row.entries()) {
        const to = index === row.length - 1 ? meeting : newNode();
        for (const from of before) connect(from, word, to);
        before = [to];
      }
    }
    return meeting;
  };

  const root = newNode();
  for (const phrase of phrases) {
    let standing: readonly Node<P>[] = [root];
    for (const element of elementsOf(phrase.pattern)) {
      const gap = /^\*(\d)$/.exec(element);
      const optional = element.startsWith("[");
      if (gap !== null) standing = throughGap(standing, Number(gap[1]));
      else {
        const alternatives = (optional ? element.slice(1, -1) : element).split("|");
        const meeting = throughWords(standing, alternatives);
        standing = optional ? [...standing, meeting] : [meeting];
      }
    }
    for (const node of standing) node.ends.push(phrase);
  }

  const match = (text: readonly Word[], found: (hit: PhraseHit<P>) => void): number => {
    let steps = 0;
    for (let from = 0; from < text.length; from++) {
      let standing = root.next.get((text[from] as Word).word);
      if (standing === undefined) continue;
      const longest = new Map<P, number>();
      for (let to = from + 1; standing.length > 0; to++) {
        const word = text[to]?.word;
        const reached = new Set<Node<P>>();
        for (const node of standing) {
          steps++;
          for (const phrase of node.ends) longest.set(phrase, to);
          if (word === undefined) continue;
          for (const next of node.any) reached.add(next);
          for (const next of node.next.get(word) ?? []) reached.add(next);
        }
        standing = [...reached];
      }
      for (const [phrase, to] of longest) found({ phrase, from, to });
    }
    return steps;
  };
  return { nodes, match };
}
