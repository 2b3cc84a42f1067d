// Archives of cp: what is packed comes out the same, and nothing of a hostile archive is written outside its folder.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import tar from 'tar-stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { packPath, unpackTo } from '#cli/client/archive';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cli-archive-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

type Entry = readonly [
  name: string,
  type: 'file' | 'symlink' | 'link' | 'directory' | 'fifo',
  text?: string,
];

function archive(...entries: readonly Entry[]): Readable {
  const pack = tar.pack();
  for (const [name, type, text = ''] of entries) {
    if (type === 'symlink' || type === 'link') pack.entry({ name, type, linkname: text }, '');
    else pack.entry({ name, type }, text);
  }
  pack.finalize();
  return pack as unknown as Readable;
}

it('packs and unpacks a folder under another name, with links, modes and empty files', async () => {
  mkdirSync(join(root, 'in/sub'), { recursive: true });
  writeFileSync(join(root, 'in/run'), 'x', { mode: 0o755 });
  writeFileSync(join(root, 'in/sub/empty'), '');
  symlinkSync('run', join(root, 'in/link'));
  const pack = packPath(join(root, 'in'), { name: 'in', followLink: false, keepOwners: false });
  await unpackTo(pack, root, 'out');
  expect(readFileSync(join(root, 'out/run'), 'utf8')).toBe('x');
  expect(lstatSync(join(root, 'out/run')).mode & 0o777).toBe(0o755);
  expect(lstatSync(join(root, 'out/link')).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(root, 'out/sub/empty'), 'utf8')).toBe('');
});

it('gives a file its further names, and says what it leaves out', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const twice = archive(['d/a', 'file', 'x'], ['d/sub/b', 'link', 'd/a'], ['d/pipe', 'fifo']);
  await unpackTo(twice, root, 'out');
  expect(readFileSync(join(root, 'out/sub/b'), 'utf8')).toBe('x');
  expect(lstatSync(join(root, 'out/a')).nlink).toBe(2);
  expect(said.mock.calls).toEqual([['Note: out/pipe is left out: a pipe\n']]);
  said.mockRestore();
});

it('unpacks a whole root file system, whose names have nothing before them', async () => {
  const whole = archive(['./', 'directory'], ['note', 'file', 'x'], ['etc/one', 'file', 'y']);
  await unpackTo(whole, root, 'out', true);
  expect(readFileSync(join(root, 'out/note'), 'utf8')).toBe('x');
  expect(readFileSync(join(root, 'out/etc/one'), 'utf8')).toBe('y');
});

it('refuses a second name for what is outside', async () => {
  writeFileSync(join(root, 'secret'), 'x');
  symlinkSync(root, join(root, 'way'));
  const climbing = archive(['d/a', 'link', 'd/../secret']);
  await expect(unpackTo(climbing, join(root, 'in'), 'd')).rejects.toThrow('leaves its folder');
  const through = archive(['d/a', 'link', 'd/way/secret']);
  await expect(unpackTo(through, root, '')).rejects.toThrow('symbolic link');
});

it('refuses names that climb', async () => {
  const climbing = archive(['d/../../outside', 'file', 'x']);
  await expect(unpackTo(climbing, join(root, 'in'), 'd')).rejects.toThrow('leaves its folder');
  expect(existsSync(join(root, 'outside'))).toBe(false);
});

it('refuses a way through a link that the archive brings', async () => {
  mkdirSync(join(root, 'elsewhere'));
  const through = archive(
    ['d/', 'directory'],
    ['d/way', 'symlink', join(root, 'elsewhere')],
    ['d/way/x', 'file', 'x'],
  );
  await expect(unpackTo(through, root, 'd')).rejects.toThrow('is a symbolic link');
  expect(existsSync(join(root, 'elsewhere/x'))).toBe(false);
});

it('replaces a link instead of writing where it leads', async () => {
  writeFileSync(join(root, 'target'), 'kept');
  const file = archive(
    ['d/', 'directory'],
    ['d/f', 'symlink', join(root, 'target')],
    ['d/f', 'file', 'new'],
  );
  await unpackTo(file, root, 'd');
  expect(readFileSync(join(root, 'target'), 'utf8')).toBe('kept');
  expect(readFileSync(join(root, 'd/f'), 'utf8')).toBe('new');
});

it('says when the stream breaks', async () => {
  const pack = packPath(join(root, 'missing'), { name: 'x', followLink: false, keepOwners: false });
  await expect(unpackTo(pack, root, 'x')).rejects.toThrow('ENOENT');
});
