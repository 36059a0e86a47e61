/** A store in a folder of its own that goes away afterwards, and waiting without a clock. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Store } from "../../src/store/lmdb.ts";

/** Far beyond what anything takes: a limit here ends a test that hangs, it judges no speed. */
const limitMs = 120_000;
const pauseMs = 5;

/** Asks until `check` gives something that is neither undefined nor false. @throws past the limit */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  for (const started = performance.now(); performance.now() - started < limitMs; ) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  throw new Error(`Expected ${what} within ${limitMs / 1000} s`);
}

export async function withFolder<T>(use: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Opens a new store, hands it to `use` and closes it. */
export function withStore<T>(use: (store: Store, folder: string) => T | Promise<T>): Promise<T> {
  return withFolder(async (parent) => {
    const folder = join(parent, "store");
    const store = Store.open(folder);
    try {
      return await use(store, folder);
    } finally {
      await store.close();
    }
  });
}

/** The store as it would be with a disk that takes nothing while `isFull`. */
export class FlakyStore {
  readonly store: Store;
  isFull = false;
  writes = 0;
  constructor(store: Store) {
    this.store = store;
  }
  /** What is handed to the code under test. */
  get fake(): Store {
    return {
      folder: this.store.folder,
      table: (name: Parameters<Store["table"]>[0]) => this.store.table(name),
      write: async (work: () => void, durable?: boolean) => {
        this.writes++;
        if (this.isFull) throw new Error("no space is left");
        await this.store.write(work, durable);
      },
      close: () => this.store.close(),
    } as unknown as Store;
  }
}
