/** Lines of a byte stream, each within a bound. */

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Absent where the line is longer than allowed; it was skipped unread. */
  readonly bytes?: Buffer;
}

const newline = 0x0a;

/**
 * Splits at newlines; the last line needs none.
 *
 * @param bytesMax a longer line is not kept
 */
export async function* readLines(
  source: AsyncIterable<Buffer>,
  bytesMax: number,
): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let length = 0;
  let number = 0;
  const add = (piece: Buffer) => {
    length += piece.length;
    if (length > bytesMax) parts = [];
    else parts.push(piece);
  };
  const take = (): Line => {
    number++;
    const line = length > bytesMax ? { number } : { number, bytes: Buffer.concat(parts) };
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      add(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    if (start < chunk.length) add(chunk.subarray(start));
  }
  if (length > 0) yield take();
}
