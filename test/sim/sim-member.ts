// One member across all its lives: its disk and what must be on it, its identity, and the process
// that runs now, if any.
import type { LogPlace, OpenedLog } from '#manager/host/raft/open-member';
import { EMPTY_CONF_STATE, type SnapshotMeta } from '#manager/raft/types';
import type { KeyRing } from '#manager/wal/interfaces';
import { openWal } from '#manager/wal/wal';
import { hasCode } from '#protocol/errors';
import { DurableLog } from './durable-log.ts';
import type { SimCrypto } from './sim-crypto.ts';
import { type SimDrive, SimSnapshots } from './sim-drive.ts';
import type { SimProcess } from './sim-process.ts';

export const CLUSTER_ID = 'cluster-s';
const KEY_ID = '00112233445566aa';
const DATA_KEY = new Uint8Array(32).fill(9);
const KEYS: KeyRing = { currentId: KEY_ID, key: (id) => (id === KEY_ID ? DATA_KEY : null) };

export class SimMember {
  readonly id: number;
  readonly drive: SimDrive;
  readonly durable: DurableLog;
  readonly place: LogPlace;
  process: SimProcess | null = null;
  /** Its disk has lost log at some time. */
  hasRotted = false;
  /** Faults of this life of the process that may end it. */
  hasCause = false;
  starts = 0;
  /** Out of the group for good; never started again. */
  isGone = false;
  /** Its log has lost what it cannot do without: an operator would have to replace it. */
  isBroken = false;

  constructor(id: number, drive: SimDrive, crypto: SimCrypto) {
    this.id = id;
    this.drive = drive;
    this.durable = new DurableLog(id);
    const identity = { clusterId: CLUSTER_ID, raftId: id };
    const keys = KEYS;
    const snapshots = new SimSnapshots(drive, { identity, crypto, keys });
    this.place = { disk: drive, crypto, keys, snapshots };
  }

  /** Writes the log that all members of a group of `voters` begin with. */
  prepare(voters: readonly number[], segmentBytes: number): void {
    const { drive, place } = this;
    drive.isInstant = true;
    const identity = { clusterId: CLUSTER_ID, raftId: this.id };
    const opened = openWal({ identity, segmentBytes, acceptDamage: false }, place);
    if (opened.state !== 'ok') throw new Error('an empty disk does not open');
    const { wal } = opened;
    const confState = { ...EMPTY_CONF_STATE, voters };
    const meta = { index: 1, term: 1, confState };
    const mark = { meta, hasFile: false, base: { index: 1, term: 1 }, replacesLog: true };
    const hardState = { term: 1, vote: 0, commit: 1 };
    wal.begin([], rethrow);
    wal.append({ hardState, entries: [], mark }, rethrow);
    wal.close(rethrow);
    drive.isInstant = false;
  }

  /** The Raft thread has opened the log. */
  opened({ contents, wal }: OpenedLog): void {
    this.durable.restart({ contents, isNew: this.starts === 0 }, this.hasRotted);
    this.durable.follow(wal, () => {});
    this.starts++;
  }

  /** The bytes of a snapshot, or null when it was replaced by a newer one. */
  readSnapshot(meta: SnapshotMeta): Uint8Array | null {
    try {
      return this.place.snapshots.read(meta);
    } catch (error) {
      if (hasCode(error, 'data_loss')) return null;
      throw error;
    }
  }
}

function rethrow(error: Error | null): void {
  if (error !== null) throw error;
}
