/** `ghostai serve`: the daemon, until it is told to stop. */
import { settingsHelp } from "../config/reference.ts";
import { startDaemon } from "../main.ts";
import { parseArguments } from "./arguments.ts";
import { booleanFlags, refusePositionals, settingFlags, settingsFrom } from "./settings.ts";

export const serveHelp = `Usage: ghostai serve [flags]

Starts the daemon on a TCP port and a Unix socket. SIGTERM or SIGINT ends it: what was accepted is
answered first, for at most ten seconds. SIGHUP reads the settings again: one that is wrong is refused,
and the old settings stay.

  --config FILE  settings in YAML; a flag wins over GHOSTAI_... in the environment, that over the file
${settingsHelp()}

docs/settings.md says more on each. Exit code: 0 after a stop; 1 when it cannot start, with one line
that says why; 2 for a wrong call.
`;

/** Resolves with the first signal to stop; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let isSecond = false;
    const onSignal = () => {
      if (isSecond) process.exit(1);
      isSecond = true;
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

/** @returns the exit code, once the daemon has stopped */
export async function serveCommand(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, {
    valued: settingFlags,
    switches: [],
    booleans: booleanFlags,
  });
  refusePositionals(given);
  const settings = settingsFrom(given);
  const stop = stopSignal();
  // From the first moment on: a reload that comes before the daemon is up must not end it.
  let isReloadDue = false;
  let reload = () => {
    isReloadDue = true;
  };
  process.on("SIGHUP", () => reload());
  // Whatever the daemon writes is its user's alone.
  process.umask(0o077);
  const daemon = await startDaemon(
    settings,
    () => settingsFrom(given),
    (line) => process.stdout.write(`${line}\n`),
    (line) => process.stderr.write(`ghostai: ${line}\n`),
  );
  reload = () => void daemon.reload();
  if (isReloadDue) reload();
  await stop;
  await daemon.stop();
  return 0;
}
