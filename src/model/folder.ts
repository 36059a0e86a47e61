/**
 * A model folder as Hugging Face lays it out, plus what this product adds, read
 * and checked before a byte of it is used.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
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

const manifestSchema = z.strictObject({
  format: z.literal(1),
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  window: z.strictObject({
    tokens: z.int().min(8).max(512),
    stride: z.int().min(1).max(510),
  }),
  files: z.record(z.string().regex(/^[A-Za-z0-9._-]+$/), z.string().regex(/^[0-9a-f]{64}$/)),
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

const addonFiles = ["config.json", "tokenizer.json", "model.int8"] as const;

/** The files that scoring depends on. The original weights are only needed to make `model.int8` again. */
export const runtimeFiles = [...addonFiles, "calibration.json", "selftest.json"] as const;

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unreadable";
    const hint = path.endsWith("model.int8") ? "; `npm run build` makes it" : "";
    throw new ModelError(
      "ERR_MODEL_NOT_FOUND",
      `Expected a model file at ${path} but got ${reason}${hint}`,
    );
  }
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function parse<T>(schema: z.ZodType<T>, path: string, bytes: Buffer): T {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new ModelError("ERR_MODEL_DAMAGED", `Expected JSON in ${path} but it does not parse`);
  }
  const parsed = schema.safeParse(json);
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

/** Reads and verifies a model folder. @throws ModelError */
export function readModelFolder(path: string): ModelFolder {
  const manifestPath = join(path, "manifest.json");
  const manifestBytes = read(manifestPath);
  const manifest = parse(manifestSchema, manifestPath, manifestBytes);
  const verified = (name: string): Buffer => {
    const file = join(path, name);
    const bytes = read(file);
    const expected = manifest.files[name];
    const actual = sha256(bytes);
    if (expected !== actual) {
      throw new ModelError(
        "ERR_MODEL_DAMAGED",
        `Expected ${file} to have SHA-256 ${expected ?? "in the manifest"} but it has ${actual}`,
      );
    }
    return bytes;
  };
  // The addon maps these itself; here they are only checked, one at a time, and let go.
  for (const name of addonFiles) verified(name);
  const parsed = <T>(schema: z.ZodType<T>, name: string): T =>
    parse(schema, join(path, name), verified(name));
  return {
    path,
    manifest,
    calibration: parsed(calibrationSchema, "calibration.json"),
    selfTest: parsed(selfTestSchema, "selftest.json"),
    sha256: sha256(manifestBytes),
  };
}
