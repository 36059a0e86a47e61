/** Wires the daemon: listeners first, so that a taken port fails at once, then the model, then readiness. */
import { textHasher } from "./cache/key.ts";
import type { Settings } from "./config/schema.ts";
import { GhostError } from "./errors.ts";
import { createAdminRoutes } from "./http/admin/index.ts";
import { ConnectionCap } from "./http/connections.ts";
import { type Access, createRoutes, createStateRoutes } from "./http/routes/index.ts";
import type { Caller } from "./http/routes/scan.ts";
import { HttpServer } from "./http/server.ts";
import { queryLog } from "./log/query.ts";
import type { LogRecord } from "./log/record.ts";
import { Metrics } from "./metrics/metrics.ts";
import { drawSealKey, readSealKeys, Sealer, type SealKey } from "./redact/seal.ts";
import { scannersVersion } from "./scan/index.ts";
import { groupId } from "./service/groups.ts";
import { Notifier } from "./service/notify.ts";
import { packageVersion } from "./service/package.ts";
import {
  certificateOf,
  compareSettings,
  readAccess,
  refuseOpenDoor,
  takeOver,
} from "./service/reload.ts";
import { describe, describeLines, openService, type Service } from "./service/service.ts";
import { Statistics } from "./service/statistics.ts";
import { Storage } from "./service/storage.ts";
import { normaliserVersion } from "./text/normalise.ts";
import type { Prompt, Verdict } from "./types.ts";

export interface Daemon {
  /** Reads the settings again. @returns what changed, or why nothing did */
  reload(): Reloaded;
  /** Answers what was accepted, then closes everything. */
  stop(): Promise<void>;
}

export interface Reloaded {
  readonly changed?: readonly string[];
  readonly need_restart?: readonly string[];
  readonly error?: string;
}

/** What was accepted gets this long to be answered when the daemon stops; systemd waits a little longer. */
const drainMs = 8_000;

const modeOf = (octal: string) => Number.parseInt(octal, 8);

/** The record of one prompt; of its texts the riskiest one's origin. */
function recordOf(
  prompt: Prompt,
  verdict: Verdict,
  caller: Caller,
  settings: Settings,
  hash: ReturnType<typeof textHasher>,
): LogRecord {
  const [first] = prompt.segments;
  const worst = verdict.findings.find((finding) => finding.score === verdict.threatScore);
  const segment = prompt.segments.find(
    ({ messageIndex, partIndex }) =>
      messageIndex === worst?.messageIndex && partIndex === worst?.partIndex,
  );
  return {
    at: Date.now(),
    id: verdict.id,
    verdict: verdict.action,
    observed: settings.access === "observe",
    threatScore: verdict.threatScore,
    scannerType: verdict.scannerType,
    findings: verdict.findings,
    address: caller.address,
    keyName: caller.keyName,
    origin: (segment ?? first)?.origin ?? "user",
    model: verdict.model,
    signatures: scannersVersion,
    normaliser: normaliserVersion,
    cache: verdict.cache,
    latency: verdict.latency,
    textHash: hash(prompt.segments),
    ...(settings["log.text"] ? { text: prompt.segments.map(({ text }) => text).join("\n\n") } : {}),
  };
}

/** @param live read anew for each token. @throws SealKeysError where the file of keys is wrong */
function sealerOf(live: Settings, startKey: SealKey): Sealer {
  const file = live["redact.keyFile"];
  const options = {
    get tokenTtlMs() {
      return live["redact.tokenTtlMs"];
    },
    get tokenLengthMax() {
      return live["redact.tokenLengthMax"];
    },
  };
  return new Sealer(file === "" ? [startKey] : readSealKeys(file), options, () => Date.now());
}

/**
 * Starts the daemon.
 *
 * @param given the settings; a reload changes a copy of them
 * @param readAgain reads the settings anew; throws SettingsError
 * @param print told one line at a time what it runs with
 * @param warn told one line about what an operator should know
 * @throws ListenError, ModelError, AccessError, SealKeysError or ServiceError
 */
export async function startDaemon(
  given: Settings,
  readAgain: () => Settings,
  print: (line: string) => void,
  warn: (line: string) => void,
): Promise<Daemon> {
  const started = performance.now();
  const settings = { ...given };
  refuseOpenDoor(settings);
  const certificate = certificateOf(settings);
  let access: Access = readAccess(settings);
  const version = packageVersion();
  const startKey = drawSealKey();
  let sealer = sealerOf(settings, startKey);
  let service: Service | undefined;
  let isStopping = false;
  let port = 0;

  const storage = new Storage(settings, () => metrics, warn);
  const hash = textHasher(storage.secret);
  const metrics: Metrics = new Metrics(
    {
      queueDepth: () => service?.model.stats().queueDepth ?? 0,
      windowsByLayer: () => service?.model.windowsByLayer() ?? {},
      logQueueDepth: () => storage.log?.waiting ?? 0,
      storeWritable: () => Number(storage.isWritable),
      diskCacheEntries: () => storage.disk?.count ?? 0,
    },
    { version },
  );
  const notifier = new Notifier(warn);
  const statistics = new Statistics(metrics, () => storage.describe());
  const refusal = () => {
    if (isStopping) return new GhostError("shutting_down");
    return service === undefined ? new GhostError("not_ready") : undefined;
  };
  const ready = () => {
    if (service === undefined) throw new GhostError("not_ready");
    return service;
  };
  const record = (prompt: Prompt, verdict: Verdict, caller: Caller) => {
    const { log } = storage;
    if (log === undefined) return undefined;
    const entry = recordOf(prompt, verdict, caller, settings, hash);
    if (settings["log.durable"]) return log.appendDurably(entry);
    log.append(entry);
    return undefined;
  };

  function reload(): Reloaded {
    notifier.reloading();
    let result: Reloaded;
    try {
      const fresh = readAgain();
      const { changed, needRestart } = compareSettings(settings, fresh);
      // Whatever can be wrong is read before anything changes.
      const freshAccess = readAccess({ ...fresh, keysFile: settings.keysFile });
      const freshSealer = sealerOf(settings, startKey);
      if (certificate !== undefined) server.replaceCertificate(certificate);
      takeOver(settings, fresh, changed);
      access = freshAccess;
      sealer = freshSealer;
      metrics.reloaded("done");
      result = { changed, need_restart: needRestart };
      const rest = needRestart.length === 0 ? "" : `; a restart is needed for ${needRestart}`;
      print(`reloaded; changed: ${changed.join(", ") || "nothing"}${rest}`);
      notifier.ready(`Ready; reloaded${rest}`);
    } catch (error) {
      const { message } = error as Error;
      metrics.reloaded("refused");
      warn(`reload refused, the old settings stay: ${message}`);
      notifier.ready(`Ready; reload refused, the old settings stay: ${message}`);
      result = { error: message };
    }
    return result;
  }

  const onError = (error: GhostError, cause: unknown) => {
    metrics.refused(error.code);
    if (error.code === "internal_error") warn(`internal error: ${(cause as Error).message}`);
  };
  const shared = {
    refusal,
    info: () => describe(ready(), settings),
    metrics,
  };
  const routes = createRoutes({
    ...shared,
    version,
    settings,
    access: () => access,
    sealer: () => sealer,
    inspector: { inspect: (...prompt) => ready().inspector.inspect(...prompt) },
    record,
  });
  const server = new HttpServer(
    routes,
    onError,
    new ConnectionCap({
      perAddressMax: () => settings.connectionsPerAddressMax,
      trusted: () => access.trustedProxies,
      port: () => port,
      now: () => performance.now(),
      refused: () => metrics.connectionRefused(),
    }),
  );
  const admin = new HttpServer(
    createAdminRoutes(
      {
        version,
        queryLog: (query) => queryLog(storage.store, query),
        stats: () => statistics.read(),
        settings,
        clearCache: () => ready().cache.clear(),
        reload,
      },
      createStateRoutes(shared),
    ),
    onError,
  );
  try {
    port = await server.listenTcp(settings.host, settings.port, certificate);
    const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
    print(`listening on http${certificate === undefined ? "" : "s"}://${host}:${port}`);
    if (settings.socketPath !== "") {
      await server.listenUnix(settings.socketPath, {
        mode: modeOf(settings.socketMode),
        groupId: groupId(settings.socketGroup),
      });
      print(`listening on unix:${settings.socketPath}`);
    }
    if (settings.adminSocketPath !== "") {
      await admin.listenUnix(settings.adminSocketPath, {
        mode: modeOf(settings.adminSocketMode),
        groupId: groupId(settings.adminSocketGroup),
      });
      print(`listening on unix:${settings.adminSocketPath} for operators`);
    }
    const { disk, secret } = storage;
    const opened = await openService(settings, metrics, {
      secret,
      ...(disk === undefined ? {} : { disk }),
    });
    for (const line of describeLines(opened)) print(line);
    service = opened;
  } catch (error) {
    server.close();
    admin.close();
    await storage.close();
    throw error;
  }
  const readyLine = `ready in ${Math.round(performance.now() - started)} ms`;
  print(readyLine);
  notifier.ready(`Ready on port ${port}`);
  const { model } = service;
  notifier.watch(() => model.probe());
  return {
    reload,
    async stop() {
      isStopping = true;
      notifier.stopping();
      server.stopAccepting();
      admin.stopAccepting();
      await server.drained(drainMs);
      await service?.close();
      await storage.close();
      statistics.stop();
      server.close();
      admin.close();
    },
  };
}
