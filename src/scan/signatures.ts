/**
 * Known attack phrases.
 *
 * Finds: orders to drop earlier instructions, jailbreak personas, requests for
 * the system prompt, planted instructions and exfiltration, in 15 languages, as
 * rows of words whatever their case, accents, punctuation and spacing, in every
 * reading of the text.
 * Ignores: a phrase that is quoted or talked about scores 0.4 at most.
 * Hit: "Please IGNORE all previous instructions." Near miss: "What does 'ignore
 * all previous instructions' mean?"
 */
import { createHash } from "node:crypto";
import { words } from "../text/words.ts";
import { compilePhrases } from "./automaton.ts";
import type { Finding, ScanInput, Scanner } from "./scanner.ts";
import { signatures } from "./signatures.data.ts";

/** Part of every cache key: changes with the data. */
export const signaturesVersion = createHash("sha256")
  .update(JSON.stringify(signatures))
  .digest("hex")
  .slice(0, 16);

const matcher = compilePhrases(signatures);
const mentionedScoreMax = 0.4;

/** Right before the phrase: it is named or denied, not given. */
const mention =
  /(?:["'“”„«»‘’「『《`]|\b(?:phrase|phrases|words|says|saying|said|called|like|example|e\.g\.|such as|meaning of|means|mean|does|wording|keyword|string|pattern|contains?|containing|quote|quoted|term|(?:not|never|try|tries|tried)(?: to)?|ever|asks? (?:you |me )?to|asking (?:you |me )?to|requests? to|trying to|attempts? to|cannot|can't|can’t|don't|don’t|won't|won’t)[\s:,]*["'“”„«‘`]?|(?<!\p{L})(?:nie|não|no|не)\s)\s*$/iu;
/** Characters before a hit in which a mention is looked for. */
const mentionReach = 24;

function isMentioned(text: string, start: number): boolean {
  return mention.test(text.slice(Math.max(0, start - mentionReach), start));
}

function phraseFindings({ readings }: ScanInput): Finding[] {
  const found: Finding[] = [];
  for (const reading of readings) {
    const row = words(reading.text);
    matcher.match(row, ({ phrase, from, to }) => {
      const begin = row[from]?.start ?? 0;
      const end = row[to - 1]?.end ?? begin;
      const mentioned = isMentioned(reading.text, begin);
      const score = mentioned ? Math.min(phrase.score, mentionedScoreMax) : phrase.score;
      const [start, stop] = reading.toOriginal(begin, end);
      const how = mentioned ? "mentions" : "is";
      const message = `This part ${how} a known attack phrase (${reading.name} reading)`;
      found.push({
        scanner: "signature",
        label: `signature/${phrase.id}`,
        score,
        start,
        end: stop,
        message,
      });
    });
  }
  return found;
}

export const signatureScanner: Scanner = { name: "signature", scan: phraseFindings };
