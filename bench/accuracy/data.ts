/** Reading the labelled texts that the detector is judged on. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

export interface LabelledText {
  readonly text: string;
  /** 1 attack, 0 benign, -1 ambiguous. */
  readonly label: number;
  readonly kind: string;
  readonly lang: string;
  readonly source: string;
}

/** Names of the sets in a folder: its files `<name>.jsonl.gz`. */
export function setNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".jsonl.gz"))
    .map((file) => file.slice(0, -".jsonl.gz".length))
    .sort();
}

/** Reads one set. Lone surrogates, which no caller may send, become U+FFFD. */
export function readSet(folder: string, name: string): LabelledText[] {
  const lines = gunzipSync(readFileSync(join(folder, `${name}.jsonl.gz`)))
    .toString("utf8")
    .split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => {
      const row = JSON.parse(line) as LabelledText;
      return { ...row, text: row.text.toWellFormed() };
    });
}

/** The folder given by `--data`, or by GHOSTAI_DEV_DATA. @throws with what to do when neither is set */
export function dataFolder(argument: string | undefined): string {
  const folder = argument ?? process.env.GHOSTAI_DEV_DATA;
  if (folder === undefined) {
    throw new Error("Expected the folder of labelled texts by --data or GHOSTAI_DEV_DATA");
  }
  return folder;
}
