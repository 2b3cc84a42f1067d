// A container's log from where a forwarder had got to, to its end and on as it grows; and the file that keeps that place over restarts of the worker.
// The place is overwritten where it is: that works on a full disk too. What is not there to be read any more is told as a gap, never passed over in silence.
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CancelSignal } from '#protocol/world';
import { makeFolder } from '../../files.ts';
import type { LogBatch } from '../follow-log.ts';
import { batchesOf, followLog } from '../follow-log.ts';
import type { LogFile } from '../log-files.ts';
import { closeAll, LineReader, openLogFiles } from '../log-files.ts';
import type { LogSource } from '../log-waker.ts';
import { LogWaker, waitForFile } from '../log-waker.ts';

/** Behind the last line that was sent. */
export interface LogPosition {
  readonly inode: string;
  readonly bornNs: string;
  readonly offsetBytes: number;
}

/** The batches behind a position; undefined = from the beginning. Ends when nothing more can come or the signal aborts. */
export async function* readForward(
  from: {
    readonly path: string;
    readonly position: LogPosition | undefined;
    readonly source: LogSource;
  },
  signal: CancelSignal,
): AsyncGenerator<LogBatch> {
  const { path, position } = from;
  const waker = new LogWaker(path, from.source, signal);
  try {
    if (!(await waitForFile(path, waker))) return;
    const { files } = await openLogFiles(path);
    const last = files.at(-1);
    try {
      const at = position ? files.findIndex((file) => isAt(position, file)) : -1;
      for (const [index, file] of files.entries()) {
        if (index < at) continue;
        // After a power cut a file may be shorter than what was sent of it.
        const start = index === at ? Math.min(position?.offsetBytes ?? 0, file.sizeBytes) : 0;
        const reader = new LineReader(file.handle, start);
        const isAfterGap = position !== undefined && at < 0 && index === 0;
        yield* batchesOf(file, reader, signal, undefined, isAfterGap);
        if (file === last) yield* followLog(path, file, reader, waker, signal);
      }
    } finally {
      await closeAll(files);
    }
  } finally {
    waker.close();
  }
}

function isAt(position: LogPosition, file: LogFile): boolean {
  return String(file.inode) === position.inode && String(file.bornNs) === position.bornNs;
}

/** Long enough for every position. */
const POSITION_BYTES = 128;

export class PositionFile {
  readonly #path: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined when nothing was sent yet. */
  read(): LogPosition | undefined {
    try {
      const value = JSON.parse(readFileSync(this.#path, 'utf8')) as Partial<LogPosition>;
      const { inode, bornNs, offsetBytes } = value;
      return inode !== undefined && bornNs !== undefined && offsetBytes !== undefined
        ? { inode, bornNs, offsetBytes }
        : undefined;
    } catch {
      return undefined;
    }
  }

  /** Not synced: after a power cut some lines may be sent again. */
  async write({ file, endBytes }: LogBatch): Promise<void> {
    if (this.#fd === undefined) {
      await makeFolder(dirname(this.#path));
      this.#fd = openSync(this.#path, constants.O_CREAT | constants.O_WRONLY, 0o600);
    }
    const position: LogPosition = {
      inode: String(file.inode),
      bornNs: String(file.bornNs),
      offsetBytes: endBytes,
    };
    writeSync(this.#fd, `${JSON.stringify(position).padEnd(POSITION_BYTES - 1)}\n`, 0);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
