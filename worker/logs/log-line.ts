// One line of a json-file log ↔ what it says. A line that a killed writer left torn, with the next one behind it, gives the next one; a line that is no
// log line at all gives nothing.

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** With its newline, unless it is a part of a longer line. */
  readonly text: string;
  /** As written, RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const START = '{"log":';

export function parseLogLine(line: string): LogEntry | undefined {
  const whole = parseJson(line);
  if (whole) return whole;
  const again = line.lastIndexOf(START);
  return again > 0 ? parseJson(line.slice(again)) : undefined;
}

function parseJson(text: string): LogEntry | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || typeof value.log !== 'string') {
    return undefined;
  }
  return {
    stream: value.stream === 'stderr' ? 'stderr' : 'stdout',
    text: value.log,
    time: typeof value.time === 'string' ? value.time : '',
    attributes: (value.attrs ?? {}) as Record<string, string>,
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
