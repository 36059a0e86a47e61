/** The line up to the model's score, with nobody else asking and no budget: for measuring texts by the thousand. */
import { mapBounded } from "../../src/bounded.ts";
import { type Model, type ModelScore, openModel } from "../../src/model/model.ts";
import { readings } from "../../src/text/views.ts";

const textsInFlightMax = 8;
/** Longer than any text takes. */
export const unboundedMs = 3_600_000;

/** Opens a model without bounds on windows or waiting. @throws ModelError */
export function openUnbounded(modelFolder: string, earlyExit = false): Model {
  return openModel({
    path: modelFolder,
    kernels: "",
    cores: [],
    threads: 2,
    queueMax: 1024,
    windowsMax: 1_000_000,
    earlyExit,
    queueWaitMsMax: () => unboundedMs,
  });
}

/** Scores one segment, given as its readings. */
export async function scoreReadings(model: Model, segment: readonly string[]): Promise<ModelScore> {
  const request = { deadlineMs: unboundedMs, admission: { isAdmitted: true }, signal: undefined };
  return (await Promise.all(model.score([segment], request)))[0] as ModelScore;
}

/** What of a text the model is asked about. */
export function modelTexts(text: string): string[] {
  return readings(text).forModel.map((reading) => reading.text);
}

/** Scores all readings of each text, in order. */
export function scoreTexts(model: Model, texts: readonly string[]): Promise<ModelScore[]> {
  return mapBounded(texts, textsInFlightMax, (text) => scoreReadings(model, modelTexts(text)));
}
