/**
 * Prompts with the lengths of chat traffic and no words of anybody: the length
 * histogram below, filled with words from the model's vocabulary.
 */
import { readFileSync } from "node:fs";

/**
 * Tokens of prompts that people typed to assistants, special tokens included,
 * capped at 128: 2,131 public prompts counted with this model's tokenizer. Mean 37.
 */
export const chatLengths = [
  { from: 3, to: 8, share: 0.034 },
  { from: 9, to: 12, share: 0.133 },
  { from: 13, to: 16, share: 0.165 },
  { from: 17, to: 24, share: 0.224 },
  { from: 25, to: 32, share: 0.123 },
  { from: 33, to: 48, share: 0.109 },
  { from: 49, to: 64, share: 0.047 },
  { from: 65, to: 96, share: 0.058 },
  { from: 97, to: 127, share: 0.028 },
  { from: 128, to: 128, share: 0.079 },
] as const;

/** Small, seeded and good enough for traffic (mulberry32, public domain by Tommy Ettinger). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Plain words that are one token each: pieces that begin a word, Latin letters only. */
function wordsOf(tokenizerJson: string): string[] {
  const { model } = JSON.parse(readFileSync(tokenizerJson, "utf8")) as {
    model: { vocab: [string, number][] };
  };
  return model.vocab
    .map(([piece]) => piece)
    .filter((piece) => /^▁[a-z]{3,}$/.test(piece))
    .map((piece) => piece.slice(1));
}

/** An endless supply of texts, no two alike. @param lengthOf tokens of the next one, the two special ones included */
export function chatTexts(
  modelFolder: string,
  seed: number,
  lengthOf: (random: () => number) => number,
): () => string {
  const words = wordsOf(`${modelFolder}/tokenizer.json`);
  const random = randomFrom(seed);
  return () => {
    const count = Math.max(1, lengthOf(random) - 2);
    return Array.from({ length: count }, () => words[Math.floor(random() * words.length)]).join(
      " ",
    );
  };
}

/** @returns tokens of a prompt of chat traffic */
function chatLength(random: () => number): number {
  let left = random() * chatLengths.reduce((sum, { share }) => sum + share, 0);
  for (const { from, to, share } of chatLengths) {
    if (left < share) return from + Math.floor(random() * (to - from + 1));
    left -= share;
  }
  return chatLengths[0].from;
}

/** An endless supply of prompts with the lengths of chat traffic. */
export function chatPrompts(modelFolder: string, seed: number): () => string {
  return chatTexts(modelFolder, seed, chatLength);
}

/** Code units a token of English prose. */
const unitsPerToken = 4;

/**
 * Request bodies of texts that mean something, one in a hundred an attack, each cut
 * after a word to a length of chat traffic. A text may come twice, cut elsewhere.
 */
export function trafficBodies(
  honest: readonly string[],
  attacks: readonly string[],
  seed: number,
): () => string {
  const random = randomFrom(seed);
  return () => {
    const texts = random() < 0.01 ? attacks : honest;
    const units = chatLength(random) * unitsPerToken;
    let text = "";
    // Most are long enough; of those that are not the last one drawn is taken whole.
    for (let drawn = 0; drawn < 20 && text.length < units; drawn++) {
      text = texts[Math.floor(random() * texts.length)] as string;
    }
    const cut = text.slice(0, units);
    const end = text.length > units ? cut.lastIndexOf(" ") : -1;
    return JSON.stringify({ text: (end > 0 ? cut.slice(0, end) : cut).toWellFormed() });
  };
}

/**
 * Request bodies of unique prompts, of which a share is asked again.
 *
 * @param repeats share of requests that repeat one of the last 500 prompts
 */
export function chatBodies(modelFolder: string, seed: number, repeats: number): () => string {
  const fresh = chatPrompts(modelFolder, seed);
  const random = randomFrom(seed + 1);
  const recent: string[] = [];
  return () => {
    if (recent.length > 0 && random() < repeats) {
      return recent[Math.floor(random() * recent.length)] as string;
    }
    const body = JSON.stringify({ text: fresh() });
    recent.push(body);
    if (recent.length > 500) recent.shift();
    return body;
  };
}
