/**
 * Secrets: keys, tokens, private keys and passwords that a text gives away.
 *
 * Finds: the formats of secrets.data.ts by their prefix, alphabet, length and, where the format has
 * one, checksum (GitHub, npm, Vercel, GitLab, Grafana, PyPI, age); keys without a format of their own
 * where their issuer and use are named before them; JSON web tokens, private keys, passwords in
 * addresses, HTTP credentials, and values that are named a password or secret and look drawn.
 * Ignores: what documentation writes in place of a secret, hashes, UUIDs and other random values that
 * nobody names, public keys and certificates, variables and calls.
 * Hit: an AWS access key id. Near miss: the same with EXAMPLE at its end.
 *
 * A secret flags, since whoever sends it may have meant to; a key that moves money or signs scores
 * higher but does not block by itself: it attacks nobody. Where two formats hit one place, the one that
 * says more is told. The span is the secret itself, for redaction.
 */
import type { MappedText } from "../text/edits.ts";
import { type Anchor, compileAnchors } from "./anchors.ts";
import type { Finding, FoundIn, ScanInput, Scanner } from "./scanner.ts";
import { bitsPerCharacter, isPlaceholder } from "./secrets.checks.ts";
import { contextFormats, secretFormats, wordFormats } from "./secrets.data.ts";

interface Compiled {
  readonly label: string;
  readonly message: string;
  readonly score: number;
  readonly entropyMin: number;
  /** Lower is told rather than higher where two hit one place. */
  readonly rank: number;
}

interface AnchoredFormat extends Compiled {
  readonly pattern: RegExp;
  readonly check: ((secret: string) => boolean) | undefined;
  /** Says itself what may stand before the anchor. */
  readonly isFree: boolean;
}

interface RunFormat extends Compiled {
  readonly pattern: RegExp;
  readonly use: RegExp;
  readonly after: string | undefined;
  readonly issuers: readonly string[];
}

interface Hit {
  readonly format: Compiled;
  readonly start: number;
  readonly end: number;
}

interface Hits {
  readonly hits: readonly Hit[];
  /** Whether one format has as many hits as are told, so that there may be more. */
  readonly isCut: boolean;
}

/** A drawn value of 16 characters has more, words and repetitions have less. */
const entropyMinDefault = 2.8;
const contextScore = 0.6;
/** Findings of one format in a scan; a text made of hits says no more with the next one. */
const scanHitsMax = 50;
/** Characters between an issuer's name and a key. */
const issuerReach = 80;
/** Shortest run that a format without a prefix has. */
const runLengthMin = 20;
const runLengthMax = 200;

function compiled(id: string, what: string, score: number, entropyMin: number, rank: number) {
  const message = `This part has the form of ${what}`;
  return { label: `secret/${id}`, message, score, entropyMin, rank };
}

const anchored: readonly AnchoredFormat[] = secretFormats.map((format, rank) => ({
  ...compiled(
    format.id,
    format.what,
    format.score ?? 0,
    format.entropyMin ?? entropyMinDefault,
    rank,
  ),
  pattern: new RegExp(
    `(?:${format.pattern.source})(?!\\w)`,
    wordFormats.has(format) ? "ydi" : "yd",
  ),
  check: format.check,
  isFree: wordFormats.has(format) || format.pattern.source.includes("(?<="),
}));
const genericRankMin = secretFormats.findIndex((format) => wordFormats.has(format));
const runFormats: readonly RunFormat[] = contextFormats.map((format) => ({
  // Between the formats with a prefix and the generic ones.
  ...compiled(
    format.id,
    format.what,
    contextScore,
    format.entropyMin ?? entropyMinDefault,
    genericRankMin - 0.5,
  ),
  pattern: format.pattern,
  use: format.use,
  after: format.after,
  issuers: format.issuers,
}));

const anchors: Anchor[] = [];
/** What an anchor begins: formats, or an issuer's name. */
const beginsFormats: AnchoredFormat[][] = [];
const namesIssuer: (string | undefined)[] = [];
const placeOfAnchor = new Map<string, number>();

function addAnchor(text: string, ignoreCase: boolean): number {
  const key = `${ignoreCase} ${text}`;
  const known = placeOfAnchor.get(key);
  if (known !== undefined) return known;
  placeOfAnchor.set(key, anchors.length);
  beginsFormats.push([]);
  namesIssuer.push(undefined);
  return anchors.push({ text, ignoreCase }) - 1;
}

for (const [index, format] of secretFormats.entries()) {
  for (const text of format.anchors) {
    const anchor = addAnchor(text, wordFormats.has(format));
    beginsFormats[anchor]?.push(anchored[index] as AnchoredFormat);
  }
}
for (const { issuers } of runFormats) {
  for (const issuer of issuers) namesIssuer[addAnchor(issuer, true)] = issuer;
}
const walker = compileAnchors(anchors, runLengthMin);

/** Whether a token may begin here: no letter or digit before, unless it ends an escape of JSON or an address. */
function mayBegin(text: string, at: number): boolean {
  if (at === 0 || !/[A-Za-z0-9]/.test(text.charAt(at - 1))) return true;
  return /\\[nrtbf]$|%[0-9A-Fa-f]{2}$/.test(text.slice(Math.max(0, at - 3), at));
}

/** Where a match's secret lies: the groups that say so, else all of it. */
function spanOf(match: RegExpExecArray, text: string): [number, number] {
  const places = match.indices?.groups ?? {};
  const head = places.head ?? places.headOr;
  const quoted = places.secret ?? places.secretOr;
  if (quoted !== undefined) return quoted;
  const { bare } = places;
  if (bare !== undefined) {
    // An unquoted value may be the end of a sentence.
    let end = bare[1];
    while (".:?".includes(text.charAt(end - 1))) end--;
    return [bare[0], end];
  }
  return [head?.[0] ?? match.index, match.index + match[0].length];
}

/**
 * All hits in one text, in no order. Linear: every expression is bounded and tried at anchors alone.
 *
 * @param hitsMax hits of one format
 */
function hitsIn(text: string, hitsMax: number): Hits {
  const hits: Hit[] = [];
  const counts = new Map<string, number>();
  const issuerEnds = new Map<string, number>();
  const foundEnds = new Map<string, number>();
  const add = (format: Compiled, start: number, end: number) => {
    const count = (counts.get(format.label) ?? 0) + 1;
    counts.set(format.label, count);
    foundEnds.set(format.label, end);
    hits.push({ format, start, end });
  };
  const isFull = (label: string) => (counts.get(label) ?? 0) >= hitsMax;

  const anchorAt = (anchor: number, at: number) => {
    const { text: literal } = anchors[anchor] as Anchor;
    const issuer = namesIssuer[anchor];
    if (issuer !== undefined) issuerEnds.set(issuer, at + literal.length);
    const begins = /[A-Za-z0-9]/.test(literal.charAt(0)) ? mayBegin(text, at) : true;
    for (const format of beginsFormats[anchor] ?? []) {
      if (isFull(format.label) || (!begins && !format.isFree)) continue;
      format.pattern.lastIndex = at;
      const match = format.pattern.exec(text);
      if (match === null) continue;
      const [start, end] = spanOf(match, text);
      const secret = text.slice(start, end);
      const body = start === at ? secret.slice(literal.length) : secret;
      if (format.check?.(secret) === false) continue;
      if (bitsPerCharacter(body) < format.entropyMin || isPlaceholder(body)) continue;
      add(format, start, end);
    }
  };

  const runAt = (start: number, end: number) => {
    if (end - start > runLengthMax) return;
    for (const format of runFormats) {
      if (isFull(format.label) || !isNamed(format, start)) continue;
      const run = text.slice(start, end);
      if (!format.pattern.test(run) || isPlaceholder(run)) continue;
      if (bitsPerCharacter(run) >= format.entropyMin) add(format, start, end);
    }
  };

  /** Whether the issuer and the use of a run that begins at `start` stand shortly before it, or what it belongs to was found there. */
  const isNamed = ({ issuers, use, after }: RunFormat, start: number): boolean => {
    const reached = Math.max(0, start - issuerReach);
    if (after !== undefined && (foundEnds.get(after) ?? -1) >= reached) return true;
    for (const issuer of issuers) {
      const end = issuerEnds.get(issuer) ?? -1;
      if (end >= reached && use.test(text.slice(end, start))) return true;
    }
    return false;
  };

  walker.walk(text, anchorAt, runAt);
  return { hits, isCut: [...counts.keys()].some(isFull) };
}

/** Where hits overlap, the one that says more is left. */
function withoutOverlaps(hits: readonly Hit[]): Hit[] {
  const kept: Hit[] = [];
  for (const hit of [...hits].sort((a, b) => a.start - b.start || a.format.rank - b.format.rank)) {
    const last = kept.at(-1);
    if (last === undefined || hit.start >= last.end) kept.push(hit);
    else if (hit.format.rank < last.format.rank) kept[kept.length - 1] = hit;
  }
  return kept;
}

/**
 * Secrets in one reading.
 *
 * @param hitsMax most hits of one format
 * @returns the findings, and whether there may be more of them
 */
export function findSecrets(reading: MappedText, hitsMax: number): FoundIn {
  const { hits, isCut } = hitsIn(reading.text, hitsMax);
  const findings = withoutOverlaps(hits).map(({ format, start: from, end: to }): Finding => {
    const { label, score, message } = format;
    const [start, end] = reading.toOriginal(from, to);
    return { scanner: "secret", label, score, start, end, message };
  });
  return { findings, isCut };
}

export const secretScanner: Scanner = {
  name: "secret",
  scan: ({ readings }: ScanInput) =>
    readings.flatMap((reading) => findSecrets(reading, scanHitsMax).findings),
};
