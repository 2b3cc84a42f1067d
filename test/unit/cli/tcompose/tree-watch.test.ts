// Goal: what `watch` hears of a folder: changed files, and what has gone, a folder as one; nothing of what is ignored. Method: looks at a real folder.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TreeWatch } from '#cli/client/tree-watch';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-tree-'));
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  for (const name of ['top', 'a/one', 'a/b/two', 'a/skip']) writeFileSync(join(folder, name), name);
});
afterEach(() => rmSync(folder, { recursive: true }));

const isIgnored = (path: string): boolean => path.endsWith('skip');

it('tells files that changed, and a folder that has gone as one', async () => {
  const tree = new TreeWatch(folder, isIgnored);
  expect([...(await tree.look()).changed].sort()).toEqual(['a/b/two', 'a/one', 'top']);
  expect(await tree.look()).toEqual({ changed: [], removed: [] });
  writeFileSync(join(folder, 'a/one'), 'other');
  writeFileSync(join(folder, 'a/skip'), 'other');
  rmSync(join(folder, 'top'));
  expect(await tree.look()).toEqual({ changed: ['a/one'], removed: ['top'] });
  renameSync(join(folder, 'a'), join(folder, 'c'));
  const { changed, removed } = await tree.look();
  expect([...changed].sort()).toEqual(['c/b/two', 'c/one']);
  expect(removed).toEqual(['a']);
});

it('takes away only the files that are meant where not all are', async () => {
  const tree = new TreeWatch(folder, isIgnored, (path) => path.endsWith('two'));
  expect((await tree.look()).changed).toEqual(['a/b/two']);
  rmSync(join(folder, 'a'), { recursive: true });
  expect(await tree.look()).toEqual({ changed: [], removed: ['a/b/two'] });
});

it('hears of a file and of a folder that were not there when it began', async () => {
  for (const [path, file] of [
    ['new.ini', 'new.ini'],
    ['deep/er/folder', 'deep/er/folder/file'],
  ] as const) {
    const tree = new TreeWatch(join(folder, path), isIgnored);
    expect(await tree.look()).toEqual({ changed: [], removed: [] });
    const changed: string[] = [];
    const look = async (): Promise<void> => {
      changed.push(...(await tree.look()).changed);
    };
    await tree.start(() => void look());
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), 'new');
    const name = file === path ? '' : 'file';
    await vi.waitFor(() => expect(changed).toEqual([name]), { timeout: 5000 });
    writeFileSync(join(folder, file), 'newer');
    await vi.waitFor(() => expect(changed).toEqual([name, name]), { timeout: 5000 });
    tree.close();
  }
});
