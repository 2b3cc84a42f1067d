// The node's key for the mesh: made here, kept in one file that only root can read, never sent anywhere. Its public half goes to the managers.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readTextFile, removeTree, writeFileAtomic } from '../../files.ts';
import { isKey } from './plan.ts';

export interface MeshKey {
  /** Base64, 32 bytes. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** PKCS #8 and what comes before the 32 bytes of an X25519 key (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** The key in the file; made when there is none. */
export async function openMeshKey(path: string): Promise<MeshKey> {
  const text = (await readTextFile(path))?.trim() ?? '';
  if (isKey(text)) return { privateKey: text, publicKey: publicKeyOf(text) };
  return newMeshKey(path);
}

/** A new key in place of the old one. */
export async function newMeshKey(path: string): Promise<MeshKey> {
  const pair = generateKeyPairSync('x25519');
  const der = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
  const privateKey = der.subarray(PKCS8_HEAD.length).toString('base64');
  await writeFileAtomic(path, `${privateKey}\n`, { sync: true, mode: 0o600 });
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

export async function forgetMeshKey(path: string): Promise<void> {
  await removeTree(path);
}

/** Base64 in, base64 out. */
export function publicKeyOf(privateKey: string): string {
  const der = Buffer.concat([PKCS8_HEAD, Buffer.from(privateKey, 'base64')]);
  const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  return key.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
}
