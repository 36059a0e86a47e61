/** Work on a stream with a bound on how much is under way, its results in the stream's order. */

/**
 * Yields each result as soon as it and all before it are there, also while the
 * source has nothing more to give.
 *
 * @param concurrencyMax pieces of work under way or waiting to be taken, at least 1
 * @param work must not reject
 */
export async function* inOrder<In, Out>(
  source: AsyncIterable<In>,
  concurrencyMax: number,
  work: (item: In) => Promise<Out>,
): AsyncGenerator<Out> {
  const underWay: Promise<Out>[] = [];
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wakeReader = () => {};
  let wakeFeeder = () => {};
  const feed = async () => {
    try {
      for await (const item of source) {
        underWay.push(work(item));
        wakeReader();
        while (underWay.length >= concurrencyMax && !ended) {
          await new Promise<void>((resolve) => {
            wakeFeeder = resolve;
          });
        }
        if (ended) return;
      }
    } catch (error) {
      failure = { error };
    }
    ended = true;
    wakeReader();
  };
  const fed = feed();
  try {
    for (;;) {
      const [first] = underWay;
      if (first !== undefined) {
        yield await first;
        underWay.shift();
        wakeFeeder();
      } else if (ended) {
        break;
      } else {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
    }
    if (failure !== undefined) throw failure.error;
    await fed;
  } finally {
    ended = true;
    wakeFeeder();
  }
}
