// Room for small files when the disk is full. A node must then still write down how its containers end, and forget what is removed to make room; so some files are kept below
// its data root that were written in full while there was room. What must be replaced is written into one of them, which needs no new block, and gets its name; the file of before
// is the next spare one, so that a container which is restarted for ever uses up nothing. Filled up again as soon as small files can be written as usual.
// New files (containers, volumes, images that are made) and bulk data (layers, logs, what containers write) never get one.
import {
  closeSync,
  existsSync,
  fchmodSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { SPARE_FILES_BYTES } from './limits.ts';

/** Below the data root. */
const FOLDER = 'spare';
/** What stat(2) counts in. */
const STAT_BLOCK_BYTES = 512;

/** A file as it shall be. */
export interface WholeFile {
  readonly path: string;
  /** Its name until it is written. */
  readonly temporary: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly sync: boolean;
}

class SpareFiles {
  readonly #folder: string;
  /** Spare files that are there: path → bytes that need no new block. */
  readonly #bytes = new Map<string, number>();
  #filling: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get isFull(): boolean {
    return SPARE_FILES_BYTES.every((bytes, slot) => this.#has(slot, bytes));
  }

  #path(slot: number): string {
    return join(this.#folder, String(slot));
  }

  #has(slot: number, bytes: number): boolean {
    return (this.#bytes.get(this.#path(slot)) ?? 0) >= bytes;
  }

  /** Writes those that are missing or have become smaller, as far as there is room. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill()
      .catch(() => undefined)
      .finally(() => {
        this.#filling = undefined;
      });
    return this.#filling;
  }

  async #fill(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    for (const slot of SPARE_FILES_BYTES.keys()) this.#keep(this.#path(slot));
    for (const [slot, bytes] of SPARE_FILES_BYTES.entries()) {
      if (this.#has(slot, bytes)) continue;
      await writeInFull(this.#path(slot), bytes);
      this.#keep(this.#path(slot));
    }
  }

  /** Takes down what is there under this name. */
  #keep(path: string): void {
    const { blocks } = statSync(path, { throwIfNoEntry: false }) ?? { blocks: 0 };
    this.#bytes.set(path, blocks * STAT_BLOCK_BYTES);
  }

  /** Puts the smallest that is large enough in place of the file, which takes its place here. @returns false when there is none; then nothing has changed */
  async replace(file: WholeFile): Promise<boolean> {
    const [spare] = [...this.#bytes]
      .filter(([path, bytes]) => bytes >= file.bytes.length && existsSync(path))
      .sort(([, a], [, b]) => a - b)
      .map(([path]) => path);
    if (spare === undefined) return false;
    this.#bytes.delete(spare);
    try {
      renameSync(spare, file.temporary);
      overwrite(file.temporary, file.bytes, file.mode);
      if (file.sync) await syncFile(file.temporary);
      linkSync(file.path, spare);
      renameSync(file.temporary, file.path);
      this.#keep(spare);
      return true;
    } catch {
      rmSync(file.temporary, { force: true });
      rmSync(spare, { force: true });
      return false;
    }
  }
}

/** Under another name until it is whole: the one that is there is better than a part. */
async function writeInFull(path: string, bytes: number): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await using file = await open(temporary, 'w', 0o600);
    await file.writeFile(new Uint8Array(bytes));
    await file.datasync();
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  renameSync(temporary, path);
}

const kept = new Map<string, SpareFiles>();

/** From now on small files below this folder are replaced on a full disk too. Resolves when the spare files are there, as far as there is room. */
export async function keepSpareFiles(root: string): Promise<void> {
  const spares = kept.get(root) ?? new SpareFiles(join(root, FOLDER));
  kept.set(root, spares);
  await spares.fill();
}

function sparesFor(path: string): SpareFiles | undefined {
  for (const [root, spares] of kept) if (path.startsWith(`${root}/`)) return spares;
  return undefined;
}

/** A small file could be written as usual: perhaps there is room again. */
export function fillSpareFiles(path: string): void {
  const spares = sparesFor(path);
  if (spares && !spares.isFull) void spares.fill();
}

/** Replaces a file that exists without a new block. @returns false when there is no spare file for it; then nothing has changed */
export async function writeIntoSpare(file: WholeFile): Promise<boolean> {
  if (!existsSync(file.path)) return false;
  return (await sparesFor(file.path)?.replace(file)) ?? false;
}

/** Gives a spare file below `root` the name `target`, which is on the same disk: for who comes before `keepSpareFiles`. @returns false when there is none */
export function takeSpareFile(root: string, target: string): boolean {
  return SPARE_FILES_BYTES.some((_, slot) => {
    try {
      renameSync(join(root, FOLDER, String(slot)), target);
      return true;
    } catch {
      return false;
    }
  });
}

/** New contents for a file that was written in full: no block is asked for. */
export function overwrite(path: string, bytes: Uint8Array, mode: number): void {
  const opened = openSync(path, 'r+');
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(opened, bytes, done);
    ftruncateSync(opened, bytes.length);
    fchmodSync(opened, mode);
  } finally {
    closeSync(opened);
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.datasync();
}
