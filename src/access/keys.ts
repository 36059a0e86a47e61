/** Who asks: API keys, kept as hashes in a file. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";

/** The keys' file is wrong; the message is one line. */
export class AccessError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AccessError";
  }
}

export interface ApiKey {
  readonly name: string;
  /** SHA-256 of the key, 64 hexadecimal digits. A key has 256 random bits, so that no slower hash is needed. */
  readonly sha256: string;
  /** Policies that it may ask for; `*` is any. */
  readonly policies: readonly string[];
  /** Absent: no limit of its own. */
  readonly requestsPerSecondMax?: number | undefined;
}

const apiKey = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, "expected 1-64 of A-Z a-z 0-9 _ . -"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "expected 64 digits of 0-9 a-f"),
  policies: z.array(z.string().min(1)).min(1).default(["*"]),
  requestsPerSecondMax: z.number().positive().max(1e6).optional(),
});
const keysFile = z.strictObject({ keys: z.array(apiKey).max(10_000) });

const keyPrefix = "ghostai_";

function digest(key: string): Buffer {
  return createHash("sha256").update(key, "utf8").digest();
}

/** @returns a new key, which is shown once, and its hash */
export function makeKey(): { readonly key: string; readonly sha256: string } {
  const key = keyPrefix + randomBytes(32).toString("base64url");
  return { key, sha256: digest(key).toString("hex") };
}

export class KeyRing {
  readonly #keys: readonly { readonly key: ApiKey; readonly digest: Buffer }[];

  constructor(keys: readonly ApiKey[]) {
    this.#keys = keys.map((key) => ({ key, digest: Buffer.from(key.sha256, "hex") }));
  }

  /** Compares with every key in constant time. @returns the key that was presented */
  find(presented: string): ApiKey | undefined {
    const given = digest(presented);
    let found: ApiKey | undefined;
    for (const { key, digest: known } of this.#keys) {
      if (timingSafeEqual(given, known)) found = key;
    }
    return found;
  }

  get size(): number {
    return this.#keys.length;
  }
}

/** @throws AccessError where the file cannot be read, has another shape or a name twice */
export function readKeys(file: string): KeyRing {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AccessError(
      code === undefined
        ? `Expected JSON in the keys' file ${file}`
        : `Expected a keys' file at ${file} but got ${code}`,
    );
  }
  const checked = keysFile.safeParse(parsed);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const where = issue?.path.join(".") || "its root";
    const what =
      issue?.code === "unrecognized_keys"
        ? `there is no field ${JSON.stringify(issue.keys[0])}`
        : issue?.message;
    throw new AccessError(`The keys' file ${file} is wrong at ${where}: ${what}`);
  }
  const names = new Set<string>();
  for (const { name } of checked.data.keys) {
    if (names.has(name)) throw new AccessError(`The keys' file ${file} has the name ${name} twice`);
    names.add(name);
  }
  return new KeyRing(checked.data.keys);
}
