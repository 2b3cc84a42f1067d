// The files of one container's log: `x` (written now), `x.1` (before it), `x.2` … Opening them so that no rotation between two opens can lose or double one:
// newest first, because a file only ever moves to a higher number; a file met twice is the same inode.
import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { codeOf } from '../files.ts';
import { LOG_LINE_BYTES_MAX, LOG_READ_BYTES } from '../limits.ts';

export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
  /** When the file was made, in nanoseconds; 0 where the file system does not say. Tells it from a later one with the same inode. */
  readonly bornNs: bigint;
  /** When it was opened. */
  readonly sizeBytes: number;
}

/** Opened files, oldest first, back to (not including) `until`, or all of them. The caller closes them. `isComplete`: `until` was met. */
export async function openLogFiles(
  path: string,
  until?: bigint,
): Promise<{ readonly files: readonly LogFile[]; readonly isComplete: boolean }> {
  const out: LogFile[] = [];
  let isComplete = false;
  for (let number = 0; ; number += 1) {
    const file = await openOne(number === 0 ? path : `${path}.${number}`);
    if (!file) {
      // Between two steps of a rotation the newest name is free for a moment.
      if (number === 0) continue;
      break;
    }
    if (file.inode === until) {
      await file.handle.close();
      isComplete = true;
      break;
    }
    if (out.at(-1)?.inode === file.inode) await file.handle.close();
    else out.push(file);
  }
  return { files: out.reverse(), isComplete };
}

async function openOne(path: string): Promise<LogFile | undefined> {
  try {
    const handle = await open(path, 'r');
    const info = await handle.stat({ bigint: true });
    return { handle, inode: info.ino, bornNs: info.birthtimeNs, sizeBytes: Number(info.size) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export async function closeAll(files: readonly LogFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.handle.close()));
}

const NEWLINE = 0x0a;

/** Where to begin in each file to get the last `lines` lines of all of them together; files before the first are left out. */
export async function tailStart(
  files: readonly LogFile[],
  lines: number,
): Promise<readonly { readonly file: LogFile; readonly offset: number }[]> {
  let wanted = lines;
  const out: { file: LogFile; offset: number }[] = [];
  for (const file of [...files].reverse()) {
    if (wanted <= 0) break;
    const found = await lastLines(file, wanted);
    wanted -= found.lines;
    out.push({ file, offset: found.offset });
  }
  return out.reverse();
}

/** Offset of the last `wanted` complete lines, and how many there are (at most). */
async function lastLines(
  { handle, sizeBytes }: LogFile,
  wanted: number,
): Promise<{ readonly offset: number; readonly lines: number }> {
  const buffer = new Uint8Array(LOG_READ_BYTES);
  let end = sizeBytes;
  let newlines = 0;
  while (end > 0) {
    const start = Math.max(0, end - buffer.length);
    const { bytesRead } = await handle.read(buffer, 0, end - start, start);
    for (let index = bytesRead - 1; index >= 0; index -= 1) {
      if (buffer[index] !== NEWLINE) continue;
      newlines += 1;
      // The newline before the first wanted line.
      if (newlines > wanted) return { offset: start + index + 1, lines: wanted };
    }
    end = start;
  }
  return { offset: 0, lines: newlines };
}

/** Cuts one file into lines, from an offset on, as far as it goes now; can be called again when it has grown. */
export class LineReader {
  readonly #handle: FileHandle;
  #offset: number;
  #rest: Uint8Array = new Uint8Array(0);
  readonly #buffer = new Uint8Array(LOG_READ_BYTES);

  constructor(handle: FileHandle, offset: number) {
    this.#handle = handle;
    this.#offset = offset;
  }

  /** Of the file, behind the last line that was given. */
  get endBytes(): number {
    return this.#offset - this.#rest.length;
  }

  /**
   * Complete lines up to the present end of the file, without their newline, a character for each byte, those of one read together: what is done for each
   * line is what reading a long log costs. A torn last line stays for later. `endBytes`: no further than this, for a look at a file that grows faster than it is read.
   */
  async *lines(endBytes: number = Number.POSITIVE_INFINITY): AsyncGenerator<readonly string[]> {
    for (;;) {
      const length = Math.min(this.#buffer.length, endBytes - this.#offset);
      if (length <= 0) return;
      const { bytesRead } = await this.#handle.read(this.#buffer, 0, length, this.#offset);
      if (bytesRead === 0) {
        // With a single log file a full one is emptied in place: begin again.
        const { size } = await this.#handle.stat();
        if (size >= this.#offset) return;
        this.#offset = 0;
        this.#rest = new Uint8Array(0);
        continue;
      }
      this.#offset += bytesRead;
      const bytes = Buffer.concat([this.#rest, this.#buffer.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf(NEWLINE);
      const rest = bytes.subarray(end + 1);
      // A line beyond every limit is no line of ours; it is dropped up to its end.
      this.#rest = rest.length > LOG_LINE_BYTES_MAX ? new Uint8Array(0) : rest;
      if (end >= 0) yield bytes.toString('latin1', 0, end).split('\n');
    }
  }
}
