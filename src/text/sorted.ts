/**
 * How many entries of a sorted row come first: those for which `isBefore` holds, which it does for none
 * behind one for which it does not. Binary search.
 */
export function countBefore(length: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
