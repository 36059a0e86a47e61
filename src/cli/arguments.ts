/** Flags and arguments of one command. */

/** The command was called in a way that does not exist: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

export interface Arguments {
  /** Values of the flags that take one, in order of appearance. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Flags without a value that were given. */
  readonly switches: ReadonlySet<string>;
  readonly positionals: readonly string[];
}

export interface ArgumentKinds {
  readonly valued: readonly string[];
  readonly switches: readonly string[];
  /** Valued flags that may stand alone, and then mean true. */
  readonly booleans?: readonly string[];
}

/**
 * Reads `--flag value`, `--flag=value`, switches and positionals; `--` ends the flags.
 *
 * @throws UsageError for a flag that is not known or lacks its value
 */
export function parseArguments(given: readonly string[], kinds: ArgumentKinds): Arguments {
  const values = new Map<string, string[]>();
  const switches = new Set<string>();
  const positionals: string[] = [];
  const rest = [...given];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === "--") {
      positionals.push(...rest.splice(0));
    } else if (!argument.startsWith("-") || argument === "-") {
      positionals.push(argument);
    } else if (kinds.switches.includes(argument)) {
      switches.add(argument);
    } else {
      const equals = argument.indexOf("=");
      const flag = equals === -1 ? argument : argument.slice(0, equals);
      if (!kinds.valued.includes(flag)) throw new UsageError(`There is no flag ${flag}`);
      const isAlone = kinds.booleans?.includes(flag) && !/^(true|false)$/.test(rest[0] ?? "");
      const next = () => (isAlone ? "true" : rest.shift());
      const value = equals === -1 ? next() : argument.slice(equals + 1);
      if (value === undefined) throw new UsageError(`Expected a value after ${flag}`);
      values.set(flag, [...(values.get(flag) ?? []), value]);
    }
  }
  return { values, switches, positionals };
}
