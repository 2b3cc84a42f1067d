// The unlock key of a cluster with autolock: `SWMKEY-1-` and 32 bytes in base 64 without padding, as
// in Swarm. Whoever has it can start a manager; it is shown to administrators and never written to
// a disk of ours.
import { TswarmError } from './errors.ts';

const PREFIX = 'SWMKEY-1-';
const KEY_BYTES = 32;
/** 32 bytes without padding. */
const TEXT_PATTERN = /^SWMKEY-1-([A-Za-z0-9+/]{43})$/;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The key as people copy it. */
export function formatUnlockKey(key: Uint8Array): string {
  if (key.length !== KEY_BYTES) throw new Error('bug: an unlock key has 32 bytes');
  let text = '';
  for (let i = 0; i < key.length; i += 3) {
    const group = ((key[i] ?? 0) << 16) | ((key[i + 1] ?? 0) << 8) | (key[i + 2] ?? 0);
    const chars = Math.min(4, key.length - i + 1);
    for (let c = 0; c < chars; c++) text += ALPHABET[(group >> (18 - 6 * c)) & 63];
  }
  return PREFIX + text;
}

/** @throws TswarmError invalid_argument. The message never repeats the key. */
export function parseUnlockKey(text: string): Uint8Array {
  const body = TEXT_PATTERN.exec(text.trim())?.[1];
  if (body === undefined) {
    throw new TswarmError('invalid_argument', 'invalid unlock key', {
      field: 'UnlockKey',
      hint: 'It begins with SWMKEY-1-; run `tswarm unlock-key` on a manager that is unlocked.',
    });
  }
  const key = new Uint8Array(KEY_BYTES);
  for (let i = 0, at = 0; i < body.length; i += 4) {
    let group = 0;
    for (let c = 0; c < 4; c++)
      group = (group << 6) | Math.max(0, ALPHABET.indexOf(body[i + c] ?? 'A'));
    for (let b = 0; b < 3 && at < KEY_BYTES; b++) key[at++] = (group >> (16 - 8 * b)) & 255;
  }
  return key;
}
