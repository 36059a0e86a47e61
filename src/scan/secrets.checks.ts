/** What tells a secret from a text that only looks like one: checksums of formats, structure, randomness, placeholders. */
import { crc32 } from "node:zlib";

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A number in base 62, filled with zeros to six digits. */
function sixBase62Digits(number: number): string {
  let digits = "";
  for (let left = number; digits.length < 6; left = Math.floor(left / 62)) {
    digits = base62.charAt(left % 62) + digits;
  }
  return digits;
}

/**
 * The last six characters are the CRC-32 of what stands between them and the prefix, in base 62:
 * GitHub's format of 2021, taken over by npm and Vercel.
 */
export function hasBase62Crc32(token: string): boolean {
  const body = token.slice(token.indexOf("_") + 1, -6);
  return token.endsWith(sixBase62Digits(crc32(body)));
}

/**
 * GitLab's routable tokens end in the CRC-32 of all before it, seven digits of base 36; older ones
 * have no checksum.
 */
export function hasGitlabCrc32(token: string): boolean {
  if (!/\.[a-z0-9]{2}\.[a-z0-9]{9}$/.test(token)) return true;
  return token.endsWith(crc32(token.slice(0, -7)).toString(36).padStart(7, "0"));
}

/** Grafana's end in the CRC-32 of all before the last underscore, its bytes in little-endian order. */
export function hasGrafanaCrc32(token: string): boolean {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(crc32(token.slice(0, -9)));
  return token.endsWith(bytes.toString("hex"));
}

/** A PyPI token is a macaroon of version 2, whose last field is a signature of 32 bytes. */
export function isPypiMacaroon(token: string): boolean {
  const bytes = Buffer.from(token.slice("pypi-".length), "base64url");
  return bytes.at(-34) === 6 && bytes.at(-33) === 32;
}

/** A Discord bot's token begins with its number in base64. */
export function beginsWithSnowflake(token: string): boolean {
  return /^\d{17,20}$/.test(Buffer.from(token.split(".")[0] ?? "", "base64url").toString("latin1"));
}

const bech32Digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const bech32Generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** The checksum of BIP 173. */
export function isBech32(text: string): boolean {
  const lower = text.toLowerCase();
  const separator = lower.lastIndexOf("1");
  const prefix = [...lower.slice(0, separator)].map((letter) => letter.charCodeAt(0));
  const values = [
    ...prefix.map((code) => code >> 5),
    0,
    ...prefix.map((code) => code & 31),
    ...[...lower.slice(separator + 1)].map((digit) => bech32Digits.indexOf(digit)),
  ];
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, generator] of bech32Generator.entries())
      if ((top >> bit) & 1) sum ^= generator;
  }
  return sum === 1;
}

function jsonObject(base64url: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64url, "base64url").toString());
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Header and payload are JSON, the header names an algorithm (RFC 7515), and it isn't the one of the standard's introductions. */
export function isSignedJwt(token: string): boolean {
  const [header = "", payload = ""] = token.split(".");
  const algorithm = jsonObject(header)?.alg;
  const claims = jsonObject(payload);
  if (typeof algorithm !== "string" || algorithm === "none" || claims === undefined) return false;
  return claims.sub !== "1234567890" && claims.name !== "John Doe";
}

/** Enough of base64 that varies: no heading alone, no dots in place of the key. */
export function isPrivateKey(text: string): boolean {
  const body = text.replace(/-----[A-Z0-9 ]+-----/g, "").replace(/\\[nr]/g, "");
  const base64 = body.replace(/[^A-Za-z0-9+/=]/g, "");
  return base64.length >= 40 && !/\.{3}|…/.test(body) && bitsPerCharacter(base64) >= 3.5;
}

/** Passwords that stand in every manual. */
const defaultPassword =
  /^(?:pass(?:word|wd)?\d{0,3}|pwd|pw|secret|admin|root|user(?:name)?|guest|test(?:ing)?|postgres|mysql|mongo|redis|rabbitmq|changeme|default|docker|minio(?:admin)?|token|x-oauth-basic|my[-_]?(?:secret|pass(?:word)?|pw)|[*x.•]+|\d{1,5}\W?)$/i;

/** A password that somebody chose: none of a manual's, no variable, no placeholder. */
export function isNoDefaultPassword(password: string): boolean {
  return !defaultPassword.test(password) && !/^[$%{<[]|[}>\]]$|\$\{/.test(password);
}

/** Base64 of a name, a colon and a password that can be typed. */
export function isBasicCredentials(base64: string): boolean {
  const text = Buffer.from(base64, "base64").toString("latin1");
  if (base64.length % 4 === 1 || !/^[\x20-\x7e]{0,80}:[\x20-\x7e]{1,150}$/.test(text)) return false;
  return isNoDefaultPassword(text.slice(text.indexOf(":") + 1));
}

/** Shannon entropy of a text's characters, in bits. */
export function bitsPerCharacter(text: string): number {
  const counts = new Map<number, number>();
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  let bits = 0;
  for (const count of counts.values())
    bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const placeholderWords =
  /example|sample|placeholder|your|dummy|fake|redact|replace|change[-_ ]?me|insert|goes[-_]?here|x{4,}|\*{3,}|\.{3}|…|0{6,}|1{6,}|12345|abcdef|qwerty|<|\$\{|\{\{|%[sd(]|(.)\1{5,}/i;

/** Stands where documentation has a secret. */
export function isPlaceholder(text: string): boolean {
  return placeholderWords.test(text);
}

const randomBitsMin = 3.5;
/** Share of neighbours of different kinds: names in camel case have a quarter, random ones of any alphabet a third or more. */
const turnsShareMin = 0.3;

/** Whether a value is drawn rather than named: digits among its letters, many kinds of neighbours, high entropy. */
export function looksRandom(value: string): boolean {
  if (!/\d.*\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  // What begins like a JSON web token is told as one, or is none.
  if (/:\/\/|^eyJ|^[/.~]|^[\d.,:-]+$|[()]|\.[a-z]{2,4}$/.test(value)) return false;
  const kinds = value
    .replace(/[a-z]/g, "a")
    .replace(/[A-Z]/g, "A")
    .replace(/[0-9]/g, "0")
    .replace(/[^aA0]/g, "");
  let turns = 0;
  for (let index = 1; index < kinds.length; index++) {
    // A capital before a small letter begins a word in camel case.
    if (kinds[index] !== kinds[index - 1] && kinds.slice(index - 1, index + 1) !== "Aa") turns++;
  }
  return turns / kinds.length >= turnsShareMin && bitsPerCharacter(value) >= randomBitsMin;
}

const passwordBitsMin = 2.7;
/** Said of passwords, not chosen for one; expressions of programs and templates. */
const noPassword =
  /^(?:(?:is|was|must|should|can|cannot|required?|incorrect|invalid|null|undefined|none|true|false|string|text|input|hidden|varchar|self|this|req|request|process|os|env|config|getenv|document|params?|settings?)(?:\W|\d|$))|^[$<{[(/.\\]|\w\(|:\/\/|^https?:/i;

/** Whether somebody may have chosen a value as a password: letters with digits or signs among them, not all alike. */
export function looksLikePassword(value: string): boolean {
  if (noPassword.test(value) || defaultPassword.test(value)) return false;
  // The end of a sentence belongs to no password.
  const core = value.replace(/[.!?:,;)]+$/, "");
  if (!/[A-Za-z]/.test(core) || !/\d/.test(core) || core.length < 8) return false;
  return bitsPerCharacter(core) >= passwordBitsMin;
}
