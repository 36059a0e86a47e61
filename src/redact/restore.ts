/** Puts values back in place of their placeholders. */
import { replacePlaceholders } from "./placeholder.ts";

export interface Restored {
  readonly texts: readonly string[];
  /** Places where each placeholder was put back; 0 where it was not found. */
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * One pass: a value that looks like a placeholder itself stays as it is, and so does a placeholder without a value.
 *
 * @param values what each placeholder stands for
 */
export function restore(texts: readonly string[], values: ReadonlyMap<string, string>): Restored {
  const counts = new Map([...values.keys()].map((placeholder) => [placeholder, 0]));
  const restored = texts.map((text) =>
    replacePlaceholders(text, (placeholder) => {
      const value = values.get(placeholder);
      if (value !== undefined) counts.set(placeholder, (counts.get(placeholder) ?? 0) + 1);
      return value;
    }),
  );
  return { texts: restored, counts };
}
