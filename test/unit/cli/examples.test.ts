// The examples below `--help`: every command has one, and each is a command line that the tree of commands takes as it stands.
import { describe, expect, it } from 'vitest';
import type { Examples } from '#cli/help/examples';
import { EXAMPLES as TCOMPOSE_EXAMPLES } from '#cli/tcompose/examples';
import { program as tcompose } from '#cli/tcompose/program';
import { EXAMPLES as TSWARM_EXAMPLES } from '#cli/tswarm/examples';
import { program as tswarm } from '#cli/tswarm/main';

type Command = typeof tswarm;

/** Words behind the program's name of each command that does something; without hidden ones. */
function pathsOf(command: Command, path: readonly string[] = []): readonly string[] {
  const { _hidden: isHidden } = command as unknown as { readonly _hidden?: boolean };
  if (isHidden) return [];
  if (command.commands.length === 0) return [path.join(' ')];
  return command.commands.flatMap((one) => pathsOf(one, [...path, one.name()]));
}

/** As a shell cuts it, from the program on: what is before a pipe, comments and redirections left out. */
function wordsOf(line: string): readonly string[] {
  const own = line.replace(/^.*\| (?=t)/, '').replace(/ +#.*| [<>].*/, '');
  const words = own.match(/'[^']*'|[^\s']+/g) ?? [];
  return words.map((word) => word.replace(/^'|'$/g, ''));
}

/** What is wrong with a line; '' when nothing is. */
function faultOf(program: Command, path: string, line: string): string {
  const [name, ...words] = wordsOf(line);
  if (name !== program.name()) return `calls ${name}`;
  const { operands, unknown } = program.parseOptions([...words]);
  const all = [...operands, ...unknown];
  let command = program;
  for (const word of path.split(' ')) {
    if (all.shift() !== word) return 'is of another command';
    command = command.commands.find((one) => one.name() === word) ?? command;
  }
  // What follows the image of "run" belongs to the container.
  const parsed = command.parseOptions(all);
  if (parsed.unknown.length > 0) return `flag ${parsed.unknown[0]}`;
  const wanted = command.registeredArguments;
  const required = wanted.filter((one) => one.required).length;
  if (parsed.operands.length < required) return 'words are missing';
  const isOpen = wanted.at(-1)?.variadic === true;
  return parsed.operands.length > wanted.length && !isOpen ? 'there are words too many' : '';
}

describe.each([
  ['tswarm', tswarm, TSWARM_EXAMPLES],
  ['tcompose', tcompose, TCOMPOSE_EXAMPLES],
] as const)('examples of %s', (_, program, examples: Examples) => {
  it('every command has one, and nothing else has', () => {
    expect(Object.keys(examples).sort()).toEqual([...pathsOf(program)].sort());
  });

  it('each is a command line that is taken', () => {
    const faults = Object.entries(examples).flatMap(([path, lines]) =>
      lines.map((line) => [line, faultOf(program, path, line)]).filter(([, fault]) => fault !== ''),
    );
    expect(faults).toEqual([]);
  });

  it('the test itself sees what is wrong', () => {
    const [path = ''] = program.name() === 'tswarm' ? ['node ls'] : ['ls'];
    const line = `${program.name()} ${path}`;
    expect(faultOf(program, path, line)).toBe('');
    expect(faultOf(program, path, `${line} --no-such-flag`)).toBe('flag --no-such-flag');
    expect(faultOf(program, path, `${line} word`)).toBe('there are words too many');
    expect(faultOf(program, path, `${program.name()} version`)).toBe('is of another command');
  });

  it('fits a terminal of 100 columns', () => {
    const long = Object.values(examples).flatMap((lines) => lines.filter((one) => one.length > 97));
    expect(long).toEqual([]);
  });
});
