// A member's disk: the folder of the log and the folder of snapshots. What was reported as done is
// kept; what is on its way when power is lost is kept in part: sectors in any combination, a sector
// torn, a file missing, short or whole, a rename done or not. It can be slow, fail, fill up, and
// let what it holds decay. Decay spares the last durable write: after a crash the last frame alone
// cannot be told from a torn one (manager/wal/DESIGN.md, rule 6).
import type { SnapshotFiles } from '#manager/host/raft/snapshot-store';
import type { SnapshotMeta } from '#manager/raft/types';
import type { KeyRing, WalDisk, WalFile, WalIdentity } from '#manager/wal/interfaces';
import {
  parseSnapshotName,
  readSnapshotFile,
  SnapshotReader,
  SnapshotWriter,
  snapshotName,
} from '#manager/wal/snapshot-file';
import { TswarmError } from '#protocol/errors';
import type { Prng } from '#test/support/prng';
import type { SimCrypto } from './sim-crypto.ts';
import type { SimEvent, World } from './world.ts';

const SECTOR_BYTES = 512;
const BLOCK_BYTES = 4096;
/** Both copies of a segment's header. */
const HEADER_BYTES = 2 * BLOCK_BYTES;
const EVERYTHING_BYTES = 1e15;
const NEWEST_BLOCKS = 4;

type Done = (error: Error | null) => void;

/** An operation on its way. */
interface Running {
  readonly event: SimEvent;
  /** What a loss of power leaves of it. */
  readonly crash: () => void;
}

/** How fast the disk is at the moment; microseconds. */
export interface DriveSpeed {
  readonly fastUs: number;
  readonly slowChance: number;
  readonly slowUs: number;
}

/** What the faults add up to. */
export interface DriveCounts {
  writes: number;
  errors: number;
  torn: number;
  rotten: number;
}

export class SimDrive implements WalDisk {
  readonly #world: World;
  readonly #prng: Prng;
  readonly #files = new Map<string, Uint8Array>();
  /** Removed a moment ago: a loss of power may bring them back. */
  #removed = new Map<string, Uint8Array>();
  readonly #running = new Set<Running>();
  #lastWrite: { name: string; from: number; to: number } = { name: '', from: 0, to: 0 };
  readonly counts: DriveCounts = { writes: 0, errors: 0, torn: 0, rotten: 0 };
  speed: DriveSpeed = { fastUs: 100, slowChance: 0, slowUs: 0 };
  /** So many of the next writes report an error. */
  failures = 0;
  freeBytes: number = EVERYTHING_BYTES;
  /** Told of each write that begins, and how long it will take; microseconds. */
  onWrite: ((us: number) => void) | null = null;
  /** Everything is done at once; for preparing a disk. */
  isInstant = false;

  constructor(world: World, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  list(): readonly string[] {
    return [...this.#files.keys()].filter((name) => !isSnapshot(name));
  }

  listSnapshots(): readonly string[] {
    return [...this.#files.keys()].filter(isSnapshot);
  }

  sizeBytes(name: string): number {
    return this.#file(name).length;
  }

  read(name: string, offset: number, length: number): Uint8Array {
    return this.#file(name).slice(offset, offset + length);
  }

  #file(name: string): Uint8Array {
    const file = this.#files.get(name);
    if (file === undefined) throw new Error(`no such file: ${name}`);
    return file;
  }

  createZeroed(name: string, sizeBytes: number, done: Done): void {
    const isFull = sizeBytes > this.freeBytes;
    this.#submit(isFull ? new Error('ENOSPC: no space left on device') : null, done, {
      complete: () => this.#files.set(name, new Uint8Array(sizeBytes)),
      crash: () => {
        const outcome = this.#prng.below(3);
        const size = outcome === 1 ? this.#prng.below(sizeBytes) : sizeBytes;
        if (outcome !== 0) this.#files.set(name, new Uint8Array(size));
      },
    });
  }

  open(name: string): WalFile {
    const file = this.#file(name);
    return {
      write: (offset, bytes, done) => {
        if (offset + bytes.length > file.length) throw new Error('write beyond the end');
        const copy = bytes.slice();
        this.counts.writes++;
        const failure = this.failures > 0 ? new Error('EIO: i/o error, write') : null;
        if (failure !== null) this.failures--;
        this.#submit(failure, done, {
          complete: () => {
            file.set(copy, offset);
            this.#lastWrite = { name, from: offset, to: offset + copy.length };
          },
          crash: () => this.#tear(file, offset, copy),
        });
      },
      close: () => {},
    };
  }

  remove(names: readonly string[]): void {
    for (const name of names) {
      this.#removed.set(name, this.#file(name));
      this.#files.delete(name);
    }
  }

  /** What was removed up to here stays so. */
  settleRemovals(): void {
    this.#removed.clear();
  }

  /** Writes a whole file to a temporary name, syncs it, and gives it its name. */
  replace(name: string, bytes: Uint8Array, done: Done): void {
    const temporary = `${name}.tmp`;
    const isFull = bytes.length > this.freeBytes;
    this.#submit(isFull ? new Error('ENOSPC: no space left on device') : null, firstDone, {
      complete: () => this.#files.set(temporary, bytes.slice()),
      crash: () => {
        if (this.#prng.chance(0.3)) return;
        const part = bytes.slice(0, this.#prng.below(bytes.length + 1));
        this.#files.set(temporary, part);
      },
    });
    const rename = (): void => {
      this.#files.delete(temporary);
      this.#files.set(name, bytes.slice());
    };
    const world = this;
    function firstDone(error: Error | null): void {
      if (error !== null) {
        done(error);
        return;
      }
      const crash = (): void => {
        if (world.#prng.chance(0.5)) rename();
      };
      world.#submit(null, done, { complete: rename, crash });
    }
  }

  #submit(failure: Error | null, done: Done, effect: { complete(): void; crash(): void }): void {
    if (this.isInstant) {
      effect.complete();
      done(null);
      return;
    }
    const { fastUs, slowChance, slowUs } = this.speed;
    let us = fastUs / 2 + this.#prng.next() * fastUs;
    if (this.#prng.chance(slowChance)) us += this.#prng.next() * slowUs;
    const event = this.#world.at(us, this.#world.current, () => {
      this.#running.delete(running);
      if (failure === null) effect.complete();
      else {
        this.counts.errors++;
        effect.crash();
      }
      this.#removed.clear();
      done(failure);
    });
    const running: Running = { event, crash: effect.crash };
    this.#running.add(running);
    this.onWrite?.(us);
  }

  /** Power is lost, or the process is killed with writes on their way. */
  crash(): void {
    for (const { event, crash } of this.#running) {
      event.isCancelled = true;
      this.counts.torn++;
      crash();
    }
    this.#running.clear();
    for (const [name, file] of this.#removed) {
      if (this.#prng.chance(0.5)) this.#files.set(name, file);
    }
    this.#removed.clear();
    this.failures = 0;
    this.onWrite = null;
  }

  #tear(file: Uint8Array, offset: number, bytes: Uint8Array): void {
    const keep = this.#prng.next() * 1.2;
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      if (this.#prng.next() >= keep) continue;
      const whole = Math.min(SECTOR_BYTES, bytes.length - at);
      const length = this.#prng.chance(0.1) ? this.#prng.below(whole) : whole;
      file.set(bytes.subarray(at, at + length), offset + at);
    }
  }

  /** Lets one written block of the log, or of a snapshot, decay; false when there is none that may. */
  rot(): boolean {
    const blocks: [string, Uint8Array, number][] = [];
    for (const [name, file] of this.#files) {
      if (name.endsWith('.tmp')) continue;
      for (let at = 0; at + BLOCK_BYTES <= file.length; at += BLOCK_BYTES) {
        // Of a segment header's two copies only the first decays.
        const isSecondCopy = at === BLOCK_BYTES && !isSnapshot(name);
        if (!isSecondCopy && !this.#isLast(name, at) && isWritten(file, at)) {
          blocks.push([name, file, at]);
        }
      }
      if (isSnapshot(name) && file.length < BLOCK_BYTES) blocks.push([name, file, 0]);
    }
    // What was written last matters most: half of the time one of those.
    const newest = blocks
      .filter(([name]) => !isSnapshot(name))
      .sort(byPlace)
      .slice(-NEWEST_BLOCKS);
    const some = this.#prng.chance(0.5) && newest.length > 0 ? newest : blocks;
    const chosen = some[this.#prng.below(some.length)];
    if (chosen === undefined) return false;
    const [, file, at] = chosen;
    this.counts.rotten++;
    const kind = file.length < BLOCK_BYTES ? 0 : this.#prng.below(3);
    if (kind === 0) {
      const place = at + this.#prng.below(Math.min(64, file.length - at));
      file[place] = (file[place] as number) ^ (1 << this.#prng.below(8));
    } else if (kind === 1) {
      file.fill(0, at, at + BLOCK_BYTES); // A write that the disk has lost.
    } else {
      const other = blocks[this.#prng.below(blocks.length)] ?? chosen;
      const [, source, from] = other;
      // One that it wrote to a wrong place; onto itself it would change nothing.
      if (other === chosen) file.fill(0xff, at, at + BLOCK_BYTES);
      else file.set(source.slice(from, from + BLOCK_BYTES), at);
    }
    return true;
  }

  #isLast(name: string, at: number): boolean {
    const last = this.#lastWrite;
    return name === last.name && at < last.to && at + BLOCK_BYTES > last.from;
  }

  removeSnapshot(name: string): void {
    this.#files.delete(name);
  }
}

type Block = readonly [string, Uint8Array, number];

/** Segments are named by their number. */
function byPlace([a, , at]: Block, [b, , other]: Block): number {
  return a === b ? at - other : a < b ? -1 : 1;
}

function isSnapshot(name: string): boolean {
  return name.startsWith('snap-');
}

/** Whether something was written there: in a header anywhere, else in the first bytes. */
function isWritten(file: Uint8Array, at: number): boolean {
  if (at < HEADER_BYTES) return file[at] !== 0;
  for (let i = at; i < at + 64; i++) if (file[i] !== 0) return true;
  return false;
}

/** Snapshots of one member on its drive, in the format of the log's own code. */
export class SimSnapshots implements SnapshotFiles {
  readonly #drive: SimDrive;
  readonly #deps: { identity: WalIdentity; crypto: SimCrypto; keys: KeyRing };

  constructor(drive: SimDrive, deps: { identity: WalIdentity; crypto: SimCrypto; keys: KeyRing }) {
    this.#drive = drive;
    this.#deps = deps;
  }

  write(meta: SnapshotMeta, plain: Uint8Array): Promise<void> {
    const { identity, crypto, keys } = this.#deps;
    const writer = new SnapshotWriter({ identity, meta, plain }, { crypto, keys });
    const parts = [writer.header];
    for (let chunk = writer.nextChunk(); chunk !== null; chunk = writer.nextChunk()) {
      parts.push(chunk);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#drive.replace(snapshotName(meta), new Uint8Array(Buffer.concat(parts)), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
    return promise;
  }

  read(meta: SnapshotMeta): Uint8Array {
    const name = snapshotName(meta);
    const isThere = this.#drive.listSnapshots().includes(name);
    if (!isThere) throw new TswarmError('data_loss', `snapshot ${name} is missing`);
    const bytes = this.#drive.read(name, 0, this.#drive.sizeBytes(name));
    const { plain, error } = readSnapshotFile(bytes, this.#deps);
    if (error !== null) throw new TswarmError('data_loss', `snapshot ${name}: ${error}`);
    return plain;
  }

  async keyIdOf(meta: SnapshotMeta): Promise<string | null> {
    const name = snapshotName(meta);
    return this.#drive.listSnapshots().includes(name) ? this.#keyIdIn(name) : null;
  }

  /** Keys that finished files are sealed with. */
  get keyIds(): string[] {
    const names = this.#drive.listSnapshots().filter((name) => !name.endsWith('.tmp'));
    return names.map((name) => this.#keyIdIn(name)).filter((id) => id !== null);
  }

  #keyIdIn(name: string): string | null {
    const bytes = this.#drive.read(name, 0, this.#drive.sizeBytes(name));
    const reader = SnapshotReader.open(bytes, bytes.length, this.#deps);
    return typeof reader === 'string' ? null : reader.header.keyId;
  }

  removeExcept(keep: { readonly index: number; readonly term: number } | null): void {
    const kept = keep === null ? null : snapshotName(keep);
    for (const name of this.#drive.listSnapshots()) {
      if (name !== kept) this.#drive.removeSnapshot(name);
    }
  }

  removeOlder(index: number): void {
    for (const name of this.#drive.listSnapshots()) {
      const at = parseSnapshotName(name.replace(/\.tmp$/, ''))?.index ?? index;
      if (at < index) this.#drive.removeSnapshot(name);
    }
  }
}
