// What WAL tests share: keys, an identity, crypto that watches for reused nonces, and the naive
// twin: a log as plain arrays, to which the same batches are applied.
import { NODE_WAL_CRYPTO } from '#manager/host/raft/node-crypto';
import type { Entry, EntryId, HardState } from '#manager/raft/types';
import type { SnapshotMark } from '#manager/wal/frame';
import type { KeyRing, WalCrypto, WalDisk } from '#manager/wal/interfaces';
import type { WalContents } from '#manager/wal/recovery';
import { openWal, type Wal, type WalBatch, type WalOpened } from '#manager/wal/wal';

export const IDENTITY = { clusterId: 'cluster-a', raftId: 5 };
const DEK = new Uint8Array(32).fill(7);
export const KEYS: KeyRing = {
  currentId: '0011223344556677',
  key: (id) => (id === '0011223344556677' ? DEK : null),
};

/** Real crypto that throws when a key and nonce are used for a second, different plaintext. */
export class WatchedCrypto implements WalCrypto {
  readonly #used = new Map<string, string>();

  randomBytes(count: number): Uint8Array {
    return NODE_WAL_CRYPTO.randomBytes(count);
  }

  sha256(bytes: Uint8Array): Uint8Array {
    return NODE_WAL_CRYPTO.sha256(bytes);
  }

  newSha256(): ReturnType<WalCrypto['newSha256']> {
    return NODE_WAL_CRYPTO.newSha256();
  }

  hkdfSha256(key: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
    return NODE_WAL_CRYPTO.hkdfSha256(key, salt, info, length);
  }

  seal(input: Parameters<WalCrypto['seal']>[0]): Uint8Array {
    const id = `${hex(input.key)} ${hex(input.nonce)}`;
    const content = `${hex(input.aad)} ${hex(input.data)}`;
    const before = this.#used.get(id);
    if (before !== undefined && before !== content) throw new Error('nonce was used twice');
    this.#used.set(id, content);
    return NODE_WAL_CRYPTO.seal(input);
  }

  open(input: Parameters<WalCrypto['open']>[0]): Uint8Array | null {
    return NODE_WAL_CRYPTO.open(input);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export const SEGMENT_BYTES = 64 * 1024;

export function open(disk: WalDisk, crypto: WalCrypto, acceptDamage = false): WalOpened {
  const options = { identity: IDENTITY, segmentBytes: SEGMENT_BYTES, acceptDamage };
  return openWal(options, { disk, crypto, keys: KEYS });
}

/** Opens a log that must be whole. */
export function openWhole(disk: WalDisk, crypto: WalCrypto): { wal: Wal; contents: WalContents } {
  const opened = open(disk, crypto);
  if (opened.state === 'ok') return opened;
  throw new Error(`the log does not open: ${JSON.stringify(opened)}`);
}

/** The log as plain data. */
export interface LogModel {
  readonly hardState: HardState;
  readonly base: EntryId;
  readonly mark: SnapshotMark | null;
  readonly entries: readonly Entry[];
}

export const EMPTY_MODEL: LogModel = {
  hardState: { term: 0, vote: 0, commit: 0 },
  base: { index: 0, term: 0 },
  mark: null,
  entries: [],
};

/** What the log says after `batch`. */
export function applyBatch(model: LogModel, batch: WalBatch): LogModel {
  let { base, mark } = model;
  let entries = [...model.entries];
  if (batch.mark !== null) {
    mark = batch.mark;
    base = batch.mark.base;
    const from = base.index;
    entries = batch.mark.replacesLog ? [] : entries.filter(({ index }) => index > from);
  }
  const first = batch.entries[0];
  if (first !== undefined) {
    entries = [...entries.filter(({ index }) => index < first.index), ...batch.entries];
  }
  return { hardState: batch.hardState, base, mark, entries };
}

/** A comparable text of a log; the commit mark is left out, because it may lag. */
export function modelText(model: LogModel): string {
  const { hardState, base, mark, entries } = model;
  return JSON.stringify({
    vote: [hardState.term, hardState.vote],
    base,
    snapshot: mark?.meta ?? null,
    entries: entries.map(({ index, term, type, data }) => [index, term, type, hex(data)]),
  });
}
