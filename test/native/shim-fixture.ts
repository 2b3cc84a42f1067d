// What the tests of tswarm-shim share: containers that are removed after each test, and waiting.
// Importing it sets up the hooks.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect } from 'vitest';
import { PATIENCE } from './programs.ts';
import { type BundleOptions, Container } from './shim-client.ts';

export const containers: Container[] = [];

/** A container for `command` (a string is for sh), not created yet. */
export function container(
  command: string | readonly string[],
  options: BundleOptions = {},
): Container {
  const args = typeof command === 'string' ? ['sh', '-c', command] : command;
  const made = new Container(args, options);
  containers.push(made);
  return made;
}

/** A container that runs. */
export async function started(
  command: string | readonly string[],
  options: BundleOptions = {},
): Promise<Container> {
  const made = container(command, options);
  expect(made.create()).toEqual({ status: 0, stderr: '' });
  expect(await made.request({ op: 'start' })).toMatchObject({ ok: true });
  return made;
}

/** Waits until `check` holds, at most 10 s. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500 * PATIENCE; i++) {
    if (await check()) return;
    await sleep(20);
  }
  throw new Error('did not happen in 10 s');
}

/** Resident memory of a process in KiB. */
export function residentKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

beforeAll(() => {
  expect(process.getuid?.(), 'these tests need root').toBe(0);
});

afterEach(async () => {
  for (const made of containers.splice(0)) await made.remove();
  spawnSync('find', [
    '/sys/fs/cgroup',
    '-depth',
    '-type',
    'd',
    '-name',
    'tswarm-shim-test',
    '-exec',
    'rmdir',
    '{}',
    ';',
  ]);
});
