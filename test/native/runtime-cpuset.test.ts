// A cpuset that somebody else has made but not filled yet takes no process (control groups v1): two containers of one parent that start at the same
// moment meet it. Method: the parent is made empty beforehand; with v2 there is no such state, and the container simply runs.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hierarchies, Sandbox } from './runtime-bundle.ts';

let box: Sandbox;
beforeAll(() => {
  box = new Sandbox();
});
afterAll(() => box.dispose());

it('fills a cpuset above the container that is still empty', () => {
  for (const base of hierarchies()) {
    if (existsSync(join(base, 'cpuset.cpus'))) mkdirSync(join(base, box.name));
  }
  const id = box.id();
  const bundle = box.bundle(id, ['/bin/true']);
  expect(box.run(['run', '--bundle', bundle, id])).toMatchObject({ code: 0, stderr: '' });
});
