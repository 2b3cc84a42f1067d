// One line of a json-file log ↔ what it says. A line that a killed writer left torn, with the next one behind it, gives the next one; a line that is no
// log line at all gives nothing. Lines and texts have a character for each byte (UTF-8 read as Latin-1): most lines go from the file to the client without being
// decoded and encoded again.
import { Buffer } from 'node:buffer';

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** With its newline, unless it is a part of a longer line. A character for each byte. */
  readonly text: string;
  /** As written, RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const START = '{"log":';
/** What the shim writes of a line with nothing to escape but its end. */
const PLAIN = /^\{"log":"([^"\\]*)(\\n)?","stream":"(stdout|stderr)","time":"([^"\\]*)"\}$/;
const NO_ATTRIBUTES: Readonly<Record<string, string>> = {};

/** @param line a character for each byte */
export function parseLogLine(line: string): LogEntry | undefined {
  const plain = PLAIN.exec(line);
  if (plain) {
    const [, text = '', newline, stream, time = ''] = plain;
    return {
      stream: stream === 'stderr' ? 'stderr' : 'stdout',
      text: newline === undefined ? text : `${text}\n`,
      time,
      attributes: NO_ATTRIBUTES,
    };
  }
  const whole = parseJson(line);
  if (whole) return whole;
  const again = line.lastIndexOf(START);
  return again > 0 ? parseJson(line.slice(again)) : undefined;
}

function parseJson(line: string): LogEntry | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(Buffer.from(line, 'latin1').toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || typeof value.log !== 'string') {
    return undefined;
  }
  return {
    stream: value.stream === 'stderr' ? 'stderr' : 'stdout',
    text: Buffer.from(value.log, 'utf8').toString('latin1'),
    time: typeof value.time === 'string' ? value.time : '',
    attributes: (value.attrs ?? NO_ATTRIBUTES) as Record<string, string>,
  };
}

/** Microseconds since 1970 of an RFC 3339 time; 0 when it is none. */
export function microsOf(time: string): number {
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) return 0;
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? '';
  const seconds = Math.floor(ms / 1000);
  return seconds * 1_000_000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
