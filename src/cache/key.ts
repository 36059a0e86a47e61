/**
 * The cache key of a segment: SHA-256 over tagged, length-prefixed fields, so
 * that no two different inputs share one. Whatever changes the scores is a
 * field; the policy is none, since a hit is decided anew.
 */
import { hash } from "node:crypto";
import type { Segment } from "../types.ts";

export interface KeyVersions {
  readonly modelSha256: string;
  readonly signatures: string;
  readonly normaliser: string;
}

function field(tag: string, value: string): string {
  return `${tag}:${value.length}:${value};`;
}

/** @returns a function from segment to a 64-digit key. The text must be well-formed Unicode: lone surrogates would hash alike. */
export function keyMaker(versions: KeyVersions): (segment: Segment) => string {
  const prefix =
    field("model", versions.modelSha256) +
    field("signatures", versions.signatures) +
    field("normaliser", versions.normaliser);
  return (segment) =>
    hash("sha256", prefix + field("origin", segment.origin) + field("text", segment.text), "hex");
}
