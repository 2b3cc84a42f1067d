// `completion SHELL`, and the hidden command that the shells' scripts ask. Asked for words it says nothing when something is wrong: a person who presses Tab has
// no use for an error message in the middle of a line.
import { Argument, type Command } from 'commander';
import type { NameSource } from './candidates.ts';
import { SHELLS, type Shell } from './scripts.ts';

/** Adds both commands. `names` is called only when words are asked for. */
export function addCompletion(program: Command, names: NameSource): void {
  program
    .command('completion')
    .description('Print the completion for a shell: source <(… completion bash)')
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(SHELLS))
    .action(async (shell: Shell) => {
      const { completionScript } = await import('./scripts.ts');
      process.stdout.write(completionScript(shell, program.name()));
    });
  program
    .command('__complete [words...]', { hidden: true })
    .description('What may come next, for the completion of shells')
    .action(async (words: string[]) => {
      const { complete } = await import('./candidates.ts');
      const quietly: NameSource = (question) => names(question).catch(() => []);
      const { candidates, files } = await complete(program, words, quietly);
      const lines = candidates.map(({ word, description }) => `${word}\t${description}`);
      process.stdout.write([...lines, ...(files ? [':files'] : [])].map((l) => `${l}\n`).join(''));
    });
}
