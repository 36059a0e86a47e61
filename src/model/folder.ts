/**
 * A model folder as Hugging Face lays it out, plus what this product adds, read
 * and checked before a byte of it is used.
 *
 * Two chains hang on manifest.json, which holds SHA-256 digests. At each start,
 * what is used: the small files whole, and of each packed file its head, which
 * holds a 64-bit checksum of every section; the addon compares those, at the
 * speed of memory, as it maps the file. So a damaged bit anywhere in them, and a
 * packed file of another model or another version, is found before the first
 * score. That checksum is no defence against whoever makes a section on purpose
 * that has the same one. But a packed file comes from nowhere: it is made here,
 * of files that the second chain holds, and whoever can write to it afterwards
 * can write to the manifest as well. The second chain is SHA-256 of every file
 * whole, packed ones and the originals; it takes tenths of a second, so
 * `ghostai doctor` follows it and a start does not.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type Calibration, calibrationSchema } from "./calibration.ts";

export type ModelErrorCode =
  | "ERR_MODEL_NOT_FOUND"
  | "ERR_MODEL_DAMAGED"
  | "ERR_MODEL_UNSUPPORTED"
  | "ERR_KERNELS_UNSUPPORTED"
  | "ERR_INVALID_ARGUMENT"
  | "ERR_OUT_OF_MEMORY";

/** The model cannot be used; the message is one line and says what was expected and what came. */
export class ModelError extends Error {
  readonly code: ModelErrorCode;
  constructor(code: ModelErrorCode, message: string) {
    super(message);
    this.name = "ModelError";
    this.code = code;
  }
}

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
const digestsSchema = z.record(z.string().regex(/^[A-Za-z0-9._-]+$/), sha256Schema);

const manifestSchema = z.strictObject({
  format: z.literal(2),
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  window: z.strictObject({
    tokens: z.int().min(8).max(512),
    stride: z.int().min(1).max(510),
  }),
  /** SHA-256 of every file. */
  files: digestsSchema,
  /** SHA-256 of the heads of the packed ones. */
  heads: digestsSchema,
  /** Of the manifest's own content, see sealManifest. */
  seal: sha256Schema,
});

const selfTestSchema = z.object({
  /** Largest difference of a logit from the vector's that any kernel may show. */
  tolerance: z.number().positive(),
  vectors: z.array(z.object({ text: z.string(), ids: z.array(z.int()), logit: z.number() })).min(1),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type SelfTest = z.infer<typeof selfTestSchema>;

export interface ModelFolder {
  readonly path: string;
  readonly manifest: Manifest;
  readonly calibration: Calibration;
  readonly selfTest: SelfTest;
  /** SHA-256 of the manifest, which holds those of all files: the model's identity. */
  readonly sha256: string;
}

/** What the import step makes of the originals, and the addon maps. */
export const packedFiles = ["model.int8", "tokenizer.packed"] as const;
/** What else is read at each start. */
const smallFiles = ["config.json", "calibration.json", "selftest.json"] as const;
/** What the packed files are made of: may be absent where a model only runs. */
const originals = ["model.safetensors", "tokenizer.json"] as const;

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** How a packed file is made again: in our own package, or in any folder. */
const remake = (path: string) =>
  `; \`npm run build\` or \`ghostai-pack ${dirname(path)}\` makes it again`;

function unreadable(path: string, error: unknown): ModelError {
  const reason = (error as NodeJS.ErrnoException).code ?? "unreadable";
  const isPacked = packedFiles.some((name) => path.endsWith(name));
  const hint = isPacked ? remake(path) : "";
  return new ModelError(
    "ERR_MODEL_NOT_FOUND",
    `Expected a model file at ${path} but got ${reason}${hint}`,
  );
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The head of a packed file as native/packed/packed_file.h lays it out; less where the file is shorter. */
function readHead(path: string): Buffer {
  const [headerBytes, countAt, sectionBytes, alignment] = [64, 12, 24, 64];
  /** Of a file that is none of ours the count is anything. */
  const headBytesMax = 1 << 20;
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const header = Buffer.alloc(headerBytes);
    readSync(file, header, 0, headerBytes, 0);
    const bytes = headerBytes + sectionBytes * header.readUInt32LE(countAt);
    const head = Buffer.alloc(Math.min(Math.ceil(bytes / alignment) * alignment, headBytesMax));
    return head.subarray(0, readSync(file, head, 0, head.length, 0));
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** @throws ModelError where the manifest says another digest, or none */
function expectDigest(
  what: string,
  expected: string | undefined,
  actual: string,
  advice = "",
): void {
  if (expected === actual) return;
  throw new ModelError(
    "ERR_MODEL_DAMAGED",
    `Expected ${what} to have SHA-256 ${expected ?? "in the manifest"} but it has ${actual}${advice}`,
  );
}

function parse<T>(schema: z.ZodType<T>, path: string, bytes: Buffer): T {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new ModelError("ERR_MODEL_DAMAGED", `Expected JSON in ${path} but it does not parse`);
  }
  // Each schema is used once, so to compile it would cost more than it saves.
  const parsed = schema.safeParse(json, { jitless: true });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue?.path.join(".") || "the whole";
    throw new ModelError(
      "ERR_MODEL_DAMAGED",
      `${path} is not as expected at ${where}: ${issue?.message}`,
    );
  }
  return parsed.data;
}

/** Completes a manifest with the digest of what it says, so that damage shows in the manifest too. */
export function sealManifest(content: Omit<Manifest, "seal">): Manifest {
  const { format, name, version, window, files, heads } = content;
  const sorted = [files, heads].map((digests) => Object.entries(digests).sort());
  const said = [format, name, version, window.tokens, window.stride, ...sorted];
  return { ...content, seal: sha256(Buffer.from(JSON.stringify(said))) };
}

function readManifest(path: string): { manifest: Manifest; bytes: Buffer } {
  const file = join(path, "manifest.json");
  const bytes = read(file);
  const manifest = parse(manifestSchema, file, bytes);
  const { seal } = sealManifest(manifest);
  if (manifest.seal === seal) return { manifest, bytes };
  throw new ModelError(
    "ERR_MODEL_DAMAGED",
    `Expected ${file} to have the seal ${seal} but it has ${manifest.seal}; what it says was changed`,
  );
}

/** Reads a model folder and verifies it by the first chain; the addon goes on with it. @throws ModelError */
export function readModelFolder(path: string): ModelFolder {
  const { manifest, bytes: manifestBytes } = readManifest(path);
  for (const name of packedFiles) {
    const file = join(path, name);
    expectDigest(`the head of ${file}`, manifest.heads[name], sha256(readHead(file)), remake(file));
  }
  const verified = (name: (typeof smallFiles)[number]): Buffer => {
    const file = join(path, name);
    const bytes = read(file);
    expectDigest(file, manifest.files[name], sha256(bytes));
    return bytes;
  };
  // The addon reads this one itself, and that the weights were packed with it is in their head.
  verified("config.json");
  const parsed = <T>(schema: z.ZodType<T>, name: (typeof smallFiles)[number]): T =>
    parse(schema, join(path, name), verified(name));
  return {
    path,
    manifest,
    calibration: parsed(calibrationSchema, "calibration.json"),
    selfTest: parsed(selfTestSchema, "selftest.json"),
    sha256: sha256(manifestBytes),
  };
}

/** Digests of the folder's files as a manifest holds them. @throws ModelError */
export function digestFolder(path: string): Pick<Manifest, "files" | "heads"> {
  const present = originals.filter((name) => existsSync(join(path, name)));
  const names = [...packedFiles, ...smallFiles, ...present].sort();
  return {
    files: Object.fromEntries(names.map((name) => [name, sha256(read(join(path, name)))])),
    heads: Object.fromEntries(
      packedFiles.map((name) => [name, sha256(readHead(join(path, name)))]),
    ),
  };
}

/** Verifies a model folder by the second chain: every byte of every file. @throws ModelError */
export function verifyModelFolder(path: string): void {
  const { manifest } = readManifest(path);
  const { files } = digestFolder(path);
  for (const [name, digest] of Object.entries(files)) {
    expectDigest(join(path, name), manifest.files[name], digest);
  }
}
