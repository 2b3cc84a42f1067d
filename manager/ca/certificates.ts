// X.509: the root, the leaf certificates of nodes and administrators, and reading a certificate
// request. Of a request only the public key counts, and that its maker holds the private key; all
// names are ours. RFC 5280, profile of swarmkit ca/certificates.go. Refuses keys other than ECDSA
// P-256.
import { CA_NAME, CERTIFICATE_ROLE, type CertificateRole } from '#protocol/certificates';
import { assert, TswarmError } from '#protocol/errors';
import type { CaCrypto, Signer } from './crypto.ts';
import {
  type Asn1,
  bits,
  boolean,
  bytesOf,
  fromDer,
  fromPem,
  implicit,
  integer,
  itemsOf,
  octets,
  oid,
  oidOf,
  sequence,
  set,
  tagged,
  time,
  toDer,
  toPem,
  utf8,
  utf8Bytes,
} from './der.ts';
import { LEAF_BACKDATE_MICROS, ROOT_VALIDITY_MICROS } from './limits.ts';

const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  ecPublicKey: '1.2.840.10045.2.1',
  p256: '1.2.840.10045.3.1.7',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** First bits of the KeyUsage string (RFC 5280 §4.2.1.3). */
const USAGE_CERT_SIGN_CRL_SIGN = { byte: 0b0000_0110, unused: 1 };
const USAGE_SIGN_ENCIPHER = { byte: 0b1010_0000, unused: 5 };

/** What roles with one use only are good for; nodes are servers and clients of each other. */
const USAGES_OF: Readonly<Partial<Record<CertificateRole, readonly string[]>>> = {
  [CERTIFICATE_ROLE.gateway]: [OID.serverAuth],
  [CERTIFICATE_ROLE.userViewer]: [OID.clientAuth],
  [CERTIFICATE_ROLE.userOperator]: [OID.clientAuth],
  [CERTIFICATE_ROLE.userAdmin]: [OID.clientAuth],
};

/** Who issues: the root certificate with its key. */
export interface Issuer {
  readonly certificate: string;
  readonly signer: Signer;
}

export interface LeafRequest {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly commonName: string;
  readonly role: CertificateRole;
  readonly clusterId: string;
  readonly nowMicros: number;
  readonly validityMicros: number;
  /** 16 random bytes. */
  readonly serial: Uint8Array;
  /** Server: names and IP addresses (4 or 16 bytes) beside the common name; no client. */
  readonly server?: {
    readonly names: readonly string[];
    readonly addresses: readonly Uint8Array[];
  };
}

/** A new self-signed root, PEM. `serial` = 16 random bytes. */
export function makeRootCertificate(
  crypto: CaCrypto,
  signer: Signer,
  args: { readonly nowMicros: number; readonly serial: Uint8Array },
): string {
  const name = distinguishedName([[OID.commonName, CA_NAME]]);
  return signCertificate(signer, {
    serial: args.serial,
    issuer: name,
    subject: name,
    notBefore: args.nowMicros - LEAF_BACKDATE_MICROS,
    notAfter: args.nowMicros + ROOT_VALIDITY_MICROS,
    publicKey: signer.publicKey,
    extensions: [
      extension(OID.basicConstraints, true, sequence(boolean(true))),
      keyUsage(USAGE_CERT_SIGN_CRL_SIGN),
      extension(OID.subjectKeyId, false, octets(keyId(crypto, signer.publicKey))),
    ],
  });
}

/**
 * The key of a root (PEM) certified by another root, PEM: who trusts only that one accepts what this
 * key has signed.
 */
export function crossSignRoot(
  crypto: CaCrypto,
  by: Issuer,
  certificate: string,
  args: { readonly nowMicros: number; readonly serial: Uint8Array },
): string {
  const publicKey = publicKeyOfCertificate(certificate);
  return signCertificate(by.signer, {
    serial: args.serial,
    issuer: subjectOf(by.certificate),
    subject: subjectOf(certificate),
    notBefore: args.nowMicros - LEAF_BACKDATE_MICROS,
    notAfter: args.nowMicros + ROOT_VALIDITY_MICROS,
    publicKey,
    extensions: [
      extension(OID.basicConstraints, true, sequence(boolean(true))),
      keyUsage(USAGE_CERT_SIGN_CRL_SIGN),
      // The one that the root itself has: leaves name their issuer by it, and both must fit them.
      extension(OID.subjectKeyId, false, octets(keyIdOf(crypto, certificate))),
      extension(OID.authorityKeyId, false, sequence(implicit(0, keyIdOf(crypto, by.certificate)))),
    ],
  });
}

/** A leaf certificate, PEM: CN = node, OU = role, O = cluster; valid from an hour ago. */
export function issueLeaf(crypto: CaCrypto, issuer: Issuer, request: LeafRequest): string {
  const names: string[] = [request.role, request.commonName, ...(request.server?.names ?? [])];
  if (request.role === CERTIFICATE_ROLE.manager) names.push(CA_NAME);
  const usages = USAGES_OF[request.role] ?? [OID.serverAuth, OID.clientAuth];
  return signCertificate(issuer.signer, {
    serial: request.serial,
    issuer: subjectOf(issuer.certificate),
    subject: distinguishedName([
      [OID.organization, request.clusterId],
      [OID.organizationalUnit, request.role],
      [OID.commonName, request.commonName],
    ]),
    notBefore: request.nowMicros - LEAF_BACKDATE_MICROS,
    notAfter: request.nowMicros + request.validityMicros,
    publicKey: request.publicKey,
    extensions: [
      keyUsage(USAGE_SIGN_ENCIPHER),
      extension(OID.extendedKeyUsage, false, sequence(...usages.map(oid))),
      extension(OID.basicConstraints, true, sequence()),
      extension(OID.subjectKeyId, false, octets(keyId(crypto, request.publicKey))),
      extension(
        OID.authorityKeyId,
        false,
        sequence(implicit(0, keyIdOf(crypto, issuer.certificate))),
      ),
      extension(
        OID.subjectAltName,
        false,
        sequence(
          ...names.map((name) => implicit(2, utf8Bytes(name))),
          ...(request.server?.addresses ?? []).map((address) => implicit(7, address)),
        ),
      ),
    ],
  });
}

/**
 * The public key of a certificate request (PEM), after checking that the request is signed with it.
 * @throws TswarmError invalid_argument.
 */
export function publicKeyOfRequest(crypto: CaCrypto, csr: string): Uint8Array {
  const request = itemsOf(fromDer(fromPem('CERTIFICATE REQUEST', csr), 'certificate request'));
  const [info, algorithm, signature] = request;
  const key = itemsOf(info)[2];
  if (!info || !key || request.length !== 3) throw badRequest('it has not the right parts');
  const [keyType, curve] = itemsOf(itemsOf(key)[0]);
  if (oidOf(keyType) !== OID.ecPublicKey || oidOf(curve) !== OID.p256) {
    throw badRequest('its key is not ECDSA P-256');
  }
  if (oidOf(itemsOf(algorithm)[0]) !== OID.ecdsaWithSha256) {
    throw badRequest('it is not signed with ECDSA and SHA-256');
  }
  const publicKey = toDer(key);
  // The first byte of a BIT STRING counts unused bits: none here.
  if (!crypto.verify(publicKey, toDer(info), bytesOf(signature).subarray(1))) {
    throw badRequest('its signature does not match its key');
  }
  return publicKey;
}

function badRequest(why: string): TswarmError {
  return new TswarmError('invalid_argument', `certificate request: ${why}`, { field: 'CSR' });
}

interface Fields {
  readonly serial: Uint8Array;
  readonly issuer: Asn1;
  readonly subject: Asn1;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: Uint8Array;
  readonly extensions: readonly Asn1[];
}

function signCertificate(signer: Signer, fields: Fields): string {
  assert(fields.serial.length === 16, 'a serial number has 16 bytes');
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const version3 = tagged(0, integer(Uint8Array.of(2)));
  const toSign = sequence(
    version3,
    integer(positive(fields.serial)),
    algorithm,
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    fromDer(fields.publicKey, 'public key'),
    tagged(3, sequence(...fields.extensions)),
  );
  const signature = signer.sign(toDer(toSign));
  return toPem('CERTIFICATE', toDer(sequence(toSign, algorithm, bits(signature))));
}

/** Serial numbers are positive and their first byte is not zero, so that they have one encoding. */
function positive(serial: Uint8Array): Uint8Array {
  const copy = new Uint8Array(serial);
  copy[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return copy;
}

function distinguishedName(parts: readonly (readonly [string, string])[]): Asn1 {
  return sequence(...parts.map(([type, value]) => set(sequence(oid(type), utf8(value)))));
}

function extension(id: string, critical: boolean, value: Asn1): Asn1 {
  const body = octets(toDer(value));
  return critical ? sequence(oid(id), boolean(true), body) : sequence(oid(id), body);
}

function keyUsage({ byte, unused }: { byte: number; unused: number }): Asn1 {
  return extension(OID.keyUsage, true, bits(Uint8Array.of(byte), unused));
}

/** 160 bits of the SHA-256 of the key (RFC 7093 §2). */
function keyId(crypto: CaCrypto, publicKey: Uint8Array): Uint8Array {
  return crypto.sha256(publicKey).subarray(0, 20);
}

/** The key identifier that a certificate carries; another program may have made it in another way. */
function keyIdOf(crypto: CaCrypto, certificate: string): Uint8Array {
  for (const part of partsOfCertificate(certificate)) {
    for (const item of itemsOf(itemsOf(part)[0])) {
      const [id, ...values] = itemsOf(item);
      if (oidOf(id) !== OID.subjectKeyId) continue;
      return bytesOf(fromDer(bytesOf(values.at(-1)), 'subject key identifier'));
    }
  }
  return keyId(crypto, publicKeyOfCertificate(certificate));
}

/** SubjectPublicKeyInfo (DER) of a certificate. @throws TswarmError invalid_argument */
export function publicKeyOfCertificate(certificate: string): Uint8Array {
  const key = partOfCertificate(certificate, PUBLIC_KEY_PART);
  return toDer(key);
}

/** The subject of a certificate, as the issuer of others must repeat it. */
function subjectOf(certificate: string): Asn1 {
  return partOfCertificate(certificate, SUBJECT_PART);
}

/** Places in TBSCertificate (RFC 5280 §4.1), the version being there. */
const SUBJECT_PART = 5;
const PUBLIC_KEY_PART = 6;

function partOfCertificate(certificate: string, place: number): Asn1 {
  const part = partsOfCertificate(certificate)[place];
  if (!part)
    throw new TswarmError('invalid_argument', 'root certificate: it has not the right parts');
  return part;
}

/** The items of TBSCertificate. */
function partsOfCertificate(certificate: string): readonly Asn1[] {
  return itemsOf(itemsOf(fromDer(fromPem('CERTIFICATE', certificate), 'root certificate'))[0]);
}
