// Goal: every planted bug fits the sources as they are, and has a name of its own; whether the simulator catches
// them is tried by hand (npm run sim:mutants). Method: each place that a bug changes is looked up.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';

const ROOT = join(import.meta.dirname, '../..');

it('the planted bugs fit the sources', () => {
  const places = MUTANTS.map(({ name, file, find, replace }) => {
    const times = readFileSync(join(ROOT, file), 'utf8').split(find).length - 1;
    return { name, times, isChange: find !== replace };
  });
  expect(places.filter(({ times, isChange }) => times !== 1 || !isChange)).toEqual([]);
  expect(new Set(places.map(({ name }) => name)).size).toBe(MUTANTS.length);
});
