/** Runs work over a list with a bound on how much of it is under way at once. */

/**
 * @param items what to work on
 * @param concurrencyMax pieces of work under way at once, at least 1
 * @param work called with each item and its index
 * @returns the results in the order of the items; rejects with the first error, after which no new work starts
 */
export async function mapBounded<In, Out>(
  items: readonly In[],
  concurrencyMax: number,
  work: (item: In, index: number) => Promise<Out>,
): Promise<Out[]> {
  const results = new Array<Out>(items.length);
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        results[index] = await work(items[index] as In, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrencyMax, items.length) }, worker));
  return results;
}
