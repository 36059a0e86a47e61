/** Whether a request may pass, and on whose behalf. */
import { GhostError } from "../errors.ts";
import type { ApiKey, KeyRing } from "./keys.ts";
import type { RateLimits } from "./limits.ts";
import { isLoopback } from "./proxies.ts";

export interface Credentials {
  /** The client's address; empty where it came over the Unix socket. */
  readonly address: string;
  /** Whether a proxy passed it on: then loopback is the proxy's, or another machine's. */
  readonly isForwarded: boolean;
  /** Values of the headers authorization and x-api-key. */
  readonly authorization: string;
  readonly apiKey: string;
}

/** There is one policy so far; a key must allow it. */
export const defaultPolicy = "default";

function presented({ authorization, apiKey }: Credentials): string {
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? apiKey;
}

/**
 * @param keys the keys; nothing where no file of them is set
 * @param keysOnLoopback whether loopback needs a key too
 * @returns the name of the key; empty where none was needed
 * @throws GhostError `unauthorized`, `forbidden` or `rate_limited`
 */
export function admit(
  credentials: Credentials,
  keys: KeyRing | undefined,
  limits: RateLimits,
  keysOnLoopback: boolean,
): string {
  if (keys === undefined || credentials.address === "") return "";
  const given = presented(credentials);
  if (given === "") {
    const isLocal = isLoopback(credentials.address) && !credentials.isForwarded;
    if (isLocal && !keysOnLoopback) return "";
    throw new GhostError("unauthorized", "expected authorization: Bearer KEY or x-api-key: KEY");
  }
  const key = keys.find(given);
  if (key === undefined) throw new GhostError("unauthorized", "the key is not known");
  return checked(key, limits);
}

function checked(key: ApiKey, limits: RateLimits): string {
  if (!key.policies.includes("*") && !key.policies.includes(defaultPolicy)) {
    throw new GhostError("forbidden", `expected a key for the policy ${defaultPolicy}`);
  }
  const rate = key.requestsPerSecondMax;
  if (rate !== undefined && !limits.take(key.name, rate)) {
    throw new GhostError("rate_limited", `at most ${rate} requests a second`);
  }
  return key.name;
}
