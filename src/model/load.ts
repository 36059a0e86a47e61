/**
 * How long a new call would wait for the model: calls before it, times what one
 * takes (Little's law). What one takes is the mean time between completions
 * while there is always another call waiting.
 */

/** Weight of the newest interval in the mean. */
const weight = 0.05;

export class QueueLoad {
  readonly #threads: number;
  #outstanding = 0;
  #lastEnd = 0;
  /** Whether calls have been outstanding without a break since the last completion. */
  #isBusy = false;
  #intervalMs = 0;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** A call begins. @param now monotonic milliseconds */
  begin(now: number): void {
    if (this.#outstanding === 0) {
      this.#lastEnd = now;
      this.#isBusy = true;
    }
    this.#outstanding++;
  }

  /** A call ends, answered or refused. */
  end(now: number): void {
    this.#outstanding--;
    if (this.#isBusy) {
      const interval = now - this.#lastEnd;
      this.#intervalMs += (interval - this.#intervalMs) * (this.#intervalMs === 0 ? 1 : weight);
    }
    this.#lastEnd = now;
    this.#isBusy = this.#outstanding > 0;
  }

  /** Milliseconds until a call that begins now would run. */
  get expectedWaitMs(): number {
    return Math.max(0, this.#outstanding - this.#threads + 1) * this.#intervalMs;
  }
}
