// Credentials: tokens and client certificates for people and programs that come over the network.
// The managers keep what is needed to know one again and to take it back: of a token the digest of
// its secret, of a certificate nothing, since its key and its signature say who it is. Removing the
// object ends it at once, everywhere. Refuses changes of a credential: who has it relies on it.
import type { WriteView } from '#manager/store/view';
import { roleOf } from '#protocol/access';
import { Credential } from '#protocol/generated/objects';
import { CredentialKind, type CredentialSpec } from '#protocol/generated/specs';
import { CERTIFICATE_LIFE_MICROS_MAX, CREDENTIALS_MAX } from '../limits.ts';
import { checkSecretName, invalid } from './validate-names.ts';

const DIGEST_BYTES = 32;

/** @throws TswarmError invalid_argument, already_exists, conflict */
export function createCredential(
  tx: WriteView,
  id: string,
  args: {
    readonly spec: CredentialSpec;
    readonly secretDigest: Uint8Array;
    readonly owner: string;
    readonly nowMicros: number;
  },
): void {
  const { spec, secretDigest, owner, nowMicros } = args;
  checkSecretName(spec.name);
  if (roleOf(spec.role) === undefined) {
    throw invalid('Role', 'Role: must be viewer, operator or admin');
  }
  if (spec.expiresAt !== 0 && spec.expiresAt <= nowMicros) {
    throw invalid('ExpiresAt', 'ExpiresAt: is in the past');
  }
  if (spec.kind === CredentialKind.CERTIFICATE) {
    const isInRange =
      spec.expiresAt !== 0 && spec.expiresAt - nowMicros <= CERTIFICATE_LIFE_MICROS_MAX;
    if (!isInRange) throw invalid('ExpiresAt', 'ExpiresAt: a certificate lives five years at most');
  } else if (secretDigest.length !== DIGEST_BYTES) {
    throw invalid('SecretDigest', `the digest of a token's secret has ${DIGEST_BYTES} bytes`);
  }
  removeExpired(tx, nowMicros);
  let count = 0;
  for (const _ of tx.list('credential')) count++;
  if (count >= CREDENTIALS_MAX) {
    throw invalid(
      'Name',
      `there are ${count} credentials already`,
      'Remove some: tswarm token rm.',
    );
  }
  tx.create('credential', Credential.create({ id, spec, secretDigest, owner }));
}

/** What has expired is of no use, and its name may be wanted again. */
function removeExpired(tx: WriteView, nowMicros: number): void {
  for (const { id, spec } of [...tx.list('credential')]) {
    if (spec && spec.expiresAt !== 0 && spec.expiresAt <= nowMicros) tx.remove('credential', id);
  }
}
