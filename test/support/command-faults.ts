// What is wrong with a command line of tswarm or tcompose, by the tree of commands and flags: for lines in help and documents, which nobody runs as they stand.
import type { CommanderError } from 'commander';
import { program as tcompose } from '#cli/tcompose/program';
import { program as tswarm } from '#cli/tswarm/main';

export type Command = typeof tswarm;

const MISSING = 'commander.optionMissingArgument';

const PROGRAMS: Readonly<Record<string, Command>> = { tcompose, tswarm };

/** Words of a line as a shell cuts them, from the program on: what is before a pipe, comments and redirections are left out. */
export function wordsOf(line: string): readonly string[] {
  const own = line.replace(/^.*\| (?=t)/, '').replace(/ +#.*| [<>|].*| &.*/, '');
  const words = own.match(/'[^']*'|"[^"]*"|[^\s'"]+/g) ?? [];
  return words.map((word) => word.replace(/^['"]|['"]$/g, ''));
}

interface Found {
  /** Words behind the program's name that name the command. */
  readonly path: readonly string[];
  /** '' = nothing. */
  readonly fault: string;
}

/** `isWhole`: the line has all the words that the command needs, as one that can be run. */
export function lookAt(line: string, isWhole: boolean): Found {
  const [name = '', ...words] = wordsOf(line);
  const program = PROGRAMS[name];
  if (!program) return { path: [], fault: `calls ${name}` };
  const { operands, unknown } = program.parseOptions([...words]);
  const rest = [...operands, ...unknown];
  const path: string[] = [];
  let command = program;
  while (command.commands.length > 0) {
    const [word = ''] = rest;
    const next = command.commands.find((one) => [one.name(), ...one.aliases()].includes(word));
    if (!next && word === '' && !isWhole) return { path, fault: '' };
    if (!next) return { path, fault: `there is no ${[name, ...path, word].join(' ')}` };
    path.push(next.name());
    command = next;
    rest.shift();
  }
  return { path, fault: faultOfWords(command, rest, isWhole) };
}

function faultOfWords(command: Command, words: string[], isWhole: boolean): string {
  command.exitOverride().configureOutput({ writeErr: () => {} });
  let parsed: ReturnType<Command['parseOptions']>;
  try {
    parsed = command.parseOptions(words);
  } catch (error) {
    // A flag that is only mentioned comes without its value.
    return !isWhole && (error as CommanderError).code === MISSING ? '' : String(error);
  }
  const { operands, unknown } = parsed;
  // Behind the image or the service, flags belong to what runs there.
  const [flag = ''] = unknown;
  const wanted = command.registeredArguments;
  const isOpen = wanted.at(-1)?.variadic === true;
  if (flag.startsWith('-') && flag !== '--help' && !(isOpen && operands.length > 0)) {
    return `there is no flag ${flag}`;
  }
  const count = operands.length + unknown.length;
  if (isWhole && count < wanted.filter((one) => one.required).length) return 'words are missing';
  return count > wanted.length && !isOpen ? 'there are words too many' : '';
}
