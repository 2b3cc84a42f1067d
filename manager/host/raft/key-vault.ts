// The data keys of a running member, and their change. Rule: a key is in the key file, durably,
// before anything is sealed with it, and leaves it only when nothing on the disk needs it any more;
// a process that dies in between finishes the change at its next start. How the old key goes: a new
// segment, then a snapshot that drops all log before it (SwarmKit does the same, raft.md §2.3).
import type { MemoryStorage } from '#manager/raft/storage';
import type { KeyRing, WalCrypto } from '#manager/wal/interfaces';
import type { Wal } from '#manager/wal/wal';
import { TswarmError } from '#protocol/errors';
import { DataKeys, decodeKeys, encodeKeys } from './key-format.ts';
import { KEY_CHANGE_ATTEMPTS, KEY_CHANGE_PAUSE_MS } from './limits.ts';
import type { SnapshotFiles } from './snapshot-store.ts';

/** Where sealed things are, and how newer ones come to take their place. */
export interface SealedThings {
  readonly wal: Wal;
  readonly storage: MemoryStorage;
  readonly snapshots: SnapshotFiles;
  /** Begins a new segment behind what is queued. */
  readonly beginSegment: () => Promise<void>;
  /** Takes a snapshot and drops the log before it. False if none can be had now. */
  readonly takeWholeSnapshot: () => Promise<boolean>;
}

/** The key file of one member. */
export interface KeyPlace {
  /** For errors. */
  readonly path: string;
  /** Null when there is none yet. @throws TswarmError `data_loss` */
  read(): string | null;
  /** After a crash the old or the new content is there, whole; the new one when this has returned. */
  replace(content: Uint8Array): void;
}

export class KeyVault implements KeyRing {
  readonly #place: KeyPlace;
  readonly #crypto: WalCrypto;
  #keys: DataKeys;
  #kek: Uint8Array | null;

  /** @throws TswarmError `locked`, `data_loss` */
  constructor(place: KeyPlace, crypto: WalCrypto, kek: Uint8Array | null) {
    this.#place = place;
    this.#crypto = crypto;
    const text = place.read();
    if (text === null) {
      this.#keys = new DataKeys('', new Map()).rotated(crypto);
      this.#kek = kek;
      place.replace(encodeKeys(this.#keys, kek, crypto));
    } else {
      const { keys, isWrapped } = decodeKeys(place.path, text, kek, crypto);
      this.#keys = keys;
      // An unlock key that was not needed: what is there has been in the clear.
      this.#kek = isWrapped ? kek : null;
    }
  }

  get currentId(): string {
    return this.#keys.currentId;
  }

  key(id: string): Uint8Array | null {
    return this.#keys.key(id);
  }

  /** Whether an old key is still there. */
  get isChanging(): boolean {
    return this.#keys.all.size > 1;
  }

  /** From here on everything is sealed with a new key. */
  addKey(): void {
    this.#replace(this.#keys.rotated(this.#crypto), this.#kek);
  }

  /** Wraps the file by another key, or by none. Without one before, the data key has been on the disk
   * in the clear: a new one is made. */
  setUnlockKey(kek: Uint8Array | null): void {
    if (kek !== null && kek.length !== 32) {
      throw new TswarmError('invalid_argument', 'an unlock key has 32 bytes');
    }
    const isFirst = this.#kek === null && kek !== null;
    this.#replace(isFirst ? this.#keys.rotated(this.#crypto) : this.#keys, kek);
  }

  #replace(keys: DataKeys, kek: Uint8Array | null): void {
    this.#place.replace(encodeKeys(keys, kek, this.#crypto));
    this.#keys = keys;
    this.#kek = kek;
  }

  /** Reseals what is sealed with an old key and forgets it. @throws TswarmError unavailable */
  async finishChange(things: SealedThings): Promise<void> {
    for (let attempt = 0; attempt < KEY_CHANGE_ATTEMPTS; attempt++) {
      const inUse = await this.#keysInUse(things);
      if ([...inUse].every((id) => id === this.currentId)) {
        if (this.isChanging) this.#replace(this.#keys.keeping(inUse), this.#kek);
        return;
      }
      if (!things.wal.isCurrentKey(this.currentId)) await things.beginSegment();
      const isTaken = await things.takeWholeSnapshot();
      // Entries that are not applied yet keep their segment until the next attempt.
      if (!isTaken || attempt > 0) {
        await new Promise((resolve) => setTimeout(resolve, KEY_CHANGE_PAUSE_MS));
      }
    }
    throw new TswarmError(
      'unavailable',
      'the old data key is still needed: no snapshot could be taken that covers the log',
      { retryable: true, hint: 'the change is tried again by itself' },
    );
  }

  async #keysInUse({ wal, storage, snapshots }: SealedThings): Promise<ReadonlySet<string>> {
    const ids = new Set(wal.keyIds);
    const snapshot = storage.snapshot();
    if (snapshot !== null && snapshot.index > 1) {
      const keyId = await snapshots.keyIdOf(snapshot);
      if (keyId !== null) ids.add(keyId);
    }
    return ids;
  }
}
