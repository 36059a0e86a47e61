/** Replaces findings by placeholders. Pure: nothing is kept but what is returned. */
import type { Finding } from "../types.ts";
import { kindOf, placeholderOf, placeholdersIn } from "./placeholder.ts";

type Found = Pick<Finding, "label" | "score" | "start" | "end">;

/** One part of a text that was replaced. Never holds what stood there. */
export interface Replacement {
  readonly kind: string;
  readonly placeholder: string;
  /** Which of the texts. */
  readonly textIndex: number;
  /** UTF-16 code units of the text as it was sent. */
  readonly start: number;
  readonly end: number;
}

export interface Redacted {
  readonly texts: readonly string[];
  /** In order of appearance. */
  readonly replacements: readonly Replacement[];
  /** What each placeholder stands for: secret. */
  readonly values: ReadonlyMap<string, string>;
}

interface Span {
  start: number;
  end: number;
  /** Of its findings the riskiest, then the longest, then the first. */
  best: Found;
}

const isLow = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;
const isHigh = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;

/** Whether a pair of surrogates would be cut in two at `place`. */
function isInPair(text: string, place: number): boolean {
  return isLow(text.charCodeAt(place)) && isHigh(text.charCodeAt(place - 1));
}

function isBetter(a: Found, b: Found): boolean {
  return a.score > b.score || (a.score === b.score && a.end - a.start > b.end - b.start);
}

/** The places to replace in order, none over another: findings that overlap become one place that covers them all. */
function spansOf(text: string, findings: readonly Found[]): Span[] {
  const spans: Span[] = [];
  for (const finding of [...findings].sort((a, b) => a.start - b.start || b.end - a.end)) {
    if (finding.end <= finding.start) continue;
    const start = isInPair(text, finding.start) ? finding.start - 1 : finding.start;
    const end = isInPair(text, finding.end) ? finding.end + 1 : finding.end;
    const last = spans.at(-1);
    if (last === undefined || start >= last.end) {
      spans.push({ start, end, best: finding });
      continue;
    }
    last.end = Math.max(last.end, end);
    if (isBetter(finding, last.best)) last.best = finding;
  }
  return spans;
}

/** Hands out placeholders: the same value gets the same one, and none is one that stands in the texts already. */
class Placeholders {
  readonly values = new Map<string, string>();
  readonly #byValue = new Map<string, { readonly kind: string; readonly placeholder: string }>();
  readonly #counts = new Map<string, number>();
  readonly #taken: ReadonlySet<string>;

  constructor(texts: readonly string[]) {
    this.#taken = new Set(texts.flatMap(placeholdersIn));
  }

  of(value: string, label: string): { readonly kind: string; readonly placeholder: string } {
    const known = this.#byValue.get(value);
    if (known !== undefined) return known;
    const kind = kindOf(label);
    let number = this.#counts.get(kind) ?? 0;
    let placeholder: string;
    do placeholder = placeholderOf(kind, ++number);
    while (this.#taken.has(placeholder));
    this.#counts.set(kind, number);
    this.values.set(placeholder, value);
    const made = { kind, placeholder };
    this.#byValue.set(value, made);
    return made;
  }
}

/**
 * @param texts all texts of a request: they share the numbers, which count each kind from 1 in order of appearance
 * @param findings of each text, in any order
 */
export function redact(
  texts: readonly string[],
  findings: readonly (readonly Found[])[],
): Redacted {
  const placeholders = new Placeholders(texts);
  const replacements: Replacement[] = [];
  const redacted = texts.map((text, textIndex) => {
    let at = 0;
    let result = "";
    for (const { start, end, best } of spansOf(text, findings[textIndex] ?? [])) {
      const { kind, placeholder } = placeholders.of(text.slice(start, end), best.label);
      replacements.push({ kind, placeholder, textIndex, start, end });
      result += text.slice(at, start) + placeholder;
      at = end;
    }
    return result + text.slice(at);
  });
  return { texts: redacted, replacements, values: placeholders.values };
}
