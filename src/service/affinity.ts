/** Which core each thread gets: the event loop and inference keep out of each other's way. */

export interface CorePlan {
  /** Core of the event loop; absent where it is not pinned. */
  readonly eventLoop?: number;
  /** One inference thread on each; empty where they are not pinned. */
  readonly inference: readonly number[];
  /** Inference threads. */
  readonly threads: number;
}

const automaticThreadsMax = 4;

/**
 * With one allowed core nothing is pinned. With more, the event loop gets the
 * first and each inference thread one of the others; where more threads are
 * asked for than there are others, nothing is pinned.
 *
 * @param allowed cores that this process may run on, ascending
 * @param threads inference threads asked for; 0 chooses
 * @param pin whether to pin at all
 */
export function planCores(allowed: readonly number[], threads: number, pin: boolean): CorePlan {
  const others = allowed.slice(1);
  const count = threads || Math.min(Math.max(others.length, 1), automaticThreadsMax);
  const [eventLoop] = allowed;
  if (!pin || eventLoop === undefined || count > others.length) {
    return { inference: [], threads: count };
  }
  return { eventLoop, inference: others.slice(0, count), threads: count };
}
