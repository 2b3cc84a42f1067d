// Keys and certificates of this node below `<data root>/identity` (0700): the worker's and the administrator's. The keys are made here and never leave; the
// manager signs them.

import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { TlsIdentity } from '#protocol/transport/grpc';
import { makeFolder, readTextFile, removeTree, writeFileAtomic } from '#worker/files';
import { certificateRequest, newPrivateKey } from './csr.ts';

export type IdentityName = 'worker' | 'admin';

export class IdentityFiles {
  readonly #folder: string;

  constructor(dataRoot: string) {
    this.#folder = join(dataRoot, 'identity');
  }

  /** A certificate request for the key of that name; makes the key when there is none. */
  async request(name: IdentityName): Promise<string> {
    await makeFolder(this.#folder);
    const path = this.#path(`${name}.key`);
    let key = await readTextFile(path);
    if (key === undefined) {
      key = newPrivateKey();
      await writeFileAtomic(path, key, { sync: true });
    }
    return certificateRequest(key);
  }

  /** Keeps what the manager signed. */
  async store(name: IdentityName, certificate: string, caCert: string): Promise<void> {
    await writeFileAtomic(this.#path(`${name}.crt`), certificate, { sync: true });
    await writeFileAtomic(this.#path('ca.crt'), caCert, { sync: true });
  }

  /** undefined while a part is missing. */
  async load(name: IdentityName): Promise<TlsIdentity | undefined> {
    const key = await readTextFile(this.#path(`${name}.key`));
    const certificate = await readTextFile(this.#path(`${name}.crt`));
    const caCert = await readTextFile(this.#path('ca.crt'));
    if (key === undefined || certificate === undefined || caCert === undefined) return undefined;
    return { key, certificate, caCert };
  }

  async remove(): Promise<void> {
    await removeTree(this.#folder);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

/** How much of a certificate's life has passed, 0 … 1. */
export function lifePassed(certificate: string, nowMs: number): number {
  const parsed = new X509Certificate(certificate);
  const from = Date.parse(parsed.validFrom);
  const to = Date.parse(parsed.validTo);
  return (nowMs - from) / (to - from);
}
