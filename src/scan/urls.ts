/** Where a text holds URLs, and what Markdown, HTML or CSS would do with each. */

/** `image` stands for all that is fetched without a click: images, frames, scripts, style sheets, CSS. */
export type UrlPlace = "image" | "link" | "bare";

export interface FoundUrl {
  readonly url: string;
  /** Lower case, without its colon; empty for one that begins with two slashes. */
  readonly scheme: string;
  readonly place: UrlPlace;
  readonly start: number;
  readonly end: number;
}

const starts =
  /(?:https?|ftp):[/\\]{1,4}(?=[^\s/\\])|[("'=<][/\\]{2}(?=[\w[])|(?:javascript|vbscript|data):(?=\S)/gi;

/** A part that is to be filled in. Blanks may stand in it, unlike in the rest of a URL. */
const hole =
  "\\$?\\{\\{?[^{}\\n]{0,80}\\}\\}?|\\[[^[\\]()\\n]{1,60}\\]|<(?!(?:br|p|a|b|i|li|td|tr|th|ul|ol|em|div|img|span|code|strong|h\\d)\\b)[A-Za-z][\\w .-]{2,60}>";
const bareUrl = new RegExp(`(?:[^\\s<>"\`{}[\\]()$]+|${hole}|\\([^\\s()<>"]{0,200}\\)|\\$)+`, "y");
const quotedUrl = { '"': /[^"\n]*/y, "'": /[^'\n]*/y } as const;

const sentenceEnds = ".,;:!?'*_";
function withoutEnd(url: string): string {
  let end = url.length;
  while (end > 0 && sentenceEnds.includes(url[end - 1] as string)) end--;
  return url.slice(0, end);
}

/** Characters before a URL in which the tag that it belongs to begins. */
const tagReach = 300;
const fetchingTag =
  /^<(?:img|image|iframe|frame|script|link|embed|object|video|audio|source|track|input|body|meta|base|svg|use)\b/i;
const linkingTag = /^<(?:a|area|form|button)\b/i;

/** Whether `](` right before a place ends an image's description and not a link's. */
function isImage(before: string): boolean {
  const close = before.lastIndexOf("](");
  const open = before.lastIndexOf("[", close);
  // A picture inside a link's description: the brackets found are the picture's.
  if (open > 0 && before.slice(open, close).includes("](")) return false;
  return open > 0 && before[open - 1] === "!";
}

/** Whether the line begins with a reference's name: `[name]: `. */
const reference = /(?:^|\n) {0,3}\[[^\]\n]{1,100}\]:[ \t]{0,4}<?$/;

function placeOf(text: string, start: number, hasReferencedImages: boolean): UrlPlace {
  // Most URLs follow a word, and one look at the sign before them says so.
  let at = start - 1;
  if (text[at] === "<") at--;
  for (let blanks = 0; blanks < 3 && text[at] === " "; blanks++) at--;
  const sign = text[at];
  const before = () => text.slice(Math.max(0, start - tagReach), start);
  if (sign === "(" && text[at - 1] === "]") return isImage(before()) ? "image" : "link";
  if (sign === ":" && text[at - 1] === "]" && reference.test(before())) {
    return hasReferencedImages ? "image" : "link";
  }
  if (sign !== '"' && sign !== "'" && sign !== "=" && sign !== "(") return "bare";
  if (/url\($/i.test(text.slice(start - 6, start).replace(/["'\s]+$/, ""))) return "image";
  const lead = before();
  const tag = lead.slice(lead.lastIndexOf("<"));
  if (!tag.startsWith("<") || tag.includes(">")) return "bare";
  if (fetchingTag.test(tag)) return "image";
  return linkingTag.test(tag) ? "link" : "bare";
}

/** The URLs of a text in order. Linear in its length: none begins inside another. */
export function* findUrls(text: string): Generator<FoundUrl> {
  const hasReferencedImages = text.includes("![") && text.includes("][");
  starts.lastIndex = 0;
  // The pattern's place is kept here, since whoever iterates may ask for another text in between.
  for (let from = 0; ; ) {
    starts.lastIndex = from;
    const hit = starts.exec(text);
    if (hit === null) return;
    const isRelative = /[/\\]/.test(hit[0][1] ?? "") && !/^[a-z]/i.test(hit[0]);
    const start = hit.index + (isRelative ? 1 : 0);
    const scheme = isRelative ? "" : hit[0].slice(0, hit[0].indexOf(":")).toLowerCase();
    // A letter before it makes it the end of another word: `metadata:`.
    if (!isRelative && /[\w-]/.test(text[start - 1] ?? "")) {
      from = start + hit[0].length;
      continue;
    }
    const quote = text[start - 1];
    const pattern = quote === '"' || quote === "'" ? quotedUrl[quote] : bareUrl;
    pattern.lastIndex = start;
    const whole = pattern.exec(text)?.[0] ?? "";
    from = start + Math.max(whole.length, hit[0].length);
    const place = placeOf(text, start, hasReferencedImages);
    // A sentence's end is none of the URL's.
    const url = place === "bare" ? withoutEnd(whole) : whole;
    yield { url, scheme, place, start, end: start + url.length };
  }
}
