/**
 * A bound on the hits of one reading, rule by rule. Past it a hit must weigh more than those before:
 * harmless ones in front hide nothing.
 */
export class HitCap {
  readonly #known = new Map<string, { count: number; best: number }>();

  /** @param hitsMax hits of one rule that are kept whatever they weigh */
  constructor(private readonly hitsMax: number) {}

  /** Whether a hit of the rule with this score, or with at most this, is kept. */
  admits(rule: string, score: number): boolean {
    const known = this.#known.get(rule);
    return known === undefined || known.count < this.hitsMax || score > known.best;
  }

  /** Counts a hit that is kept. */
  count(rule: string, score: number): void {
    const { count, best } = this.#known.get(rule) ?? { count: 0, best: 0 };
    this.#known.set(rule, { count: count + 1, best: Math.max(best, score) });
  }
}
