/**
 * Writes docs/settings.md from src/config/schema.ts.
 *
 *   node --import tsx test/generate/settings_reference.ts
 */
import { writeFileSync } from "node:fs";
import { settingsReference } from "../../src/config/reference.ts";

writeFileSync("docs/settings.md", settingsReference());
