// Examples below the help of each command, one table for each program. A test holds that every command has one, and that each parses as it stands.
import type { Command } from 'commander';

/** By the words behind the program's name: "service create". One line each. */
export type Examples = Readonly<Record<string, readonly string[]>>;

/** What `--help` of this command and of those below it says last. */
export function addExamples(program: Command, examples: Examples): void {
  for (const [path, lines] of Object.entries(examples)) {
    let command: Command | undefined = program;
    for (const word of path.split(' ')) {
      command = command?.commands.find((one) => one.name() === word);
    }
    if (!command) throw new Error(`bug: an example of ${path}, which is no command`);
    command.addHelpText('after', `\n${examplesText(lines)}`);
  }
}

export function examplesText(lines: readonly string[]): string {
  const title = lines.length === 1 ? 'Example' : 'Examples';
  return [`${title}:`, ...lines.map((line) => `  ${line}`)].join('\n');
}
