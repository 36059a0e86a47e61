/** Every path that the public listeners answer. */
import type { BlockList } from "node:net";
import { admit } from "../../access/access.ts";
import type { KeyRing } from "../../access/keys.ts";
import { RateLimits } from "../../access/limits.ts";
import { clientAddress, isTrusted } from "../../access/proxies.ts";
import type { Settings } from "../../config/schema.ts";
import type { GhostError } from "../../errors.ts";
import type { Inspector } from "../../inspect.ts";
import type { Sealer } from "../../redact/seal.ts";
import { BodyCollector } from "../body.ts";
import type { Exchange } from "../exchange.ts";
import { withDocument } from "../openapi.ts";
import type { Route } from "../operation.ts";
import { Redaction, type RedactionObserver } from "../redaction.ts";
import { redactOperation, restoreOperation } from "./redact.ts";
import { type Caller, type ScanDependencies, scanOperation } from "./scan.ts";
import { healthOperation, infoOperation, metricsOperation, readyOperation } from "./state.ts";

/** What a reload may replace. */
export interface Access {
  /** Absent: no key is needed. */
  readonly keys?: KeyRing | undefined;
  readonly trustedProxies: BlockList;
}

export interface RouteDependencies {
  /** The package's. */
  readonly version: string;
  /** Read anew for each request: a reload changes them in place. */
  readonly settings: Settings;
  readonly access: () => Access;
  readonly inspector: Inspector;
  /** Why no scan may begin, or nothing. */
  readonly refusal: () => GhostError | undefined;
  readonly info: () => unknown;
  readonly record: ScanDependencies["record"];
  /** Seals and opens restore tokens; a reload replaces it. */
  readonly sealer: () => Sealer;
  readonly metrics: RedactionObserver &
    Parameters<typeof metricsOperation>[0] & {
      answered(...answer: [...Parameters<ScanDependencies["answered"]>, boolean]): void;
      abandoned(): void;
    };
}

/** Whose request it is, by what the connection, trusted proxies and its key say. */
function identifier(dependencies: RouteDependencies): (exchange: Exchange) => Caller {
  const { settings, access } = dependencies;
  const limits = new RateLimits(() => performance.now());
  return (exchange) => {
    const { keys, trustedProxies } = access();
    const { peerAddress, proxiedAddress, forwardedFor } = exchange;
    const isProxied = proxiedAddress !== "" && isTrusted(peerAddress, trustedProxies);
    const peer = isProxied ? proxiedAddress : peerAddress;
    const address = clientAddress(peer, forwardedFor, trustedProxies);
    const isForwarded = forwardedFor !== "" || proxiedAddress !== "";
    const keyName = admit(
      { ...exchange.credentials, address, isForwarded },
      keys,
      limits,
      settings.keysOnLoopback,
    );
    return { address: address === "" ? "unix" : address, keyName };
  };
}

/** Health, metrics and info, which both the public listeners and the admin socket answer. */
export function createStateRoutes(
  dependencies: Pick<RouteDependencies, "refusal" | "info" | "metrics">,
): ReadonlyMap<string, Route> {
  const { refusal, info, metrics } = dependencies;
  return new Map<string, Route>([
    ["/v1/info", { GET: infoOperation(info) }],
    ["/healthz", { GET: healthOperation }],
    ["/readyz", { GET: readyOperation(admission(refusal)) }],
    ["/metrics", { GET: metricsOperation(metrics) }],
  ]);
}

function admission(refusal: () => GhostError | undefined): () => void {
  return () => {
    const error = refusal();
    if (error !== undefined) throw error;
  };
}

/** Builds the public routes by path, and what describes them. */
export function createRoutes(dependencies: RouteDependencies): ReadonlyMap<string, Route> {
  const { version, settings, inspector, refusal, record, metrics } = dependencies;
  const observes = () => settings.access === "observe";
  const shared: ScanDependencies = {
    inspector,
    redaction: new Redaction({
      settings,
      sealer: dependencies.sealer,
      observer: metrics,
      now: () => performance.now(),
    }),
    bodies: new BodyCollector({
      get bytesMax() {
        return settings.bodyBytesMax;
      },
      get timeoutMs() {
        return settings.bodyTimeoutMs;
      },
      get bytesPerSecondMin() {
        return settings.bodyBytesPerSecondMin;
      },
      get arrivingMax() {
        return settings.requestsWaitingMax;
      },
    }),
    limits: settings,
    requestsWaitingMax: () => settings.requestsWaitingMax,
    admit: admission(refusal),
    identify: identifier(dependencies),
    deadlineMs: () => settings.deadlineMs,
    observes,
    record,
    abandoned: () => metrics.abandoned(),
    answered: (verdict, seconds) => metrics.answered(verdict, seconds, observes()),
    now: () => performance.now(),
  };
  const routes = new Map<string, Route>([
    ["/v1/scan", { POST: scanOperation(shared) }],
    ["/v1/redact", { POST: redactOperation(shared) }],
    ["/v1/restore", { POST: restoreOperation(shared) }],
    ...createStateRoutes(dependencies),
  ]);
  return withDocument(routes, { title: "ghostai", version, limits: settings });
}
