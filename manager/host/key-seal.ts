// Secrets of one manager that lie on its disk, sealed by the cluster's unlock key while autolock is
// on: AES-256-GCM under a key that HKDF-SHA-256 derives from the unlock key and a fresh salt.
// `sealId` says by which unlock key something is sealed, without telling anything of it.
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const SALT_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const SEAL_ID_CHARS = 16;

/** Salt, nonce, ciphertext, tag. `purpose` separates what is sealed for different ends. */
export function seal(unlockKey: Uint8Array, purpose: string, plain: Uint8Array): Uint8Array {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', derive(unlockKey, salt, purpose), nonce);
  cipher.setAAD(salt);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([salt, nonce, sealed, cipher.getAuthTag()]);
}

/** Undefined when it was sealed by another key, for another purpose, or is damaged. */
export function unseal(
  unlockKey: Uint8Array,
  purpose: string,
  sealed: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < SALT_BYTES + NONCE_BYTES + TAG_BYTES) return undefined;
  const salt = sealed.subarray(0, SALT_BYTES);
  const nonce = sealed.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const body = sealed.subarray(SALT_BYTES + NONCE_BYTES, sealed.length - TAG_BYTES);
  const cipher = createDecipheriv('aes-256-gcm', derive(unlockKey, salt, purpose), nonce);
  cipher.setAAD(salt);
  cipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    return Buffer.concat([cipher.update(body), cipher.final()]);
  } catch {
    return undefined;
  }
}

/** Names an unlock key; '' = none. */
export function sealId(unlockKey: Uint8Array | null): string {
  if (unlockKey === null || unlockKey.length === 0) return '';
  const hash = createHash('sha256').update('tswarm-seal-id').update(unlockKey);
  return hash.digest('hex').slice(0, SEAL_ID_CHARS);
}

function derive(unlockKey: Uint8Array, salt: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', unlockKey, salt, `tswarm-${purpose}`, KEY_BYTES));
}
