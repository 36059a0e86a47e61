/** What is to be replaced in a text: secrets and personal data, many more of them than a scan tells. */
import { findPersonalData } from "../scan/pii.ts";
import type { FoundIn } from "../scan/scanner.ts";
import { findSecrets } from "../scan/secrets.ts";
import { readings } from "../text/views.ts";

/**
 * Runs the scanners `secret` and `pii` over all readings of a text.
 *
 * @param hitsMax most hits of one format or kind in one reading
 * @returns findings in no order, which may overlap; `isCut` where there may be more, for `hitsMax` or because
 *   the text hides more than is read
 */
export function findSensitive(text: string, hitsMax: number): FoundIn {
  const views = readings(text);
  const found = views.readings.flatMap((reading) => [
    findSecrets(reading, hitsMax),
    findPersonalData(reading, hitsMax),
  ]);
  return {
    findings: found.flatMap(({ findings }) => findings),
    isCut: views.budgetExceeded || found.some(({ isCut }) => isCut),
  };
}
