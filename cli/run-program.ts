// Runs a command tree to its end, for both command lines. A wrong flag or word ends with the code that the command line promises for it; what commander
// has printed is not printed again. A main.ts calls it only when it is the program that was started, so that tests can walk its tree of flags.
import { type Command, CommanderError } from 'commander';
import { plainBooleans } from './boolean-flags.ts';
import { EXIT, endQuietlyWithReader } from './output/fail.ts';

/** Parses the command line and runs the command that it names. `usageCode`: exit code for wrong usage. */
export async function runProgram(program: Command, usageCode: number): Promise<void> {
  endQuietlyWithReader();
  for (const command of commandsOf(program)) command.exitOverride();
  try {
    await program.parseAsync(plainBooleans(program, process.argv.slice(2)), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.ok : usageCode;
  }
}

/** The command and all below it. */
export function commandsOf(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}
