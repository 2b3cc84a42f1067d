// What a certificate authority is known by in the Engine API: its subject and its public key, both as DER. node:crypto gives the key, but the subject only as
// text, so the certificate's outer layers are walked here: TBSCertificate (RFC 5280 §4.1) is version, serial number, algorithm, issuer, validity, subject.
import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import { pemBlocks } from '../certificates.ts';

export interface IssuerInfo {
  readonly subject: Uint8Array;
  readonly publicKey: Uint8Array;
}

const SUBJECT_PLACE = 5;

/** Of the first certificate in the text; undefined when there is none. */
export function issuerInfo(pem: string): IssuerInfo | undefined {
  const [block] = pemBlocks(pem);
  if (block === undefined) return undefined;
  const certificate = new X509Certificate(block);
  return {
    subject: subjectOf(certificate.raw),
    publicKey: certificate.publicKey.export({ type: 'spki', format: 'der' }),
  };
}

/** The root among those of the bundle that has signed this certificate. */
export function issuerOf(certificatePem: string, bundle: string): IssuerInfo | undefined {
  const leaf = new X509Certificate(certificatePem);
  const root = pemBlocks(bundle).find((pem) => leaf.verify(new X509Certificate(pem).publicKey));
  return root === undefined ? undefined : issuerInfo(root);
}

function subjectOf(der: Uint8Array): Uint8Array {
  const toSign = contentOf(contentOf(der));
  let rest = toSign;
  for (let place = 0; place < SUBJECT_PLACE; place++) rest = rest.subarray(lengthOf(rest));
  return Buffer.from(rest.subarray(0, lengthOf(rest)));
}

/** Bytes of the first element: tag, length and content. */
function lengthOf(der: Uint8Array): number {
  const { head, content } = headOf(der);
  return head + content;
}

function contentOf(der: Uint8Array): Uint8Array {
  const { head, content } = headOf(der);
  return der.subarray(head, head + content);
}

function headOf(der: Uint8Array): { readonly head: number; readonly content: number } {
  const first = der[1] ?? 0;
  if (first < 0x80) return { head: 2, content: first };
  const count = first & 0x7f;
  let content = 0;
  for (let i = 0; i < count; i++) content = content * 256 + (der[2 + i] ?? 0);
  return { head: 2 + count, content };
}
