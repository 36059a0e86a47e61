/**
 * Letters that are drawn otherwise than they are meant, folded to plain ones:
 * look-alikes of other scripts, small capitals, squared and regional letters,
 * letters buried under marks, case that changes with every letter, and text that
 * stands on its head.
 */
import { prototypeOf } from "./confusables.ts";
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

const drawn = new Map(drawnAlike.flatMap(([characters, letters]) => [...zip(characters, letters)]));

/** The plain letter of a look-alike; undefined where it is like none. */
function plainLetter(character: string): string | undefined {
  const prototype = prototypeOf(character.codePointAt(0) as number);
  // The table writes m as rn, in which two letters look like one.
  if (prototype === "rn") return "m";
  // l is also the prototype of I, which the look-alike's own case tells apart.
  if (prototype === "l" && /\p{Lu}/u.test(character)) return "I";
  return prototype !== undefined && /^[A-Za-z]$/.test(prototype) ? prototype : drawn.get(character);
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
    const letter = hasAscii.test(character) ? character : plainLetter(character);
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

/** A character with marks that composition left over. */
const buriedCharacter = /[^\p{M}\n]\p{M}+/gu;
/** Other alphabets than Latin have single marks of their own. */
const isBuried = /^(?:[A-Za-z\u00c0-\u024f\u1e00-\u1eff\p{N}\p{P}\p{Zs}]|\p{L}\p{M}{2})/u;
/** Words of which this share is buried are so on purpose, where there are a few. */
const buriedShareMin = 0.5;
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
  if (!areDisguised) return peeled("folded", mixed);
  const replacements = alike.map(({ replacement }) => replacement).join(" ");
  return looksLikeLanguage(replacements) ? peeled("folded", alike) : peeled("folded", mixed);
};

/** Marks above and below plain letters, as in "zalgo" text or text that is struck through. */
export const buried: Layer = (text) => {
  if (isAscii(text)) return undefined;
  if (!/[A-Za-z\u00c0-\u024f\u1e00-\u1eff]\p{M}|\p{L}\p{M}{2}/u.test(text)) return undefined;
  const edits: Edit[] = [];
  for (const { 0: word, index } of text.matchAll(/\S+/gu)) {
    const found = matches(word, buriedCharacter).filter(({ 0: match }) => isBuried.test(match));
    const letters = word.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
    if (found.length === 0 || found.length < letters * buriedShareMin) continue;
    for (const { 0: match, index: at } of found) {
      const replacement = match.normalize("NFD").replace(/\p{M}+/gu, "");
      edits.push({ start: index + at, end: index + at + match.length, replacement });
    }
  }
  return edits.length < buriedMin ? undefined : peeled("folded", edits);
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
const turnedLetter = /[ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ]/g;
const turnedMin = 3;
/** Words without such a letter between two that have one; what is longer stands on its feet. */
const uprightWordsMax = 2;
const isUpright = /[^\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}]/u;

/** Rows of words that stand on their head, [start, end). */
function turnedRows(text: string): [start: number, end: number][] {
  const rows: [number, number][] = [];
  let row: [number, number] | undefined;
  let upright = 0;
  for (const { 0: word, index } of text.matchAll(/\S+|\n/g)) {
    const isTurned = word.search(turnedLetter) !== -1;
    if (isTurned) {
      if (row === undefined) {
        row = [index, index];
        rows.push(row);
      }
      row[1] = index + word.length;
      upright = 0;
    } else if (word === "\n" || isUpright.test(word) || ++upright > uprightWordsMax) {
      row = undefined;
    }
  }
  return rows;
}

/** Text that stands on its head, turned round. */
export const upsideDown: Layer = (text) => {
  if (isAscii(text) || (text.match(turnedLetter)?.length ?? 0) < turnedMin) return undefined;
  const edits: Edit[] = [];
  for (const [start, end] of turnedRows(text)) {
    const row = text.slice(start, end);
    if ((row.match(turnedLetter)?.length ?? 0) < turnedMin) continue;
    // Compatibility form makes a dot above of what stands for a full stop.
    const characters = [...row.replaceAll(" \u0307", ".")].map(
      (character) => turned.get(character) ?? character,
    );
    const replacement = characters.reverse().join("");
    if (looksLikeLanguage(replacement)) edits.push({ start, end, replacement });
  }
  return peeled("upside-down", edits);
};
