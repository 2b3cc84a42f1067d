// Cuts a container's log output (asked for with timestamps) into entries: one line, or one piece of a very long line, each with its time.
// Pieces arrive without a line end and with a time stamp of their own, so a stamp at the start of a frame also starts an entry.
import { Buffer } from 'node:buffer';
import type { OutputFrame } from '#protocol/engine';
import { piecesOf } from '../http/frames.ts';
import { LOG_LINE_BYTES_MAX } from '../limits.ts';

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds as the worker wrote it; '' when it wrote none. */
  readonly time: string;
  /** Orders entries: the time with nine digits. */
  readonly key: string;
  /** `k=v,k=v` of the log options' labels and variables; '' unless asked for. */
  readonly details: string;
  /** With its line end, if it has one. */
  readonly data: Buffer;
}

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|[+-]\d\d:\d\d) /;
const STAMP_BYTES_MAX = 40;
const NEW_LINE = 0x0a;
const SPACE = 0x20;
const EMPTY: Buffer = Buffer.alloc(0);

/** Entries in the order of output. `hasDetails`: it was asked for with details, too. */
export async function* readEntries(
  output: AsyncIterable<OutputFrame>,
  hasDetails = false,
): AsyncIterable<LogEntry> {
  const held = { stdout: EMPTY, stderr: EMPTY };
  for await (const frame of output) {
    const { stream } = frame;
    for (const piece of piecesOf(frame)) {
      const data = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      const before = held[stream];
      let rest = data;
      if (before.length > 0 && startsWithStamp(data)) yield entryOf(stream, before, hasDetails);
      else if (before.length > 0) rest = Buffer.concat([before, data]);
      for (;;) {
        const end = rest.indexOf(NEW_LINE);
        if (end < 0 && rest.length <= LOG_LINE_BYTES_MAX) break;
        const size = end < 0 ? LOG_LINE_BYTES_MAX : end + 1;
        yield entryOf(stream, rest.subarray(0, size), hasDetails);
        rest = rest.subarray(size);
      }
      held[stream] = rest.length === 0 ? EMPTY : Buffer.from(rest);
    }
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    if (held[stream].length > 0) yield entryOf(stream, held[stream], hasDetails);
  }
}

function startsWithStamp(data: Buffer): boolean {
  return STAMP.test(data.toString('latin1', 0, STAMP_BYTES_MAX));
}

function entryOf(stream: 'stdout' | 'stderr', data: Buffer, hasDetails: boolean): LogEntry {
  const match = STAMP.exec(data.toString('latin1', 0, STAMP_BYTES_MAX));
  if (!match) return { stream, time: '', key: '', details: '', data };
  const [whole, seconds = '', fraction = ''] = match;
  const rest = data.subarray(whole.length);
  const detailsEnd = hasDetails ? rest.indexOf(SPACE) : -1;
  return {
    stream,
    time: whole.trimEnd(),
    key: `${seconds}.${fraction.padEnd(9, '0')}`,
    details: detailsEnd > 0 ? rest.toString('utf8', 0, detailsEnd) : '',
    data: rest.subarray(detailsEnd + 1),
  };
}
