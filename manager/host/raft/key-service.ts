// Changes of a running member's keys, as its main thread asks for them, and the end of changes that an earlier process began, or that a full disk has held up: an old key that
// has been on the disk in the clear must not stay because nobody restarts the manager. What is durable when: key-vault.ts.
import type { RaftHost } from './host.ts';
import type { KeyVault, SealedThings } from './key-vault.ts';
import { KEY_CHANGE_RETRY_MS } from './limits.ts';
import type { ThreadService } from './thread-messages.ts';

/** What asks for another key. */
export type KeyChange = Exclude<ThreadService, { readonly kind: 'identity' }>;

export class KeyService {
  readonly #vault: KeyVault;
  readonly #host: RaftHost;
  readonly #things: SealedThings;
  /** Another try is due. */
  #retry: NodeJS.Timeout | null = null;

  constructor(
    vault: KeyVault,
    host: RaftHost,
    files: Pick<SealedThings, 'wal' | 'storage' | 'snapshots'>,
  ) {
    this.#vault = vault;
    this.#host = host;
    this.#things = {
      ...files,
      beginSegment: () => new Promise((resolve) => host.beginSegment(resolve)),
      takeWholeSnapshot: () => new Promise((resolve) => host.takeWholeSnapshot(resolve)),
    };
  }

  /** Resolves when what was asked for is durable; a new data key also when the old one is gone. */
  async perform(change: KeyChange): Promise<void> {
    if (change.kind === 'rotateDataKey') {
      this.#vault.addKey();
      try {
        await this.#vault.finishChange(this.#things);
      } catch (error) {
        this.#tryLater();
        throw error;
      }
    } else {
      this.#vault.setUnlockKey(change.kek);
      this.finish();
    }
  }

  /** Goes on with a change of the data key that nobody waits for. */
  finish(): void {
    if (!this.#vault.isChanging) return;
    this.#vault.finishChange(this.#things).then(
      () => this.#host.noteLine('info', 'the old data key is gone', {}),
      (error: unknown) => {
        this.#host.noteLine('warn', 'data key change', { error: String(error) });
        this.#tryLater();
      },
    );
  }

  #tryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.finish();
    }, KEY_CHANGE_RETRY_MS).unref();
  }
}
