// How a manager's data encryption keys are written down, whatever they are written to: all of them and which one is in use; with autolock wrapped by a key that is not on
// this disk (raft.md §2.3). Without the right one, reading ends with the code `locked`. Refuses what is not a key file of version 1, and one without its current key.
import type { KeyRing, WalCrypto } from '#manager/wal/interfaces';
import { messageOf, TswarmError } from '#protocol/errors';

const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const SALT_BYTES = 32;
const NONCE_BYTES = 12;
const WRAP_INFO = 'tswarm-kek';

/** As stored; `wrapped` is base64 of salt 32, nonce 12, sealed JSON of `keys`. */
interface StoredKeys {
  readonly version: 1;
  readonly current: string;
  readonly keys: Readonly<Record<string, string>> | null;
  readonly wrapped: string | null;
}

/** All data keys of this manager. */
export class DataKeys implements KeyRing {
  readonly currentId: string;
  readonly #keys: ReadonlyMap<string, Uint8Array>;

  constructor(currentId: string, keys: ReadonlyMap<string, Uint8Array>) {
    this.currentId = currentId;
    this.#keys = keys;
  }

  key(id: string): Uint8Array | null {
    return this.#keys.get(id) ?? null;
  }

  get all(): ReadonlyMap<string, Uint8Array> {
    return this.#keys;
  }

  /** The same keys and a new current one. */
  rotated(crypto: Pick<WalCrypto, 'randomBytes'>): DataKeys {
    const id = Buffer.from(crypto.randomBytes(KEY_ID_BYTES)).toString('hex');
    return new DataKeys(id, new Map([...this.#keys, [id, crypto.randomBytes(KEY_BYTES)]]));
  }

  /** Without the keys that nothing uses any more. */
  keeping(ids: ReadonlySet<string>): DataKeys {
    const kept = [...this.#keys].filter(([id]) => id === this.currentId || ids.has(id));
    return new DataKeys(this.currentId, new Map(kept));
  }
}

/** The keys as bytes; `kek`: what wraps them (32 bytes), null without autolock. */
export function encodeKeys(keys: DataKeys, kek: Uint8Array | null, crypto: WalCrypto): Uint8Array {
  const record: Record<string, string> = {};
  for (const [id, key] of keys.all) record[id] = Buffer.from(key).toString('base64');
  const stored: StoredKeys = {
    version: 1,
    current: keys.currentId,
    keys: kek === null ? record : null,
    wrapped: kek === null ? null : wrap(record, kek, crypto),
  };
  return Buffer.from(`${JSON.stringify(stored)}\n`);
}

/** What was read. */
export interface DecodedKeys {
  readonly keys: DataKeys;
  /** Whether the unlock key was needed; if not, they were there in the clear. */
  readonly isWrapped: boolean;
}

/**
 * The keys that `text` holds; `path` names it in errors.
 * @throws TswarmError `locked` (wrapped and no or a wrong kek), `data_loss` (damaged)
 */
export function decodeKeys(
  path: string,
  text: string,
  kek: Uint8Array | null,
  crypto: WalCrypto,
): DecodedKeys {
  const stored = parse(path, text);
  if (stored.wrapped === null) {
    return { keys: fromRecord(path, stored.current, stored.keys ?? {}), isWrapped: false };
  }
  if (kek === null) {
    const hint = 'run `tswarm unlock` with the unlock key';
    throw new TswarmError('locked', 'this manager is locked: its keys are encrypted', { hint });
  }
  const record = unwrap(stored.wrapped, kek, crypto);
  return { keys: fromRecord(path, stored.current, record), isWrapped: true };
}

function parse(path: string, text: string): StoredKeys {
  try {
    const stored = JSON.parse(text) as Partial<StoredKeys>;
    if (stored.version === 1 && typeof stored.current === 'string') {
      const { current, keys = null, wrapped = null } = stored;
      return { version: 1, current, keys, wrapped };
    }
    throw new Error('it is not a key file of version 1');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** The error for a key file that cannot be read. */
export function unreadable(path: string, cause: unknown): TswarmError {
  const message = `the key file ${path} cannot be read: ${messageOf(cause)}`;
  const hint = 'without it the log cannot be decrypted; restore it from a backup';
  return new TswarmError('data_loss', message, { cause, hint });
}

function fromRecord(
  path: string,
  current: string,
  record: Readonly<Record<string, string>>,
): DataKeys {
  const keys = new Map<string, Uint8Array>();
  for (const [id, text] of Object.entries(record)) {
    const key = Buffer.from(text, 'base64');
    if (key.length === KEY_BYTES) keys.set(id, key);
  }
  if (!keys.has(current)) {
    throw new TswarmError('data_loss', `the key file ${path} does not hold its current key`);
  }
  return new DataKeys(current, keys);
}

function wrap(
  record: Readonly<Record<string, string>>,
  kek: Uint8Array,
  crypto: WalCrypto,
): string {
  const salt = crypto.randomBytes(SALT_BYTES);
  const nonce = crypto.randomBytes(NONCE_BYTES);
  const data = Buffer.from(JSON.stringify(record));
  const key = wrapKey(kek, salt, crypto);
  const sealed = crypto.seal({ key, nonce, aad: salt, data });
  return Buffer.concat([salt, nonce, sealed]).toString('base64');
}

function unwrap(
  text: string,
  kek: Uint8Array,
  crypto: WalCrypto,
): Readonly<Record<string, string>> {
  const bytes = Buffer.from(text, 'base64');
  const salt = bytes.subarray(0, SALT_BYTES);
  const nonce = bytes.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const key = wrapKey(kek, salt, crypto);
  const data = bytes.subarray(SALT_BYTES + NONCE_BYTES);
  const plain = crypto.open({ key, nonce, aad: salt, data });
  if (plain === null) {
    const hint = 'check the unlock key; after a rotation, the previous one may still be needed';
    throw new TswarmError('locked', 'the unlock key does not fit this manager', { hint });
  }
  return JSON.parse(Buffer.from(plain).toString('utf8')) as Record<string, string>;
}

function wrapKey(kek: Uint8Array, salt: Uint8Array, crypto: WalCrypto): Uint8Array {
  return crypto.hkdfSha256(kek, salt, Buffer.from(WRAP_INFO), KEY_BYTES);
}
