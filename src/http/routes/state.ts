/** The operations that tell how the daemon is: liveness, readiness, metrics and what it runs with. */
import { z } from "zod";
import { json, type Operation } from "../operation.ts";
import { jsonReply } from "../reply.ts";

/** `GET /healthz`: the process is up. */
export const healthOperation: Operation = {
  id: "health",
  summary: "Whether the process is up.",
  answer: json("It is.", z.object({ status: z.literal("ok") })),
  errors: [],
  handler: () => jsonReply(200, { status: "ok" }),
};

/** `GET /readyz`. @param admit throws GhostError while no scan may begin */
export function readyOperation(admit: () => void): Operation {
  return {
    id: "ready",
    summary: "Whether scans are answered: the model is loaded and the daemon is not stopping.",
    answer: json("They are.", z.object({ status: z.literal("ready") })),
    errors: ["shutting_down", "not_ready"],
    handler() {
      admit();
      return jsonReply(200, { status: "ready" });
    },
  };
}

/** `GET /metrics`, as Prometheus reads it. */
export function metricsOperation(metrics: {
  readonly contentType: string;
  text(): Promise<string>;
}): Operation {
  return {
    id: "metrics",
    summary: "Metrics as Prometheus reads them.",
    answer: { description: "Metrics.", mediaType: "text/plain", schema: z.string() },
    errors: [],
    handler: async () => ({
      status: 200,
      contentType: metrics.contentType,
      body: await metrics.text(),
      headers: {},
      closes: false,
    }),
  };
}

const count = z.int().min(0);
const core = z.int().min(0).nullable().describe("Null where the thread is not pinned.");

const infoAnswer = z
  .object({
    version: z.string(),
    model: z.object({ name: z.string(), version: z.string(), sha256: z.string() }),
    kernels: z.string().describe("The instruction set that is used."),
    kernels_available: z.array(z.string()),
    threads: z.object({ event_loop_core: core, inference_cores: z.array(core) }),
    limits: z.object({
      body_bytes_max: count,
      texts_max: count,
      messages_max: count,
      requests_waiting_max: count,
      queue_max: count,
      windows_max: count,
      deadline_ms: count,
      queue_wait_ms_max: count,
      connections_per_address_max: count,
    }),
    cache: z.object({ entries_max: count, ttl_ms: count }),
    disk_cache: z.object({ entries_max: count, bytes_max: count, ttl_ms: count }),
    access: z.enum(["enforce", "observe"]),
  })
  .meta({ id: "Info" });

/** `GET /v1/info`. @param info throws GhostError `not_ready` before there is a model */
export function infoOperation(info: () => unknown): Operation {
  return {
    id: "info",
    summary: "Version, model, kernels, cores and limits.",
    answer: json("What the daemon runs with.", infoAnswer),
    errors: ["not_ready"],
    handler: () => jsonReply(200, info()),
  };
}
