/**
 * What stands in a text in place of a secret or of personal data: `<EMAIL_1>`, the finding's kind
 * (docs/scanners.md, "Kinds") and a number.
 *
 * Models that repeat a placeholder change it slightly, so that it is read back in any case; with blanks or
 * a hyphen for an underscore, an escaped underscore (Markdown), blanks inside the brackets; and in brackets
 * written as `\<`, `&lt;`, `&#60;`, `&#x3c;`, `%3C`, `\u003c`, `‹` or `＜`, each with its own counterpart.
 */

/** Opening brackets with what closes them. */
const brackets: readonly (readonly [string, string])[] = [
  ["<", ">"],
  ["\\\\<", "\\\\>"],
  ["&lt;", "&gt;"],
  ["&#60;", "&#62;"],
  ["&#x3c;", "&#x3e;"],
  ["%3c", "%3e"],
  ["\\\\u003c", "\\\\u003e"],
  ["‹", "›"],
  ["＜", "＞"],
];

/**
 * Words and a number. Nothing in it can be a bracket and all repetitions are bounded, so that the time is linear. A
 * written placeholder is never part of another match: what begins before it would have to hold its bracket.
 */
const words =
  "[a-z][a-z0-9]{0,31}(?:(?:\\\\?_|[ -])[a-z0-9]{1,32}){0,7}(?:\\\\?_|[ -])[1-9][0-9]{0,5}";
const pattern = new RegExp(
  brackets.map(([open, close]) => `${open} ?(${words}) ?${close}`).join("|"),
  "gi",
);

/** `pii/national-id.es-dni` > `NATIONAL_ID` */
export function kindOf(label: string): string {
  const name = label.slice(label.indexOf("/") + 1).split(".")[0] ?? "";
  return name.replaceAll("-", "_").toUpperCase();
}

/** `EMAIL`, 1 > `<EMAIL_1>` */
export function placeholderOf(kind: string, number: number): string {
  return `<${kind}_${number}>`;
}

/**
 * Replaces whatever reads as a placeholder.
 *
 * @param replace told the placeholder as it is written by this product; undefined leaves the text as it is
 */
export function replacePlaceholders(
  text: string,
  replace: (placeholder: string) => string | undefined,
): string {
  return text.replace(pattern, (match: string, ...groups: unknown[]) => {
    const inner = groups.slice(0, brackets.length).find((group) => group !== undefined) as string;
    const name = inner.replace(/\\?_|[ -]/g, "_").toUpperCase();
    return replace(`<${name}>`) ?? match;
  });
}

/** @returns the placeholders that a text seems to hold already */
export function placeholdersIn(text: string): string[] {
  const found: string[] = [];
  replacePlaceholders(text, (placeholder) => {
    found.push(placeholder);
    return undefined;
  });
  return found;
}
