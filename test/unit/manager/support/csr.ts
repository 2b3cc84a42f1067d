// Certificate requests for tests, with names that the CA must ignore.

import type { Signer } from '#manager/ca/crypto';
import {
  bits,
  fromDer,
  integer,
  oid,
  sequence,
  set,
  tagged,
  toDer,
  toPem,
  utf8,
} from '#manager/ca/der';

/** A PKCS#10 request, PEM; `tamper` spoils the signature. */
export function makeCsr(signer: Signer, options: { tamper?: boolean } = {}): string {
  const subject = sequence(set(sequence(oid('2.5.4.3'), utf8('somebody-else'))));
  const info = sequence(
    integer(Uint8Array.of(0)),
    subject,
    fromDer(signer.publicKey, 'key'),
    tagged(0),
  );
  const signature = signer.sign(toDer(options.tamper ? sequence(info) : info));
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  return toPem('CERTIFICATE REQUEST', toDer(sequence(info, algorithm, bits(signature))));
}
