// Flags that docker has and there is nothing of here: their use ends with what to do instead, never are they taken and ignored. One that asks for what happens anyway is let through.
import { type Command, Option } from 'commander';

export interface RefusedFlag {
  /** As commander takes it. */
  readonly flags: string;
  readonly hint: string;
  /** Values that ask for what happens anyway. */
  readonly idle?: readonly string[];
}

/** Adds them to `command`; `program` is the tree that ends with the error. */
export function addRefusedFlags(
  program: Command,
  command: Command,
  refused: readonly RefusedFlag[],
): void {
  for (const { flags, hint, idle = [] } of refused) {
    const option = new Option(flags, 'not there').hideHelp();
    command.addOption(option);
    command.hook('preAction', (_hooked, called) => {
      const name = option.attributeName();
      if (called.getOptionValueSource(name) !== 'cli') return;
      if (idle.includes(String(called.getOptionValue(name)))) return;
      program.error(`error: ${option.long} is not supported: ${hint}`);
    });
  }
}
