/**
 * The cache key of a segment: keyed SHA-256 over tagged, length-prefixed fields,
 * so that no two different inputs share one, and a store that leaks does not
 * tell whether a text was in it. Whatever changes the scores is a field; the
 * policy is none, since a hit is decided anew.
 */
import { createHmac } from "node:crypto";
import type { Segment } from "../types.ts";

export interface KeyVersions {
  readonly modelSha256: string;
  readonly signatures: string;
  readonly normaliser: string;
  /** The window budget: a text longer than it scores otherwise. */
  readonly windowsMax: number;
  /** Whether an early head may answer. */
  readonly earlyExit: boolean;
}

function field(tag: string, value: string): string {
  return `${tag}:${value.length}:${value};`;
}

/** @returns a function from segment to a 64-digit key. The text must be well-formed Unicode: lone surrogates would hash alike. */
export function keyMaker(versions: KeyVersions, secret: Buffer): (segment: Segment) => string {
  const prefix =
    field("model", versions.modelSha256) +
    field("signatures", versions.signatures) +
    field("normaliser", versions.normaliser) +
    field("windows", String(versions.windowsMax)) +
    field("exit", String(versions.earlyExit));
  return (segment) =>
    createHmac("sha256", secret)
      .update(prefix + field("origin", segment.origin) + field("text", segment.text), "utf8")
      .digest("hex");
}

/** @returns a function from texts to 32 hexadecimal digits, by which the log recognises equal prompts */
export function textHasher(secret: Buffer): (segments: readonly Segment[]) => string {
  return (segments) => {
    const hash = createHmac("sha256", secret);
    for (const { origin, text } of segments) {
      hash.update(field("origin", origin) + field("text", text), "utf8");
    }
    return hash.digest("hex").slice(0, 32);
  };
}
