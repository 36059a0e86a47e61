/**
 * Many strings looked for in one pass (Aho and Corasick, 1975): time is linear
 * in the text and its hits, and does not depend on how many strings there are.
 * Memory is one entry for each code unit of the strings, about 50 bytes.
 */

export interface LiteralMatcher {
  /** Calls `found` with each place of each string, by its index, in order of its end. */
  match(text: string, found: (literal: number, start: number, end: number) => void): void;
}

/** @param literals strings that are not empty */
export function compileLiterals(literals: readonly string[]): LiteralMatcher {
  /** Node and code unit to the next node. */
  const next = new Map<number, number>();
  const edge = (node: number, unit: number) => node * 0x10000 + unit;
  /** Literals that end at a node, and for each node: its parent's edge into it, its depth. */
  const ends: number[][] = [[]];
  const parent: number[] = [0];
  const unitInto: number[] = [0];
  for (const [index, literal] of literals.entries()) {
    let node = 0;
    for (let at = 0; at < literal.length; at++) {
      const unit = literal.charCodeAt(at);
      let child = next.get(edge(node, unit));
      if (child === undefined) {
        child = ends.length;
        ends.push([]);
        parent.push(node);
        unitInto.push(unit);
        next.set(edge(node, unit), child);
      }
      node = child;
    }
    (ends[node] as number[]).push(index);
  }

  /** The node of the longest ending of a node's string that begins another, and the nearest such one where one ends. */
  const fallback = new Uint32Array(ends.length);
  const output = new Uint32Array(ends.length);
  const step = (from: number, unit: number): number => {
    let node = from;
    for (;;) {
      const child = next.get(edge(node, unit));
      if (child !== undefined) return child;
      if (node === 0) return 0;
      node = fallback[node] as number;
    }
  };
  const depth = new Uint32Array(ends.length);
  for (let node = 1; node < ends.length; node++) {
    depth[node] = (depth[parent[node] as number] as number) + 1;
  }
  // By depth, since a fallback is always nearer to the root.
  const order = Array.from({ length: ends.length - 1 }, (_, index) => index + 1);
  order.sort((a, b) => (depth[a] as number) - (depth[b] as number));
  for (const node of order) {
    const from = parent[node] as number;
    if (from !== 0) fallback[node] = step(fallback[from] as number, unitInto[node] as number);
    const other = fallback[node] as number;
    output[node] = (ends[other] as number[]).length > 0 ? other : (output[other] as number);
  }

  const beginnings = new Uint8Array(0x10000);
  for (const literal of literals) beginnings[literal.charCodeAt(0)] = 1;

  return {
    match(text, found) {
      let node = 0;
      for (let at = 0; at < text.length; at++) {
        const unit = text.charCodeAt(at);
        if (node === 0 && beginnings[unit] === 0) continue;
        node = step(node, unit);
        for (let end = node; end !== 0; end = output[end] as number) {
          for (const literal of ends[end] as number[]) {
            found(literal, at + 1 - (depth[end] as number), at + 1);
          }
        }
      }
    },
  };
}
