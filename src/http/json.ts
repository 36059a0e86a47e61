/**
 * One pass over a JSON text before it is parsed, without recursion: refuses what
 * `JSON.parse` would let through. Whether the text is JSON at all is left to it.
 */
import { GhostError } from "../errors.ts";

const nestingMax = 64;

const quote = 0x22;
const comma = 0x2c;
const bracketOpen = 0x5b;
const backslash = 0x5c;
const bracketClose = 0x5d;
const letterU = 0x75;
const braceOpen = 0x7b;
const braceClose = 0x7d;

interface Level {
  /** Keys so far; absent in an array. */
  readonly keys: Set<string> | undefined;
  expectsKey: boolean;
}

/** Reads the four digits of `\uXXXX`; NaN where they are none. */
function codeUnit(text: string, at: number): number {
  const digits = text.slice(at, at + 4);
  return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
}

/**
 * @param at index of the opening quote
 * @returns index of the closing quote, or the text's length where there is none
 */
function endOfString(text: string, at: number): number {
  /** Where the low half of a surrogate pair has to follow; -1 where none is due. */
  let lowDueAt = -1;
  let index = at + 1;
  for (; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === quote) break;
    if (unit !== backslash) continue;
    if (text.charCodeAt(index + 1) !== letterU) {
      index++;
      continue;
    }
    const escaped = codeUnit(text, index + 2);
    const isLow = escaped >= 0xdc00 && escaped <= 0xdfff;
    if (isLow !== (lowDueAt === index)) throw new GhostError("malformed_unicode");
    if (lowDueAt !== -1 && lowDueAt !== index) throw new GhostError("malformed_unicode");
    lowDueAt = escaped >= 0xd800 && escaped <= 0xdbff ? index + 6 : -1;
    index += 5;
  }
  if (lowDueAt !== -1) throw new GhostError("malformed_unicode");
  return index;
}

function noteKey(level: Level, raw: string): void {
  let key = raw;
  if (raw.includes("\\")) {
    try {
      key = JSON.parse(`"${raw}"`);
    } catch {
      return; // not JSON: the parser will say so
    }
  }
  if (level.keys?.has(key)) {
    throw new GhostError(
      "invalid_request",
      `the key ${JSON.stringify(key.slice(0, 64))} is there twice`,
    );
  }
  level.keys?.add(key);
  level.expectsKey = false;
}

/**
 * Refuses nesting deeper than 64, a key that is twice in one object, and escapes
 * that make a lone surrogate.
 *
 * @throws GhostError `nesting_too_deep`, `invalid_request` or `malformed_unicode`
 */
export function prescan(text: string): void {
  const levels: Level[] = [];
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    const level = levels[levels.length - 1];
    if (unit === quote) {
      const end = endOfString(text, index);
      if (level?.expectsKey) noteKey(level, text.slice(index + 1, end));
      index = end;
    } else if (unit === braceOpen || unit === bracketOpen) {
      if (levels.length === nestingMax) {
        throw new GhostError("nesting_too_deep", `at most ${nestingMax} levels`);
      }
      const isObject = unit === braceOpen;
      levels.push({ keys: isObject ? new Set() : undefined, expectsKey: isObject });
    } else if (unit === braceClose || unit === bracketClose) {
      levels.pop();
    } else if (unit === comma && level?.keys !== undefined) {
      level.expectsKey = true;
    }
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Bytes to a JSON value, checked on the way.
 *
 * @throws GhostError a row with status 400
 */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new GhostError("malformed_unicode", "the body is not UTF-8");
  }
  prescan(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new GhostError("malformed_json");
  }
}
