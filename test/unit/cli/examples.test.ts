// Command lines that people copy: the examples below `--help` (every command has one), and those of README and docs. Each is one that the tree of commands and flags
// takes as it stands.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Examples } from '#cli/help/examples';
import { EXAMPLES as TCOMPOSE_EXAMPLES } from '#cli/tcompose/examples';
import { program as tcompose } from '#cli/tcompose/program';
import { EXAMPLES as TSWARM_EXAMPLES } from '#cli/tswarm/examples';
import { program as tswarm } from '#cli/tswarm/main';
import { type Command, lookAt } from '../../support/command-faults.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** Words behind the program's name of each command that does something; without hidden ones. */
function pathsOf(command: Command, path: readonly string[] = []): readonly string[] {
  const { _hidden: isHidden } = command as unknown as { readonly _hidden?: boolean };
  if (isHidden) return [];
  if (command.commands.length === 0) return [path.join(' ')];
  return command.commands.flatMap((one) => pathsOf(one, [...path, one.name()]));
}

describe.each([
  ['tswarm', tswarm, TSWARM_EXAMPLES],
  ['tcompose', tcompose, TCOMPOSE_EXAMPLES],
] as const)('examples of %s', (name, program, examples: Examples) => {
  it('every command has one, and nothing else has', () => {
    expect(Object.keys(examples).sort()).toEqual([...pathsOf(program)].sort());
  });

  it('each is a command line of its command that is taken', () => {
    const faults = Object.entries(examples).flatMap(([of, lines]) =>
      lines.flatMap((line) => {
        const { path, fault } = lookAt(line, true);
        return fault === '' && path.join(' ') === of ? [] : [[of, line, fault]];
      }),
    );
    expect(faults).toEqual([]);
  });

  it('fits a terminal of 100 columns', () => {
    const long = Object.values(examples).flatMap((lines) => lines.filter((one) => one.length > 97));
    expect(long).toEqual([]);
  });

  it('the test itself sees what is wrong', () => {
    const line = name === 'tswarm' ? 'tswarm node ls' : 'tcompose ls';
    expect(lookAt(line, true).fault).toBe('');
    expect(lookAt(`${line} --no-such-flag`, true).fault).toBe('there is no flag --no-such-flag');
    expect(lookAt(`${line} word`, true).fault).toBe('there are words too many');
    expect(lookAt(`${name} lss`, true).fault).toBe(`there is no ${name} lss`);
  });
});

/** Documents that people copy lines from; the reference is made from the tree itself. */
const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** What of a document is a command line: lines of blocks, and what is between backticks. */
function linesOf(text: string): readonly { readonly line: string; readonly isWhole: boolean }[] {
  const blocks = [...text.matchAll(/^ {4}((?:tswarm|tcompose) .*)$/gm)];
  const inline = [...text.matchAll(/`((?:tswarm|tcompose) [^`]*)`/g)];
  return [
    ...blocks.map(([, line = '']) => ({ line, isWhole: true })),
    ...inline.map(([, line = '']) => ({ line, isWhole: false })),
  ];
}

describe('command lines in documents', () => {
  it.each(DOCUMENTS)('%s', (document) => {
    const faults = linesOf(readFileSync(join(ROOT, document), 'utf8'))
      // "node promote | demote" and "rm …" name several.
      .filter(({ line }) => !/ \| |…$/.test(line))
      .map(({ line, isWhole }) => [line, lookAt(line, isWhole).fault])
      .filter(([, fault]) => fault !== '');
    expect(faults).toEqual([]);
  });
});
