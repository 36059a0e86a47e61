/** Redacts and restores what requests carry. Nothing of it outlives the request. */
import { setImmediate } from "node:timers/promises";
import type { Settings } from "../config/schema.ts";
import { Aborted, GhostError } from "../errors.ts";
import { type Redacted, redact } from "../redact/redact.ts";
import { restore } from "../redact/restore.ts";
import type { Sealer } from "../redact/seal.ts";
import { findSensitive } from "../redact/sensitive.ts";
import type { Finding } from "../types.ts";
import type { Exchange } from "./exchange.ts";
import { type RestoreRequest, type ScanRequest, textsIn, withTexts } from "./request.ts";

/** Told of what was done; never of texts. */
export interface RedactionObserver {
  redacted(replacements: number, isCut: boolean): void;
  restored(): void;
}

export interface RedactionDependencies {
  /** Read anew for each request. */
  readonly settings: Pick<Settings, "redact.hitsMax">;
  readonly sealer: () => Sealer;
  readonly observer: RedactionObserver;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** For whom, and until when. */
export interface RedactionTerms {
  /** On the clock of `now`. */
  readonly deadlineAt: number;
  readonly exchange: Pick<Exchange, "isGone">;
}

/** Code units that are read before other requests get their turn on the event loop. */
const turnUnits = 65_536;

/** Where each text of a request lies, in the names of the wire. */
function placesOf({ prompts, isBatch }: ScanRequest): object[] {
  if (isBatch) return prompts.map((_, index) => ({ text_index: index }));
  return prompts.flatMap(({ segments }) =>
    segments.map(({ messageIndex, partIndex }) =>
      messageIndex === undefined ? {} : { message_index: messageIndex, part_index: partIndex },
    ),
  );
}

export class Redaction {
  readonly #dependencies: RedactionDependencies;

  constructor(dependencies: RedactionDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @param tenant the only one who can restore
   * @returns the body of the answer; rejects with GhostError `deadline_exceeded` or `token_too_large`, or
   *   with Aborted
   */
  async redact(request: ScanRequest, tenant: string, terms: RedactionTerms): Promise<object> {
    const { sealer, observer } = this.#dependencies;
    const texts = textsIn(request.prompts);
    const { findings, isCut } = await this.#find(texts, terms);
    const redacted = redact(texts, findings);
    const sealed = request.restore ? sealer().seal(redacted.values, tenant) : undefined;
    observer.redacted(redacted.replacements.length, isCut);
    return {
      ...withTexts(request.source, redacted.texts),
      replacements: replacementBodies(redacted, placesOf(request)),
      is_cut: isCut,
      ...(sealed === undefined
        ? {}
        : { token: sealed.token, expires_at: new Date(sealed.expiresAt).toISOString() }),
    };
  }

  /** @returns the body of the answer. @throws GhostError `invalid_token` or `token_expired` */
  restore({ texts, source, token }: RestoreRequest, tenant: string): object {
    const { sealer, observer } = this.#dependencies;
    const restored = restore(texts, sealer().open(token, tenant));
    observer.restored();
    const counts = [...restored.counts].map(([placeholder, count]) => ({ placeholder, count }));
    return { ...withTexts(source, restored.texts), restored: counts };
  }

  async #find(
    texts: readonly string[],
    { deadlineAt, exchange }: RedactionTerms,
  ): Promise<{ findings: (readonly Finding[])[]; isCut: boolean }> {
    const { settings, now } = this.#dependencies;
    const findings: (readonly Finding[])[] = [];
    let isCut = false;
    let units = 0;
    for (const text of texts) {
      const found = findSensitive(text, settings["redact.hitsMax"]);
      findings.push(found.findings);
      isCut ||= found.isCut;
      units += text.length;
      if (units < turnUnits) continue;
      units = 0;
      await setImmediate();
      if (exchange.isGone) throw new Aborted();
      if (now() > deadlineAt) throw new GhostError("deadline_exceeded");
    }
    return { findings, isCut };
  }
}

function replacementBodies({ replacements }: Redacted, places: readonly object[]): object[] {
  return replacements.map(({ kind, placeholder, textIndex, start, end }) => ({
    kind,
    placeholder,
    start,
    end,
    ...places[textIndex],
  }));
}
