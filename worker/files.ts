// Small files of the worker's own: replaced as a whole (temporary name, then rename), read back tolerantly. A file that was torn by a power cut reads as
// absent, and what it described is found out anew; what must survive a power cut is written with `sync`.
// What only touches the kernel's memory (small writes, names, folders) is done at once: a step of it takes some ten microseconds, the way through the
// thread pool and back several times that, and a container's life has a hundred such steps. What waits for a disk (syncs, trees of any size) is not.
import {
  closeSync,
  fchmodSync,
  fdatasync,
  fsync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, TswarmError } from '#protocol/errors';
import { fillSpareFiles, writeIntoSpare } from './spare-files.ts';

const dataToDisk = promisify(fdatasync);
const toDisk = promisify(fsync);

export interface WriteOptions {
  /** Permission bits; 0600 when absent. */
  readonly mode?: number;
  /** Waits until file and folder are on the disk. */
  readonly sync?: boolean;
}

let temporaryCount = 0;

/** Replaces the file in one step, on a full disk with the help of a spare file. @throws TswarmError no_space when there is none; then the file is as it was */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: WriteOptions = {},
): Promise<void> {
  temporaryCount += 1;
  const temporary = `${path}.${process.pid}.${temporaryCount}.tmp`;
  try {
    await writeNew(temporary, data, options);
    renameSync(temporary, path);
    fillSpareFiles(path);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (!isFull(error)) throw error;
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const { mode = 0o600, sync = false } = options;
    const isWritten = await writeIntoSpare({ path, temporary, bytes, mode, sync });
    if (!isWritten) throw diskError(error, `cannot write ${path}`);
  }
  if (options.sync) await syncFolder(dirname(path));
}

async function writeNew(
  path: string,
  data: string | Uint8Array,
  options: WriteOptions,
): Promise<void> {
  const file = openSync(path, 'w', options.mode ?? 0o600);
  try {
    writeFileSync(file, data);
    if (options.mode !== undefined) fchmodSync(file, options.mode);
    if (options.sync) await dataToDisk(file);
  } finally {
    closeSync(file);
  }
}

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** The disk, or what one may have of it, is full. */
export function isFull(error: unknown): boolean {
  return FULL.has(codeOf(error));
}

/** The error with code `no_space` when the disk is full, else as it is or as `internal`. */
export function diskError(error: unknown, what: string): Error {
  if (error instanceof TswarmError) return error;
  if (isFull(error)) {
    return new TswarmError('no_space', `${what}: no space left on device`, {
      cause: error,
      hint: 'Free disk space (`tswarm system df`, `tswarm system prune`) and try again.',
    });
  }
  return new TswarmError('internal', `${what}: ${messageOf(error)}`, { cause: error });
}

const TEMPORARY = /\.\d+\.\d+\.tmp$/;

/**
 * Removes the temporary files that a killed process left in the folder, and in its folders down to `depth`. Only while nobody else writes there.
 */
export async function sweepTemporaries(path: string, depth = 0): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  await Promise.all(
    entries.map(async (entry) => {
      const inner = join(path, entry.name);
      if (entry.isDirectory() && depth > 0) await sweepTemporaries(inner, depth - 1);
      else if (entry.isFile() && TEMPORARY.test(entry.name)) await rm(inner, { force: true });
    }),
  );
}

/** Waits until the folder's entries are on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = openSync(path, 'r');
  try {
    await toDisk(folder);
  } finally {
    closeSync(folder);
  }
}

/** The JSON value of a file; undefined when it is absent, torn or not JSON. */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError || codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The text of a file; undefined when it is absent. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Names in a folder; none when it is absent. Left-over temporary files are not among them. */
export async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).filter((name) => !name.endsWith('.tmp'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

export async function makeFolder(path: string, mode = 0o700): Promise<void> {
  mkdirSync(path, { recursive: true, mode });
}

/** Removes a file or a whole tree of our own; nothing when it is absent. Never follows links, never crosses into a mount that is busy. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** Removes one small file; nothing when it is absent. */
export async function removeFile(path: string): Promise<void> {
  unlessMissing(() => unlinkSync(path));
}

/** As `removeTree`, for a tree of a few small files on a tmpfs. */
export async function removeSmallTree(path: string): Promise<void> {
  rmSync(path, { recursive: true, force: true });
}

function unlessMissing(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** `ENOENT` and the like; '' when the thing thrown has no code. */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
