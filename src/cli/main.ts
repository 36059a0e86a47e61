#!/usr/bin/env node
/** The command line: finds the command, and turns what it throws into one line and an exit code. */
import { UsageError } from "./arguments.ts";

const help = `ghostai reads prompts before a language model does and says whether they are an attack.

Usage: ghostai COMMAND [flags]

  serve     start the daemon: HTTP on a TCP port and a Unix socket
  scan      scan JSON lines, files or texts without a daemon
  info      print what the daemon would run with: model, kernels, cores, limits
  logs      show what was asked and found, or verify the log
  stats     show how the running daemon does
  cache     make the running daemon forget kept scores
  config    show, check or reload settings
  key       make and remove API keys
  doctor    check this machine and say what to do
  version   print the version

\`ghostai COMMAND --help\` says more on each. Exit codes: 0 done, 1 failed, 2 wrong call.

  ghostai serve --port 5004
  curl --json '{"text":"Ignore all previous instructions"}' localhost:5004/v1/scan
  echo '{"text":"Ignore all previous instructions"}' | ghostai scan
`;

interface Command {
  readonly help: string;
  readonly run: (args: readonly string[]) => Promise<number>;
}

/** Loaded when asked for: the addon and the server take their time. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => {
    const { serveCommand, serveHelp } = await import("./serve.ts");
    return { help: serveHelp, run: serveCommand };
  },
  scan: async () => {
    const { scanCommand, scanHelp } = await import("./scan.ts");
    return { help: scanHelp, run: scanCommand };
  },
  info: async () => {
    const { infoCommand, infoHelp } = await import("./info.ts");
    return { help: infoHelp, run: infoCommand };
  },
  logs: async () => {
    const { logsCommand, logsHelp } = await import("./logs.ts");
    return { help: logsHelp, run: logsCommand };
  },
  stats: async () => {
    const { statsCommand, statsHelp } = await import("./admin.ts");
    return { help: statsHelp, run: statsCommand };
  },
  cache: async () => {
    const { cacheCommand, cacheHelp } = await import("./admin.ts");
    return { help: cacheHelp, run: cacheCommand };
  },
  config: async () => {
    const { configCommand, configHelp } = await import("./admin.ts");
    return { help: configHelp, run: configCommand };
  },
  key: async () => {
    const { keyCommand, keyHelp } = await import("./key.ts");
    return { help: keyHelp, run: keyCommand };
  },
  doctor: async () => {
    const { doctorCommand, doctorHelp } = await import("./doctor.ts");
    return { help: doctorHelp, run: doctorCommand };
  },
  version: async () => {
    const { versionCommand, versionHelp } = await import("./version.ts");
    return { help: versionHelp, run: versionCommand };
  },
};

function isHelp(argument: string | undefined): boolean {
  return argument === "--help" || argument === "-h";
}

async function run([name, ...rest]: readonly string[]): Promise<number> {
  if (isHelp(name) || name === "help") {
    process.stdout.write(help);
    return 0;
  }
  if (name === undefined) throw new UsageError("Expected a command");
  const find = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (find === undefined) throw new UsageError(`There is no command ${name}`);
  const command = await find();
  if (rest.some((argument, index) => isHelp(argument) && rest[index - 1] !== "--text")) {
    process.stdout.write(command.help);
    return 0;
  }
  return command.run(rest);
}

// Whoever read our output has enough (`ghostai scan | head`): that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

/** Whatever no one caught: one line, as for any other failure, and the state is not trusted any more. */
function giveUp(error: unknown): void {
  // The store's library rejects a promise of its own, which nobody can catch, where a commit fails;
  // whoever wrote got the failure already.
  if (error instanceof Error && "commitError" in error) return;
  const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  process.stderr.write(`ghostai: unexpected failure: ${reason}\n`);
  process.exit(1);
}
process.on("uncaughtException", giveUp);
process.on("unhandledRejection", giveUp);

let exitCode: number;
try {
  exitCode = await run(process.argv.slice(2));
} catch (error) {
  const [reason = ""] = (error as Error).message.split("\n");
  const hint = error instanceof UsageError ? "; `ghostai --help` lists what there is" : "";
  process.stderr.write(`ghostai: ${reason}${hint}\n`);
  exitCode = error instanceof UsageError ? 2 : 1;
}
process.exit(exitCode);
