/** The OpenAPI documents of both listeners, as a daemon with default settings serves them. */
import { createAdminRoutes } from "../../src/http/admin/index.ts";
import type { Exchange } from "../../src/http/exchange.ts";
import type { Operation, Route } from "../../src/http/operation.ts";
import type { Reply } from "../../src/http/reply.ts";
import { createRoutes, createStateRoutes } from "../../src/http/routes/index.ts";
import { packageVersion } from "../../src/service/package.ts";
import { defaults, newMetrics, openAccess, openSealer } from "./harness.ts";

const nothing = () => Promise.reject();
const version = packageVersion();
const state = { refusal: () => undefined, info: () => ({}), metrics: newMetrics() };

export const publicRoutes = createRoutes({
  ...state,
  version,
  settings: defaults,
  inspector: { inspect: nothing },
  access: () => openAccess,
  sealer: () => openSealer,
  record: () => undefined,
});

export const operatorsRoutes = createAdminRoutes(
  {
    version,
    settings: defaults,
    queryLog: nothing,
    stats: () => ({}),
    clearCache: nothing,
    reload: () => ({}),
  },
  createStateRoutes(state),
);

/** A JSON Schema, or what holds some. */
export type Json = { readonly [key: string]: Json };

function served(routes: ReadonlyMap<string, Route>): Json {
  const { GET } = routes.get("/openapi.json") as Route;
  const { handler } = GET as Operation;
  return JSON.parse((handler({} as Exchange) as Reply).body);
}

export const publicDocument = served(publicRoutes);
export const operatorsDocument = served(operatorsRoutes);

/** @returns the copies that are kept in docs */
export function documents(): readonly { readonly file: string; readonly text: string }[] {
  const written = (document: Json) => `${JSON.stringify(document, null, 2)}\n`;
  return [
    { file: "docs/openapi.json", text: written(publicDocument) },
    { file: "docs/openapi.operators.json", text: written(operatorsDocument) },
  ];
}
