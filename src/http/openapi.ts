/**
 * The OpenAPI 3.1 document of a listener, made of what the listener routes: the
 * schemas that check its requests, the shapes of its answers, the rows of the
 * error table. Nothing is described here that is not an operation's own.
 */
import { z } from "zod";
import { type ErrorCode, errors } from "../errors.ts";
import { errorAnswer } from "./answers.ts";
import { listOf, type RequestLimits } from "./list.ts";
import { json, type Operation, type Route } from "./operation.ts";
import { errorHeaders, jsonReply, type Reply } from "./reply.ts";

type Json = Readonly<Record<string, unknown>>;

export interface About {
  readonly title: string;
  readonly version: string;
  /** Read anew for each document: a reload changes them in place. */
  readonly limits: RequestLimits;
}

const about = `Reads prompts before a language model does and says whether they are an attack.

Every answer has \`x-request-id\`. GET operations answer HEAD as well. A path that is not here is answered
with 404 \`not_found\`, a method that is not here with 405 \`method_not_allowed\` and \`allow\`.`;

const keySchemes = {
  bearer: { type: "http", scheme: "bearer", description: "authorization: Bearer KEY" },
  apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
};

const requestId = {
  parameter: {
    name: "x-request-id",
    in: "header",
    required: false,
    description:
      "Comes back in the answer where it is 1-128 of `A-Z a-z 0-9 . _ : / -`; else a new one is made.",
    schema: { type: "string" },
  },
  header: {
    required: true,
    description: "The request's own, or a new one.",
    schema: { type: "string" },
  },
};

/** Makes JSON Schemas of zod's; those with an id become components. */
class Schemas {
  readonly components: Record<string, Json> = {};
  readonly #limits: RequestLimits;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** @returns the JSON Schema of what is taken in: of an answer, fields may be added to it */
  of(schema: z.core.$ZodType): Json {
    const { $schema, $defs, ...made } = z.toJSONSchema(schema, {
      io: "input",
      override: ({ zodSchema, jsonSchema }) => {
        const list = listOf(zodSchema);
        if (list === undefined) return;
        jsonSchema.type = "array";
        jsonSchema.items = this.of(list.items) as z.core.JSONSchema.JSONSchema;
        if (list.contains) {
          jsonSchema.contains = this.of(list.contains) as z.core.JSONSchema.JSONSchema;
        }
        if (list.lengthMin > 0) jsonSchema.minItems = list.lengthMin;
        jsonSchema.maxItems = this.#limits[list.lengthMax];
      },
      // Lists are custom schemas, which have no JSON Schema but the one that is put in here.
      unrepresentable: "any",
    });
    for (const [name, component] of Object.entries($defs ?? {})) {
      this.components[name] = relocated(component as Json);
    }
    return relocated(made);
  }
}

/** References as they are where schemas are components. */
function relocated(schema: Json): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'));
}

function parametersOf(
  schema: z.ZodObject | undefined,
  place: "query" | "header",
  schemas: Schemas,
) {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => {
    const { description, ...described } = schemas.of(field);
    return {
      name,
      in: place,
      required: !z.safeParse(field, undefined).success,
      description,
      schema: described,
    };
  });
}

function headersOf(described: Readonly<Record<string, string>>, required: boolean) {
  return Object.fromEntries(
    Object.entries(described).map(([name, description]) => [
      name,
      { required, description, schema: { type: "string" } },
    ]),
  );
}

/** The errors with one status as one response. */
function errorResponse(status: number, codes: readonly ErrorCode[], schemas: Schemas): Json {
  const rows = codes.map((code) => [code, errors[code].message] as const);
  const headers = Object.entries(errorHeaders[status] ?? {});
  return {
    description: rows.map(([code, message]) => `\`${code}\`: ${message}.`).join(" "),
    headers: {
      "x-request-id": { $ref: "#/components/headers/RequestId" },
      ...headersOf(Object.fromEntries(headers.map(([name, { says }]) => [name, says])), true),
    },
    content: {
      "application/json": {
        schema: schemas.of(errorAnswer(codes)),
        examples: Object.fromEntries(
          rows.map(([code, message]) => [code, { value: { error: { code, message } } }]),
        ),
      },
    },
  };
}

/** Error codes by status, in the order of the table. */
function byStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of (Object.keys(errors) as ErrorCode[]).filter((one) => codes.includes(one))) {
    const { status } = errors[code];
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}

function operationObject(operation: Operation, schemas: Schemas): Json {
  const { id, summary, headers, query, body, answer, takesKey = false } = operation;
  const { description, mediaType } = answer;
  const refused = byStatus([...operation.errors, "internal_error"]);
  return {
    operationId: id,
    summary,
    // Whether a key is needed is the daemon's setting, and depends on whence the request comes.
    ...(takesKey
      ? { security: [{}, ...Object.keys(keySchemes).map((name) => ({ [name]: [] }))] }
      : {}),
    parameters: [
      { $ref: "#/components/parameters/RequestId" },
      ...parametersOf(headers, "header", schemas),
      ...parametersOf(query, "query", schemas),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { "application/json": { schema: schemas.of(body) } },
          },
        }),
    responses: {
      200: {
        description,
        headers: {
          "x-request-id": { $ref: "#/components/headers/RequestId" },
          ...headersOf(answer.headers ?? {}, false),
        },
        content: { [mediaType]: { schema: schemas.of(answer.schema) } },
        ...(answer.links === undefined ? {} : { links: answer.links }),
      },
      ...Object.fromEntries(
        [...refused].map(([status, codes]) => [
          status,
          codes.length === 1
            ? { $ref: `#/components/responses/${codes[0]}` }
            : errorResponse(status, codes, schemas),
        ]),
      ),
    },
  };
}

/** @returns the document of these routes */
export function openApiDocument(
  routes: ReadonlyMap<string, Route>,
  { title, version, limits }: About,
) {
  const schemas = new Schemas(limits);
  const paths = Object.fromEntries(
    [...routes].map(([path, route]) => [
      path,
      Object.fromEntries(
        Object.entries(route).map(([method, operation]) => [
          method.toLowerCase(),
          operationObject(operation, schemas),
        ]),
      ),
    ]),
  );
  return {
    openapi: "3.1.1",
    info: {
      title,
      version,
      description: about,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: schemas.components,
      // Also those that no operation answers, since they say that there is none.
      responses: Object.fromEntries(
        (Object.keys(errors) as ErrorCode[]).map((code) => [
          code,
          errorResponse(errors[code].status, [code], schemas),
        ]),
      ),
      headers: { RequestId: requestId.header },
      parameters: { RequestId: requestId.parameter },
      securitySchemes: keySchemes,
    },
  };
}

/** @returns the routes with `GET /openapi.json`, which describes all of them */
export function withDocument(
  routes: ReadonlyMap<string, Route>,
  about: About,
): ReadonlyMap<string, Route> {
  const all = new Map(routes);
  let made: { readonly limits: string; readonly reply: Reply } | undefined;
  const handler = () => {
    // Kept: making it takes milliseconds of the event loop, and anybody may ask.
    const limits = JSON.stringify([about.limits.textsMax, about.limits.messagesMax]);
    if (made?.limits !== limits)
      made = { limits, reply: jsonReply(200, openApiDocument(all, about)) };
    return made.reply;
  };
  const operation: Operation = {
    id: "openapi",
    summary: "This document: what the listener takes and answers.",
    answer: json("An OpenAPI 3.1 document.", z.looseObject({ openapi: z.string() })),
    errors: [],
    handler,
  };
  return all.set("/openapi.json", { GET: operation });
}
