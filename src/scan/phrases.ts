/**
 * Matching many phrases in one pass over a text's words: all patterns share one
 * trie whose edges are words, walked from each word of the text. The walk is as
 * deep as the longest pattern, so the pass is linear in the text.
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
  readonly next: Map<string, Node<P>>;
  any?: Node<P>;
  readonly ends: P[];
}

/** Steps taken at most from one word of the text: gaps make the walk branch. */
const stepsMax = 400;

function newNode<P>(): Node<P> {
  return { next: new Map(), ends: [] };
}

function child<P>(node: Node<P>, word: string): Node<P> {
  const existing = node.next.get(word);
  if (existing !== undefined) return existing;
  const created = newNode<P>();
  node.next.set(word, created);
  return created;
}

function elementsOf(pattern: string): string[] {
  return pattern.match(/\[[^\]]*\]|\S+/g) ?? [];
}

/** The nodes reached from `nodes` by an element; an optional one also stays. */
function extend<P>(nodes: ReadonlySet<Node<P>>, element: string): Set<Node<P>> {
  const gap = /^\*(\d)$/.exec(element);
  const optional = element.startsWith("[");
  const reached = new Set<Node<P>>(gap !== null || optional ? nodes : []);
  if (gap !== null) {
    let layer: Node<P>[] = [...nodes];
    for (let depth = 0; depth < Number(gap[1]); depth++) {
      layer = layer.map((node) => {
        node.any ??= newNode();
        return node.any;
      });
      for (const node of layer) reached.add(node);
    }
    return reached;
  }
  const alternatives = (optional ? element.slice(1, -1) : element).split("|");
  for (const node of nodes) {
    for (const alternative of alternatives) {
      reached.add(phraseWords(alternative.replaceAll("_", " ")).reduce(child, node));
    }
  }
  return reached;
}

/** Compiles phrases. In an alternative `_` stands for a space: `do|do_not`. */
export function compilePhrases<P extends Phrase>(phrases: readonly P[]) {
  const root = newNode<P>();
  for (const phrase of phrases) {
    let nodes = new Set([root]);
    for (const element of elementsOf(phrase.pattern)) nodes = extend(nodes, element);
    for (const node of nodes) node.ends.push(phrase);
  }

  /** Calls `found` for every phrase at every place, longest or not. */
  return (text: readonly Word[], found: (hit: PhraseHit<P>) => void): void => {
    for (let from = 0; from < text.length; from++) {
      const first = root.next.get((text[from] as Word).word);
      if (first === undefined) continue;
      const todo: [node: Node<P>, at: number][] = [[first, from + 1]];
      for (let steps = 0; todo.length > 0 && steps < stepsMax; steps++) {
        const [node, at] = todo.pop() as [Node<P>, number];
        for (const phrase of node.ends) found({ phrase, from, to: at });
        const word = text[at]?.word;
        if (word === undefined) continue;
        if (node.any !== undefined) todo.push([node.any, at + 1]);
        const next = node.next.get(word);
        if (next !== undefined) todo.push([next, at + 1]);
      }
    }
  };
}
