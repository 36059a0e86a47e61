/**
 * Letters that are drawn otherwise than they are meant, folded to plain ones:
 * look-alikes of other scripts, small capitals, squared and regional letters,
 * letters buried under marks, case that changes with every letter, and text that
 * stands on its head.
 */
import { confusables } from "./confusables.data.ts";
import type { Edit } from "./edits.ts";
import { isAscii, type Layer, peeled } from "./layer.ts";
import { looksLikeLanguage } from "./likeness.ts";

/** Letters that are drawn like ASCII ones but that Unicode's table leaves out. */
const drawnAlike: readonly [characters: string, letters: string][] = [
  ["ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz"],
  ["🅰🅱🅲🅳🅴🅵🅶🅷🅸🅹🅺🅻🅼🅽🅾🅿🆀🆁🆂🆃🆄🆅🆆🆇🆈🆉", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
  ["🅐🅑🅒🅓🅔🅕🅖🅗🅘🅙🅚🅛🅜🅝🅞🅟🅠🅡🅢🅣🅤🅥🅦🅧🅨🅩", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
  ["αβεηικνρτυχω", "abenikvptuxw"],
  ["Λλδσ∂∑ΞπФ", "AAdoaEEnO"],
  ["вкмнтгиьяпшд", "bkmhtrnbrnwd"],
  ["ВКМНТГИЬЯПШДЕ", "BKMHTRNBRNWDE"],
];

/** The plain letter of a look-alike. */
const plain = new Map<number, string>();
for (const line of confusables.split("\n")) {
  const [prototype = "", ...alike] = line.split(" ");
  const letters = prototype
    .split("+")
    .map((point) => String.fromCodePoint(Number.parseInt(point, 16)));
  // The table writes m as rn, in which two letters look like one.
  const letter = letters.join("") === "rn" ? "m" : letters.join("");
  if (!/^[A-Za-z]$/.test(letter)) continue;
  for (const hexadecimal of alike) {
    const point = Number.parseInt(hexadecimal, 16);
    const character = String.fromCodePoint(point);
    // l is also the prototype of I, which the look-alike's own case tells apart.
    const isUpper = /\p{Lu}/u.test(character);
    plain.set(point, letter === "l" && isUpper ? "I" : letter);
  }
}
for (const [characters, letters] of drawnAlike) {
  for (const [index, character] of [...characters].entries()) {
    const point = character.codePointAt(0) as number;
    if (!plain.has(point)) plain.set(point, letters[index] as string);
  }
}

/** Latin letters of alphabets: what a language writes is not a disguise. */
const ownLetter = /[\u00c0-\u024f\u1e00-\u1eff]/;
const word = /[\p{L}\p{M}\p{So}]+/gu;
const hasAscii = /[A-Za-z]/;
const hasCyrillic = /\p{Script=Cyrillic}/u;
const cyrillicLikeLatin = new Map([...zip("aceopxyABCEHKMOPTXk", "асеорхуАВСЕНКМОРТХк")]);

function* zip(from: string, to: string): Generator<[string, string]> {
  for (const [index, character] of [...from].entries()) yield [character, [...to][index] as string];
}

/** The words of a text that have letters of other scripts, by what they are. */
interface Foldable {
  /** They can be read as words of one alphabet. */
  readonly alike: Edit[];
  /** Those of them that mix scripts, which nothing but a disguise or a formula does. */
  readonly mixed: Edit[];
  /** How many cannot be read so. */
  readonly others: number;
}

/** Shorter ones are formulas. */
const wordLengthMin = 3;
/** Words of look-alikes alone are words of their own language, unless nearly all are such. */
const alikeMin = 2;
const alikeShareMin = 0.8;

/** The word in ASCII letters; undefined where a character of it is like none. */
function toLatin(characters: readonly string[]): string | undefined {
  let folded = "";
  for (const character of characters) {
    const letter = /[A-Za-z]/.test(character)
      ? character
      : plain.get(character.codePointAt(0) as number);
    if (letter !== undefined) folded += letter;
    else if (ownLetter.test(character)) folded += character;
    else return undefined;
  }
  return folded;
}

/** What a word of other or mixed scripts is meant as; undefined where it is a word of its script. */
function foldedWord(word: string): string | undefined {
  const characters = [...word];
  const latin = toLatin(characters);
  if (latin !== undefined || !hasAscii.test(word) || !hasCyrillic.test(word)) return latin;
  // The other way round: a few Latin letters in a Cyrillic word.
  const folded = characters.map((character) => cyrillicLikeLatin.get(character) ?? character);
  return folded.some((character) => hasAscii.test(character)) ? undefined : folded.join("");
}

function foldableWords(text: string): Foldable {
  const alike: Edit[] = [];
  const mixed: Edit[] = [];
  let others = 0;
  for (const { 0: match, index } of text.matchAll(word)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
    if (/^[\x00-\x7f\u00c0-\u024f\u1e00-\u1eff]*$/.test(match)) continue;
    const replacement = foldedWord(match);
    if (replacement === undefined) {
      others++;
      continue;
    }
    const edit = { start: index, end: index + match.length, replacement };
    alike.push(edit);
    if (match.length >= wordLengthMin && hasAscii.test(match)) mixed.push(edit);
  }
  return { alike, mixed, others };
}

/** Regional letters that stand by themselves; two of them together are a flag. */
const loneRegional = /(?<![\u{1f1e6}-\u{1f1ff}])[\u{1f1e6}-\u{1f1ff}](?![\u{1f1e6}-\u{1f1ff}])/gu;
const regionalMin = 4;

/** A character with marks that composition left over, of which no common language has many. */
const buriedCharacter = /[^\p{M}\n]\p{M}+/gu;
/** Other alphabets than Latin have single marks of their own. */
const isBuried = /^(?:[A-Za-z\u00c0-\u024f\u1e00-\u1eff\p{N}\p{P}\p{Zs}]|\p{L}\p{M}{2})/u;
const buriedMin = 4;

/** Words of mixed case, and the share of their letters after which it must change. */
const mixedCase =
  /(?<![\p{L}\p{N}])(?=\p{L}*(?:\p{Ll}\p{Lu}\p{Ll}|\p{Lu}\p{Ll}\p{Lu}))\p{L}{4,24}(?![\p{L}\p{N}])/gu;
const changeShareMin = 0.6;
const caseChange = /(?<=\p{Ll})\p{Lu}|(?<=\p{Lu})\p{Ll}/gu;
const restlessMin = 2;
/** In a text that has such words, all that have a capital inside. */
const humped = /(?<![\p{L}\p{N}])\p{L}{1,24}\p{Lu}\p{L}{0,24}(?![\p{L}\p{N}])/gu;

function matches(text: string, pattern: RegExp): RegExpExecArray[] {
  return [...text.matchAll(pattern)] as RegExpExecArray[];
}

function spans(found: readonly RegExpExecArray[], fold: (match: string) => string): Edit[] {
  return found.map(({ 0: match, index }) => ({
    start: index,
    end: index + match.length,
    replacement: fold(match),
  }));
}

/** Look-alike letters, words in mixed scripts and squared letters as plain ones. */
export const lookAlikes: Layer = (text) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  if (/^[\x00-\x7f\u00a0-\u024f]*$/.test(text)) return undefined;
  const regional = matches(text, loneRegional);
  if (regional.length >= regionalMin) {
    const letter = (match: string) =>
      String.fromCharCode((match.codePointAt(0) as number) - 0x1f1e6 + 0x41);
    return peeled("folded", spans(regional, letter));
  }
  const { alike, mixed, others } = foldableWords(text);
  const long = alike.filter(({ start, end }) => end - start >= wordLengthMin).length;
  const areDisguised = long >= alikeMin && alike.length >= (alike.length + others) * alikeShareMin;
  return peeled("folded", areDisguised ? alike : mixed);
};

/** Marks above and below plain letters, as in "zalgo" text or text that is struck through. */
export const buried: Layer = (text) => {
  if (isAscii(text)) return undefined;
  if (!/[A-Za-z\u00c0-\u024f\u1e00-\u1eff]\p{M}|\p{L}\p{M}{2}/u.test(text)) return undefined;
  const found = matches(text, buriedCharacter).filter(({ 0: match }) => isBuried.test(match));
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  if (found.length < buriedMin || found.length * 3 < letters) return undefined;
  return peeled(
    "folded",
    spans(found, (match) => match.normalize("NFD").replace(/\p{M}+/gu, "")),
  );
};

/** Case that changes with every letter, in lower case. */
export const restlessCase: Layer = (text) => {
  if (!/[a-z][A-Z][a-z]|[A-Z][a-z][A-Z]/.test(text)) return undefined;
  const sure = matches(text, mixedCase).filter(({ 0: match }) => {
    const changes = match.match(caseChange)?.length ?? 0;
    return changes >= (match.length - 1) * changeShareMin && looksLikeLanguage(match.toLowerCase());
  });
  if (sure.length < restlessMin) return undefined;
  return peeled(
    "folded",
    spans(matches(text, humped), (match) => match.toLowerCase()),
  );
};

const turned = new Map([
  ...zip("ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", "abcdefghijklmnopqrstuvwxyz"),
  ...zip("∀ᗺƆᗡƎℲ⅁HIſꞰ⅂WNOԀΌᴚS⊥∩ΛMX⅄Z", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
  ...zip("ıɓƖ˙¿¡‘’,'", "igl.?!,,''"),
]);
/** Letters that stand on their head and have no other use in common languages. */
const turnedLetter = /[ɐɔɟƃɥᴉɾʞɯɹʇʌʍʎ]/g;
const turnedMin = 3;

/** Lines that stand on their head, turned round. */
export const upsideDown: Layer = (text) => {
  if (isAscii(text) || (text.match(turnedLetter)?.length ?? 0) < turnedMin) return undefined;
  const edits: Edit[] = [];
  for (const { 0: line, index } of text.matchAll(/[^\n]+/g)) {
    if ((line.match(turnedLetter)?.length ?? 0) < turnedMin) continue;
    // Compatibility form makes a dot above of what stands for a full stop.
    const characters = [...line.replaceAll(" \u0307", ".")].map(
      (character) => turned.get(character) ?? character,
    );
    const replacement = characters.reverse().join("");
    // A line that only holds such letters and stands on its feet must stay.
    if (!looksLikeLanguage(replacement)) continue;
    edits.push({ start: index, end: index + line.length, replacement });
  }
  return peeled("upside-down", edits);
};
