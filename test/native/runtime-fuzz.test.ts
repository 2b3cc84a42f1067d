// Broken configurations against the sanitized build of tswarm-runtime: whatever the text, it ends with code 0, 1 or 2 and one
// error line, reads and writes no memory that is not its own, and leaves nothing. Failing inputs are printed by seed.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hierarchies, Sandbox } from './runtime-bundle.ts';

let box: Sandbox;
beforeAll(() => {
  execFileSync('make', ['-s', '-C', 'native', 'build/asan/tswarm-runtime']);
  box = new Sandbox('native/build/asan/tswarm-runtime');
});
afterAll(() => {
  // a damaged cgroupsPath made groups whose names still begin like ours; the default path has a fixed name
  for (const base of hierarchies())
    for (const name of readdirSync(base, { withFileTypes: true }))
      if (
        name.isDirectory() &&
        (name.name.startsWith(box.name.slice(0, 4)) || name.name === 'tswarm-runtime')
      )
        spawnSync('find', [
          join(base, name.name),
          '-depth',
          '-type',
          'd',
          '-exec',
          'rmdir',
          '{}',
          ';',
        ]);
  box.dispose();
});

/** Small deterministic generator (mulberry32). */
function generator(seed: number): (below: number) => number {
  let a = seed;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u0000',
  '\\ud800',
  '\\ud83d\\ude00',
  '\u00e9',
  'null',
  'true',
  '-1',
  '1e999',
  '18446744073709551616',
  '0.5',
  '"\\q"',
  '[[[[[[[[',
  '"a":',
  '""',
  '"/../.."',
  '9999999999999999999999999',
  '\u0001',
];

function mutate(text: string, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(text);
  for (let n = 1 + random(3); n > 0; n--) {
    const at = random(bytes.length);
    const end = Math.min(bytes.length, at + 1 + random(40));
    const before = bytes.subarray(0, at);
    switch (random(5)) {
      case 0:
        bytes = Buffer.concat([before, bytes.subarray(end)]);
        break;
      case 1:
        bytes = Buffer.concat([
          before,
          Buffer.from(TOKENS[random(TOKENS.length)] ?? ''),
          bytes.subarray(at),
        ]);
        break;
      case 2:
        bytes = Buffer.concat([before, bytes.subarray(at, end), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.from(bytes);
        bytes[at] = random(256);
        break;
      default:
        bytes = Buffer.from(before);
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}

/** Replaces one value anywhere in the tree by one of another kind: valid JSON, wrong meaning. */
function mutateValue(value: unknown, random: (below: number) => number): unknown {
  const others = [
    null,
    true,
    -1,
    0,
    1.5,
    2 ** 53,
    '',
    '/',
    '..',
    'x'.repeat(5000),
    [],
    {},
    [[]],
    [null],
    { a: null },
  ];
  if (typeof value === 'object' && value !== null && random(6) !== 0) {
    const keys = Object.keys(value);
    const key = keys[random(keys.length)];
    if (key !== undefined) {
      const copy = Array.isArray(value) ? [...(value as unknown[])] : { ...value };
      (copy as Record<string, unknown>)[key] = mutateValue(
        (value as Record<string, unknown>)[key],
        random,
      );
      return copy;
    }
  }
  return others[random(others.length)];
}

function check(id: string, seed: string): void {
  const ran = box.run(['create', '--bundle', join(box.dir, id), id]);
  const text = `${seed}: ${ran.stderr.slice(0, 2000)}`;
  expect([0, 1, 2], text).toContain(ran.code);
  expect(text).not.toMatch(/AddressSanitizer|runtime error/);
  if (ran.code !== 0) expect(JSON.parse(ran.stderr.trim()), text).toHaveProperty('code');
  const deleted = box.run(['delete', '--force', id]);
  expect([deleted.code, deleted.stderr], seed).toEqual([0, '']);
  expect(existsSync(join(box.root, id)), seed).toBe(false);
  for (const base of hierarchies())
    expect(existsSync(join(base, box.cgroupPath(id))), seed).toBe(false);
}

it('survives damaged text', () => {
  const id = box.id();
  const file = join(box.bundle(id, ['/bin/true']), 'config.json');
  const text = readFileSync(file, 'utf8');
  for (let seed = 1; seed <= 250; seed++) {
    writeFileSync(file, mutate(text, generator(seed)));
    check(id, `text ${seed}`);
  }
});

it('survives values of the wrong kind', () => {
  const id = box.id();
  const file = join(box.bundle(id, ['/bin/true']), 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  for (let seed = 1; seed <= 250; seed++) {
    const random = generator(seed);
    let changed: unknown = config;
    for (let n = 1 + random(2); n > 0; n--) changed = mutateValue(changed, random);
    // a changed control group path must not reach the host's other groups
    const linux = (changed as { linux?: Record<string, unknown> } | null)?.linux;
    if (linux && typeof linux === 'object') linux.cgroupsPath = box.cgroupPath(id);
    writeFileSync(file, JSON.stringify(changed));
    check(id, `value ${seed}`);
  }
});

it('survives damaged states, processes and resources', () => {
  const id = box.id();
  const bundle = box.bundle(id, ['/bin/sleep', '1000']);
  expect(box.run(['run', '--detach', '-b', bundle, id])).toMatchObject({ code: 0, stderr: '' });
  const resources = JSON.stringify({
    memory: { limit: 1e8 },
    cpu: { shares: 10 },
    pids: { limit: 9 },
  });
  const process = JSON.stringify({
    args: ['/bin/true'],
    cwd: '/',
    user: { uid: 1, gid: 1 },
    env: ['A=b'],
  });
  for (let seed = 1; seed <= 60; seed++) {
    for (const [verb, text] of [
      [['update', '--resources', '-', id], resources],
      [['exec', '--process', '-', id], process],
    ] as const) {
      const ran = box.run([...verb], mutate(text, generator(seed)).toString('latin1'));
      expect(ran.code, `${verb[0]} ${seed}: ${ran.stderr}`).toBeGreaterThanOrEqual(0);
      expect(ran.stderr, `${verb[0]} ${seed}`).not.toMatch(/AddressSanitizer|runtime error/);
    }
  }
  const file = join(box.root, id, 'state.json');
  const state = readFileSync(file, 'utf8');
  for (let seed = 1; seed <= 60; seed++) {
    writeFileSync(file, mutate(state, generator(seed)));
    const ran = box.run(['state', id]);
    expect([0, 1], `state ${seed}: ${ran.stderr}`).toContain(ran.code);
    expect(ran.stderr).not.toMatch(/AddressSanitizer|runtime error/);
  }
  writeFileSync(file, state);
  expect(box.run(['delete', '--force', id])).toMatchObject({ code: 0, stderr: '' });
});
