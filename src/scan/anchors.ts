/**
 * Many literal strings looked for in one pass: a table of all three-character
 * keys says at each position whether any anchor can be there, and only then is
 * one compared. The same pass finds long runs of the characters that keys and
 * tokens are made of. Both cost the same few instructions a character, however
 * many anchors there are.
 */

export interface Anchor {
  /** Three ASCII characters or more. */
  readonly text: string;
  readonly ignoreCase?: boolean;
}

export interface AnchorWalk {
  /**
   * Walks a text once.
   *
   * @param anchorAt told of each place of each anchor, by its index and offset, in order of the place of its key
   * @param runAt told of each run of letters, digits and `+/_-` of at least `runLengthMin` characters, [start, end)
   */
  walk(
    text: string,
    anchorAt: (anchor: number, at: number) => void,
    runAt: (start: number, end: number) => void,
  ): void;
}

const classBits = 6;
const keyMask = (1 << (3 * classBits)) - 1;
/** Letters of English by how often they occur: the rarer a key, the fewer comparisons. */
const byFrequency = "etaoinshrdlucmfwypvbgkjqxz";
const others = " !\"$%&'()*,.:;<=>?@[]^`{|}";
const runSymbols = "+/_-";

/** Class of each ASCII character, letters without their case; 0 is every other one. Runs hold the classes up to `runClassMax`. */
const classes = new Uint8Array(128);
for (const [index, character] of [
  ..."abcdefghijklmnopqrstuvwxyz0123456789",
  ...runSymbols,
].entries()) {
  classes[character.charCodeAt(0)] = index + 1;
  classes[character.toUpperCase().charCodeAt(0)] = index + 1;
}
const runClassMax = 36 + runSymbols.length;
for (const [index, character] of [...others].entries()) {
  // What does not fit shares the last class: a key that is met too often is only compared too often.
  classes[character.charCodeAt(0)] = Math.min(runClassMax + 1 + index, 2 ** classBits - 1);
}

function rarity(character: string): number {
  const place = byFrequency.indexOf(character.toLowerCase());
  if (place !== -1) return place;
  return /[0-9]/.test(character) ? 20 : 24;
}

function keyOf(text: string, at: number): number {
  let key = 0;
  for (let index = at; index < at + 3; index++) {
    key = (key << classBits) | (classes[text.charCodeAt(index)] as number);
  }
  return key;
}

/** Where the rarest three characters of an anchor begin. */
function rarestKeyAt(text: string): number {
  let best = 0;
  let bestRarity = -1;
  for (let at = 0; at + 3 <= text.length; at++) {
    const sum = [...text.slice(at, at + 3)].reduce((total, letter) => total + rarity(letter), 0);
    if (sum > bestRarity) [best, bestRarity] = [at, sum];
  }
  return best;
}

/** Compiles anchors. @throws where one is too short or not ASCII */
export function compileAnchors(anchors: readonly Anchor[], runLengthMin: number): AnchorWalk {
  const isKey = new Uint8Array(keyMask + 1);
  const byKey = new Map<number, { anchor: number; text: string; back: number; fold: boolean }[]>();
  for (const [anchor, { text, ignoreCase = false }] of anchors.entries()) {
    if (!/^[\x20-\x7e]{3,}$/.test(text)) {
      throw new Error(`Expected three ASCII characters or more for an anchor but received ${text}`);
    }
    const keyAt = rarestKeyAt(text);
    const key = keyOf(text, keyAt);
    isKey[key] = 1;
    const row = byKey.get(key) ?? [];
    row.push({
      anchor,
      text: ignoreCase ? text.toLowerCase() : text,
      back: keyAt + 2,
      fold: ignoreCase,
    });
    byKey.set(key, row);
  }
  return {
    walk(text, anchorAt, runAt) {
      let key = 0;
      let runStart = 0;
      for (let index = 0; index < text.length; index++) {
        const code = text.charCodeAt(index);
        const kind = code < 128 ? (classes[code] as number) : 0;
        key = ((key << classBits) | kind) & keyMask;
        if (isKey[key] === 1) {
          for (const { anchor, text: literal, back, fold } of byKey.get(key) ?? []) {
            const at = index - back;
            if (at < 0) continue;
            const found = fold
              ? text.slice(at, at + literal.length).toLowerCase() === literal
              : text.startsWith(literal, at);
            if (found) anchorAt(anchor, at);
          }
        }
        if (kind === 0 || kind > runClassMax) {
          if (index - runStart >= runLengthMin) runAt(runStart, index);
          runStart = index + 1;
        }
      }
      if (text.length - runStart >= runLengthMin) runAt(runStart, text.length);
    },
  };
}
