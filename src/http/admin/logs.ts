/** `GET /v1/logs`: the log, filtered, newest first, page by page. */
import { z } from "zod";
import { GhostError } from "../../errors.ts";
import { type LogPage, type LogQuery, type LogRow, readCursor } from "../../log/query.ts";
import { scannerNames } from "../../types.ts";
import type { Handler } from "../exchange.ts";
import { findingBody, jsonReply } from "../reply.ts";

const limitMax = 10_000;
const limitDefault = 100;

const datePattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** Milliseconds since 1970, or a date as ISO 8601 writes it. */
const time = z
  .string()
  .transform((text) => {
    if (/^\d{1,15}$/.test(text)) return Number(text);
    // Date.parse alone takes a great deal for a date: -1 is in 2001.
    return datePattern.test(text) ? Date.parse(text) : Number.NaN;
  })
  .refine((at) => Number.isSafeInteger(at) && at >= 0, {
    error: "expected milliseconds since 1970 or a date such as 2026-01-31T12:00:00Z",
  });

const query = z.strictObject({
  since: time.optional(),
  until: time.optional(),
  min_score: z
    .string()
    .regex(/^(0|1|0?\.\d{1,6}|1\.0+)$/, "expected a number from 0 to 1")
    .transform(Number)
    .optional(),
  scanner_type: z.enum([...scannerNames, "none"]).optional(),
  ip: z.string().min(1).max(64).optional(),
  verdict: z.enum(["allow", "flag", "block"]).optional(),
  limit: z
    .string()
    .regex(/^\d{1,5}$/, `expected 1-${limitMax}`)
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= limitMax, { error: `expected 1-${limitMax}` })
    .optional(),
  order: z.enum(["newest", "oldest"]).optional(),
  cursor: z
    .string()
    .refine((text) => readCursor(text) !== undefined, { error: "expected a cursor of an answer" })
    .optional(),
});

/** Reads the filters from the URL's query. @throws GhostError `invalid_request` */
export function readLogQuery(text: string): LogQuery {
  const given = new URLSearchParams(text);
  const names = [...given.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new GhostError("invalid_request", `${twice} is there twice`);
  const checked = query.safeParse(Object.fromEntries(given));
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const detail =
      issue?.code === "unrecognized_keys"
        ? `there is no filter ${JSON.stringify((issue.keys[0] ?? "").slice(0, 64))}`
        : `${issue?.path.join(".")}: ${issue?.message}`;
    throw new GhostError("invalid_request", detail);
  }
  const { since, until, min_score, scanner_type, ip, verdict, limit, order, cursor } = checked.data;
  return {
    limit: limit ?? limitDefault,
    order: order ?? "newest",
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(min_score === undefined ? {} : { scoreMin: min_score }),
    ...(scanner_type === undefined ? {} : { scannerType: scanner_type }),
    ...(ip === undefined ? {} : { address: ip }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

function rowBody(row: LogRow) {
  return {
    sequence: Number(row.sequence),
    time: new Date(row.at).toISOString(),
    id: row.id,
    verdict: row.verdict,
    observed: row.observed,
    threat_score: row.threatScore,
    scanner_type: row.scannerType,
    findings: row.findings.map(findingBody),
    ip_address: row.address,
    key: row.keyName,
    origin: row.origin,
    versions: { model: row.model, signatures: row.signatures, normaliser: row.normaliser },
    cache: row.cache,
    latency_ms: row.latency,
    text_hash: row.textHash,
    ...(row.text === undefined ? {} : { text: row.text }),
  };
}

/** @param run throws StoreError where there is no store */
export function logsHandler(run: (query: LogQuery) => Promise<LogPage>): Handler {
  return async (exchange) => {
    const page = await run(readLogQuery(exchange.query));
    return jsonReply(200, {
      records: page.rows.map(rowBody),
      ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
      plan: page.plan,
    });
  };
}
