/** All segments of a prompt that the model has to read, on their way to it in one call. */
import type { Model, ModelScore, ScoreRequest } from "./model.ts";

interface Waiting {
  readonly readings: readonly string[];
  readonly resolve: (score: ModelScore | Promise<ModelScore>) => void;
  readonly reject: (error: unknown) => void;
}

export class Crossing {
  readonly #model: Pick<Model, "score">;
  readonly #request: () => ScoreRequest;
  #waiting: Waiting[] = [];
  #isSent = false;

  /** @param request asked for when the segments cross */
  constructor(model: Pick<Model, "score">, request: () => ScoreRequest) {
    this.#model = model;
    this.#request = request;
  }

  /** Scores one segment with the others that come before `send`; later ones cross by themselves. */
  score(readings: readonly string[]): Promise<ModelScore> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ readings, resolve, reject });
      if (this.#isSent) this.send();
    });
  }

  send(): void {
    this.#isSent = true;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    try {
      const segments = waiting.map(({ readings }) => readings);
      const scores = this.#model.score(segments, this.#request());
      for (const [index, { resolve }] of waiting.entries()) {
        resolve(scores[index] as Promise<ModelScore>);
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
