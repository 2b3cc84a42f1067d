// The file that holds this manager's data encryption keys: `raft-key.json`, mode 0600, replaced as
// a whole (temporary file, sync, rename, sync of the folder). Old keys stay until no segment and no
// snapshot uses them. With autolock the keys are wrapped by a key that is not on this disk (raft.md
// §2.3); without the right one, loading ends with the code `locked`.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { KeyRing } from '#manager/wal/interfaces';
import { messageOf, TswarmError } from '#protocol/errors';
import { NODE_WAL_CRYPTO } from './node-crypto.ts';
import { syncFolder } from './node-disk.ts';

const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const WRAP_INFO = 'tswarm-kek';

/** As stored; `wrapped` is base64 of salt 32, nonce 12, sealed JSON of `keys`. */
interface KeyFile {
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
  rotated(): DataKeys {
    const id = randomBytes(KEY_ID_BYTES).toString('hex');
    return new DataKeys(id, new Map([...this.#keys, [id, randomBytes(KEY_BYTES)]]));
  }

  /** Without the keys that nothing uses any more. */
  keeping(ids: ReadonlySet<string>): DataKeys {
    const kept = [...this.#keys].filter(([id]) => id === this.currentId || ids.has(id));
    return new DataKeys(this.currentId, new Map(kept));
  }
}

/** Loads the keys, or makes the first one if there is no file. `kek` is null without autolock. */
export function loadOrCreateKeys(path: string, kek: Uint8Array | null): DataKeys {
  if (existsSync(path)) return loadKeys(path, kek);
  const keys = new DataKeys('', new Map()).rotated();
  saveKeys(path, keys, kek);
  return keys;
}

/** @throws TswarmError `locked` (wrapped and no or a wrong kek), `data_loss` (damaged) */
export function loadKeys(path: string, kek: Uint8Array | null): DataKeys {
  const file = parse(path);
  if (file.wrapped !== null) {
    if (kek === null) {
      const hint = 'run `tswarm unlock` with the unlock key';
      throw new TswarmError('locked', 'this manager is locked: its keys are encrypted', { hint });
    }
    return fromRecord(path, file.current, unwrap(file.wrapped, kek));
  }
  return fromRecord(path, file.current, file.keys ?? {});
}

/** Replaces the file atomically and durably. */
export function saveKeys(path: string, keys: DataKeys, kek: Uint8Array | null): void {
  const record: Record<string, string> = {};
  for (const [id, key] of keys.all) record[id] = Buffer.from(key).toString('base64');
  const file: KeyFile = {
    version: 1,
    current: keys.currentId,
    keys: kek === null ? record : null,
    wrapped: kek === null ? null : wrap(record, kek),
  };
  replaceFile(path, Buffer.from(`${JSON.stringify(file)}\n`));
}

/** Writes `path` so that after a crash either the old or the new content is there, whole. */
export function replaceFile(path: string, content: Uint8Array): void {
  const temporary = `${path}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    let done = 0;
    while (done < content.length) done += writeSync(fd, content, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

function parse(path: string): KeyFile {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as Partial<KeyFile>;
    if (file.version === 1 && typeof file.current === 'string') {
      return {
        version: 1,
        current: file.current,
        keys: file.keys ?? null,
        wrapped: file.wrapped ?? null,
      };
    }
    throw new Error('it is not a key file of version 1');
  } catch (cause) {
    const message = `the key file ${path} cannot be read: ${messageOf(cause)}`;
    const hint = 'without it the log cannot be decrypted; restore it from a backup';
    throw new TswarmError('data_loss', message, { cause, hint });
  }
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

function wrap(record: Readonly<Record<string, string>>, kek: Uint8Array): string {
  const salt = randomBytes(32);
  const nonce = randomBytes(12);
  const data = Buffer.from(JSON.stringify(record));
  const key = wrapKey(kek, salt);
  const sealed = NODE_WAL_CRYPTO.seal({ key, nonce, aad: salt, data });
  return Buffer.concat([salt, nonce, sealed]).toString('base64');
}

function unwrap(text: string, kek: Uint8Array): Readonly<Record<string, string>> {
  const bytes = Buffer.from(text, 'base64');
  const salt = bytes.subarray(0, 32);
  const nonce = bytes.subarray(32, 44);
  const key = wrapKey(kek, salt);
  const plain = NODE_WAL_CRYPTO.open({ key, nonce, aad: salt, data: bytes.subarray(44) });
  if (plain === null) {
    const hint = 'check the unlock key; after a rotation, the previous one may still be needed';
    throw new TswarmError('locked', 'the unlock key does not fit this manager', { hint });
  }
  return JSON.parse(Buffer.from(plain).toString('utf8')) as Record<string, string>;
}

function wrapKey(kek: Uint8Array, salt: Uint8Array): Uint8Array {
  return NODE_WAL_CRYPTO.hkdfSha256(kek, salt, Buffer.from(WRAP_INFO), KEY_BYTES);
}
