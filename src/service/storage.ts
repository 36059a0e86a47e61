/**
 * The store's life in the daemon: taken for this process alone, verified in a
 * process of its own after an unclean end, set aside when damaged, and kept
 * within its age and bytes. The daemon does not wait for any of it: verdicts go
 * on from memory, and records wait in the log's queue.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DiskCache } from "../cache/disk.ts";
import type { Settings } from "../config/schema.ts";
import { Log } from "../log/log.ts";
import { logBytes, retainStep } from "../log/retention.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { endedUncleanly, Store, StoreError, setAside, storeSecret } from "../store/lmdb.ts";
import { loadNative, ServiceError } from "./service.ts";

/** How often due records are looked for; while there are any, the next step follows at once. */
const retentionMs = 10_000;
/** How soon a store that could not be opened is tried again: the disk was full, perhaps. */
const reopenMs = 2_000;
const dayMs = 86_400_000;

export class Storage {
  /** Keys of the cache and hashes of the log are made with it. */
  readonly secret: Buffer;
  readonly log: Log | undefined;
  readonly disk: DiskCache | undefined;
  readonly #settings: Settings;
  readonly #metrics: () => Metrics;
  readonly #warn: (line: string) => void;
  #store: Store | undefined;
  #isWritable = false;
  #isVerified = false;
  #isOpenFailureSaid = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param settings read anew wherever a reload may change them
   * @param metrics asked for once something is to be counted
   * @param warn told one line about what an operator should know
   * @throws ServiceError where the folder cannot be written or another daemon has it
   */
  constructor(settings: Settings, metrics: () => Metrics, warn: (line: string) => void) {
    this.#settings = settings;
    this.#metrics = metrics;
    this.#warn = warn;
    const folder = settings["store.path"];
    if (folder === "") {
      this.secret = randomBytes(32);
      return;
    }
    this.secret = this.#take(folder);
    if (settings["log.enabled"]) this.log = this.#newLog();
    if (settings["cache.disk.entriesMax"] > 0 && settings["cache.disk.ttlMs"] > 0) {
      this.disk = this.#newDiskCache();
    }
    void this.#open(folder);
  }

  #take(folder: string): Buffer {
    const { system } = loadNative();
    try {
      const secret = storeSecret(folder);
      if (system.lockFile(join(folder, "daemon.lock"))) return secret;
    } catch (error) {
      throw new ServiceError((error as Error).message);
    }
    throw new ServiceError(`Another daemon has the store in the folder ${folder}`);
  }

  #newLog(): Log {
    return new Log({
      queueMax: this.#settings["log.queueMax"],
      events: {
        written: (records) => {
          this.#recovered();
          this.#metrics().log("written", records);
        },
        dropped: (records) => this.#metrics().log("dropped", records),
        failed: (error) => this.#failed(error),
      },
    });
  }

  #newDiskCache(): DiskCache {
    return new DiskCache({
      entriesMax: this.#settings["cache.disk.entriesMax"],
      bytesMax: this.#settings["cache.disk.bytesMax"],
      ttlMs: this.#settings["cache.disk.ttlMs"],
      now: () => Date.now(),
      written: () => this.#recovered(),
      failed: (error) => this.#failed(error),
    });
  }

  /** One line at the first failure, not one for each. */
  #failed(error: Error): void {
    this.#metrics().storeFailed();
    if (this.#isWritable) this.#warn(`${error.message}; verdicts go on without the store`);
    this.#isWritable = false;
  }

  #recovered(): void {
    if (!this.#isWritable) this.#warn("the store takes records again");
    this.#isWritable = true;
  }

  async #open(folder: string): Promise<void> {
    try {
      if (!this.#isVerified && endedUncleanly(folder)) await this.#verify(folder);
      this.#isVerified = true;
      if (this.#isClosed) return;
      const store = Store.open(folder);
      this.#store = store;
      if (this.#isOpenFailureSaid) this.#recovered();
      this.#isWritable = true;
      this.log?.attach(store);
      this.disk?.attach(store);
      this.#schedule(store);
    } catch (error) {
      if (!this.#isOpenFailureSaid) {
        this.#warn(`${(error as Error).message}; verdicts go on without the store`);
      }
      this.#isOpenFailureSaid = true;
      if (!this.#isClosed) this.#timer = setTimeout(() => void this.#open(folder), reopenMs);
    }
  }

  /** In a child, since reading a damaged file can end the process that does. */
  async #verify(folder: string): Promise<void> {
    this.#warn(`the store in ${folder} was not closed; verifying it`);
    const reason = await verifyInChild(folder);
    if (reason === undefined) {
      this.#warn(`the store in ${folder} is in order`);
      return;
    }
    const target = setAside(folder, new Date());
    loadNative().system.lockFile(join(folder, "daemon.lock"));
    this.#metrics().storeSetAside();
    this.#warn(`THE STORE WAS DAMAGED (${reason}): it was moved to ${target}, a new one is begun`);
  }

  #schedule(store: Store): void {
    this.#timer = setTimeout(() => void this.#retain(store), retentionMs);
  }

  async #retain(store: Store): Promise<void> {
    try {
      for (;;) {
        const removed = await retainStep(store, {
          before: Date.now() - this.#settings["log.ageDaysMax"] * dayMs,
          bytesMax: this.#settings["log.bytesMax"],
        });
        if (removed === 0 || this.#isClosed) break;
        this.#metrics().log("removed", removed);
      }
      await this.disk?.sweep();
    } catch (error) {
      this.#failed(error as Error);
    }
    if (!this.#isClosed) this.#schedule(store);
  }

  /** @throws StoreError where there is none, or none yet */
  get store(): Store {
    if (this.#store === undefined) throw new StoreError("The store is not open");
    return this.#store;
  }

  /** What the statistics say of it. */
  describe() {
    const store = this.#store;
    return {
      open: store !== undefined,
      writable: this.#isWritable,
      log_records: store?.table("records").count ?? 0,
      log_bytes: store === undefined ? 0 : logBytes(store),
      log_waiting: this.log?.waiting ?? 0,
      cache_entries: this.disk?.count ?? 0,
    };
  }

  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** Writes what waits, and closes the store. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.log?.close();
    await this.disk?.close();
    await this.#store?.close();
    this.#store = undefined;
  }
}

/** Troubles of the machine, which say nothing of the store. */
const machineTrouble = /\b(EACCES|EPERM|ENOMEM|ENOSPC|EMFILE|ENFILE|EAGAIN)\b/;

/** @returns why the store is damaged, or nothing where it is in order. Rejects with StoreError where that cannot be told. */
function verifyInChild(folder: string): Promise<string | undefined> {
  const here = fileURLToPath(import.meta.url);
  const command = fileURLToPath(new URL(`../cli/main${extname(here)}`, import.meta.url));
  const args = [...process.execArgv, command, "logs", "verify", "--store", folder];
  return new Promise((resolve, reject) => {
    const unknown = (reason: string) =>
      reject(new StoreError(`The store in ${folder} could not be verified: ${reason}`));
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let last = "";
    const note = (chunk: Buffer) => {
      last = chunk.toString().trim().split("\n").at(-1) ?? last;
    };
    child.stdout.on("data", note);
    child.stderr.on("data", note);
    child.once("error", (error) => unknown(error.message));
    child.once("close", (code, signal) => {
      const reason = signal === null ? last || `exit code ${code}` : `its reader got ${signal}`;
      if (code === 0) resolve(undefined);
      // So the kernel ends whoever takes too much memory.
      else if (signal === "SIGKILL" || machineTrouble.test(reason)) unknown(reason);
      else resolve(reason);
    });
  });
}
