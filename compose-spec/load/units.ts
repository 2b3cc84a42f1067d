// Sizes, durations and file modes: from the text people write to a number, and back to the text
// that compose-go prints (compose.md §2.9). Messages after docker/go-units and Go's time package.

import { ownValue } from './records.ts';

export type UnitResult =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly message: string };

const BYTE_UNITS = ['b', 'k', 'm', 'g', 't', 'p'];

/** Bytes of `64m`, `1.5 GB`, `1024`, `-1`; units are powers of 1024. */
export function parseBytes(text: string): UnitResult {
  const lastDigit = lastIndexOfAny(text, '0123456789. ');
  if (lastDigit === -1) return { ok: false, message: `invalid size: '${text}'` };
  const separator = text[lastDigit] === ' ' ? 1 : 0;
  const number = text.slice(0, lastDigit + 1 - separator);
  const suffix = text.slice(lastDigit + 1).toLowerCase();
  if (!/^[-+]?(\d+\.?\d*|\.\d+)$/.test(number)) {
    return { ok: false, message: `invalid size: '${text}'` };
  }
  const size = Number(number);
  if (size < 0) {
    // -1 is the only negative number with a meaning: no limit.
    return size === -1 && suffix === ''
      ? { ok: true, value: -1 }
      : { ok: false, message: `invalid size: '${text}'` };
  }
  if (suffix === '') return { ok: true, value: Math.trunc(size) };
  const power = BYTE_UNITS.indexOf(suffix[0] ?? '');
  const rest = suffix.slice(1);
  const fits = rest === '' || (power > 0 && (rest === 'b' || rest === 'ib'));
  if (power === -1 || !fits) return { ok: false, message: `invalid suffix: '${suffix}'` };
  return { ok: true, value: Math.trunc(size * 1024 ** power) };
}

function lastIndexOfAny(text: string, characters: string): number {
  for (let i = text.length - 1; i >= 0; i -= 1) {
    if (characters.includes(text[i] ?? '')) return i;
  }
  return -1;
}

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
  w: 604_800e9,
};

/** Nanoseconds of `1m30s`, `250ms`, `1d`. */
export function parseDuration(text: string): UnitResult {
  const invalid: UnitResult = { ok: false, message: `invalid duration ${JSON.stringify(text)}` };
  const sign = text.startsWith('-') ? -1 : 1;
  let rest = text.replace(/^[-+]/, '');
  if (rest === '0') return { ok: true, value: 0 };
  if (rest === '') return invalid;
  let total = 0;
  while (rest !== '') {
    const match = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest);
    if (match === null) return invalid;
    const [whole, amount = '', unit = ''] = match;
    const scale = ownValue(NANOSECONDS, unit);
    if (scale === undefined) {
      const reason =
        unit === ''
          ? 'missing unit in duration'
          : `unknown unit ${JSON.stringify(unit)} in duration`;
      return { ok: false, message: `${reason} ${JSON.stringify(text)}` };
    }
    total += Number(amount) * scale;
    rest = rest.slice(whole.length);
  }
  return { ok: true, value: sign * Math.round(total) };
}

/** Nanoseconds as Go prints a duration: `1h0m0s`, `1m30s`, `250ms`. */
export function printDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  const sign = nanoseconds < 0 ? '-' : '';
  const total = Math.abs(nanoseconds);
  if (total < 1e9) {
    const [scale, unit] = total < 1e3 ? [1, 'ns'] : total < 1e6 ? [1e3, 'µs'] : [1e6, 'ms'];
    return `${sign}${trimFraction(total / scale, 6)}${unit}`;
  }
  const hours = Math.floor(total / 3600e9);
  const minutes = Math.floor((total % 3600e9) / 60e9);
  const seconds = trimFraction((total % 60e9) / 1e9, 9);
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}

function trimFraction(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Permission bits of `"0440"` (octal text). */
export function parseFileMode(text: string): UnitResult {
  if (!/^(0[oO]?)?[0-7]+$/.test(text)) {
    return { ok: false, message: `invalid mode ${JSON.stringify(text)}` };
  }
  return { ok: true, value: Number.parseInt(text.replace(/^0[oO]/, ''), 8) };
}

/** Permission bits as compose-go prints them: `"0440"`. */
export function printFileMode(mode: number): string {
  return `0${mode.toString(8)}`;
}

/** The shortest decimal that is the same 32-bit float: Go prints `cpus` so. */
export function shortestFloat32(value: number): number {
  const single = Math.fround(value);
  for (let digits = 1; digits < 9; digits += 1) {
    const candidate = Number(single.toPrecision(digits));
    if (Math.fround(candidate) === single) return candidate;
  }
  return Number(single.toPrecision(9));
}
