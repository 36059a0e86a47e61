/**
 * Writes the digests of a model folder's files into its manifest: after the files were packed in
 * another way, which changes no weight, so that nothing has to be measured again.
 *
 *   npm run manifest -- [--model models/ghostai-small]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { digestFolder, sealManifest } from "../../src/model/folder.ts";

const { values } = parseArgs({
  options: { model: { type: "string", default: "models/ghostai-small" } },
});
const file = join(values.model, "manifest.json");
const { name, version, window } = JSON.parse(readFileSync(file, "utf8"));
const content = { format: 2, name, version, window, ...digestFolder(values.model) } as const;
writeFileSync(file, `${JSON.stringify(sealManifest(content), null, 1)}\n`);
