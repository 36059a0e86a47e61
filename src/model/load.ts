/**
 * How long a new prompt would wait for the model: the work before it, times what
 * a piece of work takes (Little's law). What a piece takes is the mean time
 * between completions while there is always another prompt waiting, by the work
 * that they completed. The unit of work is the caller's.
 */

/** Weight of the newest completion in the mean. */
const weight = 0.05;

export class QueueLoad {
  readonly #threads: number;
  #outstanding = 0;
  #outstandingWork = 0;
  #lastEnd = 0;
  /** Whether prompts have been outstanding without a break since the last completion. */
  #isBusy = false;
  /** Of the completions so far, older ones counting less and less. */
  #busyMs = 0;
  #doneWork = 0;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** A prompt begins. @param now monotonic milliseconds @param work above 0 */
  begin(now: number, work: number): void {
    if (this.#outstanding === 0) {
      this.#lastEnd = now;
      this.#isBusy = true;
    }
    this.#outstanding++;
    this.#outstandingWork += work;
  }

  /** A prompt ends. @param work as at its beginning @param isDone whether it was answered: else its time is the next one's */
  end(now: number, work: number, isDone: boolean): void {
    this.#outstanding--;
    this.#outstandingWork -= work;
    if (!isDone) return;
    if (this.#isBusy) {
      this.#busyMs = this.#busyMs * (1 - weight) + (now - this.#lastEnd);
      this.#doneWork = this.#doneWork * (1 - weight) + work;
    }
    this.#lastEnd = now;
    this.#isBusy = this.#outstanding > 0;
  }

  /** Milliseconds until a prompt that begins now would run, after all that are outstanding. */
  get expectedWaitMs(): number {
    if (this.#outstanding < this.#threads) return 0;
    const waiting = this.#outstanding - this.#threads + 1;
    return this.#workMs((this.#outstandingWork * waiting) / this.#outstanding);
  }

  /** Milliseconds until a prompt that begins now would end, taking turns with those that are outstanding; 0 where it is alone. */
  expectedEndMs(work: number): number {
    return this.#outstanding === 0 ? 0 : this.#workMs(this.#outstandingWork + work);
  }

  #workMs(work: number): number {
    return this.#doneWork === 0 ? 0 : (work * this.#busyMs) / this.#doneWork;
  }
}
