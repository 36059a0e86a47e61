/**
 * The token that carries what placeholders stand for: sealed with AES-256-GCM, so that whoever holds it can
 * neither read nor change it, and the daemon keeps nothing.
 *
 * Base64url of: version (1 byte) | length of the key's id (1) | id | nonce (12) | sealed JSON | tag (16). The JSON
 * is `[expires, [placeholder, value], ...]`, milliseconds since 1970. Authenticated with it: all that stands
 * before the nonce, and the tenant.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { GhostError } from "../errors.ts";

/** The file of keys is wrong; the message is one line and holds no key. */
export class SealKeysError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SealKeysError";
  }
}

/** A key of 256 bits. A nonce is drawn for each token: NIST SP 800-38D allows 2^32 of them under one key. */
export interface SealKey {
  readonly id: string;
  readonly key: Buffer;
}

export interface SealOptions {
  readonly tokenTtlMs: number;
  /** Longest token in characters. */
  readonly tokenLengthMax: number;
}

export interface Sealed {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

const algorithm = "aes-256-gcm";
const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const keysMax = 100;

const contents = z.tuple([z.number()], z.tuple([z.string(), z.string()]));

/** @returns a key that no other start of the daemon has */
export function drawSealKey(): SealKey {
  return { id: `start-${randomBytes(6).toString("hex")}`, key: randomBytes(32) };
}

/**
 * Reads a file of lines `ID KEY`: an id of 1-32 of `A-Z a-z 0-9 _ . -`, and 64 hexadecimal digits. The first key seals, all of
 * them open. Blank lines and lines that begin with `#` are passed over.
 *
 * @throws SealKeysError
 */
export function readSealKeys(file: string): SealKey[] {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new SealKeysError(`Expected a file of redaction keys at ${file} but got ${reason}`);
  }
  const keys: SealKey[] = [];
  for (const [index, line] of content.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const where = `line ${index + 1} of the redaction keys ${file}`;
    const [, id = "", key = ""] = /^([A-Za-z0-9_.-]{1,32}) ([0-9a-fA-F]{64})$/.exec(line) ?? [];
    if (id === "") throw new SealKeysError(`Expected ID and 64 hexadecimal digits in ${where}`);
    if (keys.some((known) => known.id === id)) {
      throw new SealKeysError(`Expected another id in ${where}: it stands there twice`);
    }
    keys.push({ id, key: Buffer.from(key, "hex") });
  }
  if (keys.length === 0 || keys.length > keysMax) {
    throw new SealKeysError(`Expected 1-${keysMax} keys in ${file} but received ${keys.length}`);
  }
  return keys;
}

function invalid(detail: string): GhostError {
  return new GhostError("invalid_token", detail);
}

export class Sealer {
  readonly #keys: readonly SealKey[];
  readonly #options: SealOptions;
  readonly #now: () => number;

  /**
   * @param keys at least one; the first seals
   * @param options read anew for each token
   * @param now milliseconds since 1970
   */
  constructor(keys: readonly SealKey[], options: SealOptions, now: () => number) {
    this.#keys = keys;
    this.#options = options;
    this.#now = now;
  }

  /**
   * @param tenant whose token it is: nobody else's request opens it
   * @throws GhostError `token_too_large`
   */
  seal(values: ReadonlyMap<string, string>, tenant: string): Sealed {
    const { tokenTtlMs, tokenLengthMax } = this.#options;
    const { id, key } = this.#keys[0] as SealKey;
    const expiresAt = this.#now() + tokenTtlMs;
    const plain = Buffer.from(JSON.stringify([expiresAt, ...values]), "utf8");
    const header = Buffer.concat([Buffer.from([version, id.length]), Buffer.from(id, "latin1")]);
    const bytes = header.length + nonceBytes + plain.length + tagBytes;
    const length = Math.ceil((bytes * 4) / 3);
    if (length > tokenLengthMax) {
      const detail = `expected at most ${tokenLengthMax} characters but it would have ${length}`;
      throw new GhostError("token_too_large", detail);
    }
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.concat([header, Buffer.from(tenant, "utf8")]));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    const token = Buffer.concat([header, nonce, sealed, cipher.getAuthTag()]).toString("base64url");
    return { token, expiresAt };
  }

  /**
   * @returns what each placeholder stands for
   * @throws GhostError `invalid_token` or `token_expired`
   */
  open(token: string, tenant: string): ReadonlyMap<string, string> {
    const { tokenLengthMax } = this.#options;
    if (token.length > tokenLengthMax || !/^[A-Za-z0-9_-]+$/.test(token)) {
      throw invalid(`expected 1-${tokenLengthMax} characters of base64url`);
    }
    const bytes = Buffer.from(token, "base64url");
    if (bytes[0] !== version) throw invalid(`expected version ${version}`);
    const headerLength = 2 + (bytes[1] ?? 0);
    if (bytes.length < headerLength + nonceBytes + tagBytes) throw invalid("it is cut off");
    const header = bytes.subarray(0, headerLength);
    const id = header.toString("latin1", 2);
    const key = this.#keys.find((known) => known.id === id)?.key;
    if (key === undefined) throw invalid("the key that sealed it is not known here, or no longer");
    const nonce = bytes.subarray(headerLength, headerLength + nonceBytes);
    const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.concat([header, Buffer.from(tenant, "utf8")]));
    decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
    let plain: string;
    try {
      const sealed = bytes.subarray(headerLength + nonceBytes, bytes.length - tagBytes);
      plain = Buffer.concat([decipher.update(sealed), decipher.final()]).toString("utf8");
    } catch {
      throw invalid("it is damaged, or was given to another API key");
    }
    const [expiresAt, ...entries] = contents.parse(JSON.parse(plain));
    if (this.#now() >= expiresAt) throw new GhostError("token_expired");
    return new Map(entries);
  }
}
