// Goal: what is sent along is what is in the folder, and never more than may be, nor anything from outside. Method: real files in a folder of its own.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTree } from '#cli/tcompose/project-tree';
import { SHIPPED_BYTES_MAX, SHIPPED_FILES_MAX } from '#compose-spec/deploy/limits';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-tree-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const put = (name: string, text = name): void => writeFileSync(join(folder, name), text);

/** `path: text mode` of each file, or why there are none. */
function shown(path = folder): string[] | string {
  const tree = readTree(path);
  if (tree.kind === 'unfit') return tree.why;
  if (tree.kind === 'missing') return 'missing';
  const files = tree.kind === 'file' ? [tree.file] : tree.files;
  return files.map((one) => `${one.path}: ${Buffer.from(one.data)} ${one.mode.toString(8)}`);
}

describe('a tree', () => {
  it('has all files below a folder with their modes, links as what they lead to', () => {
    mkdirSync(join(folder, 'sub'));
    put('b');
    put('sub/a');
    chmodSync(join(folder, 'sub/a'), 0o755);
    symlinkSync('b', join(folder, 'link'));
    expect(shown()).toEqual(['b: b 644', 'link: b 644', 'sub/a: sub/a 755']);
    expect(shown(join(folder, 'b'))).toEqual([': b 644']);
  });

  it('is missing where nothing is', () => {
    expect(shown(join(folder, 'no'))).toBe('missing');
    put('file');
    expect(shown(join(folder, 'file/below'))).toBe('missing');
  });

  it('never leaves its folder', () => {
    symlinkSync('/etc/hostname', join(folder, 'out'));
    expect(shown()).toContain('holds out, which is no file of this folder');
  });

  it('is not sent when it is too large', () => {
    put('big', 'x'.repeat(SHIPPED_BYTES_MAX + 1));
    expect(shown()).toMatch(/^holds more than/);
    expect(shown(join(folder, 'big'))).toMatch(/^holds more than/);
    rmSync(join(folder, 'big'));
    for (let i = 0; i <= SHIPPED_FILES_MAX; i++) put(`f${i}`);
    expect(shown()).toMatch(/^holds more than/);
  });

  it('of a device is unfit', () => {
    expect(shown('/dev/null')).toBe('is neither a file nor a folder');
  });
});
