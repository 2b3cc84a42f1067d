// cgroup v2 in tswarm-runtime: runs test/native/runtime-v2.c (TAP), linked with the runtime's own objects. Limits are checked on
// any host; devices, freezing and killing need a mounted cgroup2 tree, which a hybrid host has at /sys/fs/cgroup/unified.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PATIENCE } from './programs.ts';

let dir = '';
let program = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tswarm-rt-v2-'));
  program = join(dir, 'runtime-v2');
  execFileSync('make', ['-s', '-C', 'native', 'build/tswarm-runtime']);
  const objects = ['lib', 'runtime'].flatMap((folder) =>
    readdirSync(`native/build/obj/${folder}`)
      .filter((name) => name.endsWith('.o') && !(folder === 'runtime' && name === 'main.o'))
      .map((name) => `native/build/obj/${folder}/${name}`),
  );
  const flags = ['-D_GNU_SOURCE', '-Inative/lib', '-Inative/runtime', '-static', '-o', program];
  const sources = ['test/native/runtime-v2.c', ...objects, '-lseccomp', '-lm'];
  execFileSync('cc', [...flags, ...sources]);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function tap(...args: string[]): string[] {
  const ran = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 * PATIENCE });
  const lines = ran.stdout.trim().split('\n');
  expect(lines.filter((line) => line.startsWith('not ok'))).toEqual([]);
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  return lines;
}

it('writes limits in v2 terms', () => {
  const files = mkdtempSync(join(dir, 'group-'));
  expect(tap('limits', files).at(-1)).toBe('1..52');
});

const tree = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((path) =>
  existsSync(join(path, 'cgroup.controllers')),
);
it.skipIf(!tree)('device rules, freezing, killing and removing of a real group', () => {
  const path = join(tree ?? '', basename(dir));
  expect(tap('group', path).length).toBeGreaterThan(20);
  expect(existsSync(path)).toBe(false);
});
