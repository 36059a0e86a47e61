/** The routes that tell how the daemon is: liveness, readiness, metrics and what it runs with. */
import type { Handler } from "../exchange.ts";
import { jsonReply } from "../reply.ts";

/** `GET /healthz`: the process is up. */
export const healthHandler: Handler = () => jsonReply(200, { status: "ok" });

/** `GET /readyz`. @param admit throws GhostError while no scan may begin */
export function readyHandler(admit: () => void): Handler {
  return () => {
    admit();
    return jsonReply(200, { status: "ready" });
  };
}

/** `GET /metrics`, as Prometheus reads it. */
export function metricsHandler(metrics: {
  readonly contentType: string;
  text(): Promise<string>;
}): Handler {
  return async () => ({
    status: 200,
    contentType: metrics.contentType,
    body: await metrics.text(),
    headers: {},
    closes: false,
  });
}

/** `GET /v1/info`. @param info throws GhostError `not_ready` before there is a model */
export function infoHandler(info: () => unknown): Handler {
  return () => jsonReply(200, info());
}
