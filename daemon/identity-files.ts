// Keys and certificates of this node below `<data root>/identity` (0700): the worker's and the administrator's. The keys are made here and never leave; the
// manager signs them.

import { X509Certificate } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsIdentity } from '#protocol/transport/grpc';
import { certificateRequest, newPrivateKey } from './csr.ts';
import { readIfThere, writeFileAtomic } from './files.ts';

export type IdentityName = 'worker' | 'admin';

export class IdentityFiles {
  readonly #folder: string;

  constructor(dataRoot: string) {
    this.#folder = join(dataRoot, 'identity');
  }

  /** A certificate request for the key of that name; makes the key when there is none. */
  request(name: IdentityName): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const path = this.#path(`${name}.key`);
    let key = readIfThere(path);
    if (key === undefined) {
      key = newPrivateKey();
      writeFileAtomic(path, key);
    }
    return certificateRequest(key);
  }

  /** Keeps what the manager signed. */
  store(name: IdentityName, certificate: string, caCert: string): void {
    writeFileAtomic(this.#path(`${name}.crt`), certificate);
    writeFileAtomic(this.#path('ca.crt'), caCert);
  }

  /** undefined while a part is missing. */
  load(name: IdentityName): TlsIdentity | undefined {
    const key = readIfThere(this.#path(`${name}.key`));
    const certificate = readIfThere(this.#path(`${name}.crt`));
    const caCert = readIfThere(this.#path('ca.crt'));
    if (key === undefined || certificate === undefined || caCert === undefined) return undefined;
    return { key, certificate, caCert };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
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
