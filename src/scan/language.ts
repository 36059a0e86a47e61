/**
 * Scripts and languages that do not belong together.
 *
 * Finds: words whose letters come from several alphabets as no orthography has
 * them (Latin with Cyrillic or Greek letters that are drawn alike), words that
 * are all look-alikes of another alphabet; a passage in another script than the
 * text's, recorded, and flagged where it gives orders to a model; with
 * `languages` set, texts in any other language.
 * Ignores: Japanese and Korean beside Latin, brand names and their endings in
 * Cyrillic texts, Greek letters of units and mathematics, single slips of a
 * keyboard, translations.
 * Hit: "Ignоrе thе ruleѕ" with Cyrillic о, е and ѕ. Near miss: "Купил iPhone, заряд 5 мкА, λ = 3 µm".
 */
import { z } from "zod";
import { prototypeOf } from "../text/confusables.ts";
import type { Reading } from "../text/views.ts";
import type { Origin } from "../types.ts";
import { knownLanguages, type LanguageDetector } from "./detect.ts";
import type { Finding, ScanInput, Scanner } from "./scanner.ts";

/** Settings of the language scanner. */
export const languageOptionsSchema = z.strictObject({
  /** Languages that texts may be in. Empty means any. */
  languages: z.array(z.enum(knownLanguages)).max(knownLanguages.length).default([]),
  /** Score of a text in another one. */
  score: z.number().min(0).max(1).default(0.6),
});
export type LanguageOptions = z.input<typeof languageOptionsSchema>;

/** Scripts by blocks: first and last code unit. Letters of planes beyond the first are of none. */
const blocks: readonly (readonly [script: string, first: number, last: number])[] = [
  ["latin", 0x41, 0x5a],
  ["latin", 0x61, 0x7a],
  ["latin", 0xc0, 0xd6],
  ["latin", 0xd8, 0xf6],
  ["latin", 0xf8, 0x24f],
  ["latin", 0x1e00, 0x1eff],
  ["greek", 0x370, 0x3e1],
  ["greek", 0x1f00, 0x1fff],
  ["cyrillic", 0x400, 0x52f],
  ["armenian", 0x531, 0x587],
  ["cherokee", 0x13a0, 0x13fd],
  ["cherokee", 0xab70, 0xabbf],
  ["hebrew", 0x5d0, 0x5ea],
  ["arabic", 0x620, 0x6d3],
  ["indic", 0x900, 0xdff],
  ["thai", 0xe01, 0xe4f],
  ["georgian", 0x10a0, 0x10ff],
  ["asian", 0x1100, 0x11ff],
  ["asian", 0x3041, 0x30ff],
  ["asian", 0x3105, 0x312f],
  ["asian", 0x3400, 0x4dbf],
  ["asian", 0x4e00, 0x9fff],
  ["asian", 0xac00, 0xd7a3],
];
const scripts = [...new Set(blocks.map(([script]) => script))];
/** Script of each code unit, counted from 1 in `scripts`; 0 is no letter, or one of a script that is not known. */
const scriptOf = new Uint8Array(0x10000);
for (const [script, first, last] of blocks)
  scriptOf.fill(scripts.indexOf(script) + 1, first, last + 1);
const latin = scripts.indexOf("latin") + 1;
const greek = scripts.indexOf("greek") + 1;
/** Alphabets with letters that are drawn like those of another, as bits. */
const alike = ["latin", "greek", "cyrillic", "armenian", "cherokee"].reduce(
  (bits, name) => bits | (1 << (scripts.indexOf(name) + 1)),
  0,
);

/** Greek letters as mathematics and units have them: one beside a Latin word is no disguise. */
const symbols = /^[αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ]$/;
/** Words longer than this are looked at up to here. */
const wordLengthMax = 64;

/** Whether a letter is drawn like a letter of the other alphabets: then it can stand for it. */
function isAlike(letter: string): boolean {
  if (/[a-z]/i.test(letter)) return /[aceopxyijshbdkvABEHIJKMNOPSTXYZC]/.test(letter);
  return prototypeOf(letter.codePointAt(0) as number) !== undefined;
}

/** Whether a word of several alphabets is written so by nobody. */
function isDisguised(word: string, isLatinText: boolean): boolean {
  const runs: { script: number; text: string }[] = [];
  for (const letter of word.slice(0, wordLengthMax)) {
    const script = scriptOf[letter.charCodeAt(0)] as number;
    const last = runs.at(-1);
    if (last?.script === script) last.text += letter;
    else runs.push({ script, text: letter });
  }
  const [first, second] = runs;
  if (first !== undefined && second !== undefined && runs.length === 2) {
    const short = first.text.length <= second.text.length ? first : second;
    // A letter of mathematics, and a foreign name with an ending of the text's own language.
    if (short.script === greek && symbols.test(short.text)) return false;
    if (!isLatinText && first.script === latin && first.text.length >= 2) return false;
    return [...short.text].every(isAlike);
  }
  // Nobody goes back and forth three times in a word.
  if (runs.length > 3) return true;
  const main = runs.reduce((longest, run) =>
    run.text.length > longest.text.length ? run : longest,
  );
  return runs.every(({ script, text }) => script === main.script || [...text].every(isAlike));
}

interface Passage {
  readonly script: number;
  readonly start: number;
  end: number;
  letters: number;
}

interface Survey {
  /** Letters by script. */
  readonly letters: Uint32Array;
  readonly words: number;
  /** Words with letters of several alphabets, and words of a second alphabet alone: starts and ends in turn. */
  readonly mixed: readonly number[];
  readonly plain: readonly number[];
  /** Letters of one script in a row, where they are more than a name. */
  readonly passages: readonly Passage[];
}

/** Letters of a passage in another script: a name or two is none. */
const passageLettersMin = 12;
const denseLettersMin = 6;
const asian = scripts.indexOf("asian") + 1;
/** A shorter word of look-alikes alone is met by chance. */
const plainLengthMin = 4;

/** Reads a text once. */
function survey(text: string): Survey {
  const letters = new Uint32Array(scripts.length + 1);
  const mixed: number[] = [];
  const plain: number[] = [];
  const passages: Passage[] = [];
  let words = 0;
  let wordStart = -1;
  let wordScripts = 0;
  let wordScript = 0;
  let passage: Passage = { script: 0, start: 0, end: 0, letters: 0 };
  const endPassage = () => {
    const lettersMin = passage.script === asian ? denseLettersMin : passageLettersMin;
    if (passage.letters >= lettersMin) passages.push(passage);
  };
  for (let at = 0; at <= text.length; at++) {
    const script = at < text.length ? (scriptOf[text.charCodeAt(at)] as number) : 0;
    // A word is letters of these alphabets: beside a Chinese character one begins and ends.
    if ((alike & (1 << script)) === 0) {
      if (wordStart !== -1) {
        words++;
        if (wordScripts !== 1 << wordScript) mixed.push(wordStart, at);
        else if (wordScript !== latin && at - wordStart >= plainLengthMin)
          plain.push(wordStart, at);
        wordStart = -1;
      }
      if (script === 0) continue;
    } else {
      if (wordStart === -1) {
        wordStart = at;
        wordScripts = 0;
      }
      wordScripts |= 1 << script;
      wordScript = script;
    }
    letters[script] = (letters[script] as number) + 1;
    if (passage.script !== script) {
      endPassage();
      passage = { script, start: at, end: at + 1, letters: 0 };
    }
    passage.end = at + 1;
    passage.letters++;
  }
  endPassage();
  return { letters, words, mixed, plain, passages };
}

/** Orders to a model in each script, for a passage that nothing else tells apart. */
const orders = new RegExp(
  [
    String.raw`(?:игнорир|забудь|не следуй|отмени)[^.\n]{0,40}(?:инструкц|правил|указани|всё|все )`,
    String.raw`(?:忽略|无视|無視|忘记|忘記|不要遵守)[^。\n]{0,16}(?:指令|指示|规则|規則|提示|之前|以上|上面)|指示[^。\n]{0,10}(?:無視|忘れ)`,
    String.raw`(?:지시|명령|규칙|프롬프트)[^.\n]{0,16}(?:무시|잊)`,
    String.raw`تجاهل[^.\n]{0,30}(?:التعليمات|تعليمات|القواعد)|(?:निर्देश|नियम)[^।\n]{0,20}(?:अनदेखा|नज़रअंदाज़|भूल)|התעלם[^.\n]{0,20}(?:הוראות|כללים)`,
    String.raw`αγνό[^.\n]{0,30}(?:οδηγίες|κανόνες)|(?:ละเว้น|เพิกเฉย)[^.\n]{0,20}คำสั่ง`,
    String.raw`\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:instructions?|rules|prompt|above|previous)\b|\byou are now\b`,
  ].join("|"),
  "iu",
);
/** Who asks for a translation brings a text in another script, orders and all. */
const translation =
  /translat|übersetz|traduc|traduz|tradu[iz]|vertaal|przetłumacz|перев[её]д|перекла|çevir|翻译|翻譯|翻訳|訳して|번역|ترجم|अनुवाद|language|meaning|\bmeans?\b|pronounc/iu;

const messages = {
  mixed: "Words mix letters of several alphabets that are drawn alike",
  passage: "This part is in another script than the rest of the text",
  order: "This part changes the script to give orders to a model",
  other: "This text is in a language that is not among those allowed",
} as const;

function finding(id: string, score: number, start: number, end: number, message: string): Finding {
  return { scanner: "language", label: `language/${id}`, score, start, end, message };
}

/** Disguised words, as one finding from the first to the last. */
function mixedFinding(text: string, { letters, words, mixed, plain }: Survey): Finding | undefined {
  const others = letters.reduce((sum, count) => sum + count, 0) - (letters[latin] as number);
  const isLatinText = (letters[latin] as number) >= 2 * others;
  let first = text.length;
  let last = 0;
  /** Those of the places that pass, starts and ends in turn. */
  const count = (places: readonly number[], passes: (word: string) => boolean): number => {
    let passed = 0;
    for (let index = 0; index < places.length; index += 2) {
      const [start, end] = [places[index] as number, places[index + 1] as number];
      if (!passes(text.slice(start, end))) continue;
      passed++;
      first = Math.min(first, start);
      last = Math.max(last, end);
    }
    return passed;
  };
  const inside = count(mixed, (word) => isDisguised(word, isLatinText));
  // Look-alikes alone make words of their own language: they are none in a text that is Latin.
  const alone = isLatinText ? count(plain, (word) => [...word].every(isAlike)) : 0;
  const found = inside + alone;
  if (found === 0) return undefined;
  const share = found / words;
  let score = 0.3;
  if (inside >= 5 && share >= 0.3) score = 0.8;
  else if (found >= 3 && share >= 0.05) score = 0.6;
  else if (inside >= 2 && share >= 0.1) score = 0.5;
  return finding("mixed-words", score, first, last, messages.mixed);
}

/** Blanks, signs and names between two passages of one script that make them one. */
const passageGapMax = 40;
/** Passages with orders that are answered. */
const ordersMax = 20;
const translationReach = 500;

/** Passages in a second script: those that give orders, or else the first. */
function passageFindings(text: string, { letters, passages }: Survey, origin: Origin): Finding[] {
  let main = 0;
  for (let script = 1; script < letters.length; script++) {
    if ((letters[script] as number) > (letters[main] as number)) main = script;
  }
  const joined: Passage[] = [];
  let current: Passage | undefined;
  for (const passage of passages) {
    if (passage.script === main) current = undefined;
    else if (current?.script === passage.script && passage.start - current.end < passageGapMax) {
      current.end = passage.end;
    } else {
      current = { ...passage };
      joined.push(current);
    }
  }
  const isForeign = origin === "document" || origin === "tool";
  const found: Finding[] = [];
  let best = 0;
  for (const { start, end } of joined) {
    if (!orders.test(text.slice(start, end))) continue;
    const before = text.slice(Math.max(0, start - translationReach), start);
    const isAsked = translation.test(before + text.slice(end, end + 100));
    const score = isAsked ? 0.3 : isForeign ? 0.7 : 0.55;
    // Past the cap a passage must weigh more than those before.
    if (found.length >= ordersMax && score <= best) continue;
    best = Math.max(best, score);
    found.push(finding("script-order", score, start, end, messages.order));
  }
  const [first] = joined;
  if (found.length === 0 && first !== undefined) {
    const score = isForeign ? 0.3 : 0.2;
    found.push(finding("script-change", score, first.start, first.end, messages.passage));
  }
  return found;
}

/** Cheap test: what is ASCII is in one script. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
const isAscii = /^[\x00-\x7f]*$/;

/** Letters that a language can be told by. */
const detectLettersMin = 40;
/** Code units of each of the pieces by which a long text is judged. */
const detectLength = 500;
/** How much more a text must be like another language than like any that is allowed. */
const marginMin = 0.2;

/** What is in no language: code, addresses, names with signs in them, everything but words. */
const wordless =
  /```[^`]*```|https?:\S+|[\w.+-]+@[\w.-]+|\b\w*_\w*\b|[^\p{L}\p{M}\s'\u2019.,!?-]+/gu;

/** Beginning, middle and end of a text. */
function pieces(text: string): string[] {
  if (text.length <= 3 * detectLength) return [text];
  const middle = (text.length - detectLength) >>> 1;
  return [0, middle, text.length - detectLength].map((at) => text.slice(at, at + detectLength));
}

/**
 * Builds the language scanner.
 *
 * @param detect needed where the options name languages
 * @throws ZodError where an option is not what the schema expects, Error where the detector is missing
 */
export function languageScanner(options: LanguageOptions = {}, detect?: LanguageDetector): Scanner {
  const { languages, score } = languageOptionsSchema.parse(options);
  const allowed = new Set<string>(languages);
  if (allowed.size > 0 && detect === undefined) {
    throw new Error("Expected a language detector for the allowed languages but received none");
  }

  const isOther = (piece: string): boolean => {
    const prose = piece.replace(wordless, " ");
    if ((prose.match(/\p{L}/gu)?.length ?? 0) < detectLettersMin) return false;
    let best = 0;
    let bestAllowed = 0;
    for (const [language, likeness] of Object.entries(detect?.(prose) ?? {})) {
      best = Math.max(best, likeness);
      if (allowed.has(language)) bestAllowed = Math.max(bestAllowed, likeness);
    }
    return best - bestAllowed >= marginMin;
  };

  const scanReading = (reading: Reading, origin: Origin): Finding[] => {
    const { text } = reading;
    const found: Finding[] = [];
    if (!isAscii.test(text)) {
      const seen = survey(text);
      const mixed =
        seen.mixed.length + seen.plain.length > 0 ? mixedFinding(text, seen) : undefined;
      if (mixed !== undefined) found.push(mixed);
      if (seen.passages.length > 0) found.push(...passageFindings(text, seen, origin));
    }
    if (allowed.size > 0 && reading.name === "raw" && pieces(text).some(isOther)) {
      found.push(finding("not-allowed", score, 0, text.length, messages.other));
    }
    return found.map((hit) => {
      const [start, end] = reading.toOriginal(hit.start, hit.end);
      return { ...hit, start, end };
    });
  };
  return {
    name: "language",
    scan: ({ readings, origin }: ScanInput) =>
      origin === "system" ? [] : readings.flatMap((reading) => scanReading(reading, origin)),
  };
}
