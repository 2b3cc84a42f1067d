// Brings a member to life from its folder: lock, keys, log, snapshot; creates a new cluster's log
// when asked to. Runs in the Raft thread before it starts to work. Says clearly what is wrong when
// a folder cannot be used, and changes nothing in it then.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { voterIds } from '#manager/raft/conf';
import { MemoryStorage } from '#manager/raft/storage';
import { EMPTY_CONF_STATE, type SnapshotMeta } from '#manager/raft/types';
import type { SnapshotMark } from '#manager/wal/frame';
import type { KeyRing, WalCrypto, WalDisk } from '#manager/wal/interfaces';
import type { WalContents, WalRefusal } from '#manager/wal/recovery';
import { openWal, type Wal } from '#manager/wal/wal';
import { TswarmError } from '#protocol/errors';
import { lockFolder } from './folder-lock.ts';
import { forcedEntry, lastConf } from './force-new-cluster.ts';
import { keyFileAt } from './key-file.ts';
import { KeyVault } from './key-vault.ts';
import { DISK_HIGH_WATER_BYTES } from './limits.ts';
import { NODE_WAL_CRYPTO } from './node-crypto.ts';
import { NodeWalDisk, syncFolder } from './node-disk.ts';
import type { RaftNodeOptions } from './raft-node.ts';
import { type SnapshotFiles, SnapshotStore } from './snapshot-store.ts';
import { isDiskFull } from './thread-errors.ts';

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
  readonly recoverTerm: number;
  readonly contents: WalContents;
}

/** A member ready to run. */
export interface OpenedMember extends OpenedLog {
  readonly disk: NodeWalDisk;
  readonly snapshots: SnapshotStore;
  readonly vault: KeyVault;
  readonly unlock: () => void;
}

type Lost = Pick<OpenedLog, 'recoverUpTo' | 'recoverTerm'>;

const NOTHING_LOST: Lost = { recoverUpTo: 0, recoverTerm: 0 };
const FIRST_TERM = 1;
const FIRST_INDEX = 1;

/** @throws TswarmError data_loss, failed_precondition, locked, already_exists */
export async function openMember(
  options: RaftNodeOptions,
  kek: Uint8Array | null,
): Promise<OpenedMember> {
  const { dataDir, clusterId, raftId, segmentBytes } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  syncFolder(dirname(dataDir));
  const unlock = lockFolder(dataDir);
  try {
    const identity = { clusterId, raftId };
    const crypto = NODE_WAL_CRYPTO;
    const vault = new KeyVault(keyFileAt(join(dataDir, 'raft-key.json')), crypto, kek);
    const disk = new NodeWalDisk(join(dataDir, 'wal'));
    const snapshots = new SnapshotStore(join(dataDir, 'snap'), {
      identity,
      crypto,
      keys: vault,
    });
    const opened = await openLog(options, { disk, crypto, keys: vault, snapshots });
    return { ...opened, snapshots, disk, vault, unlock };
  } catch (error) {
    unlock();
    throw isDiskFull(error) ? noRoom(dataDir, segmentBytes, error) : error;
  }
}

/** Every start begins a segment. */
function noRoom(dataDir: string, segmentBytes: number, cause: unknown): TswarmError {
  const message = `the disk of ${dataDir} is full: the log cannot be continued`;
  const hint = `free at least ${segmentBytes} bytes there, better ${DISK_HIGH_WATER_BYTES}; nothing is lost, and the manager starts by itself then`;
  return new TswarmError('no_space', message, { cause, hint });
}

/** Reads the log and begins to continue it; a new cluster's is created when asked to. */
export async function openLog(options: RaftNodeOptions, place: LogPlace): Promise<OpenedLog> {
  const { raftId } = options;
  const { snapshots } = place;
  const { wal, contents } = readWal(options, place);
  const isEmpty = contents.mark === null && contents.entries.length === 0;
  checkStart(options, contents, isEmpty);
  const kept = readSnapshot(options, contents, snapshots);
  // Nothing is changed on the disk before here.
  const lost = options.forceNewCluster ? NOTHING_LOST : kept.lost;
  wal.lost(lost.recoverUpTo, lost.recoverTerm);
  await settle((done) => wal.begin(contents.void, done));
  // A member that has joined but has got nothing yet has a term, and perhaps a vote, to keep.
  const isNew = isEmpty && contents.hardState.term === 0 && options.startMode === 'bootstrap';
  if (isNew) {
    const mark = await bootstrap(wal, raftId);
    const hardState = { term: FIRST_TERM, vote: 0, commit: FIRST_INDEX };
    const storage = restoreStorage({ ...contents, mark, hardState, base: mark.base });
    const appliedIndex = FIRST_INDEX;
    return { wal, storage, snapshots, restore: null, appliedIndex, ...lost, contents };
  }
  snapshots.removeExcept(contents.mark?.hasFile ? contents.mark.meta : null);
  const usable = options.forceNewCluster ? await force(wal, kept.contents, raftId) : kept.contents;
  const storage = restoreStorage(usable);
  const appliedIndex = usable.mark?.meta.index ?? 0;
  return { wal, storage, snapshots, restore: kept.restore, appliedIndex, ...lost, contents };
}

/** Opens the log; damage is gone on behind only when there are others who have what is lost. */
function readWal(
  options: RaftNodeOptions,
  place: LogPlace,
): { readonly wal: Wal; readonly contents: WalContents } {
  const { dataDir, clusterId, raftId, segmentBytes } = options;
  const identity = { clusterId, raftId };
  const opened = openWal({ identity, segmentBytes, acceptDamage: false }, place);
  if (opened.state === 'refused') throw refused(dataDir, opened.refusal);
  if (opened.state === 'ok') return opened;
  const canGoOn = options.forceNewCluster || hasOtherVoters(opened.contents, raftId);
  if (!canGoOn) throw damaged(dataDir, opened.contents);
  const again = openWal({ identity, segmentBytes, acceptDamage: true }, place);
  if (again.state !== 'ok') throw damaged(dataDir, opened.contents);
  return again;
}

function hasOtherVoters(contents: WalContents, raftId: number): boolean {
  return voterIds(lastConf(contents)).some((id) => id !== raftId);
}

function checkStart(options: RaftNodeOptions, contents: WalContents, isEmpty: boolean): void {
  const { dataDir, startMode, forceNewCluster } = options;
  if (isEmpty && forceNewCluster) {
    const message = `${dataDir} holds no log to begin a new cluster with`;
    throw new TswarmError('failed_precondition', message, { hint: 'use `tswarm restore`' });
  }
  if (isEmpty && contents.segments.length === 0 && startMode === 'restart') {
    throw new TswarmError('failed_precondition', `${dataDir} holds no log of this member`, {
      hint: 'create a cluster with `tswarm init`, or join one with `tswarm join`',
    });
  }
}

/** The snapshot that the log stands on. Without it the log is worth nothing; with other voters, all
 * is fetched from them, and what was acknowledged here is asked for until it is back. */
function readSnapshot(
  options: RaftNodeOptions,
  contents: WalContents,
  snapshots: SnapshotFiles,
): {
  readonly restore: OpenedLog['restore'];
  readonly contents: WalContents;
  readonly lost: Lost;
} {
  const { mark, recoverUpTo, recoverTerm } = contents;
  const lost = { recoverUpTo, recoverTerm };
  if (mark === null || !mark.hasFile) return { restore: null, contents, lost };
  try {
    const bytes = snapshots.read(mark.meta);
    return { restore: { index: mark.meta.index, bytes }, contents, lost };
  } catch (error) {
    if (options.forceNewCluster || !hasOtherVoters(contents, options.raftId)) throw error;
    const last = contents.entries[contents.entries.length - 1]?.index ?? contents.base.index;
    const hardState = { ...contents.hardState, commit: 0 };
    const base = { index: 0, term: 0 };
    const emptied = { ...contents, mark: null, entries: [], base, hardState };
    const { term, commit } = contents.hardState;
    const all = { recoverUpTo: Math.max(last, commit, recoverUpTo), recoverTerm: term };
    return { restore: null, contents: emptied, lost: all };
  }
}

/** Makes this member the only one, durably. */
async function force(wal: Wal, contents: WalContents, raftId: number): Promise<WalContents> {
  const forced = forcedEntry(contents, raftId);
  if (forced === null) return contents;
  const { entry, hardState } = forced;
  await settle((done) => wal.append({ hardState, entries: [entry], mark: null }, done));
  return { ...contents, hardState, entries: [...contents.entries, entry] };
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

function restoreStorage({ mark, hardState, base, entries }: WalContents): MemoryStorage {
  const meta = mark?.meta ?? { index: 0, term: 0, confState: EMPTY_CONF_STATE };
  return MemoryStorage.restore({
    // A snapshot holds committed state, even if the commit mark on disk lags behind it.
    hardState: { ...hardState, commit: Math.max(hardState.commit, meta.index) },
    snapshot: { ...meta, data: new Uint8Array(0) },
    base,
    entries,
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
