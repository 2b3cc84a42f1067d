// Numbers as people read them: sizes, ages, durations. The words are docker's.
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes with decimal units and up to four significant digits: 1.234MB. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${UNITS[unit]}`;
}

/** Milliseconds since an RFC 3339 time. */
export function ageMs(time: string, nowMs: number): number {
  return Math.max(0, nowMs - Date.parse(time));
}

export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

/** Cuts at `width` columns, with an ellipsis. */
export function ellipsis(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

const GO_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** In quotes as docker's tables have them: one line, whatever is in it. */
export function quoted(text: string): string {
  const escaped = text.replace(
    /["\\]|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => GO_ESCAPES[char] ?? hexEscape(char.codePointAt(0) ?? 0),
  );
  return `"${escaped}"`;
}

function hexEscape(code: number): string {
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\U${code.toString(16).padStart(8, '0')}`;
}
