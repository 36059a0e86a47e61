/**
 * Hosts that look like others. Two names are compared by a key in which letters
 * that are drawn alike are one: the confusable skeleton of UTS 39, and on top of
 * it what people take for each other in an address (0 and o; 1, i and l; 3 and
 * e; 5 and s; rn and m; vv and w).
 */
import { domainToUnicode } from "node:url";
import { skeleton } from "../text/confusables.ts";

/** Names shorter than this meet others by chance. */
const nameLengthMin = 5;

function keyOf(name: string): string {
  return skeleton(name)
    .toLowerCase()
    .replaceAll("rn", "m")
    .replaceAll("vv", "w")
    .replace(/[01i|35]/g, (letter) => folded[letter] ?? letter);
}
const folded: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "l",
  i: "l",
  "|": "l",
  "3": "e",
  "5": "s",
};

/** Second-level suffixes under which names are registered, as in `co.uk`. */
const secondLevel = /^(?:co|com|net|org|gov|edu|ac|or|ne|go|gob|gouv)$/;

/** The label that was registered: `paypal` of `www.paypal.co.uk`. */
function registered(labels: readonly string[]): number {
  const last = labels.length - 1;
  const under = (labels[last] ?? "").length === 2 && secondLevel.test(labels[last - 1] ?? "");
  return Math.max(0, last - (under ? 2 : 1));
}

export type HostTrick = "lookalike" | "mixed" | "prefix";

const hasLatin = /\p{Script=Latin}/u;
/** Alphabets with letters that are drawn like Latin ones; no registry takes a name of both. */
const hasAlike = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u;

/** Compares hosts with those that people know. */
export class HostComparer {
  readonly #names = new Set<string>();
  readonly #keys = new Set<string>();
  readonly #known: ReadonlySet<string>;

  /** @param known registered domains in lower case, such as `paypal.com` */
  constructor(known: readonly string[]) {
    this.#known = new Set(known);
    for (const host of known) {
      const labels = host.split(".");
      const name = labels[registered(labels)] ?? "";
      this.#names.add(name);
      if (name.length >= nameLengthMin) this.#keys.add(keyOf(name));
    }
  }

  /**
   * @param written a host as it stands in a text, in whatever case; punycode is read
   * @returns `lookalike` where it is drawn like a known one and is not it, `mixed` where a label mixes alphabets, else what `prefix` says
   */
  compare(written: string): HostTrick | undefined {
    const shown = /xn--/i.test(written)
      ? domainToUnicode(written.toLowerCase()) || written
      : written;
    const labels = shown.split(".");
    const label = labels[registered(labels)] ?? "";
    if (!this.#names.has(label.toLowerCase()) && this.#keys.has(keyOf(label))) return "lookalike";
    if (labels.some((each) => hasLatin.test(each) && hasAlike.test(each))) return "mixed";
    return this.prefix(shown.toLowerCase());
  }

  /** @returns `prefix` where a known host stands before the domain that a host, in lower case, belongs to */
  prefix(host: string): HostTrick | undefined {
    const labels = host.split(".");
    const at = registered(labels);
    for (let index = 0; index + 1 < at; index++) {
      if (this.#known.has(`${labels[index]}.${labels[index + 1]}`)) return "prefix";
    }
    return undefined;
  }
}
