/**
 * Chooses when a window may leave at an early head, on labelled texts, and
 * measures what that does to the verdicts.
 *
 * Every head's logits come from the shipped int8 line over all readings: the
 * engine is opened once with rules that make every window leave at that head.
 * Head by head, the two thresholds are taken as far in as the budgets allow:
 * attacks that the whole model blocks or flags and that would be let go, and
 * honest texts that it lets pass or flags and that would be blocked.
 */
import { mapBounded } from "../../src/bounded.ts";
import { type Calibration, type Exit, lastHeadLogit } from "../../src/model/calibration.ts";
import { readModelFolder } from "../../src/model/folder.ts";
import { type NativeExit, native, scoreOne, windowFields } from "../../src/model/native.ts";
import { type LabelledText, readSet, setNames } from "./data.ts";
import { modelTexts, unboundedMs } from "./line.ts";

/** A labelled text and what each head says of its windows. */
export interface ExitText {
  readonly isAttack: boolean;
  /** Texts of one group weigh together as much as those of another: a set, or a source of attacks. */
  readonly group: string;
  /** Logits of all windows of all readings: of each exit, then of the last head. */
  readonly logits: readonly (readonly number[])[];
}

export interface ExitBudgets {
  /** Share of the attacks that may be lost, over all exits. */
  readonly recall: number;
  /** Share of the honest texts that may be blocked anew, over all exits. */
  readonly falsePositives: number;
}

/** Changes that exits bring at one point of the risk scale, in points of a hundred; up is plus. */
export interface ExitChange {
  readonly recall: number;
  readonly falsePositives: number;
}

/**
 * What early exits may cost. The share of attacks counts those that are flagged too, so at the block point
 * less is lost. Of honest texts next to nothing: logits crowd there, and an exit that blocks a few more
 * moves the point by more recall than early attacks save time.
 */
export const exitBudgets: ExitBudgets = { recall: 0.002, falsePositives: 0.0001 };

const textsInFlightMax = 8;
const always: NativeExit = { benign: 1e6, attack: 1e6 };
const never: NativeExit = { benign: -1e6, attack: 1e6 };

/** Logits of all windows of all readings of each text, by one head: an exit, or the last. */
async function logitsAt(
  folder: string,
  texts: readonly string[],
  head: number,
  exits: number,
): Promise<number[][]> {
  const rules = Array.from({ length: exits }, (_, index) => (index === head ? always : never));
  const { window } = readModelFolder(folder).manifest;
  const handle = native().open({
    modelDir: folder,
    kernels: "",
    cores: [],
    threads: 2,
    queueMax: 1024,
    windowTokens: window.tokens,
    windowStride: window.stride,
    exits: rules,
  });
  const patient = { windowsMax: 1_000_000, deadlineMs: unboundedMs, earlyExit: true };
  const logits = await mapBounded(texts, textsInFlightMax, async (text) => {
    const { windows } = await scoreOne(handle, modelTexts(text), patient);
    return Array.from(
      { length: windows.length / windowFields },
      (_, index) => windows[index * windowFields + 3] as number,
    );
  });
  await native().close(handle);
  return logits;
}

function groupOf(set: string, { label, source, lang }: LabelledText): string {
  return `${set} ${label === 1 ? source : ""} ${set === "multilingual" ? lang : ""}`;
}

/**
 * All labelled texts of a data folder with their logits.
 *
 * @param exits how many the model has
 */
export async function readExitTexts(
  data: string,
  folder: string,
  exits: number,
): Promise<ExitText[]> {
  const rows = setNames(data).flatMap((set) =>
    readSet(data, set)
      .filter(({ label }) => label !== -1)
      .map((row) => ({ ...row, group: groupOf(set, row) })),
  );
  const texts = rows.map(({ text }) => text);
  const byHead: number[][][] = [];
  for (let head = 0; head <= exits; ++head)
    byHead.push(await logitsAt(folder, texts, head === exits ? -1 : head, exits));
  return rows.map(({ label, group }, index) => ({
    isAttack: label === 1,
    group,
    logits: byHead.map((logits) => logits[index] as number[]),
  }));
}

/** Weight of each text: half by itself, half by its group, so that no small source is given up. Sums to 1. */
function weightsOf(texts: readonly ExitText[]): number[] {
  const sizes = new Map<string, number>();
  for (const { group } of texts) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  return texts.map(
    ({ group }) => 0.5 / texts.length + 0.5 / (sizes.size * (sizes.get(group) as number)),
  );
}

/** How far a threshold may move along `costs` before what it gives up passes the budget. */
function furthest(costs: { at: number; weight: number }[], budget: number, ascending: boolean) {
  costs.sort((a, b) => (ascending ? a.at - b.at : b.at - a.at));
  let spent = 0;
  for (const { at, weight } of costs) {
    spent += weight;
    if (spent > budget) return at;
  }
  return ascending ? 1e6 : -1e6;
}

const highest = (values: readonly number[]) => Math.max(Number.NEGATIVE_INFINITY, ...values);

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[values.length >> 1] ?? 0;
}

/** A hair inside, so that the text that sets a threshold stays on its side of it. */
const margin = 1e-3;

const logitAt = (calibration: Calibration, score: number) =>
  calibration.points.find((point) => point.score === score)?.logit as number;

/**
 * @param layers after which each exit sits
 * @param calibration of the last head: its points say what is blocked and what passes
 */
export function chooseExits(
  layers: readonly number[],
  texts: readonly ExitText[],
  calibration: Calibration,
  budgets: ExitBudgets,
): Exit[] {
  const [lowest = 0] = calibration.points.map((point) => point.logit);
  const [passes, flags, blocks] = [0.4, 0.5, 0.8].map((score) => logitAt(calibration, score)) as [
    number,
    number,
    number,
  ];
  const surely = logitAt(calibration, 0.95);
  const final = texts.map(({ logits }) => logits[layers.length] as readonly number[]);
  const peaks = final.map(highest);
  const attacks = texts.map(({ isAttack }, index) => isAttack && (peaks[index] ?? 0) >= flags);
  /** From which logit on a window keeps its text where it is: blocked, or flagged. */
  const telling = peaks.map((peak) => (peak >= blocks ? blocks : flags));
  const honest = texts.map(({ isAttack }, index) => !isAttack && (peaks[index] ?? 0) < blocks);
  const only = (flags: readonly boolean[]) => {
    const chosen = texts.filter((_, index) => flags[index]);
    const weights = weightsOf(chosen);
    let next = 0;
    return flags.map((flag) => (flag ? (weights[next++] as number) : 0));
  };
  const [attackWeights, honestWeights] = [only(attacks), only(honest)];
  /** Windows that no exit has taken yet. */
  const alive = final.map((windows) => windows.map(() => true));
  /** Texts of which a window has left as an attack, and attacks of which none can any more. */
  const isBlocked = texts.map(() => false);
  const isLost = texts.map(() => false);
  const exits: Exit[] = [];
  for (const [head, layer] of layers.entries()) {
    const logits = texts.map((text) => text.logits[head] as readonly number[]);
    const share = 1 / layers.length;
    const losses: { at: number; weight: number }[] = [];
    const alarms: { at: number; weight: number }[] = [];
    for (const [index, windows] of final.entries()) {
      const own = logits[index] ?? [];
      const left = own.filter((_, window) => alive[index]?.[window]);
      if (attackWeights[index] && !isLost[index] && !isBlocked[index]) {
        // Lost once its last window that tells has left as benign.
        const those = own.filter(
          (_, window) => alive[index]?.[window] && (windows[window] ?? 0) >= (telling[index] ?? 0),
        );
        losses.push({ at: highest(those), weight: attackWeights[index] ?? 0 });
      }
      if (honestWeights[index])
        alarms.push({ at: highest(left), weight: honestWeights[index] ?? 0 });
    }
    const benign = furthest(losses, budgets.recall * share, true) - margin;
    const attack = Math.max(
      furthest(alarms, budgets.falsePositives * share, false) + margin,
      benign + margin,
    );
    const leftAsBenign: { own: number; last: number }[] = [];
    for (const [index, windows] of final.entries()) {
      for (const [window, last] of windows.entries()) {
        if (!alive[index]?.[window]) continue;
        const own = logits[index]?.[window] ?? 0;
        if (own > benign && own < attack) continue;
        (alive[index] as boolean[])[window] = false;
        if (own >= attack) isBlocked[index] = true;
        if (own <= benign && !texts[index]?.isAttack) leftAsBenign.push({ own, last });
      }
      const isLeft = windows.some(
        (last, window) => last >= (telling[index] ?? 0) && alive[index]?.[window],
      );
      if (!isLeft && !isBlocked[index]) isLost[index] = true;
    }
    leftAsBenign.sort((a, b) => a.own - b.own);
    const tenth = Math.max(1, Math.floor(leftAsBenign.length / 10));
    const lastOf = (part: typeof leftAsBenign) => median(part.map(({ last }) => last));
    const from = leftAsBenign[0]?.own ?? benign - 1;
    const at_most = Math.min(passes - margin, lastOf(leftAsBenign.slice(-tenth)));
    exits.push({
      layer,
      benign,
      attack,
      benign_line: {
        from: Math.min(from, benign - margin),
        to: Math.min(at_most, Math.max(lowest, lastOf(leftAsBenign.slice(0, tenth)))),
        at_most,
      },
      attack_at: surely,
    });
  }
  return exits.map((exit) => ({
    ...exit,
    benign: round(exit.benign),
    attack: round(exit.attack),
    benign_line: {
      from: round(exit.benign_line.from),
      to: round(exit.benign_line.to),
      at_most: round(exit.benign_line.at_most),
    },
  }));
}

const round = (value: number) => Number(value.toFixed(5));

/** The text's logit on the last head's scale, as the service would have it with these exits. */
export function logitWithExits({ logits }: ExitText, exits: readonly Exit[]): number {
  const last = logits[exits.length] as readonly number[];
  return highest(
    last.map((whole, window) => {
      for (const [head, exit] of exits.entries()) {
        const own = logits[head]?.[window] as number;
        if (own <= exit.benign || own >= exit.attack) return lastHeadLogit(exit, own);
      }
      return whole;
    }),
  );
}

/** What exits change on these texts at the logit `from` of the last head's scale. */
export function measureExits(
  texts: readonly ExitText[],
  exits: readonly Exit[],
  from: number,
): ExitChange {
  const change = (isAttack: boolean) => {
    const those = texts.filter((text) => text.isAttack === isAttack);
    const before = those.filter(({ logits }) => highest(logits[exits.length] ?? []) >= from);
    const after = those.filter((text) => logitWithExits(text, exits) >= from);
    return Number(((100 * (after.length - before.length)) / Math.max(1, those.length)).toFixed(3));
  };
  return { recall: change(true), falsePositives: change(false) };
}
