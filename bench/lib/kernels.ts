/** Which kernels there are, and which of them this processor can run. */
import { readdirSync, readFileSync } from "node:fs";
import { native } from "../../src/model/native.ts";

export interface KernelSet {
  readonly name: string;
  /** Why it cannot be measured here; undefined where it can. */
  readonly notMeasured: string | undefined;
}

/** The first line of a kernel file says for which processors it is; the file's name is the kernel's. */
const kernelLine = /^\/\/ kernel: ([a-z0-9_]+)/;

/** All kernels that have a file, those of this processor first and best first. */
export function kernelSets(): KernelSet[] {
  const { available } = native().system.kernels();
  const folder = new URL("../../native/kernels/", import.meta.url);
  const others = readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const name = file.replace(/\.cc$/, "");
      const architecture = kernelLine.exec(readFileSync(new URL(file, folder), "utf8"))?.[1];
      if (!file.endsWith(".cc") || architecture === undefined || available.includes(name))
        return [];
      return [{ name, notMeasured: `this processor has no ${name} (${architecture})` }];
    });
  return [...available.map((name) => ({ name, notMeasured: undefined })), ...others];
}
