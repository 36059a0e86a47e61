/** Every path of the admin socket. The public listener has none of them but health, metrics and info. */

import type { Settings } from "../../config/schema.ts";
import { GhostError } from "../../errors.ts";
import type { LogPage, LogQuery } from "../../log/query.ts";
import { withDocument } from "../openapi.ts";
import { json, type Operation, type Route } from "../operation.ts";
import { jsonReply } from "../reply.ts";
import { clearedAnswer, configAnswer, reloadedAnswer, statsAnswer } from "./answers.ts";
import { logsOperation } from "./logs.ts";

export interface AdminDependencies {
  /** The package's. */
  readonly version: string;
  /** Rejects where there is no store. */
  readonly queryLog: (query: LogQuery) => Promise<LogPage>;
  readonly stats: () => unknown;
  readonly settings: Settings;
  /** Rejects where the cache on disk cannot be emptied. */
  readonly clearCache: () => Promise<void>;
  /** @returns what changed, or why nothing did */
  readonly reload: () => { readonly error?: string };
}

/** What goes wrong with the store is said as it is: who asks is an operator. */
async function withStore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GhostError) throw error;
    throw new GhostError("store_unavailable", (error as Error).message);
  }
}

/** @param shared the routes that both listeners have */
export function createAdminRoutes(
  dependencies: AdminDependencies,
  shared: ReadonlyMap<string, Route>,
): ReadonlyMap<string, Route> {
  const { version, queryLog, stats, settings, clearCache, reload } = dependencies;
  const logs = logsOperation((query) => withStore(() => queryLog(query)));
  const statistics: Operation = {
    id: "stats",
    summary: "How the daemon has done of late.",
    answer: json("Latency, rates, processor, memory, cache and store.", statsAnswer),
    errors: [],
    handler: () => jsonReply(200, stats()),
  };
  const config: Operation = {
    id: "config",
    summary: "The settings in force.",
    answer: json("Settings by key.", configAnswer),
    errors: [],
    handler: () => jsonReply(200, settings),
  };
  const clear: Operation = {
    id: "clearCache",
    summary: "Forgets every kept score, in memory and on disk.",
    answer: json("They are forgotten.", clearedAnswer),
    errors: ["store_unavailable", "not_ready"],
    async handler() {
      await withStore(clearCache);
      return jsonReply(200, { cleared: true });
    },
  };
  const reloadNow: Operation = {
    id: "reload",
    summary: "Reads the settings again.",
    answer: json("What changed.", reloadedAnswer),
    errors: ["invalid_request"],
    handler() {
      const result = reload();
      if (result.error !== undefined) throw new GhostError("invalid_request", result.error);
      return jsonReply(200, result);
    },
  };
  const routes = new Map<string, Route>([
    ...shared,
    ["/v1/logs", { GET: logs }],
    ["/v1/stats", { GET: statistics }],
    ["/v1/config", { GET: config }],
    ["/v1/cache", { DELETE: clear }],
    ["/v1/reload", { POST: reloadNow }],
  ]);
  return withDocument(routes, { title: "ghostai for operators", version, limits: settings });
}
