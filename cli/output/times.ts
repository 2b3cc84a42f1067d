// Times and counts that people type: `--since 10m`, `--until 2024-05-01T10:00`, `--tail 20`. An age is counted back from the given now; anything
// that is neither an age nor a time is refused by name. The forms are docker's.
import { TswarmError } from '#protocol/errors';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

/** Unix seconds, or RFC 3339 with all its digits, as the API takes them. @throws TswarmError invalid_argument */
export function timeOf(flag: string, text: string, nowMs: number): string {
  if (/^\d{1,11}(?:\.\d{1,9})?$/.test(text)) return text;
  if (/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) {
    let ageMs = 0;
    for (const [, count = '0', unit = 's'] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
      ageMs += Number(count) * (UNIT_MS[unit] ?? 0);
    return (Math.max(0, nowMs - ageMs) / 1000).toFixed(3);
  }
  if (TIME.test(text)) {
    // Without a zone it is local time, as docker reads it; Date reads a bare day as UTC.
    const whole = text.includes('T') ? text : `${text}T00:00`;
    if (/(?:Z|[+-]\d{2}:\d{2})$/.test(whole) && whole.length > 20) return whole;
    const ms = Date.parse(whole);
    if (!Number.isNaN(ms)) return (ms / 1000).toFixed(3);
  }
  throw new TswarmError('invalid_argument', `${flag} ${text}: is neither an age nor a time`, {
    hint: 'Write an age (10m, 1h30m), a time (2024-05-01T10:00:00Z) or Unix seconds.',
  });
}

/** "all" or a number of lines. @throws TswarmError invalid_argument */
export function tailCount(text: string): string {
  if (text === 'all' || /^\d{1,9}$/.test(text)) return text;
  throw new TswarmError('invalid_argument', `--tail ${text}: must be "all" or a number of lines`);
}
