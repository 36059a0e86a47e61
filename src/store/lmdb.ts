/**
 * The store on disk: tables of bytes in one LMDB environment, read through the
 * memory map and written in atomic batches by a thread of its own. The only
 * importer of lmdb.
 */

import { randomBytes } from "node:crypto";
import {
  accessSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";

/** The store cannot be opened, read or written; the message is one line. */
export class StoreError extends Error {
  /** Whether the disk is full, or so nearly that nothing is written any more. */
  readonly isDiskFull: boolean;
  constructor(message: string, isDiskFull = false) {
    super(message);
    this.name = "StoreError";
    this.isDiskFull = isDiskFull;
  }
}

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface Range {
  /** Where to begin; in a reverse range the upper end. Inclusive, unless `after` says so. */
  readonly start?: Uint8Array;
  /** Where to end, exclusive. */
  readonly end?: Uint8Array;
  readonly reverse?: boolean;
  /** Leaves out an entry whose key is `start`. */
  readonly after?: boolean;
  readonly limit: number;
}

const empty = Buffer.alloc(0);
const pageBytes = 4096;

/** Takes over what `Store.write` is to do. */
type Enqueue = (operation: () => void) => void;

/** Keys in byte order, each with bytes. Reads see what was committed; writes belong into `Store.write`. */
export class Table {
  readonly #database: Database<Buffer, Buffer>;
  readonly #enqueue: Enqueue;

  constructor(database: Database<Buffer, Buffer>, enqueue: Enqueue) {
    this.#database = database;
    this.#enqueue = enqueue;
  }

  /** @returns a copy of the value */
  get(key: Uint8Array): Buffer | undefined {
    return this.#database.getBinary(key as Buffer);
  }

  has(key: Uint8Array): boolean {
    return this.#database.doesExist(key as Buffer);
  }

  put(key: Buffer, value: Buffer = empty): void {
    this.#enqueue(() => void this.#database.put(key, value));
  }

  remove(key: Buffer): void {
    this.#enqueue(() => void this.#database.remove(key));
  }

  #options({ start, end, reverse = false, after = false, limit }: Range) {
    return {
      ...(start === undefined ? {} : { start: start as Buffer }),
      // There even where it is undefined: lmdb would end a reverse range before the key 0.
      end: end as Buffer,
      exclusiveStart: after,
      reverse,
      limit,
      snapshot: false,
    };
  }

  keys(range: Range): Buffer[] {
    return [...this.#database.getKeys(this.#options(range))];
  }

  entries(range: Range): Entry[] {
    return [...this.#database.getRange(this.#options(range))];
  }

  /** Entries that are committed. */
  get count(): number {
    return (this.#database.getStats() as { entryCount: number }).entryCount;
  }

  /** Bytes of the pages in use. */
  get bytes(): number {
    const stats = this.#database.getStats() as Record<string, number>;
    const { treeBranchPageCount = 0, treeLeafPageCount = 0, overflowPages = 0 } = stats;
    return (treeBranchPageCount + treeLeafPageCount + overflowPages) * pageBytes;
  }
}

const tableNames = [
  "records",
  "by_time",
  "by_score",
  "by_scanner",
  "by_address",
  "scores",
  "scores_by_age",
] as const;
export type TableName = (typeof tableNames)[number];

/** Free space below which nothing is written: a commit that runs out of space fails late and noisily. */
const freeBytesMin = 16 * 1024 * 1024;

const markerFile = "open";
const secretFile = "secret";

/** Whether the folder holds a store that was not closed: its process was killed or the machine went down. */
export function endedUncleanly(folder: string): boolean {
  return existsSync(join(folder, markerFile)) && existsSync(join(folder, "data.mdb"));
}

/** Moves a damaged store out of the way, its secret excepted. @returns where it lies now */
export function setAside(folder: string, now: Date): string {
  const stamp = now.toISOString().replace(/[:.]/g, "-");
  const target = `${folder}.damaged-${stamp}`;
  renameSync(folder, target);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const secret = join(target, secretFile);
  if (existsSync(secret)) {
    writeFileSync(join(folder, secretFile), readFileSync(secret), { mode: 0o600 });
  }
  return target;
}

/** @returns 32 bytes that belong to the store: keys and hashes in it are made with them */
export function storeSecret(folder: string): Buffer {
  const file = join(folder, secretFile);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const there = existsSync(file) ? readFileSync(file) : undefined;
    if (there?.length === 32) return there;
    const made = randomBytes(32);
    writeFileSync(`${file}.new`, made, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return made;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unwritable";
    throw new StoreError(`Expected a writable folder for the store at ${folder} but got ${reason}`);
  }
}

export class Store {
  readonly folder: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #tables: Readonly<Record<TableName, Table>>;
  readonly #isReadOnly: boolean;
  /** Of the `write` whose work runs. */
  #operations: (() => void)[] | undefined;

  private constructor(folder: string, root: RootDatabase<Buffer, Buffer>, isReadOnly: boolean) {
    this.folder = folder;
    this.#root = root;
    this.#isReadOnly = isReadOnly;
    const enqueue = (operation: () => void) => {
      if (this.#operations === undefined) throw new StoreError("Expected a write around a change");
      this.#operations.push(operation);
    };
    const tables = tableNames.map((name): [TableName, Table] => {
      const database = root.openDB<Buffer, Buffer>({
        name,
        encoding: "binary",
        keyEncoding: "binary",
      });
      return [name, new Table(database, enqueue)];
    });
    this.#tables = Object.fromEntries(tables) as Record<TableName, Table>;
  }

  /**
   * Opens the store in `folder`, which is made. One process may write; others may read.
   *
   * @throws StoreError
   */
  static open(folder: string, options: { readonly readOnly?: boolean } = {}): Store {
    const readOnly = options.readOnly ?? false;
    const marker = join(folder, markerFile);
    const isMarkedBefore = existsSync(marker);
    try {
      // A reader makes nothing: its files would belong to whoever reads.
      if (readOnly) accessSync(join(folder, "data.mdb"));
      else {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        chmodSync(folder, 0o700);
        // Before the store: a disk that is full is met here, with nothing open yet.
        writeFileSync(marker, `${process.pid}\n`, { mode: 0o600 });
      }
      const root = open<Buffer, Buffer>({
        path: folder,
        noSubdir: false,
        encoding: "binary",
        keyEncoding: "binary",
        maxDbs: tableNames.length + 1,
        pageSize: pageBytes,
        readOnly,
      });
      // Readers of a process that was killed would keep its pages from being used again.
      if (!readOnly) root.readerCheck();
      return new Store(folder, root, readOnly);
    } catch (error) {
      if (!readOnly && !isMarkedBefore && existsSync(marker)) rmSync(marker);
      const { code, message } = error as NodeJS.ErrnoException;
      const [reason = ""] = message.split("\n");
      throw new StoreError(
        `Expected a store in the folder ${folder} but got ${typeof code === "string" ? code : reason}`,
      );
    }
  }

  table(name: TableName): Table {
    return this.#tables[name];
  }

  /**
   * Runs `work`, whose puts and removes are committed together or not at all.
   * Resolves when they can be read; `durable` waits until they are on disk.
   * Rejects with StoreError, and then nothing of it was written.
   */
  async write(work: () => void, durable = false): Promise<void> {
    this.#refuseWhereFull();
    try {
      const operations = this.#collect(work);
      await this.#root.batch(() => {
        for (const operation of operations) operation();
      });
      if (durable) await this.#root.flushed;
    } catch (error) {
      // lmdb hands the reason over as a promise that rejects, which must not stay unhandled.
      const { commitError, message } = error as Error & { commitError?: Promise<never> };
      const cause = await commitError?.catch((reason: Error) => reason);
      const reason = (cause as Error | undefined)?.message ?? message;
      throw new StoreError(`Expected to write to the store but got: ${reason}`, this.#isFull());
    }
  }

  /** lmdb would commit what was put before an error; work that throws must leave nothing. */
  #collect(work: () => void): readonly (() => void)[] {
    const operations: (() => void)[] = [];
    this.#operations = operations;
    try {
      work();
    } finally {
      this.#operations = undefined;
    }
    return operations;
  }

  #isFull(): boolean {
    const { bavail, blocks, bsize } = statfsSync(this.folder);
    const reserve = Math.min(freeBytesMin, (blocks * bsize) / 8);
    return bavail * bsize < reserve;
  }

  #refuseWhereFull(): void {
    if (this.#isFull()) {
      throw new StoreError(
        `Expected free space on the disk of ${this.folder} but it is full`,
        true,
      );
    }
  }

  /** Waits for what is being written, then closes. */
  async close(): Promise<void> {
    await this.#root.flushed;
    await this.#root.close();
    if (!this.#isReadOnly) rmSync(join(this.folder, markerFile), { force: true });
  }
}
