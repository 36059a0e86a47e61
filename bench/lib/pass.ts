/** What one forward pass computes, as a number to hold times against. */

/** Sizes of the model, from its config.json. */
export interface Sizes {
  readonly num_hidden_layers: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
}

/**
 * Integer multiply-accumulates of one pass over a window as ours computes it: the four products of
 * each layer for every token; in the last layer keys and values for every token and the rest for the
 * first one alone. Attention, normalisation and GELU are floats and count as nothing, so that a
 * share of the peak is what the integer products alone would take of the whole pass's time.
 */
export function passMacs(sizes: Sizes, tokens: number): number {
  const { num_hidden_layers: layers, hidden_size: hidden, intermediate_size: inner } = sizes;
  const [queries, keysAndValues] = [hidden * hidden, 2 * hidden * hidden];
  const afterAttention = hidden * hidden + 2 * hidden * inner;
  const whole = (layers - 1) * tokens * (queries + keysAndValues + afterAttention);
  return whole + tokens * keysAndValues + queries + afterAttention;
}
