/**
 * Text that people do not see.
 *
 * Finds: words spelled in tag characters, bits spelled in zero-width characters
 * or variation selectors, text turned around by bidi overrides, embeddings and
 * isolates that stay open to the end of their line, words cut up by
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
  /** Matches each place once, so that a pass is linear; what it may not say itself `accepts` says of a match. */
  readonly pattern: RegExp;
  readonly accepts?: (run: string) => boolean;
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
    pattern: /[\u200b-\u200d\u2060-\u2064\ufeff]{8,}/gu,
    // Two kinds at least: a run of one kind carries no bits but its length.
    accepts: (run) => [...run].some((character) => character !== run[0]),
    message: "A run of zero-width characters is long enough to carry hidden data",
  },
  {
    id: "selector-data",
    score: 0.85,
    // One selector may follow a character; no standard gives it a second.
    pattern: /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{2,}/gu,
    // Two emoji selectors in a row are a slip of an editor.
    accepts: (run) => !/^\ufe0f{2}$/.test(run),
    message: "A run of variation selectors carries hidden data",
  },
  {
    id: "bidi-override",
    score: 0.6,
    pattern: /[\u202d\u202e][^\u202c\n]*/gu,
    accepts: (run) => /[\p{L}\p{N}]/u.test(run),
    message: "A bidi override shows this text in another order than a model reads it",
  },
];

/** Zero-width characters between Latin, Greek or Cyrillic letters: nothing that anybody writes needs them. */
const cutWord =
  /(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])[\u200b-\u200d\u2060-\u2064\ufeff]+(?=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])/gu;
/** One or two may be left over from a web page that let long words break. */
const cutsMin = 3;
const cutScore = 0.55;
/** Findings of one rule; a text made of hits says no more with the next one. */
const hitsMax = 50;

/** An embedding or isolate that is still open where its line ends, as it is used to disguise source code. */
const opener = /[\u202a\u202b\u2066-\u2068]/;
const unclosedScore = 0.5;
const bidiControl = /[\u202a-\u202e\u2066-\u2069\n\u2029]/g;

function unclosedFindings(text: string): Finding[] {
  if (!opener.test(text)) return [];
  const message = "A bidi embedding or isolate stays open to the end of its line";
  const found: Finding[] = [];
  let open: { readonly at: number; readonly isolate: boolean }[] = [];
  let isolates = 0;
  const endLine = (end: number) => {
    const start = open[0]?.at;
    open = [];
    isolates = 0;
    if (start === undefined || found.length >= hitsMax) return;
    if (!/[\p{L}\p{N}]/u.test(text.slice(start, end))) return;
    found.push(finding("bidi-unclosed", unclosedScore, start, end, message));
  };
  for (const { 0: control, index: at } of text.matchAll(bidiControl)) {
    if (control === "\n" || control === "\u2029") endLine(at);
    else if (opener.test(control)) {
      const isolate = control >= "\u2066";
      if (isolate) isolates++;
      open.push({ at, isolate });
    } else if (control === "\u202c") {
      if (open.at(-1)?.isolate === false) open.pop();
    } else if (control === "\u2069" && isolates > 0) {
      // The end of an isolate closes what was opened inside it; without an isolate it means nothing.
      isolates--;
      while (open.pop()?.isolate === false);
    }
  }
  endLine(text.length);
  return found;
}

/** Cheap test: no rule can hit without one of these. */
const suspicious =
  /[\u200b-\u200d\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e01ef}]|[\ufe00-\ufe0f]{2}/u;

function finding(id: string, score: number, start: number, end: number, message: string): Finding {
  return { scanner: "unicode", label: `unicode/${id}`, score, start, end, message };
}

function scan({ text }: ScanInput): Finding[] {
  if (!suspicious.test(text)) return [];
  // Flags give way to as many spaces, so that offsets stay.
  const plain = text.replace(flagTags, (flag) => " ".repeat(flag.length));
  const found: Finding[] = [];
  for (const { id, score, pattern, accepts, message } of rules) {
    let hits = 0;
    for (const hit of plain.matchAll(pattern)) {
      if (accepts?.(hit[0]) === false) continue;
      if (++hits > hitsMax) break;
      found.push(finding(id, score, hit.index, hit.index + hit[0].length, message));
    }
  }
  found.push(...unclosedFindings(plain));
  const cuts = [...plain.matchAll(cutWord)];
  const [first, last] = [cuts[0], cuts.at(-1)];
  if (first !== undefined && last !== undefined && cuts.length >= cutsMin) {
    const message = "Words are cut up by zero-width characters";
    found.push(finding("cut-words", cutScore, first.index, last.index + last[0].length, message));
  }
  return found;
}

export const unicodeScanner: Scanner = { name: "unicode", scan };
