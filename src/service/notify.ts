/** Tells systemd how the service is, where it asked to be told (sd_notify(3)). */
import { native } from "../model/native.ts";

/** One line for `systemctl status`: no line breaks. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}

function send(lines: readonly string[], warn: (line: string) => void): void {
  try {
    native().system.notify(lines.join("\n"));
  } catch (error) {
    warn((error as Error).message);
  }
}

export class Notifier {
  readonly #warn: (line: string) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param warn told one line where the manager cannot be reached */
  constructor(warn: (line: string) => void) {
    this.#warn = warn;
  }

  ready(status: string): void {
    send(["READY=1", `STATUS=${oneLine(status)}`], this.#warn);
  }

  reloading(): void {
    const microseconds = process.hrtime.bigint() / 1000n;
    send(["RELOADING=1", `MONOTONIC_USEC=${microseconds}`, "STATUS=Reloading"], this.#warn);
  }

  stopping(): void {
    clearInterval(this.#timer);
    send(["STOPPING=1", "STATUS=Answering what was accepted"], this.#warn);
  }

  /**
   * Pings the watchdog, where systemd set one for this process, as long as `isWell` says so.
   *
   * @param isWell resolves with whether the service answers; must resolve within the watchdog's time
   */
  watch(isWell: () => Promise<boolean>): void {
    const { WATCHDOG_USEC = "", WATCHDOG_PID = "" } = process.env;
    const periodMs = Number(WATCHDOG_USEC) / 1000;
    if (!(periodMs > 0) || (WATCHDOG_PID !== "" && Number(WATCHDOG_PID) !== process.pid)) return;
    let isAsking = false;
    const ping = async () => {
      if (isAsking) return;
      isAsking = true;
      const isWellNow = await isWell().catch(() => false);
      isAsking = false;
      if (isWellNow) send(["WATCHDOG=1"], this.#warn);
      else this.#warn("the self-test does not answer; the watchdog is not told that all is well");
    };
    this.#timer = setInterval(() => void ping(), periodMs / 3);
    void ping();
  }
}
