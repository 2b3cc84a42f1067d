// Goal: a snapshot file gives back exactly what went in, or says why not. Method: files of sizes
// around the chunk size; every kind of change to their bytes.
import { describe, expect, it } from 'vitest';
import { SNAPSHOT_CHUNK_BYTES } from '#manager/wal/limits';
import {
  parseSnapshotName,
  readSnapshotFile,
  type SnapshotRead,
  SnapshotWriter,
  snapshotName,
} from '#manager/wal/snapshot-file';
import { Prng } from '#test/support/prng';
import { IDENTITY, KEYS, WatchedCrypto } from '#test/support/wal/harness';

const META = {
  index: 77,
  term: 3,
  confState: {
    voters: [1, 5],
    votersOutgoing: [],
    learners: [9],
    learnersNext: [],
    autoLeave: false,
    epoch: 0,
  },
};
const crypto = new WatchedCrypto();

function fileOf(plain: Uint8Array): Uint8Array {
  const writer = new SnapshotWriter(
    { identity: IDENTITY, meta: META, plain },
    { crypto, keys: KEYS },
  );
  const pieces = [writer.header];
  for (let chunk = writer.nextChunk(); chunk !== null; chunk = writer.nextChunk())
    pieces.push(chunk);
  return Buffer.concat(pieces);
}

function read(bytes: Uint8Array, raftId: number = IDENTITY.raftId): SnapshotRead {
  return readSnapshotFile(bytes, { identity: { ...IDENTITY, raftId }, crypto, keys: KEYS });
}

describe('snapshot files', () => {
  it.each([
    0,
    1,
    1000,
    SNAPSHOT_CHUNK_BYTES - 1,
    SNAPSHOT_CHUNK_BYTES,
    3 * SNAPSHOT_CHUNK_BYTES + 5,
  ])('%i bytes come back', (size) => {
    const plain = new Prng(size + 1).bytes(size);
    const result = read(fileOf(plain));
    expect(result.error).toBeNull();
    expect(Buffer.compare(result.plain ?? new Uint8Array(0), plain)).toBe(0);
    expect(result.header?.meta).toEqual(META);
  });

  it('no changed byte, no cut, no reordering passes', () => {
    const plain = new Prng(1).bytes(2 * SNAPSHOT_CHUNK_BYTES + 100);
    const file = fileOf(plain);
    const prng = new Prng(2);
    for (let i = 0; i < 60; i++) {
      const changed = Uint8Array.from(file);
      const offset = i < 30 ? prng.below(300) : prng.below(file.length);
      changed[offset] = (changed[offset] ?? 0) ^ (1 << prng.below(8));
      expect(read(changed).error, `offset ${offset}`).not.toBeNull();
    }
    const headerBytes = file.length - (plain.length + 32 + 3 * 16);
    const chunkBytes = SNAPSHOT_CHUNK_BYTES + 16;
    for (const cut of [1, 16, 148, chunkBytes]) {
      expect(read(file.subarray(0, file.length - cut)).error).not.toBeNull();
    }
    const swapped = Buffer.concat([
      file.subarray(0, headerBytes),
      file.subarray(headerBytes + chunkBytes, headerBytes + 2 * chunkBytes),
      file.subarray(headerBytes, headerBytes + chunkBytes),
      file.subarray(headerBytes + 2 * chunkBytes),
    ]);
    expect(swapped.length).toBe(file.length);
    expect(read(swapped).error).toContain('not authentic');
    expect(read(new Uint8Array(0)).error).not.toBeNull();
  });

  it('of another member is refused', () => {
    expect(read(fileOf(new Uint8Array(9)), 6).error).toContain('another');
  });

  it('names carry index and term', () => {
    expect(parseSnapshotName(snapshotName(META))).toEqual({ index: 77, term: 3 });
    expect(parseSnapshotName('snap-1-2.snap')).toBeNull();
  });
});
