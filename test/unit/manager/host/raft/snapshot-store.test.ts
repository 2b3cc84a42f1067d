// Goal: what is stored is whole whatever else goes on: the same snapshot written twice at a time, and
// left-overs of a crash. Method: the real store in a folder of its own.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NODE_WAL_CRYPTO } from '#manager/host/raft/node-crypto';
import { SnapshotStore } from '#manager/host/raft/snapshot-store';
import { EMPTY_CONF_STATE } from '#manager/raft/types';
import { IDENTITY, KEYS } from '#test/support/wal/harness';

const META = { index: 40, term: 3, confState: EMPTY_CONF_STATE };

describe('the snapshot store', () => {
  let folder = '';
  let store: SnapshotStore;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tswarm-snapshots-'));
    const deps = { identity: IDENTITY, crypto: NODE_WAL_CRYPTO, keys: KEYS };
    store = new SnapshotStore(join(folder, 'snap'), deps);
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('keeps a whole file when one snapshot is written twice at a time', async () => {
    // Several chunks, so that the two writes take turns.
    const plain = new Uint8Array(6 * 1024 * 1024).fill(7);
    for (let round = 0; round < 3; round++) {
      await Promise.all([store.write(META, plain), store.write(META, plain)]);
      expect(Buffer.compare(store.read(META), plain)).toBe(0);
    }
    expect(readdirSync(join(folder, 'snap'))).toHaveLength(1);
  });

  it('removes what a crash has left, and older snapshots, but not the one in use', async () => {
    await store.write(META, Uint8Array.of(1));
    await store.write({ ...META, index: 50 }, Uint8Array.of(2));
    const [name = ''] = readdirSync(join(folder, 'snap'));
    for (const end of ['.tmp', '.3.tmp']) writeFileSync(join(folder, 'snap', name + end), '');
    store.removeExcept({ index: 50, term: 3 });
    expect(readdirSync(join(folder, 'snap'))).toHaveLength(1);
    expect(store.read({ ...META, index: 50 })).toEqual(Uint8Array.of(2));
  });
});
