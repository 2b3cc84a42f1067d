// The image store on real native programs: load, save, import, commit, remove, prune, crashes,
// damage, a full disk. Goal: Docker's rules and words, and nothing half there afterwards. Needs
// root. Longer than 500 lines because one real store serves all of its tests.
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineJson } from '#protocol/engine';
import { readTar } from '#worker/images/tar/reader';
import { simpleHeader, writeTar } from '#worker/images/tar/writer';
import type { ContainerInfo } from '#worker/images/types';
import { MountHelper } from '#worker/mount/mount-helper';
import {
  digestOf,
  dockerArchiveOf,
  imageOf,
  imageOfTars,
  join,
  ociLayoutOf,
  streamOf,
  tarOf,
} from '../support/image-tar.ts';
import {
  type ImageFixture,
  imageFixture,
  linesOf,
  NATIVE_DIR,
  textsOf,
} from '../support/images.ts';

const run = promisify(execFile);
let images: ImageFixture;

beforeEach(async () => {
  images = await imageFixture();
});
afterEach(async () => {
  await images.dispose();
});

async function load(archive: Buffer): Promise<string[]> {
  return textsOf(await linesOf(images.service.api.load(streamOf(archive), { quiet: true })));
}

/** A docker-archive image called `tag` whose layers hold one file each. */
async function loadSmall(tag: string, ...contents: string[]): Promise<string> {
  const tars = await Promise.all(contents.map((text, i) => tarOf({ [`f${i}`]: text })));
  const { config, id } = imageOfTars(tars);
  await load(await dockerArchiveOf(config, tars, tag === '' ? [] : [tag]));
  return id;
}

async function leftovers(): Promise<string[]> {
  const dir = images.options.dataDir;
  const names: string[] = [];
  for (const folder of ['tmp', 'ingest', 'layers', 'blobs/sha256', 'rootfs']) {
    for (const name of await readdir(joinPath(dir, folder))) names.push(`${folder}/${name}`);
  }
  return names;
}

describe('load and save', () => {
  it('loads a docker-archive, plain and compressed', async () => {
    const tars = [await tarOf({ one: '1' }), await tarOf({ two: '2' })];
    const { config, id } = imageOfTars(tars);
    const archive = await dockerArchiveOf(config, tars, ['app:1', 'docker.io/library/other:2']);
    expect(await load(archive)).toEqual(['Loaded image: app:1\n', 'Loaded image: other:2\n']);
    expect(images.service.store.resolve('app:1')?.id).toBe(id);
    expect(await load(gzipSync(archive))).toEqual([
      'Loaded image: app:1\n',
      'Loaded image: other:2\n',
    ]);
    const untagged = await dockerArchiveOf(config, tars, []);
    expect(await load(untagged)).toEqual([`Loaded image ID: ${id}\n`]);
  });

  it('loads an OCI layout, and what skopeo makes of it as docker-archive', async () => {
    const image = await imageOf([{ a: 'A' }, { b: 'B' }]);
    const layout = await ociLayoutOf(image, 'lay:1');
    expect(await load(layout)).toEqual(['Loaded image: lay:1\n']);
    expect(images.service.store.resolve('lay:1')?.id).toBe(image.id);
    const [from, to] = [joinPath(images.dir, 'l.tar'), joinPath(images.dir, 'd.tar')];
    await writeFile(from, layout);
    await run('skopeo', ['copy', '-q', `oci-archive:${from}:lay:1`, `docker-archive:${to}:sk:2`]);
    expect(await load(await readFile(to))).toEqual(['Loaded image: sk:2\n']);
  });

  it('saves what others read, and what itself loads to the same ids', async () => {
    const id = await loadSmall('app:1', 'x', 'y');
    await images.service.api.tag('app:1', { repo: 'app', tag: 'two' });
    await loadSmall('other:1', 'x', 'z');
    const archive = await join(await images.service.api.save(['app', 'other:1']));
    const names: string[] = [];
    for await (const { header } of readTar(streamOf(archive))) names.push(header.name);
    expect(names).toEqual(expect.arrayContaining(['oci-layout', 'index.json', 'manifest.json']));
    // The layer with "x" is in both images and once in the archive.
    expect(names.filter((name) => name.startsWith('blobs/sha256/'))).toHaveLength(3 + 2 + 2);
    const path = joinPath(images.dir, 'saved.tar');
    await writeFile(path, archive);
    const { stdout } = await run('skopeo', ['inspect', `docker-archive:${path}:app:1`]);
    expect(JSON.parse(stdout).Layers).toHaveLength(2);
    const other = await imageFixture();
    try {
      const lines = textsOf(
        await linesOf(other.service.api.load(streamOf(archive), { quiet: true })),
      );
      expect(lines.toSorted()).toEqual([
        'Loaded image: app:1\n',
        'Loaded image: app:two\n',
        'Loaded image: other:1\n',
      ]);
      expect(other.service.store.resolve('app:two')?.id).toBe(id);
    } finally {
      await other.dispose();
    }
  });

  it('keeps nothing of an archive whose digests are wrong, or that is cut off', async () => {
    const image = await imageOf([{ a: 'A' }]);
    const [blob = Buffer.alloc(0)] = image.layers;
    const damaged = Buffer.from(blob);
    damaged[12] = (damaged[12] ?? 0) ^ 1;
    const blobs = new Map(
      [...image.blobs].map(([digest, bytes]) => [digest, bytes === blob ? damaged : bytes]),
    );
    const [wrong] = (await load(await ociLayoutOf({ ...image, blobs }, 'bad:1'))).slice(-1);
    expect(wrong).toContain('its content has the digest sha256:');
    const tar = await tarOf({ a: 'A' });
    const lying = imageOfTars([await tarOf({ a: 'B' })]);
    const [mismatch] = (await load(await dockerArchiveOf(lying.config, [tar], ['bad:2']))).slice(
      -1,
    );
    expect(mismatch).toContain("layers from manifest don't match image configuration");
    const good = await dockerArchiveOf(lying.config, [await tarOf({ a: 'B' })], ['bad:3']);
    const [cut] = (await load(good.subarray(0, 3200))).slice(-1);
    expect(cut).toContain('unexpected EOF');
    const [empty] = (await load(await tarOf({ x: 'y' }))).slice(-1);
    expect(empty).toContain('the archive holds no image');
    expect(await images.service.api.list({ all: true, filters: {}, digests: false })).toEqual([]);
    expect(await leftovers()).toEqual([]);
  });
});

describe('import and commit', () => {
  it('imports a compressed root file system with changes', async () => {
    const changes = ['CMD ["/bin/sh", "-c"]', 'ENV A=1', 'LABEL x=y', 'EXPOSE 80', 'WORKDIR /w'];
    const archive = streamOf(gzipSync(await tarOf({ 'etc/': '', 'etc/x': 'X' })));
    const options = { repo: 'imp', tag: '', message: 'msg', changes };
    const lines = await linesOf(images.service.api.importTar(archive, options));
    const id = String(lines.at(-1)?.status);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    const inspected = await images.service.api.inspect('imp:latest');
    expect(inspected).toMatchObject({ Id: id, Comment: 'msg', Os: 'linux', Architecture: 'amd64' });
    expect(inspected.Config).toMatchObject({
      Cmd: ['/bin/sh', '-c'],
      Env: ['A=1'],
      Labels: { x: 'y' },
      ExposedPorts: { '80/tcp': {} },
      WorkingDir: '/w',
    });
    const bad = images.service.api.importTar(streamOf(Buffer.alloc(0)), {
      ...options,
      changes: ['RUN x'],
    });
    expect(textsOf(await linesOf(bad)).at(-1)).toBe('RUN is not a valid change command');
  });

  it('commits what a container changed, with whiteouts, and the result is a working image', async () => {
    const id = await loadSmall('base:1', 'zero', 'one');
    const { store, api } = images.service;
    await store.prepareRootfs('c1', id);
    const { mergedDir } = await store.mountRootfs('c1');
    await rm(joinPath(mergedDir, 'f0'));
    await writeFile(joinPath(mergedDir, 'new'), 'NEW');
    images.containers.push(container('c1', id));
    const { Id } = await api.commit({
      container: 'c1',
      repo: 'made',
      tag: '1',
      comment: 'why',
      author: 'me',
      pause: true,
      changes: ['CMD ["new"]'],
      config: { Env: ['B=2'] },
    });
    await store.prepareRootfs('c2', String(Id));
    const made = (await store.mountRootfs('c2')).mergedDir;
    expect((await readdir(made)).filter((name) => /^f\d|new/.test(name))).toEqual(['f1', 'new']);
    expect(await api.inspect('made:1')).toMatchObject({ Author: 'me', Comment: 'why', Parent: id });
    expect(store.resolve('made:1')?.config.config).toMatchObject({ Cmd: ['new'], Env: ['B=2'] });
    expect((await api.history('made:1')).map((step) => step.Comment)).toEqual(['why', '', '']);
    // Saved and loaded elsewhere it is the same image: the layer's archive is made again, byte for
    // byte.
    const archive = await join(await api.save(['made:1']));
    expect(await load(archive)).toEqual(['Loaded image: made:1\n']);
    expect(store.resolve('made:1')?.id).toBe(Id);
  });
});

describe('remove and prune', () => {
  it('removes names, then the image, then its files', async () => {
    const id = await loadSmall('a:1', 'x');
    const { api } = images.service;
    await api.tag('a:1', { repo: 'b', tag: '2' });
    expect(await api.remove('a:1', { force: false, noPrune: false })).toEqual([
      { Untagged: 'a:1' },
    ]);
    const records = await api.remove('b:2', { force: false, noPrune: false });
    expect(records.slice(0, 2)).toEqual([{ Untagged: 'b:2' }, { Deleted: id }]);
    expect(records).toHaveLength(3);
    expect(await leftovers()).toEqual([]);
    await expect(api.remove('b:2', { force: false, noPrune: false })).rejects.toMatchObject({
      code: 'not_found',
      message: 'No such image: b:2',
    });
    expect(images.events.map((event) => event.action)).toEqual([
      'load',
      'tag',
      'untag',
      'untag',
      'delete',
    ]);
  });

  it('refuses what is in use or has several names, in Docker’s words', async () => {
    const id = await loadSmall('a:1', 'x');
    const short = id.slice(7, 19);
    const { api, store } = images.service;
    const remove = (ref: string, force = false): Promise<readonly EngineJson[]> =>
      api.remove(ref, { force, noPrune: false });
    await api.tag('a:1', { repo: 'other/b', tag: '2' });
    await expect(remove(id)).rejects.toMatchObject({
      code: 'conflict',
      message: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
    });
    await remove('other/b:2');
    const user = 'c'.repeat(64);
    images.containers.push({ ...container(user, id), running: true });
    await store.prepareRootfs(user, id);
    await expect(remove('a:1')).rejects.toMatchObject({
      code: 'conflict',
      message: `conflict: unable to remove repository reference "a:1" (must force) - container ${user.slice(0, 12)} is using its referenced image ${short}`,
    });
    await expect(remove(id, true)).rejects.toMatchObject({
      message: `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container ${user.slice(0, 12)}`,
    });
    images.containers[0] = container(user, id);
    await expect(remove(id)).rejects.toMatchObject({
      message: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container ${user.slice(0, 12)}`,
    });
    expect((await remove(id, true)).slice(0, 2)).toEqual([{ Untagged: 'a:1' }, { Deleted: id }]);
    // The container still has its files.
    const { mergedDir } = await store.mountRootfs(user);
    expect(await readFile(joinPath(mergedDir, 'f0'), 'utf8')).toBe('x');
    images.containers.length = 0;
    await store.removeRootfs(user);
    await api.prune({});
    expect(await leftovers()).toEqual([]);
  });

  it('prunes dangling images, or all that nothing uses', async () => {
    const old = await loadSmall('a:1', 'first');
    const { api, store } = images.service;
    const now = await loadSmall('a:1', 'second');
    await loadSmall('b:1', 'third');
    expect(
      (await api.list({ all: false, filters: { dangling: ['true'] }, digests: false })).map(
        ({ Id }) => Id,
      ),
    ).toEqual([old]);
    const pruned = await api.prune({ dangling: ['true'] });
    expect(pruned).toMatchObject({
      ImagesDeleted: [{ Deleted: old }, { Deleted: expect.any(String) }],
    });
    expect(Number(pruned.SpaceReclaimed)).toBeGreaterThan(0);
    images.containers.push(container('c1', now));
    await api.prune({ dangling: ['false'] });
    expect(store.resolve('a:1')?.id).toBe(now);
    expect(store.resolve('b:1')).toBeUndefined();
    await expect(api.prune({ bogus: ['x'] })).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('filters lists', async () => {
    await loadSmall('app:1', 'x');
    await loadSmall('org/app:2', 'y');
    const names = async (filters: Record<string, string[]>): Promise<unknown[]> =>
      (await images.service.api.list({ all: false, filters, digests: false })).flatMap(
        ({ RepoTags }) => RepoTags,
      );
    expect(await names({ reference: ['app'] })).toEqual(['app:1']);
    expect(await names({ reference: ['*/*:2'] })).toEqual(['org/app:2']);
    expect(await names({ label: ['none'] })).toEqual([]);
    await expect(names({ nonsense: ['1'] })).rejects.toMatchObject({
      message: "invalid filter 'nonsense'",
    });
  });
});

describe('root file systems', () => {
  it('puts empty mount points between image and container, and survives a restart', async () => {
    const tar = await join(
      writeTar([
        {
          header: {
            ...simpleHeader('etc/hosts', 'file', 0, 0),
            kind: 'symlink',
            linkName: '/etc/shadow',
          },
        },
        { header: { ...simpleHeader('proc', 'dir', 0, 0), kind: 'symlink', linkName: '/tmp' } },
        { header: { ...simpleHeader('.', 'dir', 0, 0), mode: 0o750, uid: 7 } },
      ]),
    );
    const { config, id } = imageOfTars([tar]);
    await load(await dockerArchiveOf(config, [tar], ['odd:1']));
    const first = await images.service.store.prepareRootfs('c1', id);
    expect(await images.service.store.prepareRootfs('c1', id)).toEqual(first);
    const { mergedDir } = await images.service.store.mountRootfs('c1');
    expect((await stat(mergedDir)).mode & 0o7777).toBe(0o750);
    expect((await stat(mergedDir)).uid).toBe(7);
    expect((await stat(joinPath(mergedDir, 'etc/hosts'))).isFile()).toBe(true);
    expect((await stat(joinPath(mergedDir, 'proc'))).isDirectory()).toBe(true);
    await writeFile(joinPath(mergedDir, 'kept'), '12345');
    const again = await images.reopen();
    expect(again.store.rootfsOf('c1')).toEqual({ ...first, imageId: id });
    expect(again.store.usersOf(id)).toEqual(['c1']);
    expect(await again.store.upperSize('c1')).toBe(5);
    await again.store.mountRootfs('c1');
    expect(await readFile(joinPath(mergedDir, 'kept'), 'utf8')).toBe('12345');
    await again.store.removeRootfs('c1');
    await again.store.removeRootfs('c1');
    expect(again.store.rootfsIds()).toEqual([]);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(images.dir);
  });

  it('cleans up at the start what a crash has left', async () => {
    const id = await loadSmall('a:1', 'x');
    const dir = images.options.dataDir;
    await mkdir(joinPath(dir, 'rootfs/half/upper'), { recursive: true });
    await symlink(id, joinPath(dir, 'rootfs/half/image'));
    await mkdir(joinPath(dir, 'tmp/t/diff'), { recursive: true });
    await mkdir(joinPath(dir, `layers/${'a'.repeat(64)}/diff`), { recursive: true });
    await writeFile(joinPath(dir, 'ingest/0123'), 'torn');
    await writeFile(joinPath(dir, 'images.json.new'), '{"ver');
    const before = (await leftovers()).filter((name) => !/half|tmp|a{64}|0123/.test(name));
    const service = await images.reopen();
    expect(await leftovers()).toEqual(before);
    expect(service.store.resolve('a:1')?.id).toBe(id);
  });

  it('drops an image whose layer is gone, and keeps the others', async () => {
    const bad = await loadSmall('a:1', 'x');
    const good = await loadSmall('b:1', 'y');
    const chain = images.service.store.resolve(bad)?.chainId.slice(7) ?? '';
    await rm(joinPath(images.options.dataDir, 'layers', chain), { recursive: true });
    const service = await images.reopen();
    expect(service.store.resolve('a:1')).toBeUndefined();
    expect(service.store.resolve('b:1')?.id).toBe(good);
  });
});

describe('a process that is killed while it loads', () => {
  it('leaves a store that opens, with whole images only', async () => {
    const tars = await Promise.all([1, 2, 3].map((n) => tarOf(manyFiles(n))));
    const { config, id } = imageOfTars(tars);
    const archive = joinPath(images.dir, 'many.tar');
    await writeFile(archive, await dockerArchiveOf(config, tars, ['many:1']));
    await images.service.stop();
    const outcomes = new Set<string>();
    for (const delayMs of [20, 60, 100, 140, 180, 220, 260, 300, 400, 600]) {
      const child = spawn(process.execPath, [
        '--conditions=source',
        joinPath(import.meta.dirname, '../support/load-child.ts'),
        JSON.stringify(images.options),
        archive,
      ]);
      let isStarted = false;
      await new Promise<void>((resolve) => {
        child.stdout.once('data', () => {
          isStarted = true;
          setTimeout(() => child.kill('SIGKILL'), delayMs);
        });
        child.once('close', () => resolve());
      });
      expect(isStarted).toBe(true);
      const service = await images.reopen();
      const found = service.store.resolve('many:1');
      outcomes.add(found === undefined ? 'absent' : 'whole');
      if (found !== undefined) {
        expect(found.id).toBe(id);
        await service.store.prepareRootfs('c', id);
        const { mergedDir } = await service.store.mountRootfs('c');
        expect((await readdir(joinPath(mergedDir, 'd2'))).length).toBe(400);
        await service.store.removeRootfs('c');
        await service.api.remove('many:1', { force: true, noPrune: false });
      }
      await service.api.prune({});
      expect((await leftovers()).filter((name) => !name.startsWith('ingest'))).toEqual([]);
    }
    expect(outcomes).toContain('absent');
  });
});

describe('a full disk', () => {
  it('is a clean error with nothing half there, and goes on when there is space', async () => {
    const dir = await mkdtemp(joinPath(tmpdir(), 'tsw-full-'));
    const mounts = new MountHelper({ nativeDir: NATIVE_DIR });
    await mounts.tmpfs({ target: dir, sizeBytes: 24 * 1024 * 1024 });
    const small = await imageFixture({ dataDir: joinPath(dir, 'images') });
    try {
      const big = await tarOf({ zeros: Buffer.alloc(30 * 1024 * 1024) });
      const options = { repo: 'big', tag: '1', message: '', changes: [] };
      const lines = await linesOf(small.service.api.importTar(streamOf(gzipSync(big)), options));
      expect(lines.at(-1)?.error).toMatch(/no space left on device/i);
      const noise = Buffer.from(
        Array.from({ length: 26 * 1024 * 1024 }, (_, i) => (i * 2_654_435_761) >>> 13),
      );
      const tar = await tarOf({ noise });
      const { config } = imageOfTars([tar]);
      const archive = await dockerArchiveOf(config, [tar], ['big:2']);
      const failed = await linesOf(small.service.api.load(streamOf(archive), { quiet: true }));
      expect(failed.at(-1)?.error).toMatch(/no space left on device/i);
      for (const folder of ['tmp', 'ingest', 'layers', 'blobs/sha256']) {
        expect(await readdir(joinPath(dir, 'images', folder)), folder).toEqual([]);
      }
      const good = streamOf(await tarOf({ ok: 'ok' }));
      await linesOf(small.service.api.importTar(good, { ...options, tag: '3' }));
      expect(small.service.store.resolve('big:3')).toBeDefined();
    } finally {
      await small.dispose();
      await mounts.unmount(dir);
      await mounts.stop();
      await rm(dir, { recursive: true });
    }
  });
});

describe('hostile archives', () => {
  it('unpacks nothing outside of the root', async () => {
    const outside = joinPath(images.dir, 'outside');
    await mkdir(outside);
    const link = (name: string, linkName: string) => ({
      header: { ...simpleHeader(name, 'file', 0, 0), kind: 'symlink' as const, linkName },
    });
    const file = (name: string) => ({
      header: simpleHeader(name, 'file', 1, 0),
      data: [Buffer.from('x')],
    });
    const archives = [
      [link('l', outside), file('l/pwned')],
      [link('l', '../../../../..'), file(`l${outside}/pwned`)],
      [file('../dots')],
      [
        {
          header: {
            ...simpleHeader('h', 'file', 0, 0),
            kind: 'link' as const,
            linkName: '/etc/passwd',
          },
        },
      ],
    ];
    for (const members of archives) {
      const tar = await join(writeTar(members));
      const { config } = imageOfTars([tar]);
      const texts = await load(await dockerArchiveOf(config, [tar], ['evil:1']));
      // "l -> ../.." ends at the layer's own root: harmless, and the file is inside.
      expect(texts.at(-1)?.startsWith('Loaded image'), texts.at(-1)).toBe(members === archives[1]);
    }
    const absolute = await join(writeTar([file('/abs')]));
    const { config } = imageOfTars([absolute]);
    expect(await load(await dockerArchiveOf(config, [absolute], ['abs:1']))).toEqual([
      'Loaded image: abs:1\n',
    ]);
    expect(await readdir(outside)).toEqual([]);
  });

  it('refuses digests that are paths', async () => {
    const image = await imageOf([{ a: 'A' }]);
    const manifest = Buffer.from(
      image.manifest.toString().replaceAll(digestOf(image.config), 'sha256:../../../etc/passwd'),
    );
    const blobs = new Map([...image.blobs, [digestOf(manifest), manifest]]);
    const evil = { ...image, manifest, manifestDigest: digestOf(manifest), blobs };
    expect((await load(await ociLayoutOf(evil, 'e:1'))).at(-1)).toContain('is not a digest');
  });
});

function container(id: string, imageId: string): ContainerInfo {
  return {
    id,
    name: `name-${id}`,
    imageId,
    running: false,
    processConfig: { Cmd: ['old'], Env: ['A=1'] },
  };
}

function manyFiles(n: number): Record<string, string> {
  const files: Record<string, string> = { [`d${n}/`]: '' };
  for (let i = 0; i < 400; i += 1) files[`d${n}/f${i}`] = 'x'.repeat(5000 + i);
  return files;
}
