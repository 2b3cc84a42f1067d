// Goal: no flag is accepted that no test looks at. Method: every flag in the trees of both command lines against the `flagTest` calls in the sources of
// the tests; the calls themselves check when they run that the flag was really used.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allFlags, strayTwins, usesFlag } from '../../support/flag-tests.ts';
import { OWED_FLAGS } from '../../support/flags-owed.ts';

/** Flags that have no test yet. This list may only get shorter. */
const OWED: ReadonlySet<string> = new Set(OWED_FLAGS);

const TESTS = join(import.meta.dirname, '../..');

function testSources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

/** `tcompose up --build` of each call. */
function testedFlags(source: string): string[] {
  const calls = source.matchAll(/\bflagTest\(\s*'([a-z -]+)',\s*\[([^\]]*)\]/g);
  return [...calls].flatMap(([, command = '', flags = '']) =>
    [...flags.matchAll(/'([^']+)'/g)].map(([, flag = '']) => `${command} ${flag}`),
  );
}

describe('flags of tcompose and tswarm', () => {
  const tested = new Set(testSources(TESTS).flatMap(testedFlags));

  it('are all tested by their effect, but those that are owed', () => {
    expect(allFlags().filter((flag) => !tested.has(flag) && !OWED.has(flag))).toEqual([]);
  });

  it('are owed no longer once they are tested, or gone', () => {
    const known = new Set(allFlags());
    expect([...OWED].filter((flag) => tested.has(flag) || !known.has(flag))).toEqual([]);
  });

  it('are tested under names that exist', () => {
    const known = new Set(allFlags());
    expect([...tested].filter((flag) => !known.has(flag))).toEqual([]);
  });
});

it('docker’s names for cluster commands have the same flags', () => {
  expect(strayTwins()).toEqual([]);
});

describe('usesFlag', () => {
  const up = ['tcompose', '-f', 'down', 'up', '-d', '--scale=web=2', 'web'];

  it.each([
    ['tcompose', '--file', true],
    ['tcompose up', '--detach', true],
    ['tcompose up', '--scale', true],
    ['tcompose up', '--build', false],
    ['tcompose down', '--volumes', false],
  ])('%s %s', (command, flag, used) => {
    expect(usesFlag(up, command, flag)).toBe(used);
  });

  it('knows short flags that are written together', () => {
    expect(usesFlag(['tcompose', 'ps', '-aq'], 'tcompose ps', '--quiet')).toBe(true);
    expect(usesFlag(['tcompose', 'ps', '-a'], 'tcompose ps', '--quiet')).toBe(false);
    expect(usesFlag(['tcompose', 'logs', '-nft'], 'tcompose logs', '--follow')).toBe(false);
  });
});
