// The mount helper against the kernel's own mount table: overlays with few and many layers, by the
// newer calls and by mount(2). Needs root.
import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MountHelper } from '#worker/mount/mount-helper';
import { NATIVE_DIR } from '../support/images.ts';

let dir: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tsw-mount-'));
  for (const name of ['upper', 'work', 'target', 'source']) await mkdir(join(dir, name));
});
afterEach(async () => {
  expect(await mountsHere()).toEqual([]);
  await rm(dir, { recursive: true });
});

async function mountsHere(): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n').filter((line) => line.split(' ')[4]?.startsWith(dir));
}

async function layers(count: number): Promise<string[]> {
  const paths = Array.from({ length: count }, (_, i) => join(dir, `layer,with:odd "name" ${i}`));
  for (const [i, path] of paths.entries()) {
    await mkdir(path);
    await writeFile(join(path, `f${i}`), String(i));
    await writeFile(join(path, 'same'), String(i));
  }
  return paths;
}

for (const oldCalls of [false, true]) {
  describe(oldCalls ? 'mount(2)' : 'the newer calls', () => {
    let helper: MountHelper;

    beforeEach(() => {
      helper = new MountHelper({ nativeDir: NATIVE_DIR, oldCalls });
    });
    afterEach(() => helper.stop());

    it.each([1, 2, 300])('mounts %i layers, topmost first', async (count) => {
      const target = join(dir, 'target');
      const lower = await layers(count);
      await helper.overlay({ lower, upper: join(dir, 'upper'), work: join(dir, 'work'), target });
      expect((await readdir(target)).length).toBe(count + 1);
      expect(await readFile(join(target, 'same'), 'utf8')).toBe('0');
      await writeFile(join(target, 'new'), 'n');
      expect(await readdir(join(dir, 'upper'))).toEqual(['new']);
      expect(await helper.unmount(target)).toBe(true);
      expect(await helper.unmount(target)).toBe(false);
    });

    it.each([1, 3])('mounts %i layers read-only', async (count) => {
      const target = join(dir, 'target');
      await helper.overlay({ lower: await layers(count), target });
      expect(await readFile(join(target, 'f0'), 'utf8')).toBe('0');
      await expect(writeFile(join(target, 'x'), '')).rejects.toThrow('EROFS');
      await helper.unmount(target, { lazy: true });
    });
  });
}

describe('the rest', () => {
  it('binds read-only, makes tmpfs with its options, names what is wrong', async () => {
    const helper = new MountHelper({ nativeDir: NATIVE_DIR });
    const [source, target] = [join(dir, 'source'), join(dir, 'target')];
    await writeFile(join(source, 'f'), 'x');
    await helper.bind({ source, target, readonly: true });
    await expect(writeFile(join(target, 'f'), 'y')).rejects.toThrow('EROFS');
    await helper.unmount(target);
    await helper.tmpfs({ target, sizeBytes: 65_536, mode: 0o1730, uid: 5, gid: 6 });
    const info = await stat(target);
    expect([info.mode & 0o7777, info.uid, info.gid]).toEqual([0o1730, 5, 6]);
    await expect(writeFile(join(target, 'big'), Buffer.alloc(200_000))).rejects.toThrow('ENOSPC');
    expect((await mountsHere())[0]).toMatch(/nosuid,nodev/);
    await helper.unmount(target);
    await expect(helper.bind({ source: join(dir, 'none'), target })).rejects.toThrow(
      `cannot open ${join(dir, 'none')}: No such file or directory`,
    );
    await expect(helper.overlay({ lower: [join(dir, 'none'), source], target })).rejects.toThrow(
      'none',
    );
    await helper.stop();
    await expect(helper.unmount(target)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('never mounts through a link', async () => {
    const helper = new MountHelper({ nativeDir: NATIVE_DIR });
    const { symlink } = await import('node:fs/promises');
    await symlink(join(dir, 'source'), join(dir, 'link'));
    await expect(helper.tmpfs({ target: join(dir, 'link') })).rejects.toThrow();
    expect(await mountsHere()).toEqual([]);
    await helper.stop();
  });
});
