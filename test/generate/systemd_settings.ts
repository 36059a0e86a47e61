/**
 * Writes systemd/ghostai.yaml and systemd/ghostai.env from src/config/schema.ts.
 *
 *   node --import tsx test/generate/systemd_settings.ts
 */
import { writeFileSync } from "node:fs";
import { environmentFile, exampleYaml } from "../../src/config/reference.ts";

writeFileSync("systemd/ghostai.yaml", exampleYaml());
writeFileSync("systemd/ghostai.env", environmentFile());
