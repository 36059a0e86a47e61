/** The exposition: names, units, fixed labels. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../../src/errors.ts";
import type { Observer } from "../../src/inspect.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { newMetrics } from "../http/harness.ts";

test("counts and times what the line observes", async () => {
  let depth = 3;
  const none = () => 0;
  const metrics = new Metrics(
    {
      queueDepth: () => depth,
      windowsByLayer: () => ({ "2": 5, last: 1 }),
      logQueueDepth: none,
      storeWritable: () => 1,
      diskCacheEntries: none,
    },
    { version: "1.2.3" },
  );
  const observer: Observer = metrics;
  observer.stage("model", 0.002);
  observer.cache("l1", "joined");
  observer.finding("unicode");
  metrics.answered("flag", 0.00004, true);
  metrics.log("dropped", 2);
  metrics.storeFailed();
  metrics.refused("busy");
  const text = await metrics.text();
  for (const line of [
    'ghostai_stage_duration_seconds_bucket{le="0.001",stage="model"} 0',
    'ghostai_stage_duration_seconds_bucket{le="0.0025",stage="model"} 1',
    'ghostai_cache_requests_total{layer="l1",outcome="joined"} 1',
    'ghostai_findings_total{scanner="unicode"} 1',
    'ghostai_requests_total{verdict="flag",code="ok"} 1',
    'ghostai_requests_total{verdict="none",code="busy"} 1',
    'ghostai_request_duration_seconds_bucket{le="0.00005"} 1',
    "ghostai_model_queue_depth 3",
    'ghostai_model_windows_total{layer="2"} 5',
    'ghostai_observed_total{verdict="flag"} 1',
    'ghostai_log_records_total{outcome="dropped"} 2',
    "ghostai_store_write_failures_total 1",
    "ghostai_store_writable 1",
    'ghostai_build_info{version="1.2.3"} 1',
  ]) {
    assert.ok(text.split("\n").includes(line), line);
  }
  assert.match(text, /^process_resident_memory_bytes \d+/m);
  assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
  depth = 0;
  assert.match(await metrics.text(), /^ghostai_model_queue_depth 0$/m);
});

test("every label value is there from the start, at nothing", async () => {
  const text = await newMetrics().text();
  const codes = [...text.matchAll(/^ghostai_requests_total\{verdict="none",code="(\w+)"\} 0$/gm)];
  assert.deepEqual(
    codes.map(([, code]) => code),
    Object.keys(errors),
  );
});
