/** The types that applications see, as their own compiler reads them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { withFolder } from "../e2e/harness.ts";

const application = `import { GhostClient, type ScanResult } from "ghostai/client";
const client = new GhostClient({ url: "http://127.0.0.1:5004", timeoutMs: 500, onFailure: "closed" });
const result: ScanResult = await client.scan("text");
if (result.failedOpen || result.failedClosed) console.error(result.cause.code);
else console.log(result.threatScore.toFixed(2), result.findings[0]?.label);
// @ts-expect-error what stands for a verdict has no score
console.log(result.threatScore);
// @ts-expect-error there is no such action: types that were not found would be any, and take it
if (result.action === "maybe") console.log("maybe");
// @ts-expect-error nor such a scanner
if (result.failedOpen === undefined && result.failedClosed === undefined && result.scannerType === "x") console.log("x");
// @ts-expect-error the choice has to be made
new GhostClient({ url: "http://127.0.0.1:5004", timeoutMs: 500 });
`;

test("an application compiles against the client without types of Node and without skipLibCheck", () =>
  withFolder(async (folder) => {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(resolve("."), join(folder, "node_modules/ghostai"));
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    writeFileSync(join(folder, "application.ts"), application);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: "ES2022",
      module: "NodeNext",
      lib: ["ES2022", "DOM"],
      types: [],
    };
    const settings = { compilerOptions, files: ["application.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings));
    const { status, stdout } = spawnSync(resolve("node_modules/.bin/tsc"), ["-p", folder], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout);
  }));
