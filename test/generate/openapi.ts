/**
 * Writes docs/openapi.json and docs/openapi.operators.json from what the daemon
 * routes.
 *
 *   node --import tsx test/generate/openapi.ts
 */
import { writeFileSync } from "node:fs";
import { documents } from "../http/documents.ts";

for (const { file, text } of documents()) writeFileSync(file, text);
