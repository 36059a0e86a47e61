/**
 * The readings of a text: what a model might make of it that a person does not
 * see. Each is made only where a cheap test says that it differs from the text
 * as it was sent, and each can be mapped back to that text.
 *
 * A disguise is taken off in layers: what one layer made is given to the next,
 * and twice through the row, so that any two in any order come off. Layers change
 * what they find in its place, so that a text has one reading a layer, however
 * much is hidden in it. What reads as language without its disguise is judged by
 * what it says: the model is not asked about the disguise, which would make an
 * honest text in base64 an attack.
 */
import { backwardLines, backwardWords, ciphers } from "./cipher.ts";
import { encodings } from "./decode.ts";
import { applyEdits, compose, type Edit, type MappedText, unchanged } from "./edits.ts";
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
  /** Those of them that no other says in plain: what the model is asked about. */
  readonly forModel: readonly Reading[];
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

type Hider = (text: string) => MappedText | undefined;

/** What shows nothing may spell something. */
const hiders: readonly [name: ReadingName, find: Hider][] = [
  ["tags", tagText],
  ["bits", bitText],
  ["bits", selectorText],
];
/** Hidden texts in hidden texts that are looked for. */
const hidingDepthMax = 2;

/** After the encodings: what letters are drawn as, where they stand, what they stand for. */
const disguises: readonly Layer[] = [
  buried,
  upsideDown,
  lookAlikes,
  joined,
  restlessCase,
  leet,
  backwardLines,
  backwardWords,
  ciphers,
  takenApart,
];
/**
 * What these find may as well be meant as it stands, or as the next layer reads
 * it: they say one more reading of a text and no better one.
 */
const doubtful: readonly Layer[] = [backwardLines, backwardWords];

class Collector {
  readonly readings: Reading[];
  readonly effort: Effort = { visited: 0 };
  budgetExceeded = false;
  readonly #superseded = new Set<Reading>();
  #hidingDepth = 0;
  #lengthLeft: number;

  constructor(text: string) {
    this.readings = [{ name: "raw", ...unchanged(text) }];
    this.#lengthLeft = growthMax * text.length + growthSlack;
  }

  get forModel(): Reading[] {
    return this.readings.filter((reading) => !this.#superseded.has(reading));
  }

  /**
   * Keeps a reading, unless it is known or the budget is spent.
   *
   * @param disguised the reading that this one says in plain
   * @returns the reading of this text; undefined where there is none
   */
  add(name: ReadingName, view: MappedText, disguised?: Reading): Reading | undefined {
    const { text } = view;
    if (text.trim() === "") return undefined;
    let kept = this.readings.find((reading) => reading.text === text);
    if (kept === undefined) {
      if (this.readings.length === readingsMax || text.length > this.#lengthLeft) {
        this.budgetExceeded = true;
        return undefined;
      }
      this.#lengthLeft -= text.length;
      kept = { name, ...view };
      this.readings.push(kept);
    }
    if (disguised !== undefined && disguised !== kept) {
      this.#superseded.add(disguised);
      this.#superseded.delete(kept);
    }
    return kept;
  }

  /** The text as it is seen; what it hides is read by itself. */
  show(view: MappedText): MappedText {
    this.effort.visited += view.text.length;
    if (hasInvisible.test(view.text) && this.#hidingDepth < hidingDepthMax) {
      this.#hidingDepth++;
      for (const [name, find] of hiders) this.addHidden(name, view, find);
      this.#hidingDepth--;
    }
    return compose(view, visible(view.text));
  }

  /** Adds what a text hides, and peels it. */
  addHidden(name: ReadingName, view: MappedText, find: Hider): void {
    this.effort.visited += view.text.length;
    const found = find(view.text);
    if (found === undefined) return;
    const hidden = compose(view, found);
    this.peel(hidden, this.add(name, hidden));
  }

  #apply(layer: Layer, view: MappedText): Peeled | undefined {
    this.effort.visited += view.text.length;
    return layer(view.text, this.effort);
  }

  /** Encodings one inside the other; undefined where there is none. */
  #decode(view: MappedText): Plain | undefined {
    let found: Plain | undefined;
    for (let nesting = 0; nesting < nestingMax; nesting++) {
      const before = found;
      for (const encoding of encodings) {
        const current = found?.view ?? view;
        const peeled = this.#apply(encoding, current);
        if (peeled === undefined) continue;
        const { name, view: decoded } = without(current, peeled);
        found = { name, view: this.show(decoded) };
      }
      if (found === before) break;
    }
    return found;
  }

  /**
   * Takes off all layers of a text. An encoding is no matter of opinion; what is no
   * language after another layer is not kept, but given to the next all the same.
   *
   * @param reading the text as a reading, where it is one
   * @returns what is left without them
   */
  peel(view: MappedText, reading: Reading | undefined, rounds = roundsMax): MappedText {
    let current = view;
    let last = reading;
    const take = ({ name, view: plain }: Plain, isCertain: boolean) => {
      this.effort.visited += plain.text.length;
      if (isCertain || looksLikeLanguage(plain.text)) last = this.add(name, plain, last) ?? last;
      current = plain;
    };
    for (let left = rounds; left > 0; left--) {
      const before = current.text;
      const decoded = this.#decode(current);
      if (decoded !== undefined) take(decoded, true);
      for (const layer of disguises) {
        const peeled = this.#apply(layer, current);
        if (peeled === undefined) continue;
        const plain = without(current, peeled);
        if (!doubtful.includes(layer)) take(plain, false);
        else this.peel(plain.view, this.add(plain.name, plain.view), left - 1);
      }
      if (current.text === before) break;
    }
    return current;
  }
}

/** A text that a layer was taken off. */
interface Plain {
  readonly name: ReadingName;
  readonly view: MappedText;
}

function without(view: MappedText, { name, edits }: Peeled): Plain {
  return { name, view: compose(view, applyEdits(view.text, edits)) };
}

/**
 * All readings of a text.
 *
 * @param text well-formed UTF-16
 */
export function readings(text: string): Readings {
  const collector = new Collector(text);
  const [raw] = collector.readings;
  const shown = collector.show(unchanged(text));
  const isOther = shown.text !== text && lettersOf(shown.text) !== lettersOf(text);
  const plain = collector.peel(shown, isOther ? collector.add("visible", shown, raw) : raw);
  collector.addHidden("markup", shown, hiddenMarkup);
  if (plain !== shown) collector.addHidden("markup", plain, hiddenMarkup);
  const { readings: found, forModel, budgetExceeded, effort } = collector;
  return { readings: found, forModel, budgetExceeded, visited: effort.visited };
}
