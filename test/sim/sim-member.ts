// One member across all its lives: its disk and what must be on it, its identity, and the process
// that runs now, if any.
import type { KeyVault } from '#manager/host/raft/key-vault';
import type { LogPlace, OpenedLog } from '#manager/host/raft/open-member';
import { EMPTY_CONF_STATE, type SnapshotMeta } from '#manager/raft/types';
import { openWal } from '#manager/wal/wal';
import { hasCode } from '#protocol/errors';
import { DurableLog } from './durable-log.ts';
import { check } from './failure.ts';
import type { GroupChecks } from './group-checks.ts';
import type { SimCrypto } from './sim-crypto.ts';
import { type SimDrive, SimSnapshots } from './sim-drive.ts';
import { SimKeys } from './sim-keys.ts';
import type { SimProcess } from './sim-process.ts';

export const CLUSTER_ID = 'cluster-s';
/** What a group that is forced to begin anew begins with. */
export type ForcedLog = Parameters<typeof GroupChecks.forced>[1];

/** A member's folder, opened. */
export interface OpenPlace extends LogPlace {
  readonly keys: KeyVault;
  readonly snapshots: SimSnapshots;
}

export class SimMember {
  readonly id: number;
  readonly drive: SimDrive;
  readonly durable: DurableLog;
  readonly keys: SimKeys;
  readonly #crypto: SimCrypto;
  /** The rules for the group that it is, or was, a member of. */
  checks: GroupChecks;
  /** Set while its next start is to make it the only member; told what it begins with. */
  onForced: ((log: ForcedLog) => void) | null = null;
  /** Of the last start. */
  #place: OpenPlace | null = null;
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

  constructor(id: number, drive: SimDrive, crypto: SimCrypto, checks: GroupChecks) {
    this.id = id;
    this.drive = drive;
    this.durable = new DurableLog(id);
    this.keys = new SimKeys(id, drive, crypto);
    this.#crypto = crypto;
    this.checks = checks;
  }

  /** Opens the folder with the unlock key that fits, as every process does when it starts. */
  open(): OpenPlace {
    const { id, drive } = this;
    const crypto = this.#crypto;
    const keys = this.keys.open();
    const identity = { clusterId: CLUSTER_ID, raftId: id };
    const snapshots = new SimSnapshots(drive, { identity, crypto, keys });
    this.#place = { disk: drive, crypto, keys, snapshots };
    return this.#place;
  }

  get place(): OpenPlace | null {
    return this.#place;
  }

  /** Writes the log that all members of a group of `voters` begin with. */
  prepare(voters: readonly number[], segmentBytes: number): void {
    const { drive } = this;
    drive.isInstant = true;
    const place = this.open();
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
  opened({ contents, storage, wal, restore }: OpenedLog): void {
    const found = { contents, isNew: this.starts === 0, isForced: this.onForced !== null };
    this.durable.restart(found, this.hasRotted);
    const hasSnapshot = contents.mark?.hasFile !== true || restore !== null;
    check(hasSnapshot || this.hasRotted, 'a snapshot that nothing has damaged is there', () => ({
      member: this.id,
      snapshot: contents.mark?.meta.index,
    }));
    if (this.onForced !== null) {
      const firstIndex = storage.firstIndex();
      const entries =
        storage.entries(firstIndex, storage.lastIndex() + 1, Number.POSITIVE_INFINITY) ?? [];
      const last = entries.at(-1);
      const isNew = last !== undefined && last.index > this.durable.lastIndex;
      if (isNew) this.durable.forced(storage.hardState(), last);
      this.onForced({ baseIndex: firstIndex - 1, entries });
    }
    this.durable.follow(wal, () => {});
    this.starts++;
  }

  /** Nothing of it is being changed: its keys are as they should be. */
  checkKeys(): void {
    const { process } = this;
    const place = this.#place;
    if (!process?.wal || place === null) return;
    this.keys.checkQuiet(place.keys, new Set([...process.wal.keyIds, ...place.snapshots.keyIds]));
  }

  /** The bytes of a snapshot, or null when it was replaced by a newer one. */
  readSnapshot(meta: SnapshotMeta): Uint8Array | null {
    try {
      return this.#place?.snapshots.read(meta) ?? null;
    } catch (error) {
      if (hasCode(error, 'data_loss')) return null;
      throw error;
    }
  }
}

function rethrow(error: Error | null): void {
  if (error !== null) throw error;
}
