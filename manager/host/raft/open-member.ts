// Brings a member to life from its folder: lock, keys, log, snapshot; creates a new cluster's log
// when asked to. Runs in the Raft thread before it starts to work. Says clearly what is wrong when
// a folder cannot be used, and changes nothing in it then.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MemoryStorage } from '#manager/raft/storage';
import { EMPTY_CONF_STATE, type HardState, type SnapshotMeta } from '#manager/raft/types';
import type { SnapshotMark } from '#manager/wal/frame';
import type { KeyRing, WalCrypto, WalDisk } from '#manager/wal/interfaces';
import type { WalContents, WalRefusal } from '#manager/wal/recovery';
import { openWal, type Wal } from '#manager/wal/wal';
import { TswarmError } from '#protocol/errors';
import { lockFolder } from './folder-lock.ts';
import { loadOrCreateKeys } from './key-file.ts';
import { NODE_WAL_CRYPTO } from './node-crypto.ts';
import { NodeWalDisk, syncFolder } from './node-disk.ts';
import type { RaftNodeOptions } from './raft-node.ts';
import { type SnapshotFiles, SnapshotStore } from './snapshot-store.ts';

/** Where a member's log and snapshots are, and what seals them. */
export interface LogPlace {
  readonly disk: WalDisk;
  readonly crypto: WalCrypto;
  readonly keys: KeyRing;
  readonly snapshots: SnapshotFiles;
}

/** A log that was read and can be continued. */
export interface OpenedLog {
  readonly wal: Wal;
  readonly storage: MemoryStorage;
  readonly snapshots: SnapshotFiles;
  /** State to restore first; null for a log that reaches back to its beginning. */
  readonly restore: { readonly index: number; readonly bytes: Uint8Array } | null;
  readonly appliedIndex: number;
  readonly recoverUpTo: number;
  readonly contents: WalContents;
}

/** A member ready to run. */
export interface OpenedMember extends OpenedLog {
  readonly disk: NodeWalDisk;
  readonly snapshots: SnapshotStore;
  readonly unlock: () => void;
}

const FIRST_TERM = 1;
const FIRST_INDEX = 1;

/** @throws TswarmError data_loss, failed_precondition, locked, already_exists */
export async function openMember(
  options: RaftNodeOptions,
  kek: Uint8Array | null,
): Promise<OpenedMember> {
  const { dataDir, clusterId, raftId } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  syncFolder(dirname(dataDir));
  const unlock = lockFolder(dataDir);
  try {
    const identity = { clusterId, raftId };
    const keys = loadOrCreateKeys(join(dataDir, 'raft-key.json'), kek);
    const disk = new NodeWalDisk(join(dataDir, 'wal'));
    const crypto = NODE_WAL_CRYPTO;
    const snapshots = new SnapshotStore(join(dataDir, 'snap'), { identity, crypto, keys });
    const opened = await openLog(options, { disk, crypto, keys, snapshots });
    return { ...opened, snapshots, disk, unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Reads the log and begins to continue it; a new cluster's is created when asked to. */
export async function openLog(options: RaftNodeOptions, place: LogPlace): Promise<OpenedLog> {
  const { dataDir, clusterId, raftId, segmentBytes } = options;
  const { snapshots } = place;
  const identity = { clusterId, raftId };
  const opened = openWal({ identity, segmentBytes, acceptDamage: false }, place);
  if (opened.state === 'refused') throw refused(dataDir, opened.refusal);
  if (opened.state === 'damaged') throw damaged(dataDir, opened.contents);
  const { wal, contents } = opened;
  const isEmpty = contents.mark === null && contents.entries.length === 0;
  // A member that has joined but has got nothing yet has a term, and perhaps a vote, to keep.
  const isNew = isEmpty && contents.hardState.term === 0 && options.startMode === 'bootstrap';
  if (isEmpty && contents.segments.length === 0 && options.startMode === 'restart') {
    throw new TswarmError('failed_precondition', `${dataDir} holds no log of this member`, {
      hint: 'create a cluster with `tswarm init`, or join one with `tswarm join`',
    });
  }
  await settle((done) => wal.begin(contents.void, done));
  const mark = isNew ? await bootstrap(wal, raftId) : contents.mark;
  snapshots.removeExcept(mark?.hasFile ? mark.meta : null);
  const state = isNew ? { term: FIRST_TERM, vote: 0, commit: FIRST_INDEX } : contents.hardState;
  const storage = restoreStorage(contents, mark, state);
  const restore = mark?.hasFile
    ? { index: mark.meta.index, bytes: snapshots.read(mark.meta) }
    : null;
  const appliedIndex = mark?.meta.index ?? 0;
  const { recoverUpTo } = contents;
  return { wal, storage, snapshots, restore, appliedIndex, recoverUpTo, contents };
}

/** The first frame of a new cluster: a configuration with this member as the only voter, as if by a
 * snapshot of an empty state, so that members that join later never ask for what came before. */
async function bootstrap(wal: Wal, raftId: number): Promise<SnapshotMark> {
  const confState = { ...EMPTY_CONF_STATE, voters: [raftId] };
  const meta: SnapshotMeta = { index: FIRST_INDEX, term: FIRST_TERM, confState };
  const base = { index: FIRST_INDEX, term: FIRST_TERM };
  const mark: SnapshotMark = { meta, hasFile: false, base, replacesLog: true };
  const hardState = { term: FIRST_TERM, vote: 0, commit: FIRST_INDEX };
  await settle((done) => wal.append({ hardState, entries: [], mark }, done));
  return mark;
}

function restoreStorage(
  contents: WalContents,
  mark: SnapshotMark | null,
  state: HardState,
): MemoryStorage {
  const meta = mark?.meta ?? { index: 0, term: 0, confState: EMPTY_CONF_STATE };
  // A snapshot holds committed state, even if the commit mark on disk lags behind it.
  const hardState = { ...state, commit: Math.max(state.commit, meta.index) };
  return MemoryStorage.restore({
    hardState,
    snapshot: { ...meta, data: new Uint8Array(0) },
    base: mark?.base ?? { index: 0, term: 0 },
    entries: contents.entries,
  });
}

function settle(action: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    action((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function refused(dataDir: string, refusal: WalRefusal): TswarmError {
  const where = `${dataDir}/wal/${refusal.segment}: ${refusal.detail}`;
  if (refusal.reason === 'key_unknown') {
    const hint = 'restore raft-key.json from a backup';
    return new TswarmError('data_loss', `the log cannot be decrypted: ${where}`, { hint });
  }
  const hint =
    refusal.reason === 'version'
      ? 'start the newer version of tswarm that wrote it'
      : 'use the data folder of this member, or an empty one';
  return new TswarmError('failed_precondition', `the log cannot be used: ${where}`, { hint });
}

function damaged(dataDir: string, contents: WalContents): TswarmError {
  const damage = contents.damage;
  const place =
    damage === null ? '' : `${dataDir}/wal/${damage.segment} at byte ${damage.offsetBytes}`;
  const message =
    `the log is damaged: ${place}: ${damage?.reason ?? ''}; ` +
    `entries up to ${damage?.lastGoodIndex ?? 0} are whole, ` +
    `${damage?.highestIndexSeen ?? 0} were acknowledged`;
  const hint =
    'nothing was changed; restore a backup (`tswarm restore`), or remove this manager from the ' +
    'cluster and let it join again with an empty folder';
  return new TswarmError('data_loss', message, { hint });
}
