// The WAL's cryptography by node:crypto (OpenSSL). AES-256-GCM with 16-byte tags appended.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { WalCrypto } from '#manager/wal/interfaces';

const ALGORITHM = 'aes-256-gcm';
const TAG_BYTES = 16;

/** Importing a key costs 12 µs, three times as much as sealing a small batch with it. */
const KEY_OBJECTS = new WeakMap<Uint8Array, KeyObject>();

function keyObject(key: Uint8Array): KeyObject {
  let object = KEY_OBJECTS.get(key);
  if (object === undefined) {
    object = createSecretKey(key);
    KEY_OBJECTS.set(key, object);
  }
  return object;
}

/** OpenSSL's primitives behind the WAL's interface. */
export const NODE_WAL_CRYPTO: WalCrypto = {
  randomBytes: (count) => randomBytes(count),
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  newSha256() {
    const hash = createHash('sha256');
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  },
  hkdfSha256: (key, salt, info, length) =>
    new Uint8Array(hkdfSync('sha256', key, salt, info, length)),
  seal({ key, nonce, aad, data }) {
    const cipher = createCipheriv(ALGORITHM, keyObject(key), nonce);
    cipher.setAAD(aad);
    const body = cipher.update(data);
    cipher.final(); // GCM is a stream: nothing is left over.
    const sealed = new Uint8Array(body.length + TAG_BYTES);
    sealed.set(body);
    sealed.set(cipher.getAuthTag(), body.length);
    return sealed;
  },
  open({ key, nonce, aad, data }) {
    if (data.length < TAG_BYTES) return null;
    const decipher = createDecipheriv(ALGORITHM, keyObject(key), nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(aad);
    const split = data.length - TAG_BYTES;
    decipher.setAuthTag(data.subarray(split));
    const plain = decipher.update(data.subarray(0, split));
    try {
      decipher.final();
    } catch {
      return null; // The tag does not fit.
    }
    return plain;
  },
};
