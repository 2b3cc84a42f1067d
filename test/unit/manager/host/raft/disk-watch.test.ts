// Goal: what a member does as its disk fills up and empties again, step by step: refusals with the
// numbers that a person needs, the reserve, and never a write that must fail. Method: the watch over
// a disk of numbers; the reserve itself on a real folder, with a file system that fills up (root).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskWatch } from '#manager/host/raft/disk-watch';
import { DISK_HIGH_WATER_BYTES, DISK_LOW_WATER_BYTES } from '#manager/host/raft/limits';
import { NodeWalDisk } from '#manager/host/raft/node-disk';
import type { ThreadError } from '#manager/host/raft/thread-messages';

const MIB = 1024 * 1024;
const SEGMENT = 16 * MIB;

class Disk {
  freeBytes = 1024 * MIB;
  refusal: ThreadError | null = null;
  hasReserve = false;
  hasSpare = true;
  olderSegments = 0;
  readonly did: string[] = [];
  readonly watch: DiskWatch = new DiskWatch({
    folder: '/data/raft',
    segmentBytes: SEGMENT,
    freeBytes: () => this.freeBytes,
    refuse: (error) => {
      this.refusal = error;
    },
    olderSegments: () => this.olderSegments,
    compact: () => this.did.push('compact'),
    hasReserve: () => this.hasReserve,
    makeReserve: (done) => {
      this.did.push('reserve');
      this.hasReserve = true;
      this.freeBytes -= SEGMENT;
      done(null);
    },
    hasSpare: () => this.hasSpare,
    prepareSpare: () => this.did.push('spare'),
    note: (level) => this.did.push(level),
  });

  look(freeBytes: number): readonly string[] {
    this.freeBytes = freeBytes;
    this.watch.look();
    return this.did.splice(0);
  }
}

describe('a watch over the disk', () => {
  it('makes the reserve while there is room, and once', () => {
    const disk = new Disk();
    expect(disk.look(1024 * MIB)).toEqual(['reserve']);
    expect(disk.look(1000 * MIB)).toEqual([]);
  });

  it('says what is wrong and how much must be freed, and takes changes again only above that', () => {
    const disk = new Disk();
    disk.hasReserve = true;
    expect(disk.look(DISK_LOW_WATER_BYTES - 1)).toEqual(['error']);
    expect(disk.refusal).toMatchObject({ code: 'no_space' });
    expect(disk.refusal?.message).toContain(
      `/data/raft is nearly full: ${DISK_LOW_WATER_BYTES - 1}`,
    );
    expect(disk.refusal?.hint).toContain(String(DISK_HIGH_WATER_BYTES));
    expect(disk.look(DISK_HIGH_WATER_BYTES - 1)).toEqual([]);
    expect(disk.refusal).not.toBeNull();
    expect(disk.look(DISK_HIGH_WATER_BYTES)).toEqual(['info']);
    expect(disk.refusal).toBeNull();
  });

  it('drops old log, and makes no reserve out of the last bytes', () => {
    const disk = new Disk();
    disk.olderSegments = 2;
    expect(disk.look(DISK_LOW_WATER_BYTES - 1)).toEqual(['error', 'compact']);
    expect(disk.look(DISK_HIGH_WATER_BYTES - 1)).toEqual([]);
    expect(disk.look(DISK_HIGH_WATER_BYTES + SEGMENT)).toEqual(['info', 'reserve']);
  });

  it('prepares the next segment when that can work: with room, or from the reserve', () => {
    const disk = new Disk();
    disk.hasSpare = false;
    expect(disk.look(SEGMENT)).toEqual(['error']);
    expect(disk.look(SEGMENT + 1)).toEqual(['spare']);
    disk.hasReserve = true;
    expect(disk.look(0)).toEqual(['spare']);
  });
});

describe.skipIf(process.getuid?.() !== 0)('the reserve', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tswarm-raft-reserve-'));
    const mount = ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder];
    expect(spawnSync('mount', mount).status).toBe(0);
  });
  afterEach(() => {
    spawnSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  const settled = (action: (done: (error: Error | null) => void) => void): Promise<Error | null> =>
    new Promise((resolve) => action(resolve));

  it('becomes the next segment on a full disk, once; then there is none', async () => {
    mkdirSync(join(folder, 'raft'));
    const disk = new NodeWalDisk(join(folder, 'raft/wal'));
    expect(await settled((done) => disk.makeReserve(MIB, done))).toBeNull();
    expect([disk.hasReserve(MIB), disk.hasReserve(2 * MIB)]).toEqual([true, false]);
    writeFileSync(join(folder, 'others'), Buffer.alloc(2.5 * MIB));
    expect(await settled((done) => disk.createZeroed('one', MIB, done))).toBeNull();
    expect(statSync(join(folder, 'raft/wal/one')).size).toBe(MIB);
    expect(disk.hasReserve(MIB)).toBe(false);
    const failure = await settled((done) => disk.createZeroed('two', MIB, done));
    expect(failure).toMatchObject({ code: 'ENOSPC' });
    expect(existsSync(join(folder, 'raft/wal/two'))).toBe(false);
    rmSync(join(folder, 'others'));
    expect(await settled((done) => disk.createZeroed('two', MIB, done))).toBeNull();
  });
});
