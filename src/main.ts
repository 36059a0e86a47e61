/** Wires the daemon: listeners first, so that a taken port fails at once, then the model, then readiness. */
import type { Settings } from "./config/schema.ts";
import { GhostError } from "./errors.ts";
import { createRoutes } from "./http/routes/index.ts";
import { HttpServer } from "./http/server.ts";
import { Metrics } from "./metrics/metrics.ts";
import { describe, describeLines, openService, type Service } from "./service/service.ts";

export interface Daemon {
  /** Answers what was accepted, then closes everything. */
  stop(): Promise<void>;
}

/** What was accepted gets this long to be answered when the daemon stops. */
const drainMs = 10_000;

/**
 * Starts the daemon.
 *
 * @param print told one line at a time what it runs with
 * @param warn told one line about a request that failed inside
 * @throws ListenError, ModelError or ServiceError
 */
export async function startDaemon(
  settings: Settings,
  print: (line: string) => void,
  warn: (line: string) => void,
): Promise<Daemon> {
  const started = performance.now();
  let service: Service | undefined;
  let isStopping = false;
  const metrics = new Metrics(() => service?.model.stats().queueDepth ?? 0);
  const refusal = () => {
    if (isStopping) return new GhostError("shutting_down");
    return service === undefined ? new GhostError("not_ready") : undefined;
  };
  const ready = () => {
    if (service === undefined) throw new GhostError("not_ready");
    return service;
  };
  const routes = createRoutes({
    settings,
    inspector: { inspect: (prompt) => ready().inspector.inspect(prompt) },
    refusal,
    info: () => describe(ready(), settings),
    metrics,
  });
  const server = new HttpServer(routes, (error, cause) => {
    metrics.refused(error.code);
    if (error.code === "internal_error") warn(`internal error: ${(cause as Error).message}`);
  });
  try {
    const port = await server.listenTcp(settings.host, settings.port);
    const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
    print(`listening on http://${host}:${port}`);
    if (settings.socketPath !== "") {
      await server.listenUnix(settings.socketPath);
      print(`listening on unix:${settings.socketPath}`);
    }
    const opened = await openService(settings, metrics);
    for (const line of describeLines(opened)) print(line);
    service = opened;
  } catch (error) {
    server.close();
    throw error;
  }
  print(`ready in ${Math.round(performance.now() - started)} ms`);
  return {
    async stop() {
      isStopping = true;
      server.stopAccepting();
      await server.drained(drainMs);
      await service?.close();
      server.close();
    },
  };
}
