/** The line with everything it needs, apart from who asks: the daemon and the command line share it. */
import { Cache } from "../cache/cache.ts";
import type { DiskCache } from "../cache/disk.ts";
import { keyMaker } from "../cache/key.ts";
import { MemoryCache } from "../cache/memory.ts";
import type { Settings } from "../config/schema.ts";
import { createInspector, type Inspector, type Observer } from "../inspect.ts";
import { type Model, openModel } from "../model/model.ts";
import { type Native, native } from "../model/native.ts";
import { scannersVersion } from "../scan/index.ts";
import { normaliserVersion } from "../text/normalise.ts";
import { type CorePlan, planCores } from "./affinity.ts";
import { packageVersion, shippedModelPath } from "./package.ts";

/** The service cannot start; the message is one line. */
export class ServiceError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ServiceError";
  }
}

export interface Service {
  readonly inspector: Inspector;
  readonly model: Model;
  readonly cache: Cache;
  readonly cores: CorePlan;
  /** Kernels that this CPU can run, best first. */
  readonly kernelsAvailable: readonly string[];
  close(): Promise<void>;
}

/** @throws ServiceError where the addon was not built */
export function loadNative(): Native {
  try {
    return native();
  } catch (error) {
    const [reason = ""] = (error as Error).message.split("\n");
    throw new ServiceError(`Expected the addon, which \`npm run build\` makes, but got: ${reason}`);
  }
}

/**
 * Opens the model and checks it with the first of its self-test vectors.
 *
 * @param settings read anew wherever a reload may change them
 * @param observer told what happens on the way of each prompt
 * @param kept the layer of the cache on disk, and the secret of its keys
 * @throws ServiceError or ModelError
 */
export async function openService(
  settings: Settings,
  observer: Observer,
  kept: { readonly disk?: DiskCache; readonly secret: Buffer },
): Promise<Service> {
  const { system } = loadNative();
  const cores = planCores(system.allowedCores(), settings["model.threads"], settings["model.pin"]);
  const model = openModel({
    path: settings["model.path"] || shippedModelPath,
    kernels: settings["model.kernels"],
    cores: cores.inference,
    threads: cores.threads,
    queueMax: settings["model.queueMax"],
    windowsMax: settings["model.windowsMax"],
    earlyExit: settings["model.earlyExit"],
    queueWaitMsMax: () => settings.queueWaitMsMax,
  });
  try {
    await model.selfTest("first");
  } catch (error) {
    await model.close();
    throw error;
  }
  // After the model has its threads, which would inherit the mask.
  if (cores.eventLoop !== undefined) system.pinThread(cores.eventLoop);
  const memory = new MemoryCache({
    entriesMax: settings["cache.entriesMax"],
    ttlMs: settings["cache.ttlMs"],
  });
  const cache = new Cache(memory, kept.disk);
  const inspector = createInspector({
    model,
    cache,
    keyOf: keyMaker(
      {
        modelSha256: model.sha256,
        signatures: scannersVersion,
        normaliser: normaliserVersion,
        windowsMax: settings["model.windowsMax"],
        earlyExit: settings["model.earlyExit"],
      },
      kept.secret,
    ),
    observer,
    now: () => performance.now(),
  });
  const kernelsAvailable = system.kernels().available;
  return { inspector, model, cache, cores, kernelsAvailable, close: () => model.close() };
}

/** What `GET /v1/info` and `ghostai info` tell. */
export function describe(service: Service, settings: Settings) {
  const { model, cores, kernelsAvailable } = service;
  const { kernels, threadCores } = model.stats();
  return {
    version: packageVersion(),
    model: { name: model.name, version: model.version, sha256: model.sha256 },
    kernels,
    kernels_available: kernelsAvailable,
    threads: {
      event_loop_core: cores.eventLoop ?? null,
      inference_cores: threadCores.map((core) => (core < 0 ? null : core)),
    },
    limits: {
      body_bytes_max: settings.bodyBytesMax,
      texts_max: settings.textsMax,
      messages_max: settings.messagesMax,
      requests_waiting_max: settings.requestsWaitingMax,
      queue_max: settings["model.queueMax"],
      windows_max: settings["model.windowsMax"],
      deadline_ms: settings.deadlineMs,
      queue_wait_ms_max: settings.queueWaitMsMax,
      connections_per_address_max: settings.connectionsPerAddressMax,
    },
    cache: { entries_max: settings["cache.entriesMax"], ttl_ms: settings["cache.ttlMs"] },
    disk_cache: {
      entries_max: settings["cache.disk.entriesMax"],
      bytes_max: settings["cache.disk.bytesMax"],
      ttl_ms: settings["cache.disk.ttlMs"],
    },
    access: settings.access,
  };
}

/** The start's lines on model, kernels and cores. */
export function describeLines(service: Service): string[] {
  const { model, cores, kernelsAvailable } = service;
  const { kernels, threadCores } = model.stats();
  const pinned =
    cores.eventLoop === undefined
      ? `not pinned, inference threads ${cores.threads}`
      : `event loop on ${cores.eventLoop}, inference on ${threadCores.join(", ")}`;
  return [
    `model ${model.identity} sha256 ${model.sha256.slice(0, 12)}`,
    `kernels ${kernels} (this CPU has ${kernelsAvailable.join(", ")})`,
    `cores ${pinned}`,
  ];
}
