/**
 * The readings of a text: what a model might make of it that a person does not
 * see. Each is made only where a cheap test says that it differs from the text
 * as it was sent, and each can be mapped back to that text.
 *
 * A disguise is taken off in layers: what one layer made is given to the next,
 * and twice through the row, so that any two in any order come off. Layers change
 * what they find in its place, so that a text has one reading a layer, however
 * much is hidden in it.
 */
import { backwardWords, ciphers } from "./cipher.ts";
import { encodings } from "./decode.ts";
import {
  applyEdits,
  aroundChanges,
  compose,
  type Edit,
  type MappedText,
  unchanged,
} from "./edits.ts";
import { bitText, selectorText, tagText } from "./hidden.ts";
import type { Effort, Layer, Peeled, ReadingName } from "./layer.ts";
import { leet } from "./leet.ts";
import { buried, lookAlikes, restlessCase, upsideDown } from "./letters.ts";
import { looksLikeLanguage } from "./likeness.ts";
import { hiddenMarkup } from "./markup.ts";
import { normalise } from "./normalise.ts";
import { joined, takenApart } from "./spacing.ts";

export { flagTags } from "./hidden.ts";
export type { ReadingName } from "./layer.ts";

export interface Reading extends MappedText {
  readonly name: ReadingName;
}

export interface Readings {
  /** The text as it was sent comes first. */
  readonly readings: readonly Reading[];
  /** True where more readings were possible than the budget allows. */
  readonly budgetExceeded: boolean;
  /** Characters that were looked at: at most a fixed number for each of the text. */
  readonly visited: number;
}

const readingsMax = 8;
/** All readings together are at most this many times the text, and this many UTF-16 code units more. */
const growthMax = 6;
const growthSlack = 4096;
/** Times through the row of layers. */
const roundsMax = 2;
/** Encodings in one another that are undone in one round. */
const nestingMax = 3;

/** Characters that show nothing: zero-width, bidi controls, variation selectors, tags, fillers, annotations. */
const invisible = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]+/gu;
const hasInvisible = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;

/** The text without what shows nothing, in compatibility form. */
function visible(text: string): MappedText {
  if (!hasInvisible.test(text)) return normalise(text);
  const edits: Edit[] = [];
  for (const { 0: run, index } of text.matchAll(invisible)) {
    edits.push({ start: index, end: index + run.length, replacement: "" });
  }
  const stripped = applyEdits(text, edits);
  return compose(stripped, normalise(stripped.text));
}

/** What is left when everything but letters and digits is a gap: a reading that changes only dots, spaces or emoji says nothing new. */
function lettersOf(text: string): string {
  return text.replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}

/** After the encodings: what letters are drawn as, where they stand, what they stand for. */
const disguises: readonly Layer[] = [
  buried,
  upsideDown,
  lookAlikes,
  joined,
  restlessCase,
  leet,
  ciphers,
  takenApart,
];

class Collector {
  readonly readings: Reading[];
  readonly effort: Effort = { visited: 0 };
  budgetExceeded = false;
  #lengthLeft: number;

  constructor(text: string) {
    this.readings = [{ name: "raw", ...unchanged(text) }];
    this.#lengthLeft = growthMax * text.length + growthSlack;
  }

  add(name: ReadingName, view: MappedText): void {
    const { text } = view;
    if (text.trim() === "" || this.readings.some((reading) => reading.text === text)) return;
    if (this.readings.length === readingsMax || text.length > this.#lengthLeft) {
      this.budgetExceeded = true;
      return;
    }
    this.#lengthLeft -= text.length;
    this.readings.push({ name, ...view });
  }

  /** Adds what a layer found as a reading, if it reads as language, and returns the whole text without it. */
  #take(view: MappedText, { name, edits }: Peeled): MappedText {
    const around = aroundChanges(edits, view.text.length);
    const reading = compose(view, applyEdits(view.text, around));
    this.effort.visited += reading.text.length;
    if (looksLikeLanguage(reading.text)) this.add(name, reading);
    if (around.length === edits.length) return reading;
    return compose(view, applyEdits(view.text, edits));
  }

  #apply(layer: Layer, view: MappedText): Peeled | undefined {
    return layer(view.text, this.effort);
  }

  /** Encodings one inside the other; only what is innermost is a reading. */
  #decode(view: MappedText): MappedText {
    let current = view;
    let last: { view: MappedText; found: Peeled } | undefined;
    for (let nesting = 0; nesting < nestingMax; nesting++) {
      let isChanged = false;
      for (const encoding of encodings) {
        this.effort.visited += current.text.length;
        const found = this.#apply(encoding, current);
        if (found === undefined) continue;
        last = { view: current, found };
        current = compose(current, applyEdits(current.text, found.edits));
        isChanged = true;
      }
      if (!isChanged) break;
    }
    return last === undefined ? view : this.#take(last.view, last.found);
  }

  /** Takes off all layers of a text, and of what is hidden in the result. */
  peel(view: MappedText): MappedText {
    let current = view;
    for (let round = 0; round < roundsMax; round++) {
      const before = current.text;
      current = this.#decode(current);
      for (const layer of disguises) {
        const found = this.#apply(layer, current);
        if (found === undefined) continue;
        // Backwards words may be meant in their order or the other way round.
        const words = layer === ciphers ? this.#apply(backwardWords, current) : undefined;
        if (words !== undefined) this.#take(current, words);
        current = this.#take(current, found);
      }
      if (current.text === before) break;
    }
    return current;
  }
}

/** What is hidden in a text beside what it shows. */
const hiders: readonly [name: ReadingName, find: (text: string) => MappedText | undefined][] = [
  ["tags", tagText],
  ["bits", bitText],
  ["bits", selectorText],
];

/**
 * All readings of a text.
 *
 * @param text well-formed UTF-16
 */
export function readings(text: string): Readings {
  const collector = new Collector(text);
  const { effort } = collector;
  const shown = visible(text);
  effort.visited += text.length + shown.text.length;
  if (shown.text !== text && lettersOf(shown.text) !== lettersOf(text)) {
    collector.add("visible", shown);
  }
  const addHidden = (name: ReadingName, view: MappedText, found: MappedText | undefined) => {
    effort.visited += view.text.length;
    if (found === undefined) return;
    const hidden = compose(view, found);
    collector.add(name, hidden);
    collector.peel(hidden);
  };
  const sent = unchanged(text);
  for (const [name, find] of hiders) addHidden(name, sent, find(text));
  const plain = collector.peel(shown);
  addHidden("markup", shown, hiddenMarkup(shown.text));
  if (plain !== shown) {
    for (const [name, find] of hiders) addHidden(name, plain, find(plain.text));
    addHidden("markup", plain, hiddenMarkup(plain.text));
  }
  const { readings: found, budgetExceeded } = collector;
  return { readings: found, budgetExceeded, visited: effort.visited };
}
