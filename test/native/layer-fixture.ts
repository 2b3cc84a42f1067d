// What the tests of `tswarm-layer apply` share: a root folder, a sentinel folder beside it, and calls.
// Importing it sets up the hooks.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { program } from './programs.ts';
import { type TarEntry, tar } from './tar-builder.ts';

export const LAYER: string = program('tswarm-layer');

/** Holds the two others; removed after each test. */
export let folder = '';
/** What archives are unpacked into. */
export let root = '';
/** Must never change. */
export let outside = '';

/** Lets the next calls unpack elsewhere. */
export function useRoot(path: string): void {
  root = path;
}

export interface Answer {
  readonly status: number | null;
  readonly result: { bytes: number; entries: number } | null;
  readonly code: string;
  readonly message: string;
}

/** Runs `apply` with the archive on stdin. */
export function apply(archive: Buffer, ...options: readonly string[]): Answer {
  const run = spawnSync(LAYER, ['apply', '--root', root, ...options], { input: archive });
  const stderr = run.stderr.toString();
  const error = stderr ? (JSON.parse(stderr) as { code: string; message: string }) : null;
  const stdout = run.stdout.toString();
  return {
    status: run.status,
    result: stdout ? (JSON.parse(stdout) as { bytes: number; entries: number }) : null,
    code: error?.code ?? '',
    message: error?.message ?? '',
  };
}

/** The same, and it must work. */
export function applyOk(entries: readonly TarEntry[], ...options: readonly string[]): void {
  const answer = apply(tar(...entries), ...options);
  expect(answer).toMatchObject({ status: 0, code: '' });
}

/** Everything about a tree, as text. */
export function listing(of: string): string {
  return execFileSync('find', [of, '-printf', '%P %y %m %U:%G %s %l %T@ %n\n'])
    .toString()
    .split('\n')
    .sort()
    .join('\n');
}

/** The PAX records that GNU tar writes for the path; extended attributes are among them. */
export function xattrs(path: string): string {
  const options = ['--xattrs', '--xattrs-include=*', '--format=pax', '--no-recursion'];
  return execFileSync('tar', ['-P', ...options, '-cf', '-', path]).toString('latin1');
}

beforeAll(() => {
  expect(process.getuid?.(), 'these tests need root').toBe(0);
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-layer-'));
  root = join(folder, 'root');
  outside = join(folder, 'outside');
  mkdirSync(root);
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'untouched');
  mkdirSync(join(outside, 'dir'));
  writeFileSync(join(outside, 'dir/file'), 'untouched');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});
