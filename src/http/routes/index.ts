/** Every path that the daemon answers. */

import type { Settings } from "../../config/schema.ts";
import type { GhostError } from "../../errors.ts";
import type { Inspector } from "../../inspect.ts";
import { BodyCollector } from "../body.ts";
import type { Route } from "../exchange.ts";
import { type ScanDependencies, scanHandler } from "./scan.ts";
import { healthHandler, infoHandler, metricsHandler, readyHandler } from "./state.ts";

export interface RouteDependencies {
  readonly settings: Settings;
  readonly inspector: Inspector;
  /** Why no scan may begin, or nothing. */
  readonly refusal: () => GhostError | undefined;
  readonly info: () => unknown;
  readonly metrics: Parameters<typeof metricsHandler>[0] & {
    answered: ScanDependencies["answered"];
  };
}

/** Builds the routes by path. */
export function createRoutes(dependencies: RouteDependencies): ReadonlyMap<string, Route> {
  const { settings, inspector, refusal, info, metrics } = dependencies;
  const admit = () => {
    const error = refusal();
    if (error !== undefined) throw error;
  };
  const scan = scanHandler({
    inspector,
    bodies: new BodyCollector({
      bytesMax: settings.bodyBytesMax,
      timeoutMs: settings.bodyTimeoutMs,
      bytesPerSecondMin: settings.bodyBytesPerSecondMin,
      arrivingMax: settings.requestsWaitingMax,
    }),
    limits: settings,
    requestsWaitingMax: settings.requestsWaitingMax,
    admit,
    answered: (verdict, seconds) => metrics.answered(verdict, seconds),
    now: () => performance.now(),
  });
  return new Map<string, Route>([
    ["/v1/scan", { POST: scan }],
    ["/v1/info", { GET: infoHandler(info) }],
    ["/healthz", { GET: healthHandler }],
    ["/readyz", { GET: readyHandler(admit) }],
    ["/metrics", { GET: metricsHandler(metrics) }],
  ]);
}
