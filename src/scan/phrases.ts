/**
 * An operator's own phrases: what is denied and what is allowed.
 *
 * Finds: literal phrases whatever their case, spacing and accents, as whole
 * words, in every reading; and patterns, which are RE2 and so take time in
 * proportion to the text whatever it holds. An allowed phrase lowers what other
 * scanners find inside of it, in the text as it was sent, and nothing else: an
 * attack beside it counts as before. With `scope: text` it has to be the whole
 * text, and then the model need not be asked either. What it never lowers: the
 * model, canaries, secrets, personal data and hidden characters.
 * Ignores: a phrase inside a longer word, unless `wholeWords` is off.
 * Hit: "BLUE  WHALE" for the phrase "blue whale". Near miss: "blue whales".
 */
import { RE2JS, RE2JSException, RE2JSSyntaxException, RE2Set } from "re2js";
import { z } from "zod";
import type { Reading } from "../text/views.ts";
import { compileLiterals, type LiteralMatcher } from "./literals.ts";
import type { Finding, ScanInput, Scanner } from "./scanner.ts";

const rulesMax = 10_000;
const textLengthMax = 512;
const literalLengthMax = 500_000;
const patternsMax = 200;
const patternLengthMax = 1000;
/** Instructions of a pattern's program, and of all together: where a text needs ever new states, each character costs as many steps. */
const programMax = 1000;
const programsMax = 10_000;
/** States that a pattern may need for its own letters in random order; counting after a wildcard doubles them with each count. */
const statesMax = 2000;

const rule = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, {
    error: "expected up to 64 of a-z, 0-9, '_' and '-'",
  }),
  action: z.enum(["deny", "allow"]),
  /** A literal phrase, or else a pattern. */
  text: z.string().min(1).max(textLengthMax).optional(),
  pattern: z.string().min(1).max(patternLengthMax).optional(),
  /** Of a denied phrase. */
  score: z.number().min(0).max(1).default(0.8),
  /** Of an allowed phrase: whether it allows its own place, or a text that is nothing else. */
  scope: z.enum(["span", "text"]).default("span"),
  ignoreCase: z.boolean().default(true),
  /** Of a literal. */
  ignoreAccents: z.boolean().default(true),
  wholeWords: z.boolean().default(true),
});
type Rule = z.output<typeof rule>;
type LiteralRule = Rule & { readonly text: string };
type PatternRule = Rule & { readonly pattern: string };
const isLiteral = (each: Rule): each is LiteralRule => each.text !== undefined;
const isPattern = (each: Rule): each is PatternRule => each.pattern !== undefined;

/** Settings of the phrase scanner. A pattern that RE2 does not take is refused with its position and the reason. */
export const phraseOptionsSchema = z
  .strictObject({ rules: z.array(rule).max(rulesMax).default([]) })
  .superRefine(({ rules }, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    const ids = new Set<string>();
    let letters = 0;
    let programs = 0;
    const patterns = rules.filter(isPattern);
    for (const each of rules) {
      if (ids.has(each.id)) refuse(`rule ${each.id} is there twice`);
      ids.add(each.id);
      if (isLiteral(each) === isPattern(each)) {
        const received = isPattern(each) ? "both" : "neither";
        refuse(`rule ${each.id}: expected text or pattern but received ${received}`);
      }
      if (!isLiteral(each)) continue;
      letters += each.text.length;
      if (fold(each.text, each).text === "") {
        refuse(`rule ${each.id}: expected a phrase but received only spaces`);
      }
    }
    if (letters > literalLengthMax) {
      refuse(`expected at most ${literalLengthMax} characters of phrases but received ${letters}`);
    }
    if (patterns.length > patternsMax) {
      refuse(`expected at most ${patternsMax} patterns but received ${patterns.length}`);
      return;
    }
    for (const each of patterns) {
      const checked = checkPattern(each);
      if (typeof checked === "string") refuse(`rule ${each.id}: ${checked}`);
      else programs += checked;
    }
    if (programs > programsMax) {
      refuse(
        `expected patterns of at most ${programsMax} instructions together but received ${programs}`,
      );
    }
  });
export type PhraseOptions = z.input<typeof phraseOptionsSchema>;

function flagsOf(rule: { readonly ignoreCase: boolean }): number {
  return rule.ignoreCase ? RE2JS.CASE_INSENSITIVE : 0;
}

/** Pseudorandom numbers below `bound`, the same at every start (a linear congruential generator). */
function sequence(): (bound: number) => number {
  let state = 1;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * bound);
  };
}

const probedLettersMax = 6;
const probeLength = 3000;

/** Whether a pattern needs ever new states for texts of two of its own letters in random order. */
function needsManyStates(rule: PatternRule): boolean {
  const random = sequence();
  const own = rule.pattern.replace(/\\.|[^\p{L}\p{N}]/gu, "");
  const letters = [...new Set(`ab1${own}`)].slice(-probedLettersMax);
  const alone = setOf([rule]);
  for (const [index, first] of letters.entries()) {
    for (const second of letters.slice(index + 1)) {
      let probe = "";
      for (let at = 0; at < probeLength; at++) probe += random(2) === 0 ? first : second;
      alone.match(probe);
      if (alone.dfa.failed || alone.dfa.stateCount > statesMax) return true;
    }
  }
  return false;
}

/** The size of a pattern's program, or why it is refused. */
function checkPattern(rule: PatternRule): number | string {
  try {
    const size = RE2JS.compile(rule.pattern, flagsOf(rule)).programSize();
    if (size > programMax) {
      return `expected a pattern of at most ${programMax} instructions but received ${size}`;
    }
    if (needsManyStates(rule)) {
      return `expected a pattern of at most ${statesMax} states: it counts repetitions after a part that may match anywhere`;
    }
    return size;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    if (!(error instanceof RE2JSSyntaxException)) return `not an RE2 pattern: ${error.message}`;
    const part = error.input ?? "";
    // What is missing is missing at the end.
    const position = error.error.startsWith("missing")
      ? rule.pattern.length
      : rule.pattern.indexOf(part);
    return `not an RE2 pattern: ${error.error} at position ${Math.max(0, position)}`;
  }
}

function setOf(rules: readonly PatternRule[]): RE2Set {
  const set = new RE2Set();
  // A flag of a set would hold for all of its patterns.
  for (const rule of rules) set.add(rule.ignoreCase ? `(?i:${rule.pattern})` : rule.pattern);
  set.compile();
  return set;
}

/** How letters are compared; rules that agree share a matcher. */
interface Folding {
  readonly ignoreCase: boolean;
  readonly ignoreAccents: boolean;
}

/** Folded code units by folding, for those that were asked for; 0 is left out. */
const foldedUnits = new Map<string, Int32Array>();
const unasked = -1;

function foldUnit(code: number, { ignoreCase, ignoreAccents }: Folding): number {
  const character = String.fromCharCode(code);
  if (/[\s\p{Default_Ignorable_Code_Point}]/u.test(character)) return 0;
  if (ignoreAccents && /\p{Mn}/u.test(character)) return 0;
  let folded = character;
  if (ignoreAccents && /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]/u.test(character)) {
    folded = character.normalize("NFD").replace(/\p{Mn}+/gu, "");
  }
  if (ignoreCase) folded = folded.toLowerCase();
  return folded.length === 1 ? folded.charCodeAt(0) : code;
}

/** The text without blanks, in the form in which phrases are compared, and where each of its code units came from. */
function fold(text: string, folding: Folding): { text: string; from: Uint32Array } {
  const name = `${folding.ignoreCase} ${folding.ignoreAccents}`;
  let table = foldedUnits.get(name);
  if (table === undefined) {
    table = new Int32Array(0x10000).fill(unasked);
    foldedUnits.set(name, table);
  }
  const units = new Uint16Array(text.length);
  const from = new Uint32Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    let unit = table[code] as number;
    if (unit === unasked) {
      unit = foldUnit(code, folding);
      table[code] = unit;
    }
    if (unit === 0) continue;
    units[length] = unit;
    from[length] = at;
    length++;
  }
  const row = Buffer.from(units.buffer, 0, 2 * length).toString("utf16le");
  return { text: row, from: from.subarray(0, length) };
}

const wordSign = /[\p{L}\p{M}\p{N}_]/u;
/** Scripts without blanks: their words have no ends that could be seen. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Hangul}]/u;

/** The character that ends at or begins at a place, pairs whole. */
function characterBefore(text: string, at: number): string {
  const low = text.charCodeAt(at - 1);
  return text.slice(Math.max(0, at - (low >= 0xdc00 && low <= 0xdfff ? 2 : 1)), at);
}
function characterAt(text: string, at: number): string {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at) as number) : "";
}

/** Whether a word goes on across a place. */
function isInside(text: string, at: number): boolean {
  const [before, after] = [characterBefore(text, at), characterAt(text, at)];
  if (!wordSign.test(before) || !wordSign.test(after)) return false;
  return !unspaced.test(before) && !unspaced.test(after);
}

/** Places of one rule in one reading, and findings of all rules: past that only a riskier one is kept. */
const placesMax = 20;
const findingsMax = 500;
/** Code units in which the places of matching patterns are looked for, over all of them; past that a match is the whole text. */
const locatedMax = 500_000;

type Found = (start: number, end: number) => void;

interface CompiledLiterals {
  readonly folding: Folding;
  readonly rules: readonly LiteralRule[];
  readonly matcher: LiteralMatcher;
}

const denyMessage = "This part is a phrase that the operator denies";
const allowMessage = "This part is a phrase that the operator allows";
const allowSpan = "phrase/allow/";
const allowText = "phrase/allow-text/";

/** What an allowed phrase lowers, and to what: a record is left. */
const loweredScanners: ReadonlySet<string> = new Set([
  "signature",
  "structure",
  "link",
  "language",
]);
const loweredScore = 0.2;

/**
 * Lowers the findings that lie inside allowed phrases. A phrase allows what it
 * says itself: a finding that reaches out of it keeps its score.
 */
export function applyAllowances(found: readonly Finding[]): Finding[] {
  const allowed = found.filter(({ label }) => label.startsWith("phrase/allow"));
  if (allowed.length === 0) return [...found];
  return found.map((finding) => {
    const isInside = allowed.some(({ start, end }) => start <= finding.start && finding.end <= end);
    if (!isInside || !loweredScanners.has(finding.scanner)) return finding;
    return { ...finding, score: Math.min(finding.score, loweredScore) };
  });
}

/** Whether a text is an allowed phrase and nothing else, so that the model need not be asked. */
export function isAllowedText(found: readonly Finding[]): boolean {
  return found.some(({ label }) => label.startsWith(allowText));
}

/** Builds the phrase scanner; without rules it finds nothing. @throws ZodError where an option is not what the schema expects */
export function phraseScanner(options: PhraseOptions = {}): Scanner {
  const { rules } = phraseOptionsSchema.parse(options);
  const groups: CompiledLiterals[] = [];
  for (const ignoreCase of [true, false]) {
    for (const ignoreAccents of [true, false]) {
      const folding = { ignoreCase, ignoreAccents };
      const own = rules
        .filter(isLiteral)
        .filter((each) => each.ignoreCase === ignoreCase && each.ignoreAccents === ignoreAccents);
      if (own.length === 0) continue;
      const matcher = compileLiterals(own.map((rule) => fold(rule.text, folding).text));
      groups.push({ folding, rules: own, matcher });
    }
  }
  const patterns = rules.filter(isPattern);
  const set = patterns.length > 0 ? setOf(patterns) : undefined;
  const compiled = patterns.map((rule) => RE2JS.compile(rule.pattern, flagsOf(rule)));

  const findLiterals = (text: string, found: (rule: LiteralRule) => Found) => {
    for (const { folding, rules: own, matcher } of groups) {
      const { text: row, from } = fold(text, folding);
      matcher.match(row, (literal, first, last) => {
        const rule = own[literal] as LiteralRule;
        const start = from[first] as number;
        const end = (from[last - 1] as number) + 1;
        if (rule.wholeWords && (isInside(text, start) || isInside(text, end))) return;
        found(rule)(start, end);
      });
    }
  };

  const findPatterns = (text: string, found: (rule: PatternRule) => Found) => {
    let left = locatedMax;
    for (const index of set?.match(text) ?? []) {
      const rule = patterns[index] as PatternRule;
      left -= text.length;
      if (left < 0) {
        // An allowed phrase whose place is not known allows nothing.
        if (rule.action === "deny") found(rule)(0, text.length);
        continue;
      }
      const matcher = (compiled[index] as RE2JS).matcher(text);
      for (let places = 0; places < placesMax && matcher.find(); places++) {
        found(rule)(matcher.start(), matcher.end());
      }
    }
  };

  const scanReading = (reading: Reading): Finding[] => {
    const { text } = reading;
    const findings: Finding[] = [];
    const counts = new Map<string, number>();
    let highest = 0;
    const begin = text.length - text.trimStart().length;
    const finish = text.trimEnd().length;
    const found =
      (rule: Rule): Found =>
      (from, to) => {
        const isAllowed = rule.action === "allow";
        // A reading says what a text might mean; what is allowed is what was sent.
        if (isAllowed && reading.name !== "raw") return;
        const isWhole = from <= begin && to >= finish;
        if (isAllowed && rule.scope === "text" && !isWhole) return;
        const score = isAllowed ? 0 : rule.score;
        const count = counts.get(rule.id) ?? 0;
        if (count >= placesMax || (findings.length >= findingsMax && score <= highest)) return;
        counts.set(rule.id, count + 1);
        highest = Math.max(highest, score);
        const [start, end] = reading.toOriginal(from, to);
        const prefix = isAllowed ? (rule.scope === "text" ? allowText : allowSpan) : "phrase/";
        findings.push({
          scanner: "phrase",
          label: prefix + rule.id,
          score,
          start,
          end,
          message: isAllowed ? allowMessage : denyMessage,
        });
      };
    findLiterals(text, found);
    findPatterns(text, found);
    return findings;
  };
  return {
    name: "phrase",
    scan: ({ readings }: ScanInput) =>
      rules.length === 0 ? [] : readings.flatMap((reading) => scanReading(reading)),
  };
}
