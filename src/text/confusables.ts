/**
 * Characters that are drawn alike, by the table of Unicode Technical Standard 39.
 */
import { confusables } from "./confusables.data.ts";
import { streamSafe } from "./normalise.ts";

const prototypes = new Map<number, string>();
for (const line of confusables.split("\n")) {
  const [prototype = "", ...alike] = line.split(" ");
  const points = prototype.split("+").map((point) => Number.parseInt(point, 16));
  const characters = String.fromCodePoint(...points);
  for (const point of alike) prototypes.set(Number.parseInt(point, 16), characters);
}

/** What the table says a character is drawn like; undefined where it is drawn like nothing else. */
export function prototypeOf(point: number): string | undefined {
  return prototypes.get(point);
}

/** Canonical decomposition in linear time, whatever the text holds. */
const decompose = (text: string) => streamSafe(text).text.normalize("NFD");

/**
 * The skeleton of UTS 39: two texts with one skeleton look the same. It is for
 * comparing and not for reading (`m` becomes `rn`), and it keeps case. Time and
 * length are linear: no prototype has more than 18 characters, and runs of more
 * than 30 combining marks are broken by U+034F.
 */
export function skeleton(text: string): string {
  const shown = decompose(text.replace(/\p{Default_Ignorable_Code_Point}+/gu, ""));
  let result = "";
  for (const character of shown) {
    result += prototypes.get(character.codePointAt(0) as number) ?? character;
  }
  return decompose(result);
}
