// What is read of a container's log together, with the place behind it, and how reading goes on as the log grows and its files are renamed away.
// A reader that was overtaken (what it had not read is deleted) is told so, once.
import { stat } from 'node:fs/promises';
import type { CancelSignal } from '#protocol/world';
import type { LogFile, LineReader as Reader } from './log-files.ts';
import { LineReader, openLogFiles } from './log-files.ts';
import type { LogEntry } from './log-line.ts';
import { parseLogLine } from './log-line.ts';
import type { LogWaker } from './log-waker.ts';

export interface LogBatch {
  readonly entries: readonly LogEntry[];
  readonly file: LogFile;
  /** Of the file, behind the last entry. */
  readonly endBytes: number;
  /** Lines before these are gone. */
  readonly isAfterGap: boolean;
}

/** What a file has now, from where its reader is on. */
export async function* batchesOf(
  file: LogFile,
  reader: Reader,
  signal: CancelSignal,
  endBytes?: number,
  isAfterGap = false,
): AsyncGenerator<LogBatch> {
  let gap = isAfterGap;
  for await (const lines of reader.lines(endBytes)) {
    if (signal.aborted) return;
    const entries = lines.map(parseLogLine).filter((entry) => entry !== undefined);
    yield { entries, file, endBytes: reader.endBytes, isAfterGap: gap };
    gap = false;
  }
}

/** Goes on from the newest file until nothing more can come; the file is the caller's to close, its successors are closed here. */
export async function* followLog(
  path: string,
  first: LogFile,
  firstReader: Reader,
  waker: LogWaker,
  signal: CancelSignal,
): AsyncGenerator<LogBatch> {
  let file = first;
  let reader = firstReader;
  try {
    for (;;) {
      // Asked before reading: what is written after this wakes us again.
      const changes = waker.changes;
      const active = waker.isActive();
      const rotated = (await inodeOf(path)) !== file.inode;
      yield* batchesOf(file, reader, signal);
      if (signal.aborted) return;
      if (rotated) {
        const { files, isComplete } = await openLogFiles(path, file.inode);
        for (const [index, successor] of files.entries()) {
          if (file !== first) await file.handle.close();
          file = successor;
          reader = new LineReader(file.handle, 0);
          yield* batchesOf(file, reader, signal, undefined, index === 0 && !isComplete);
        }
        if (files.length > 0) continue;
      }
      if (!active) return;
      await waker.wait(changes);
    }
  } finally {
    if (file !== first) await file.handle.close().catch(() => undefined);
  }
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  return info?.ino;
}
