/**
 * A text as a row of folded words, for matching phrases: lower case, without
 * accents, punctuation only as a gap. In scripts that do not separate words by
 * spaces every character is a word.
 */

export interface Word {
  readonly word: string;
  /** UTF-16 code units of the text, [start, end). */
  readonly start: number;
  readonly end: number;
}

const scriptsOfCharacters =
  "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}";
const characterWord = new RegExp(`[${scriptsOfCharacters}]`, "u");
const wordOrCharacter = new RegExp(
  `[${scriptsOfCharacters}]|(?:(?![${scriptsOfCharacters}])[\\p{L}\\p{M}\\p{N}])+`,
  "gu",
);
const apostrophes = /(?<=\p{L})['\u2019\u02bc](?=\p{L})/gu;
/** A word that is longer than any phrase's is cut: it can match nothing. */
const wordLengthMax = 40;

/** The form in which words are compared. Marks are accents only where the script's letters are whole without them. */
export function foldWord(word: string): string {
  const lower = word.toLowerCase();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  if (/^[\x00-\x7f]*$/.test(lower)) return lower;
  return lower
    .normalize("NFD")
    .replace(
      /(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Arabic}]\p{M}*)\p{M}+/gu,
      "",
    )
    .normalize("NFC");
}

/** The words of a text in order. Linear in its length. */
export function words(text: string): Word[] {
  // An apostrophe inside a word is not a gap: `don't` is `dont`; one unit stays one unit.
  const joined = text.replace(apostrophes, "\u0301");
  const found: Word[] = [];
  for (const { 0: word, index } of joined.matchAll(wordOrCharacter)) {
    // A character that is a word has no case and no accents.
    const folded = characterWord.test(word) ? word : foldWord(word.slice(0, wordLengthMax));
    if (folded !== "") found.push({ word: folded, start: index, end: index + word.length });
  }
  return found;
}

/** The words of a phrase as they stand in a pattern. */
export function phraseWords(phrase: string): string[] {
  return words(phrase).map(({ word }) => word);
}
