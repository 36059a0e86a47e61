/**
 * False positives and cost by length: benign texts put one after another up to
 * a number of tokens, since the maximum over windows rises with their number.
 */
import { blockThreshold, flagThreshold } from "../../src/policy/policy.ts";
import { openUnbounded, scoreTexts } from "./line.ts";

export interface LengthRow {
  /** Tokens aimed at; the texts end at the first text that reaches it. */
  readonly tokens: number;
  readonly texts: number;
  readonly block: number;
  readonly flag: number;
  readonly passes_mean: number;
}

const lengthsInTokens = [16, 64, 128, 512, 2048, 8192, 16000];
/** Enough for a share of a few per cent to mean something, few enough to end. */
const textsOfLength = (tokens: number) =>
  Math.max(25, Math.min(1000, Math.floor(200_000 / tokens)));
/** Characters a token on average over the benign texts: only to aim by. */
const charactersPerToken = 3.8;

function joined(
  texts: readonly string[],
  from: number,
  tokens: number,
): [text: string, next: number] {
  let text = "";
  let at = from;
  while (text.length < tokens * charactersPerToken) {
    text += `${text === "" ? "" : "\n\n"}${texts[at % texts.length]}`;
    at++;
  }
  return [text.slice(0, Math.ceil(tokens * charactersPerToken)).toWellFormed(), at];
}

/** @param modelFolder the model to ask
 * @param texts benign texts, in a fixed order so that a run can be repeated */
export async function byLength(
  modelFolder: string,
  texts: readonly string[],
): Promise<LengthRow[]> {
  const model = openUnbounded(modelFolder);
  const rows: LengthRow[] = [];
  for (const tokens of lengthsInTokens) {
    const samples: string[] = [];
    for (let at = 0; samples.length < textsOfLength(tokens); ) {
      const [text, next] = joined(texts, at, tokens);
      samples.push(text);
      at = next;
    }
    const scored = await scoreTexts(model, samples);
    const above = (threshold: number) =>
      scored.filter(({ score }) => score >= threshold).length / scored.length;
    rows.push({
      tokens,
      texts: scored.length,
      block: above(blockThreshold),
      flag: above(flagThreshold),
      passes_mean: scored.reduce((sum, { passes }) => sum + passes, 0) / scored.length,
    });
  }
  await model.close();
  return rows;
}
