// A certificate request (PKCS#10, RFC 2986) for a key of ours. The CA takes only the key and the
// proof that its holder made the request, so all names are left out.
import type { Signer } from './crypto.ts';
import { bits, fromDer, integer, oid, sequence, tagged, toDer, toPem } from './der.ts';

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

/** PEM. */
export function makeRequest(signer: Signer): string {
  const info = sequence(
    integer(Uint8Array.of(0)),
    sequence(),
    fromDer(signer.publicKey, 'public key'),
    tagged(0),
  );
  const signature = signer.sign(toDer(info));
  const request = sequence(info, sequence(oid(ECDSA_WITH_SHA256)), bits(signature));
  return toPem('CERTIFICATE REQUEST', toDer(request));
}
