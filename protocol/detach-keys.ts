// The key sequence that leaves an attached terminal without ending the process (ctrl-p ctrl-q unless told otherwise). New docker clients look for it
// themselves, others rely on the server. Keys that could begin the sequence are held back until it is clear that they do not.
import { TswarmError } from './errors.ts';

const DEFAULT_KEYS = 'ctrl-p,ctrl-q';
const CONTROL_KEYS = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/** Bytes of a sequence such as `ctrl-p,ctrl-q` or `a,b`; '' is the default. @throws invalid_argument. */
export function parseDetachKeys(text: string): readonly number[] {
  return (text === '' ? DEFAULT_KEYS : text).split(',').map((key) => {
    const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
    const code = control === undefined ? -1 : CONTROL_KEYS.indexOf(control);
    if (code >= 0) return code;
    if (key.length === 1) return key.charCodeAt(0);
    throw new TswarmError('invalid_argument', `Invalid detach keys (${text}) provided`, {
      field: 'detachKeys',
    });
  });
}

/** Looks for the sequence in what a user types. */
export class DetachScanner {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What may be passed on of a chunk; `detached` when the sequence was complete. */
  feed(chunk: Uint8Array): { readonly data: Uint8Array; readonly detached: boolean } {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length)
          return { data: Uint8Array.from(out), detached: true };
        continue;
      }
      out.push(...this.#keys.slice(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) out.push(byte);
    }
    return { data: Uint8Array.from(out), detached: false };
  }
}
