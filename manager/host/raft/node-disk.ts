// The WAL's disk by node:fs. Writes go to O_DSYNC descriptors of files that were filled with zeros
// before, so one system call makes a batch durable without a journal commit (raft.md §5, §7.2).
// A member that leads others writes asynchronously, so that replication runs in parallel with the own
// sync. The others, and who is alone, have nothing else to do meanwhile: they write synchronously,
// because a round trip through the thread pool costs 30 to 60 µs; unless the disk hangs now and then.
// A reserve, a file of zeros beside the folder, becomes the next segment when the disk is full.
import {
  close,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  write,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { WalDisk, WalFile } from '#manager/wal/interfaces';
import { BLOCKING_WRITE_MAX_MS, SLOW_DISK_WINDOW_MS } from './limits.ts';
import { isDiskFull } from './thread-errors.ts';

const FILL_CHUNK_BYTES = 1024 * 1024;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export class NodeWalDisk implements WalDisk {
  readonly #folder: string;
  readonly #reserve: string;
  /** Whether the calling thread has nothing else to do during a write; asked at each. */
  mayBlock: () => boolean = () => true;
  /** Until then writes do not block: the disk hangs now and then. */
  #asyncUntilMs = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#reserve = join(folder, '../reserve.seg');
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    syncFolder(join(folder, '..'));
  }

  list(): readonly string[] {
    return readdirSync(this.#folder);
  }

  sizeBytes(name: string): number {
    return statSync(join(this.#folder, name)).size;
  }

  read(name: string, offset: number, length: number): Uint8Array {
    const fd = openSync(join(this.#folder, name), 'r');
    try {
      const bytes = Buffer.allocUnsafe(Math.min(length, Math.max(0, fstatSync(fd).size - offset)));
      let done = 0;
      while (done < bytes.length) {
        const count = readSync(fd, bytes, done, bytes.length - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      return bytes.subarray(0, done);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Fills in pieces that are synced one by one: one large flush would delay the log's own syncs. On a
   * full disk the reserve is taken.
   */
  createZeroed(name: string, sizeBytes: number, done: (error: Error | null) => void): void {
    const path = join(this.#folder, name);
    writeZeros(path, sizeBytes, (error) => {
      if (isDiskFull(error) && this.hasReserve(sizeBytes)) {
        done(
          attempt(() => {
            renameSync(this.#reserve, path);
            syncFolder(this.#folder);
            syncFolder(dirname(this.#reserve));
          }),
        );
      } else done(error);
    });
  }

  /** Whether a reserve of this size is there. */
  hasReserve(sizeBytes: number): boolean {
    return statSync(this.#reserve, { throwIfNoEntry: false })?.size === sizeBytes;
  }

  /** Sets a file aside that is as large as a segment. */
  makeReserve(sizeBytes: number, done: (error: Error | null) => void): void {
    // What is not whole yet must not be taken for one.
    const half = `${this.#reserve}.tmp`;
    writeZeros(half, sizeBytes, (error) => {
      done(error ?? attempt(() => renameSync(half, this.#reserve)));
    });
  }

  open(name: string): WalFile {
    const fd = openSync(join(this.#folder, name), constants.O_WRONLY | constants.O_DSYNC);
    return {
      write: (offset, bytes, done) => {
        const startMs = performance.now();
        if (!this.mayBlock() || startMs < this.#asyncUntilMs) {
          writeAll(fd, offset, bytes, done);
          return;
        }
        const error = attempt(() => writeAllSync(fd, offset, bytes));
        const nowMs = performance.now();
        if (nowMs - startMs > BLOCKING_WRITE_MAX_MS)
          this.#asyncUntilMs = nowMs + SLOW_DISK_WINDOW_MS;
        done(error);
      },
      close: () => closeSync(fd),
    };
  }

  remove(names: readonly string[]): void {
    for (const name of names) unlinkSync(join(this.#folder, name));
    if (names.length > 0) syncFolder(this.#folder);
  }
}

/** Makes changes of a folder's entries durable. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** A file of zeros, durable with its name; on an error there is none. */
function writeZeros(path: string, sizeBytes: number, done: (error: Error | null) => void): void {
  const flags = constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY | constants.O_DSYNC;
  open(path, flags, FILE_MODE, (error, fd) => {
    if (error !== null) {
      done(error);
      return;
    }
    fill(fd, 0, sizeBytes, (failure) => {
      close(fd, () => {
        if (failure !== null) {
          attempt(() => unlinkSync(path)); // A part of it is of no use.
          done(failure);
          return;
        }
        done(attempt(() => syncFolder(dirname(path))));
      });
    });
  });
}

const ZEROS = new Uint8Array(FILL_CHUNK_BYTES);

function fill(
  fd: number,
  offset: number,
  sizeBytes: number,
  finish: (error: Error | null) => void,
): void {
  if (offset >= sizeBytes) {
    finish(null);
    return;
  }
  const length = Math.min(FILL_CHUNK_BYTES, sizeBytes - offset);
  writeAll(fd, offset, ZEROS.subarray(0, length), (error) => {
    if (error !== null) finish(error);
    else fill(fd, offset + length, sizeBytes, finish);
  });
}

function writeAllSync(fd: number, offset: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  }
}

function writeAll(
  fd: number,
  offset: number,
  bytes: Uint8Array,
  done: (error: Error | null) => void,
): void {
  write(fd, bytes, 0, bytes.length, offset, (error, count) => {
    if (error !== null) done(error);
    else if (count < bytes.length) writeAll(fd, offset + count, bytes.subarray(count), done);
    else done(null);
  });
}

function attempt(action: () => void): Error | null {
  try {
    action();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
