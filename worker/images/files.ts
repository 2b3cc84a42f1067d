// Files that must be whole after a crash, writes in large pieces, and the words for a full disk.
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf, writeFileAtomic as replaceFile } from '../files.ts';

export { diskError } from '../files.ts';

/** Replaces `path`: a reader, also after a crash, sees the old or the new content. */
export function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  return replaceFile(path, content, { sync: true });
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

/** True for the error of a file that does not exist. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}
