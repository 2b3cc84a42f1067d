// The folder of a member that begins with a given state instead of an empty one (restore from a
// backup): the state becomes a snapshot, and the log's first frame says that it holds everything up
// to `index`, with this member as the only voter. A folder that was seeded half must be removed by
// the caller before the next try.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EMPTY_CONF_STATE, type SnapshotMeta } from '#manager/raft/types';
import type { SnapshotMark } from '#manager/wal/frame';
import { SEGMENT_DEFAULT_BYTES } from '#manager/wal/limits';
import { openWal } from '#manager/wal/wal';
import { TswarmError } from '#protocol/errors';
import { lockFolder } from './folder-lock.ts';
import { keyFileAt } from './key-file.ts';
import { KeyVault } from './key-vault.ts';
import { NODE_WAL_CRYPTO } from './node-crypto.ts';
import { NodeWalDisk, syncFolder } from './node-disk.ts';
import { SnapshotStore } from './snapshot-store.ts';

export interface Seed {
  /** Does not exist yet. */
  readonly dataDir: string;
  readonly clusterId: string;
  readonly raftId: number;
  /** By which the keys are sealed; null = not. */
  readonly kek: Uint8Array | null;
  /** Raft index of the state; the log goes on after it. */
  readonly index: number;
  readonly state: Uint8Array;
}

/** Terms begin anew: nobody of the old group is in this one. */
const FIRST_TERM = 1;

/** @throws TswarmError failed_precondition when there is a log already */
export async function seedMember(seed: Seed): Promise<void> {
  const { dataDir, clusterId, raftId, index, state } = seed;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  syncFolder(dirname(dataDir));
  const unlock = lockFolder(dataDir);
  try {
    const identity = { clusterId, raftId };
    const crypto = NODE_WAL_CRYPTO;
    const keys = new KeyVault(keyFileAt(join(dataDir, 'raft-key.json')), crypto, seed.kek);
    const disk = new NodeWalDisk(join(dataDir, 'wal'));
    const snapshots = new SnapshotStore(join(dataDir, 'snap'), { identity, crypto, keys });
    const opened = openWal(
      { identity, segmentBytes: SEGMENT_DEFAULT_BYTES, acceptDamage: false },
      { disk, crypto, keys },
    );
    if (opened.state !== 'ok' || opened.contents.segments.length > 0) {
      throw new TswarmError('failed_precondition', `${dataDir} holds a log already`);
    }
    const { wal, contents } = opened;
    const confState = { ...EMPTY_CONF_STATE, voters: [raftId] };
    const meta: SnapshotMeta = { index, term: FIRST_TERM, confState };
    await snapshots.write(meta, state);
    await settle((done) => wal.begin(contents.void, done));
    const base = { index, term: FIRST_TERM };
    const mark: SnapshotMark = { meta, hasFile: true, base, replacesLog: true };
    const hardState = { term: FIRST_TERM, vote: 0, commit: index };
    await settle((done) => wal.append({ hardState, entries: [], mark }, done));
    await settle((done) => wal.close(done));
  } finally {
    unlock();
  }
}

function settle(action: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    action((error) => (error === null ? resolve() : reject(error)));
  });
}
