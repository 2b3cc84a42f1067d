// Goal: a test that a host may skip says why in scripts/skips.mjs, which `npm test` goes by, and the list names no others. Method: the sources are searched for
// conditions other than being root, which `npm test` asks for itself.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const CONDITION = /\.(?:skipIf|runIf|skip|todo)\((.*)/g;
const ROOT_ONLY = /^(?:!?isRoot|process\.getuid\?\.\(\) [!=]== 0)\)/;

it('every condition has its reason, and every reason its condition', () => {
  const conditional = globSync('test/**/*.test.ts', { cwd: ROOT })
    .filter((path) => path !== 'test/unit/scripts/skips.test.ts')
    .filter((path) =>
      [...readFileSync(join(ROOT, path), 'utf8').matchAll(CONDITION)].some(
        ([, condition = '']) => !ROOT_ONLY.test(condition),
      ),
    );
  const list = readFileSync(join(ROOT, 'scripts/skips.mjs'), 'utf8');
  const listed = [...list.matchAll(/^ {2}'([^']+)':/gm)].map(([, path]) => path);
  expect(conditional.sort()).toEqual(listed.sort());
});
