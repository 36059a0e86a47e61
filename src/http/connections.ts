/**
 * A cap on connections by address. The server tells of a connection's end but
 * not whose it was, so at the cap the kernel's list of connections is read.
 */
import { readFileSync } from "node:fs";
import type { BlockList } from "node:net";
import { addressText, isTrusted } from "../access/proxies.ts";
import type { ConnectionGuard } from "./server.ts";

export interface ConnectionCapOptions {
  /** 0 means no limit. Asked for at each connection. */
  readonly perAddressMax: () => number;
  /** Proxies have as many connections as they have clients. */
  readonly trusted: () => BlockList;
  /** Port of the listener. */
  readonly port: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told of each connection that is closed for the cap. */
  readonly refused: () => void;
}

/** The kernel's list is read no more often: it is long where there are many connections. */
const recountMs = 1000;
/** Addresses that are kept at most after their connections have ended. */
const goneMax = 10_000;
const established = "01";

/** The bytes of an address as /proc spells it: words of 32 bits, each in the processor's (little endian) order. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  return addressText(bytes);
}

/** @returns connections by client address, from the text of /proc/net/tcp or tcp6 */
export function countConnections(table: string, port: number, into: Map<string, number>): void {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of table.split("\n").slice(1)) {
    const [, local = "", remote = "", state] = line.trim().split(/\s+/);
    if (state !== established || !local.endsWith(suffix)) continue;
    const address = addressOf(remote.split(":")[0] ?? "");
    into.set(address, (into.get(address) ?? 0) + 1);
  }
}

export class ConnectionCap implements ConnectionGuard {
  readonly #options: ConnectionCapOptions;
  /** Never below the true numbers: ends are only seen when counted anew. */
  #counts = new Map<string, number>();
  #countedAt = Number.NEGATIVE_INFINITY;
  /** Connections of every address, those without a cap included: their ends are told alike. */
  #open = 0;
  #hasEnded = false;
  #isRefusing = false;

  constructor(options: ConnectionCapOptions) {
    this.#options = options;
  }

  opened(address: string): boolean {
    const max = this.#options.perAddressMax();
    const isCapped = address !== "" && max > 0 && !isTrusted(address, this.#options.trusted());
    if (isCapped && !this.#hasPlace(address, max)) {
      // Its end follows at once, and is no end of one that was counted.
      this.#isRefusing = true;
      this.#options.refused();
      return false;
    }
    this.#open++;
    return true;
  }

  #hasPlace(address: string, max: number): boolean {
    const isFull = () => this.#open >= max && (this.#counts.get(address) ?? 0) >= max;
    if ((isFull() && this.#hasEnded) || this.#counts.size > this.#open + goneMax) {
      this.#recount(address);
    }
    if (isFull()) return false;
    this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
    return true;
  }

  closed(): void {
    if (this.#isRefusing) {
      this.#isRefusing = false;
      return;
    }
    this.#open--;
    this.#hasEnded = true;
    // Nothing is open: the common case, without the kernel's list.
    if (this.#open === 0) this.#take(new Map());
  }

  #take(counts: Map<string, number>): void {
    this.#counts = counts;
    this.#hasEnded = false;
  }

  /** @param opening whose connection is in the kernel's list already, but not open yet */
  #recount(opening: string): void {
    const now = this.#options.now();
    if (now - this.#countedAt < recountMs) return;
    this.#countedAt = now;
    const counts = new Map<string, number>();
    for (const file of ["/proc/self/net/tcp", "/proc/self/net/tcp6"]) {
      try {
        countConnections(readFileSync(file, "latin1"), this.#options.port(), counts);
      } catch {
        // Without the list an address gets its share anew each second.
      }
    }
    counts.set(opening, Math.max(0, (counts.get(opening) ?? 0) - 1));
    this.#take(counts);
  }
}
