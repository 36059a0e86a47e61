/** Lists in requests: described whole, checked entry by entry. */
import { z } from "zod";

/** Settings that bound lists. */
export interface RequestLimits {
  readonly textsMax: number;
  readonly messagesMax: number;
}

/**
 * A list whose entries are checked one by one after the schema that it is part of. A schema of
 * the whole list would note every wrong entry, and a body of nothing but wrong entries would
 * hold the event loop for seconds.
 */
export interface List<T> {
  /** Checks that it is a list, and no more. */
  readonly schema: z.ZodType<readonly unknown[]>;
  /** Checks one entry. */
  readonly items: z.ZodType<T>;
  readonly lengthMin: number;
  /** The setting that bounds its length. */
  readonly lengthMax: keyof RequestLimits;
  /** Describes an entry of which there is at least one. */
  readonly contains?: z.ZodType | undefined;
}

const lists = new WeakMap<z.core.$ZodType, List<unknown>>();

export function list<T>(
  items: z.ZodType<T>,
  lengthMin: number,
  lengthMax: keyof RequestLimits,
  contains?: z.ZodType,
): List<T> {
  const schema = z.custom<readonly unknown[]>(Array.isArray, "expected a list");
  const made = { schema, items, lengthMin, lengthMax, contains };
  lists.set(schema, made);
  return made;
}

/** @returns the list that this is the schema of, or nothing */
export function listOf(schema: z.core.$ZodType): List<unknown> | undefined {
  return lists.get(schema);
}
