/** The shapes of what operators are answered, apart from the log's. */
import { z } from "zod";
import { settings } from "../../config/schema.ts";

const count = z.int().min(0);
const amount = z.number().min(0);

const latency = z.record(z.string(), amount).nullable();

const period = z
  .object({
    answered: count,
    refused: count,
    requests_per_second: amount,
    error_rate: amount.max(1),
    latency_ms: latency.describe("Percentiles by name; null where nothing was answered."),
  })
  .meta({ id: "Period" });

const layer = z
  .object({ hits: count, misses: count, joined: count, hit_rate: amount.max(1) })
  .meta({ id: "CacheLayer" });

export const statsAnswer = z
  .object({
    uptime_s: amount,
    last_minute: period,
    last_5_minutes: period,
    last_60_minutes: period,
    throughput: z.object({ peak_per_second: amount, sustained_per_second: amount }),
    cpu_cores: amount.describe("Cores in use over the last minute."),
    memory_bytes: z.object({ rss: count, heap_used: count, external: count }),
    cache: z.object({ l1: layer, l3: layer }),
    log: z.object({ written: count, dropped: count }),
    store: z.object({
      open: z.boolean(),
      writable: z.boolean(),
      log_records: count,
      log_bytes: count,
      log_waiting: count,
      cache_entries: count,
    }),
  })
  .meta({ id: "Statistics" });

export const configAnswer = z
  .object(
    Object.fromEntries(
      Object.entries(settings).map(([key, { schema, doc }]) => [key, schema.describe(doc)]),
    ),
  )
  .meta({ id: "Settings" });

export const clearedAnswer = z.object({ cleared: z.literal(true) });

const keys = z.array(z.string());

export const reloadedAnswer = z.object({
  changed: keys.describe("Settings that are in force now."),
  need_restart: keys.describe("Settings that only a restart takes over."),
});
