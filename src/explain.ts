/**
 * Which part of a text made the model's score: a line beside `inspect`, walked
 * only by those who ask for it, because it costs more than the verdict.
 *
 * The window that the verdict names is cut into pieces, at ends of sentences
 * where it has some. Each is left out in turn (occlusion: Zeiler and Fergus 2014;
 * of text, "leave one out", Li, Monroe and Jurafsky 2016). The one that lowers the
 * score most is the seed; it grows by its better neighbour until what is left is
 * harmless, or gets no more so.
 */
import { Aborted, GhostError } from "./errors.ts";
import type { Model, ModelScore } from "./model/model.ts";
import { readings } from "./text/views.ts";
import type { Explanation, Prompt, Verdict } from "./types.ts";

export interface ExplainerDependencies {
  readonly model: Pick<Model, "score">;
  /** Forward passes for one explanation at most. */
  readonly passesMax: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export interface Explainer {
  /**
   * Rejects with Aborted, or with a GhostError `internal_error`.
   *
   * @param verdict on that prompt
   * @param deadlineAt on the clock of `now`
   * @returns undefined where the model found nothing, and where it has no time to say why it did
   */
  explain(
    prompt: Prompt,
    verdict: Pick<Verdict, "findings">,
    deadlineAt: number,
    signal?: AbortSignal,
  ): Promise<Explanation | undefined>;
}

/** Pieces that are left out one by one. */
const piecesMax = 10;
/** Below this a text gives no reason to flag it, so that no more need be left out. */
const harmlessScore = 0.5;
/** Code units of a window that are looked at; one is never as long, but its reading may be. */
const unitsMax = 16_384;

/** [start, end) in code units. */
interface Span {
  readonly start: number;
  readonly end: number;
}

const sentenceEnd = /[.!?…。！？;:\n]["'”’)\]]*\s*$/u;
const word = /\S+\s*/gu;

/** Words of text without spaces are single letters or signs. */
function wordsOf(text: string): Span[] {
  const words: Span[] = [];
  const longest = Math.max(1, Math.ceil(text.length / (2 * piecesMax)));
  for (const { 0: match, index } of text.matchAll(word)) {
    for (let at = 0; at < match.length; ) {
      let end = Math.min(match.length, at + longest);
      if (match.length - end < longest / 2) end = match.length;
      // Not between the two halves of one character.
      if (/[\ud800-\udbff]/.test(match[end - 1] as string) && end < match.length) end++;
      words.push({ start: index + at, end: index + end });
      at = end;
    }
  }
  return words;
}

/** @returns the text in at most `count` pieces that are about equally long */
export function piecesOf(text: string, count: number): Span[] {
  const words = wordsOf(text);
  const wanted = text.length / count;
  const pieces: Span[] = [];
  let start = 0;
  for (const { end } of words) {
    const length = end - start;
    const isLast = pieces.length >= count - 1;
    const endsSentence = length >= wanted * 0.6 && sentenceEnd.test(text.slice(start, end));
    if (!isLast && (length >= wanted * 1.3 || endsSentence)) {
      pieces.push({ start, end });
      start = end;
    }
  }
  if (start < text.length) pieces.push({ start, end: text.length });
  return pieces;
}

const scoreOf = ({ score, logit }: ModelScore) => ({ score, logit });

/** Scores a text without some spans of it, and counts what that costs. */
class Occlusion {
  readonly text: string;
  passes = 0;
  readonly #score: (segments: readonly (readonly string[])[]) => readonly Promise<ModelScore>[];
  readonly #passesMax: number;
  /** Passes that a text took at most: what the next ones are expected to take. */
  #passesEach = 1;

  constructor(
    text: string,
    passesMax: number,
    score: (segments: readonly (readonly string[])[]) => readonly Promise<ModelScore>[],
  ) {
    this.text = text;
    this.#passesMax = passesMax;
    this.#score = score;
  }

  /** How many texts may still be scored. */
  get left(): number {
    return Math.floor((this.#passesMax - this.passes) / this.#passesEach);
  }

  /** @returns the scores of the text without each span, in one crossing; nothing left scores lowest */
  async without(spans: readonly Span[]): Promise<{ score: number; logit: number }[]> {
    const texts = spans.map(({ start, end }) => {
      // A space, so that the words at both ends stay apart.
      const rest = `${this.text.slice(0, start)}${start > 0 && end > start ? " " : ""}${this.text.slice(end)}`;
      return rest.trim() === "" ? [] : readings(rest).forModel.map((reading) => reading.text);
    });
    const asked = texts.filter((each) => each.length > 0);
    const scored = asked.length === 0 ? [] : await Promise.all(this.#score(asked));
    for (const { passes } of scored) {
      this.passes += passes;
      this.#passesEach = Math.max(this.#passesEach, passes);
    }
    let at = 0;
    return texts.map((each) =>
      each.length === 0
        ? { score: 0, logit: Number.NEGATIVE_INFINITY }
        : scoreOf(scored[at++] as ModelScore),
    );
  }
}

interface Found extends Span {
  readonly score: number;
  readonly logit: number;
}

/** The lowest of some spans, each with its score. */
function lowest(
  spans: readonly Span[],
  scores: readonly { score: number; logit: number }[],
): Found {
  const found = spans.map((span, index) => ({
    start: span.start,
    end: span.end,
    ...(scores[index] as { score: number; logit: number }),
  }));
  return found.reduce((best, each) => (each.logit < best.logit ? each : best));
}

async function growFrom(
  seed: Found,
  pieces: readonly Span[],
  occlusion: Occlusion,
): Promise<Found> {
  let best = seed;
  let first = pieces.findIndex(({ start }) => start === seed.start);
  let last = first;
  while (best.score >= harmlessScore && occlusion.left >= 2) {
    const wider: Span[] = [];
    const { start, end } = best;
    if (first > 0) wider.push({ start: (pieces[first - 1] as Span).start, end });
    if (last < pieces.length - 1) wider.push({ start, end: (pieces[last + 1] as Span).end });
    // All of it is no explanation.
    if (last - first + 2 >= pieces.length || wider.length === 0) break;
    const next = lowest(wider, await occlusion.without(wider));
    if (next.logit >= best.logit) break;
    if (next.start < start) first--;
    else last++;
    best = next;
  }
  return best;
}

/** @returns the span without the white space at its ends */
function trimmed(text: string, { start, end }: Span): Span {
  const inside = text.slice(start, end);
  const from = start + inside.length - inside.trimStart().length;
  return { start: from, end: Math.max(from, start + inside.trimEnd().length) };
}

/** Builds the explainer. */
export function createExplainer({ model, passesMax, now }: ExplainerDependencies): Explainer {
  async function occlude(occlusion: Occlusion): Promise<(Found & { base: number }) | undefined> {
    const [base] = await occlusion.without([{ start: 0, end: 0 }]);
    const pieces = piecesOf(occlusion.text, Math.min(piecesMax, occlusion.left));
    if (base === undefined || pieces.length < 2) return undefined;
    const seed = lowest(pieces, await occlusion.without(pieces));
    let best: Found = seed;
    try {
      best = await growFrom(seed, pieces, occlusion);
    } catch (error) {
      // What is known by now is an answer; that there is no time for a better one is no failure.
      if (!isRefusal(error)) throw error;
    }
    return { ...best, base: base.score };
  }

  return {
    async explain({ segments }, { findings }, deadlineAt, signal) {
      const byModel = findings.filter(({ label }) => label === "model/attack");
      const [first] = byModel.sort((a, b) => b.score - a.score);
      if (first === undefined) return undefined;
      const { messageIndex, partIndex } = first;
      const segment = segments.find(
        (each) => each.messageIndex === messageIndex && each.partIndex === partIndex,
      );
      if (segment === undefined || first.end - first.start > unitsMax) return undefined;
      const text = segment.text.slice(first.start, first.end);
      const admission = { isAdmitted: false };
      const occlusion = new Occlusion(text, passesMax(), (texts) =>
        model.score(texts, { deadlineMs: deadlineAt - now(), admission, signal }),
      );
      let found: (Found & { base: number }) | undefined;
      try {
        found = await occlude(occlusion);
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
      if (signal?.aborted) throw new Aborted();
      if (found === undefined) return undefined;
      const { start, end } = trimmed(text, found);
      return {
        ...(messageIndex === undefined ? {} : { messageIndex }),
        ...(partIndex === undefined ? {} : { partIndex }),
        start: first.start + start,
        end: first.start + end,
        window: { start: first.start, end: first.end },
        score: found.base,
        scoreWithout: found.score,
        passes: occlusion.passes,
      };
    },
  };
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof GhostError && (error.code === "busy" || error.code === "deadline_exceeded")
  );
}
