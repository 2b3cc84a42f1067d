// A disk in memory that can lose power. Writes wait until the test completes them; at a crash each
// sector of a waiting write is kept, lost, or torn in the middle, files that were being created are
// missing, short or whole, and files that were removed may be back. Completed writes are never
// lost. Can also fail writes and damage bytes.
import type { WalDisk, WalFile } from '#manager/wal/interfaces';
import type { Prng } from '#test/support/prng';

const SECTOR_BYTES = 512;

interface Waiting {
  readonly complete: () => void;
  readonly crash: (prng: Prng) => void;
}

type Done = (error: Error | null) => void;

export class FakeDisk implements WalDisk {
  #files = new Map<string, Uint8Array>();
  /** Removed since the last crash; a crash may bring them back. */
  #removed = new Map<string, Uint8Array>();
  #waiting: Waiting[] = [];
  #failNext: Error | null = null;
  /** Complete everything at once. */
  isInstant = false;

  list(): readonly string[] {
    return [...this.#files.keys()];
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
    this.#submit(done, {
      complete: () => this.#files.set(name, new Uint8Array(sizeBytes)),
      crash: (prng) => {
        const outcome = prng.below(3);
        if (outcome === 1) this.#files.set(name, new Uint8Array(prng.below(sizeBytes)));
        if (outcome === 2) this.#files.set(name, new Uint8Array(sizeBytes));
      },
    });
  }

  open(name: string): WalFile {
    const file = this.#file(name);
    return {
      write: (offset, bytes, done) => {
        if (offset + bytes.length > file.length) throw new Error('write beyond the end');
        const copy = bytes.slice();
        this.#submit(done, {
          complete: () => file.set(copy, offset),
          crash: (prng) => tear(file, offset, copy, prng),
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

  #submit(done: Done, effect: { complete: () => void; crash: (prng: Prng) => void }): void {
    const failure = this.#failNext;
    this.#failNext = null;
    const complete = (): void => {
      if (failure === null) effect.complete();
      done(failure);
    };
    if (this.isInstant) complete();
    else this.#waiting.push({ complete, crash: effect.crash });
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Completes the oldest waiting operation. */
  completeOne(): void {
    this.#waiting.shift()?.complete();
  }

  completeAll(): void {
    while (this.#waiting.length > 0) this.completeOne();
  }

  /** The next write or creation reports `error` and has no effect. */
  failNext(error: Error): void {
    this.#failNext = error;
  }

  /** Power is lost: what waits is kept in part, and its callers never hear of it. */
  crash(prng: Prng): void {
    for (const waiting of this.#waiting) waiting.crash(prng);
    this.#waiting = [];
    for (const [name, file] of this.#removed) if (prng.chance(0.5)) this.#files.set(name, file);
    this.#removed = new Map();
  }

  /** Flips one bit. */
  damage(name: string, offset: number, bit: number): void {
    const file = this.#file(name);
    file[offset] = (file[offset] ?? 0) ^ (1 << bit);
  }

  /** A disk with the same durable content. */
  clone(): FakeDisk {
    const other = new FakeDisk();
    for (const [name, file] of this.#files) other.#files.set(name, file.slice());
    return other;
  }
}

function tear(file: Uint8Array, offset: number, bytes: Uint8Array, prng: Prng): void {
  const keep = prng.next();
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    if (prng.next() >= keep) continue;
    const whole = Math.min(SECTOR_BYTES, bytes.length - at);
    const length = prng.chance(0.1) ? prng.below(whole) : whole;
    file.set(bytes.subarray(at, at + length), offset + at);
  }
}
