// Goal: images that want to use up a node cost it little memory, leave nothing behind, and end in an error that names the limit, or in an image as large as it says. Method: a
// daemon of its own; archives with a million entries, with 1:1000 compression, and beyond what is allowed; a registry that sends too little. The peaks of the daemon and of the
// program that unpacks are the kernel's own (VmHWM).
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureRegistry } from '../../support/fixture-registry.ts';
import { digestOf, dockerArchiveOf, imageOf, imageOfTars, tarOf } from '../../support/image-tar.ts';
import { imageFixture } from '../../support/images.ts';
import { type Result, TestNode } from '../../support/test-node.ts';

const MIB = 1024 * 1024;
const ENTRIES = 1_000_000;
const PER_FOLDER = 1000;
/** Of the daemon, over what it has when idle: a pull of 500 MB takes about as much. */
const DAEMON_GROWTH_MAX = 200 * MIB;
const UNPACKER_MAX = 64 * MIB;

/** Empty files in folders, as fast as bytes can be copied. */
function tarOfManyEntries(): Buffer {
  const tar = Buffer.alloc((ENTRIES + ENTRIES / PER_FOLDER + 2) * 512);
  let at = 0;
  const entry = (name: string, type: string): void => {
    tar.write(name, at);
    tar.write(type === '5' ? '0000755\0' : '0000644\0', at + 100);
    tar.write('0000000\x000000000\x0000000000000\x0000000000000\0        ', at + 108);
    tar.write(`${type}`, at + 156);
    tar.write('ustar\x0000', at + 257);
    let sum = 0;
    for (let i = at; i < at + 345; i++) sum += tar[i] ?? 0;
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148);
    at += 512;
  };
  for (let n = 0; n < ENTRIES; n++) {
    if (n % PER_FOLDER === 0) entry(`d${n / PER_FOLDER}/`, '5');
    entry(`d${Math.floor(n / PER_FOLDER)}/f${n}`, '0');
  }
  return tar;
}

/** A file of zeros: `bytes` shrink to a thousandth. */
function tarOfZeros(bytes: number): Buffer {
  const folder = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
  try {
    execFileSync('truncate', ['-s', String(bytes), join(folder, 'zeros')]);
    const args = ['-C', folder, '--no-same-owner', '-c', 'zeros'];
    return execFileSync('tar', args, { maxBuffer: bytes + MIB });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('images that want to use up a node', () => {
  const node = new TestNode();
  const archive = join(node.folder, 'archive.tar');

  beforeAll(() => node.start());
  afterAll(() => node[Symbol.asyncDispose]());

  async function writeArchive(tar: Buffer, packed: Buffer, name: string): Promise<void> {
    const { config } = imageOfTars([tar], { compress: (bytes) => bytes });
    writeFileSync(archive, await dockerArchiveOf(config, [packed], [name]));
  }

  function peakBytes(pid: number | string): number {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
    } catch {
      return 0;
    }
  }

  /** @returns what the load said, and what it cost at most */
  async function load(): Promise<Result & { growth: number; unpacker: number }> {
    writeFileSync(`/proc/${node.pid}/clear_refs`, '5');
    const before = peakBytes(node.pid);
    let unpacker = 0;
    const watching = setInterval(() => {
      const children = readFileSync(`/proc/${node.pid}/task/${node.pid}/children`, 'utf8');
      for (const pid of children.trim().split(' ')) unpacker = Math.max(unpacker, peakOf(pid));
    }, 100);
    const peakOf = (pid: string): number => {
      const isUnpacker = readQuietly(`/proc/${pid}/comm`).startsWith('tswarm-layer');
      return isUnpacker ? peakBytes(pid) : 0;
    };
    const result = await node.docker(['load', '-i', archive], { timeoutMs: 600_000 });
    clearInterval(watching);
    const growth = peakBytes(node.pid) - before;
    const [growthMb, unpackerMb] = [growth, unpacker].map((bytes) => Math.round(bytes / 1e6));
    process.stderr.write(
      `${Math.round(result.ms)} ms, daemon +${growthMb} MB, unpacker ${unpackerMb} MB\n`,
    );
    return { ...result, growth, unpacker };
  }

  /** Folders of layers, blobs and work under way. */
  function kept(): string[] {
    const images = join(node.dataRoot, 'images');
    return ['layers', 'tmp', 'ingest', 'blobs/sha256'].flatMap((folder) =>
      readdirSync(join(images, folder)).map((name) => `${folder}/${name}`),
    );
  }

  it('a million entries', async () => {
    const tar = tarOfManyEntries();
    await writeArchive(tar, gzipSync(tar, { level: 1 }), 'many:1');
    const loaded = await load();
    expect([loaded.code, loaded.stderr]).toEqual([0, '']);
    expect(loaded.growth).toBeLessThan(DAEMON_GROWTH_MAX);
    expect(loaded.unpacker).toBeLessThan(UNPACKER_MAX);
    const [layer = ''] = readdirSync(join(node.dataRoot, 'images/layers'));
    expect(readdirSync(join(node.dataRoot, 'images/layers', layer, 'diff'))).toHaveLength(
      ENTRIES / PER_FOLDER,
    );
    expect((await node.docker(['rmi', 'many:1'], { timeoutMs: 300_000 })).code).toBe(0);
    expect(kept()).toEqual([]);
  }, 900_000);

  it('1:1000: as large as it says, in little memory', async () => {
    const tar = tarOfZeros(512 * MIB);
    const packed = gzipSync(tar, { level: 9 });
    expect(tar.length / packed.length).toBeGreaterThan(1000);
    await writeArchive(tar, packed, 'zeros:1');
    const loaded = await load();
    expect([loaded.code, loaded.stderr]).toEqual([0, '']);
    expect(loaded.growth).toBeLessThan(DAEMON_GROWTH_MAX);
    expect(loaded.unpacker).toBeLessThan(UNPACKER_MAX);
    expect((await node.docker(['rmi', 'zeros:1'])).code).toBe(0);
    expect(kept()).toEqual([]);
  }, 300_000);

  it('more than any real layer shrinks: refused by name', async () => {
    const tar = tarOfZeros(512 * MIB);
    await writeArchive(tar, zstdCompressSync(tar), 'bomb:1');
    const loaded = await load();
    expect(loaded.code).toBe(1);
    expect(loaded.stderr + loaded.stdout).toMatch(/unpacks to more than \d+ bytes/);
    expect(kept()).toEqual([]);
  }, 300_000);
});

const MEMORY_GROUPS = '/sys/fs/cgroup/memory';

describe.skipIf(!existsSync(join(MEMORY_GROUPS, 'memory.limit_in_bytes')))(
  'a daemon with little memory',
  () => {
    const LIMIT = 192 * MIB;
    const LAYERS = 4;
    const LAYER_BYTES = 100 * MIB;
    const node = new TestNode();
    const group = join(MEMORY_GROUPS, `tswarm-test-small-${process.pid}`);
    const groupValue = (file: string): string => readFileSync(join(group, file), 'utf8').trim();

    afterAll(async () => {
      await node[Symbol.asyncDispose]();
      if (existsSync(group)) rmdirSync(group);
    });

    it('loads and runs an image of twice its size', async () => {
      await node.start();
      await node.importBusybox();
      mkdirSync(group);
      writeFileSync(join(group, 'memory.limit_in_bytes'), String(LIMIT));
      for (const pid of [node.pid, ...node.processes()]) {
        writeFileSync(join(group, 'cgroup.procs'), String(pid));
      }
      const tars: Buffer[] = [];
      for (let n = 0; n < LAYERS; n++)
        tars.push(await tarOf({ [`f${n}`]: randomBytes(LAYER_BYTES) }));
      const { config } = imageOfTars(tars, { compress: (bytes) => bytes });
      const archive = join(node.folder, 'large.tar');
      writeFileSync(archive, await dockerArchiveOf(config, tars, ['large:1']));
      const loaded = await node.docker(['load', '-i', archive], { timeoutMs: 300_000 });
      expect([loaded.code, loaded.stderr]).toEqual([0, '']);
      const ran = await node.docker(['run', '--rm', 'busybox:test', 'echo', 'ran']);
      expect([ran.code, ran.stdout]).toEqual([0, 'ran\n']);
      expect(groupValue('memory.oom_control')).toMatch(/oom_kill 0/);
      const peak = Number(/VmHWM:\s+(\d+)/.exec(readQuietly(`/proc/${node.pid}/status`))?.[1]);
      const most = Number(groupValue('memory.max_usage_in_bytes'));
      process.stderr.write(
        `${Math.round(loaded.ms)} ms, daemon ${Math.round(peak / 1000)} MB at most, its group ${Math.round(most / 1e6)} MB with the page cache\n`,
      );
      expect((await node.docker(['rmi', 'large:1'])).code).toBe(0);
    }, 400_000);
  },
);

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

describe('a registry that sends too little', () => {
  it('is asked for the rest a few times, and then there is no image', async () => {
    const image = await imageOf([{ file: 'x'.repeat(10_000) }]);
    const [layer = Buffer.alloc(0)] = image.layers;
    const lies = new Map([[digestOf(layer), layer.subarray(0, layer.length - 10)]]);
    const registry = await fixtureRegistry({ lies });
    const images = await imageFixture();
    try {
      registry.add('app', '1', image);
      const name = `${registry.host}/app:1`;
      await expect(images.service.store.ensure(name, { policy: 'missing' })).rejects.toMatchObject({
        message: expect.stringMatching(/unexpected EOF after \d+ of \d+ bytes/),
      });
      expect(images.service.store.resolve(name)).toBeUndefined();
      expect(registry.asked.length).toBeLessThan(30);
    } finally {
      await images.dispose();
      await registry.stop();
    }
  }, 60_000);
});
