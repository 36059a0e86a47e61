/** `GET /v1/logs`: the log, filtered, newest first, page by page. */
import { z } from "zod";
import { GhostError } from "../../errors.ts";
import { cursorPattern, type LogPage, type LogQuery, type LogRow } from "../../log/query.ts";
import { actions, origins, scannerNames } from "../../types.ts";
import { verdictFields } from "../answers.ts";
import type { Exchange } from "../exchange.ts";
import { type Description, json, type Operation } from "../operation.ts";
import { findingBody, jsonReply } from "../reply.ts";

const limitDefault = 100;

const timeMessage = "expected milliseconds since 1970 or a date such as 2026-01-31T12:00:00Z";

const from1970 = /^(19[7-9]\d|[2-9]\d{3})-/;

/** Milliseconds since 1970, or a date as ISO 8601 writes it. */
const time = z
  .union(
    [
      z.string().regex(/^\d{1,15}$/),
      z.iso.date().regex(from1970),
      z.iso.datetime({ offset: true, local: true }).regex(from1970),
      z.iso.datetime({ offset: true, local: true, precision: -1 }).regex(from1970),
    ],
    timeMessage,
  )
  // Date.parse alone takes a great deal for a date: -1 is in 2001. An offset may lead to before 1970.
  .transform((text) => (/^\d{1,15}$/.test(text) ? Number(text) : Math.max(0, Date.parse(text))));

const query = z.strictObject({
  since: time.optional().describe("From then on: milliseconds since 1970 or ISO 8601."),
  until: time.optional().describe("Before then."),
  min_score: z
    .string()
    .regex(/^(0|1|0?\.\d{1,6}|1\.0+)$/, "expected a number from 0 to 1")
    .transform(Number)
    .optional()
    .describe("With a threat score of at least that, 0-1."),
  scanner_type: z.enum([...scannerNames, "none"]).optional(),
  ip: z.string().min(1).max(64).optional().describe("Of that client; `unix` for the Unix socket."),
  verdict: z.enum(actions).optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d{0,3}|10000)$/, "expected 1-10000")
    .transform(Number)
    .optional()
    .describe(`At most so many, 1-10000; ${limitDefault} by default.`),
  order: z.enum(["newest", "oldest"]).optional().describe("`newest` first by default."),
  cursor: z
    .string()
    .regex(cursorPattern, "expected a cursor of an answer")
    .optional()
    .describe("The cursor of an answer, to go on from."),
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

const recordAnswer = z
  .object({
    ...verdictFields,
    sequence: z.int().min(0),
    time: z.iso.datetime(),
    observed: z.boolean().describe("Whether the answer was allow because access is observe."),
    ip_address: z.string().describe("The client's; `unix` for the Unix socket."),
    key: z.string().describe("Name of the API key; empty where none was needed."),
    origin: z.enum(origins).describe("Of the riskiest text."),
    versions: z.object({ model: z.string(), signatures: z.string(), normaliser: z.string() }),
    text_hash: z.string().describe("Keyed with the store's secret: equal texts have equal ones."),
    text: z.string().optional().describe("With `log.text` alone."),
  })
  .meta({ id: "LogRecord" });

const pageAnswer = z
  .object({
    records: z.array(recordAnswer),
    cursor: z.string().optional().describe("Begins the next page; absent where nothing is left."),
    plan: z.object({
      index: z.string().describe("The index that was walked."),
      examined: z.int().min(0).describe("Records that were read."),
    }),
  })
  .meta({ id: "LogPage" });

function rowBody(row: LogRow): z.input<typeof recordAnswer> {
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

const description: Description = {
  id: "logs",
  summary: "Records of the log, filtered, page by page.",
  query,
  answer: {
    ...json("One page.", pageAnswer),
    links: { next: { operationId: "logs", parameters: { cursor: "$response.body#/cursor" } } },
  },
  errors: ["invalid_request", "store_unavailable"],
};

/** @param run throws GhostError `store_unavailable` where there is no store */
export function logsOperation(run: (query: LogQuery) => Promise<LogPage>): Operation {
  const handler = async (exchange: Exchange) => {
    const page = await run(readLogQuery(exchange.query));
    return jsonReply(200, {
      records: page.rows.map(rowBody),
      ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
      plan: page.plan,
    });
  };
  return { ...description, handler };
}
