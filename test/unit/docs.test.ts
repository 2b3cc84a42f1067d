// The generated reference is that of this code.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BODY_SCHEMAS } from '#api/cluster/generated/schemas';
import { OPERATIONS } from '#api/cluster/operations';
import { callsOf, schemasOf } from '#api/openapi/generate';
import { referencePages } from '../../scripts/reference.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

it.each([...referencePages()])('%s is up to date (npm run gen)', (name, page) => {
  expect(text(name) === page, `${name} differs: npm run gen`).toBe(true);
});

it('the schemas and the types of the calls are those of their definitions (npm run gen)', () => {
  expect(schemasOf(text('api/cluster/types.ts'))).toEqual(BODY_SCHEMAS);
  expect(text('api/cluster/generated/calls.ts') === callsOf(OPERATIONS), 'npm run gen').toBe(true);
});
