// The key file of a simulated member, the unlock keys that its operator was given, and the rules for both: whatever a crash leaves, the member opens with the unlock key that it was
// last told to use or with one that it was being told; once autolock is on and all is quiet, nothing on the disk is sealed with a data key that has ever been there in the clear.
import { KeyVault } from '#manager/host/raft/key-vault';
import type { WalCrypto } from '#manager/wal/interfaces';
import { hasCode, TswarmError } from '#protocol/errors';
import { check, SimFailure } from './failure.ts';

type UnlockKey = Uint8Array | null;

/** What decides whether a write fits. */
interface Disk {
  readonly freeBytes: number;
  settleRemovals(): void;
}

export class SimKeys {
  readonly #id: number;
  readonly #disk: Disk;
  readonly #crypto: WalCrypto;
  #file: string | null = null;
  /** Ids of data keys that were on the disk unwrapped. */
  readonly #inTheClear = new Set<string>();
  /** What the key file is locked with for certain, then what was asked for since. */
  #unlockKeys: readonly UnlockKey[] = [null];

  constructor(id: number, disk: Disk, crypto: WalCrypto) {
    this.#id = id;
    this.#disk = disk;
    this.#crypto = crypto;
  }

  /** Opens the key file with the first unlock key that fits, as an operator does who tries them all. */
  open(): KeyVault {
    for (const key of [...this.#unlockKeys].reverse()) {
      try {
        const vault = new KeyVault(this.#place(), this.#crypto, key);
        this.#unlockKeys = [this.#isLocked ? key : null];
        return vault;
      } catch (error) {
        if (!hasCode(error, 'locked')) throw error;
      }
    }
    throw new SimFailure('a member opens with an unlock key that it was told to use', {
      member: this.#id,
      known: this.#unlockKeys.length,
    });
  }

  #place(): ConstructorParameters<typeof KeyVault>[0] {
    return {
      path: 'raft-key.json',
      read: () => this.#file,
      replace: (content) => {
        if (content.length > this.#disk.freeBytes) {
          throw new TswarmError('no_space', 'ENOSPC: no space left on device');
        }
        this.#disk.settleRemovals();
        this.#file = Buffer.from(content).toString();
        const { keys } = JSON.parse(this.#file) as { keys: Record<string, string> | null };
        for (const id of Object.keys(keys ?? {})) this.#inTheClear.add(id);
      },
    };
  }

  get #isLocked(): boolean {
    const { wrapped } = JSON.parse(this.#file ?? '{}') as { wrapped?: string | null };
    return typeof wrapped === 'string';
  }

  /** What the file is locked with, as far as it was told. */
  get current(): UnlockKey {
    return this.#unlockKeys[0] ?? null;
  }

  /** The member is told to use another unlock key. */
  asked(key: UnlockKey): void {
    this.#unlockKeys = [...this.#unlockKeys, key];
  }

  /** It has said that the key is in use; what was asked for before counts no more. */
  answered(key: UnlockKey): void {
    const at = this.#unlockKeys.indexOf(key);
    if (at > 0) this.#unlockKeys = this.#unlockKeys.slice(at);
  }

  /** Nothing is being changed any more. `inUse`: data keys that something on the disk is sealed with. */
  checkQuiet(vault: KeyVault, inUse: ReadonlySet<string>): void {
    const values = (): Record<string, unknown> => ({ member: this.#id, inUse: [...inUse] });
    for (const id of inUse) check(vault.key(id) !== null, 'every data key in use is kept', values);
    if (!this.#isLocked) return;
    const isHidden = [vault.currentId, ...inUse].every((id) => !this.#inTheClear.has(id));
    check(isHidden, 'with autolock no data key in use was ever in the clear', values);
  }
}
