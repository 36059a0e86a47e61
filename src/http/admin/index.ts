/** Every path of the admin socket. The public listener has none of them but health, metrics and info. */
import { GhostError } from "../../errors.ts";
import type { LogPage, LogQuery } from "../../log/query.ts";
import type { Handler, Route } from "../exchange.ts";
import { jsonReply } from "../reply.ts";
import { logsHandler } from "./logs.ts";

export interface AdminDependencies {
  /** Rejects where there is no store. */
  readonly queryLog: (query: LogQuery) => Promise<LogPage>;
  readonly stats: () => unknown;
  readonly config: () => unknown;
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
  const { queryLog, stats, config, clearCache, reload } = dependencies;
  const logs = logsHandler((query) => withStore(() => queryLog(query)));
  const clear: Handler = async () => {
    await withStore(clearCache);
    return jsonReply(200, { cleared: true });
  };
  const reloadNow: Handler = () => {
    const result = reload();
    if (result.error !== undefined) throw new GhostError("invalid_request", result.error);
    return jsonReply(200, result);
  };
  return new Map<string, Route>([
    ...shared,
    ["/v1/logs", { GET: logs }],
    ["/v1/stats", { GET: () => jsonReply(200, stats()) }],
    ["/v1/config", { GET: () => jsonReply(200, config()) }],
    ["/v1/cache", { DELETE: clear }],
    ["/v1/reload", { POST: reloadNow }],
  ]);
}
