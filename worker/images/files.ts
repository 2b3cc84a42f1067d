// Files that must be whole after a crash: temporary name, fsync, rename, fsync of the folder. And
// the words for a full disk.
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, TswarmError } from '#protocol/errors';

/** Replaces `path`: a reader, also after a crash, sees the old or the new content. */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await using file = await open(temporary, 'w', 0o600);
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, `cannot write ${path}`);
  }
  await rename(temporary, path);
  await syncDir(dirname(path));
}

/** Makes renames and new names in a folder durable. */
export async function syncDir(path: string): Promise<void> {
  await using dir = await open(path, 'r');
  await dir.sync();
}

/** Collects small chunks, so that one write carries about a MiB. */
export class FileWriter {
  readonly #file: FileHandle;
  readonly #chunkBytes: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(file: FileHandle, chunkBytes: number) {
    this.#file = file;
    this.#chunkBytes = chunkBytes;
  }

  /** Resolves when the bytes are accepted. The chunk must not be changed afterwards. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes >= this.#chunkBytes) await this.flush();
  }

  async flush(): Promise<void> {
    let chunks = this.#pending;
    this.#pending = [];
    let left = this.#pendingBytes;
    this.#pendingBytes = 0;
    while (left > 0) {
      const { bytesWritten } = await this.#file.writev(chunks);
      left -= bytesWritten;
      if (left > 0) chunks = dropBytes(chunks, bytesWritten);
    }
  }
}

function dropBytes(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = count;
  for (const chunk of chunks) {
    if (skip < chunk.length) rest.push(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return rest;
}

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** The error with code `no_space` when the disk is full, else as it is or as `internal`. */
export function diskError(error: unknown, what: string): Error {
  if (error instanceof TswarmError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && FULL.has(code)) {
    return new TswarmError('no_space', `${what}: no space left on device`, {
      cause: error,
      hint: 'Free disk space (`tswarm image prune`) and try again.',
    });
  }
  return new TswarmError('internal', `${what}: ${messageOf(error)}`, { cause: error });
}

/** True for the error of a file that does not exist. */
export function isMissing(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ENOENT';
}
