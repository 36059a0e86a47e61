/** Which parts of a text Markdown shows as code: what stands there is shown, not said. */
import { countBefore } from "../text/sorted.ts";

export interface Span {
  readonly start: number;
  readonly end: number;
}

const fence = /^[ \t]{0,3}(?:`{3,}|~{3,})/gm;
/** Code inside a line is short: a longer one is two stray marks. */
const inline = /`[^`\n]{1,400}`/g;

/** Fenced blocks and code in lines, UTF-16 code units. A fence that nobody closes is no code. Linear. */
export function codeSpans(text: string): Span[] {
  const spans: Span[] = [];
  let open: number | undefined;
  for (const { index } of text.matchAll(fence)) {
    if (open === undefined) open = index;
    else {
      spans.push({ start: open, end: index });
      open = undefined;
    }
  }
  for (const { 0: code, index } of text.matchAll(inline)) {
    spans.push({ start: index, end: index + code.length });
  }
  return spans.sort((a, b) => a.start - b.start);
}

/** A test whether a place lies in code. The spans are looked for once, when it is first asked. */
export function codeTest(text: string): (start: number, end: number) => boolean {
  let spans: Span[] | undefined;
  /** The furthest end of the spans up to each one, so that nested ones need no second look. */
  let reach: number[] = [];
  return (start, end) => {
    if (!text.includes("`") && !text.includes("~~~")) return false;
    if (spans === undefined) {
      spans = codeSpans(text);
      let furthest = 0;
      reach = spans.map((span) => {
        furthest = Math.max(furthest, span.end);
        return furthest;
      });
    }
    const sorted = spans;
    const before = countBefore(sorted.length, (index) => (sorted[index] as Span).start <= start);
    return before > 0 && (reach[before - 1] as number) >= end;
  };
}
