/** Kills the daemon under load, again and again, and looks for what it said was on disk. */
import { eventually } from "../store/harness.ts";
import { allLogged, type StoredDaemon, startStored, verified, withStored } from "./stored.ts";

export interface KillFigures {
  readonly rounds: number;
  /** Answers that said that their record is on disk. */
  readonly acknowledged: number;
  /** Acknowledged ones that were not found afterwards. */
  readonly lost: number;
  /** Between records and indexes, after any of the kills. */
  readonly disagreements: number;
  /** Kills after which the store was set aside as damaged. */
  readonly setAside: number;
  /** All records at the end, acknowledged or not. */
  readonly records: number;
}

const clients = 16;
/** In every so many rounds the daemon is killed while it still verifies what the last kill left. */
const earlyEvery = 5;

/** How many acknowledged answers a round has before its kill: different in each, the same in each run. */
function answersBeforeKill(round: number): number {
  return 1 + ((round * 7919) % 151);
}

/** Scans until the daemon is gone. @returns ids that were acknowledged as durable */
async function loadUntilKilled(daemon: StoredDaemon, round: number): Promise<string[]> {
  const acknowledged: string[] = [];
  const isEarly = round % earlyEvery === earlyEvery - 1;
  const wanted = isEarly ? 0 : answersBeforeKill(round);
  let answered = 0;
  let isKilled = false;
  let next = 0;
  if (!isEarly) await daemon.opened();
  const client = async () => {
    while (!isKilled) {
      const id = `${round}/${next++}`;
      // Every other text is asked twice, so that the cache on disk is written and read as well.
      const text = `Where is house number ${round * 1000 + (next >> 1)}?`;
      try {
        const response = await daemon.scan({ id, text });
        await response.arrayBuffer();
        if (response.status !== 200) continue;
        answered++;
        if (response.headers.get("x-ghostai-logged") === "durable") acknowledged.push(id);
      } catch {
        return; // it was killed
      }
      const isDue = isEarly ? answered >= clients : acknowledged.length >= wanted;
      if (isDue && !isKilled) {
        isKilled = true;
        daemon.child.kill("SIGKILL");
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  await daemon.ended;
  return acknowledged;
}

/**
 * @param folder of the daemon: its store is there, or is made
 * @param told of each round that is over
 */
export async function killRounds(
  folder: string,
  rounds: number,
  told: (round: number) => void = () => {},
): Promise<KillFigures> {
  const environment = { GHOSTAI_LOG_DURABLE: "true" };
  const acknowledged = new Set<string>();
  let disagreements = 0;
  let setAside = 0;
  for (let round = 0; round < rounds; round++) {
    const daemon = await startStored(folder, { environment });
    try {
      for (const id of await loadUntilKilled(daemon, round)) acknowledged.add(id);
    } finally {
      await daemon.kill();
    }
    if (daemon.output.stderr.includes("DAMAGED")) setAside++;
    disagreements += (await verified(folder)).disagreements;
    told(round);
  }
  return withStored(
    folder,
    async (daemon) => {
      await daemon.opened();
      if (daemon.output.stderr.includes("DAMAGED")) setAside++;
      const found = new Set((await allLogged(daemon.admin)).map(({ id }) => id));
      // It goes on where it was.
      await eventually("a durable answer", async () => {
        const response = await daemon.scan({ text: "Where is the last house?" });
        return response.headers.get("x-ghostai-logged") === "durable";
      });
      const lost = [...acknowledged].filter((id) => !found.has(id)).length;
      const figures = { rounds, acknowledged: acknowledged.size, lost, disagreements };
      return { ...figures, setAside, records: found.size };
    },
    { environment },
  );
}
