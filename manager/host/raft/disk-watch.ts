// What a member does about a disk that fills up. Below the low-water mark it takes no changes, gives
// leadership away as often as it gets it, and writes a snapshot so that old log can go; what others
// lead it to write still has room: the current segment, the prepared one, and a reserve that nobody
// else can use up. Above the high-water mark everything is as before, and the reserve is made again.
// Level-triggered: each look says all over again what holds. (raft.md §2.1; etcd raises an alarm for
// the whole cluster instead, which here would punish the managers whose disks are fine.)
import { messageOf } from '#protocol/errors';
import { DISK_HIGH_WATER_BYTES, DISK_LOW_WATER_BYTES } from './limits.ts';
import { threadError } from './thread-errors.ts';
import type { ThreadError, ThreadNote } from './thread-messages.ts';

export interface DiskWatchDeps {
  /** Where the log is, for messages. */
  readonly folder: string;
  readonly segmentBytes: number;
  /** Bytes that this user may still write there. */
  readonly freeBytes: () => number;
  /** Refuses changes while it is not null. */
  readonly refuse: (error: ThreadError | null) => void;
  /** Segments that a snapshot could make superfluous. */
  readonly olderSegments: () => number;
  /** Writes a snapshot and drops the log before it. */
  readonly compact: () => void;
  readonly hasReserve: () => boolean;
  /** Makes the reserve if there is none; `done` with why it could not. */
  readonly makeReserve: (done: (error: Error | null) => void) => void;
  readonly hasSpare: () => boolean;
  /** Prepares the next segment again. */
  readonly prepareSpare: () => void;
  readonly note: (
    level: ThreadNote['level'],
    message: string,
    values: ThreadNote['values'],
  ) => void;
}

export class DiskWatch {
  readonly #deps: DiskWatchDeps;
  #isLow = false;
  #isReserving = false;

  constructor(deps: DiskWatchDeps) {
    this.#deps = deps;
  }

  /** To be called often. */
  look(): void {
    const freeBytes = this.#deps.freeBytes();
    if (!this.#isLow && freeBytes < DISK_LOW_WATER_BYTES) this.#becomeLow(freeBytes);
    else if (this.#isLow && freeBytes >= DISK_HIGH_WATER_BYTES) this.#recover(freeBytes);
    this.#keepRoom(freeBytes);
  }

  #becomeLow(freeBytes: number): void {
    const { folder, refuse, note, olderSegments, compact } = this.#deps;
    this.#isLow = true;
    const message = `the disk of ${folder} is nearly full: ${freeBytes} bytes are free`;
    const hint = `free at least ${DISK_HIGH_WATER_BYTES} bytes; changes are accepted again then`;
    refuse(threadError('no_space', message, hint));
    note('error', 'the disk is nearly full: this manager takes no changes', {
      folder,
      freeBytes,
      neededBytes: DISK_HIGH_WATER_BYTES,
    });
    if (olderSegments() > 0) compact();
  }

  #recover(freeBytes: number): void {
    this.#isLow = false;
    this.#deps.refuse(null);
    this.#deps.note('info', 'the disk has room again: changes are taken', { freeBytes });
  }

  /** A try that must fail would take the last bytes from others for a moment. */
  #keepRoom(freeBytes: number): void {
    const { segmentBytes, hasSpare, prepareSpare, hasReserve, makeReserve, note } = this.#deps;
    if (!hasSpare() && (hasReserve() || freeBytes > segmentBytes)) prepareSpare();
    if (this.#isLow || hasReserve() || this.#isReserving) return;
    if (freeBytes < DISK_LOW_WATER_BYTES + segmentBytes) return;
    this.#isReserving = true;
    makeReserve((error) => {
      this.#isReserving = false;
      if (error !== null) note('warn', 'no reserve on the disk', { error: messageOf(error) });
    });
  }
}
