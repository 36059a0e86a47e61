/**
 * Text that people do not see.
 *
 * Finds: words spelled in tag characters, bits spelled in zero-width characters
 * or variation selectors, text turned around by bidi overrides, words cut up by
 * zero-width characters.
 * Ignores: emoji with their joiners, selectors and skin tones, flags of regions,
 * joiners in scripts that need them (Arabic, Persian, Indic ...), direction marks
 * and closed embeddings around right-to-left text, soft hyphens, a byte-order mark.
 * Hit: "Hello" followed by tag characters that spell a sentence. Near miss: 🏴󠁧󠁢󠁥󠁮󠁧󠁿.
 */
import { flagTags } from "../text/views.ts";
import type { Finding, ScanInput, Scanner } from "./scanner.ts";

interface Rule {
  readonly id: string;
  readonly score: number;
  readonly pattern: RegExp;
  readonly message: string;
}

const rules: readonly Rule[] = [
  {
    id: "tags",
    score: 0.9,
    pattern: /[\u{e0020}-\u{e007e}](?:[\u{e0001}\u{e0020}-\u{e007f}]){2,}/gu,
    message: "Text is spelled in invisible tag characters",
  },
  {
    id: "zero-width-data",
    score: 0.85,
    // Two kinds at least: a run of one kind carries no bits but its length.
    pattern:
      /(?=[\u200b-\u200d\u2060-\u2064\ufeff]{8})(?=([\u200b-\u200d\u2060-\u2064\ufeff])\1*(?!\1)[\u200b-\u200d\u2060-\u2064\ufeff])[\u200b-\u200d\u2060-\u2064\ufeff]{8,}/gu,
    message: "A run of zero-width characters is long enough to carry hidden data",
  },
  {
    id: "selector-data",
    score: 0.85,
    pattern: /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{3,}/gu,
    message: "A run of variation selectors carries hidden data",
  },
  {
    id: "bidi-override",
    score: 0.6,
    pattern: /[\u202d\u202e](?=[^\u202c\n]*\S)/gu,
    message: "A bidi override shows this text in another order than a model reads it",
  },
];

/** Zero-width characters between Latin, Greek or Cyrillic letters: nothing that anybody writes needs them. */
const cutWord =
  /(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])[\u200b-\u200d\u2060-\u2064\ufeff]+(?=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])/gu;
/** One or two may be left over from a web page that let long words break. */
const cutsMin = 3;
const cutScore = 0.55;
/** Cheap test: no rule can hit without one of these. */
const suspicious =
  /[\u200b-\u200d\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e01ef}]|[\ufe00-\ufe0f]{3}/u;

function finding(id: string, score: number, start: number, end: number, message: string): Finding {
  return { scanner: "unicode", label: `unicode/${id}`, score, start, end, message };
}

function scan({ text }: ScanInput): Finding[] {
  if (!suspicious.test(text)) return [];
  // Flags give way to as many spaces, so that offsets stay.
  const plain = text.replace(flagTags, (flag) => " ".repeat(flag.length));
  const found: Finding[] = [];
  for (const { id, score, pattern, message } of rules) {
    for (const hit of plain.matchAll(pattern)) {
      found.push(finding(id, score, hit.index, hit.index + hit[0].length, message));
    }
  }
  const cuts = [...plain.matchAll(cutWord)];
  const [first, last] = [cuts[0], cuts.at(-1)];
  if (first !== undefined && last !== undefined && cuts.length >= cutsMin) {
    const message = "Words are cut up by zero-width characters";
    found.push(finding("cut-words", cutScore, first.index, last.index + last[0].length, message));
  }
  return found;
}

export const unicodeScanner: Scanner = { name: "unicode", scan };
