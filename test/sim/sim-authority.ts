// The certificate authority of a simulated manager: manager/ca as it is, with keys and signatures
// that repeat. What the program's ca-service.ts does around it (rate limits, passing calls on) is
// left out. A "private key" is the hash of its seed; whoever knows a public key could sign, which
// nobody here tries: tampering is tested by changing bytes.
import { createHash } from 'node:crypto';
import {
  crossSignRoot,
  issueLeaf,
  makeRootCertificate,
  publicKeyOfRequest,
} from '#manager/ca/certificates';
import type { CaCrypto, Signer } from '#manager/ca/crypto';
import { fromPem, integer, sequence, toDer, toPem } from '#manager/ca/der';
import {
  type Applicant,
  admitNode,
  decideRenewal,
  leafValidityMicros,
  nodeIdOf,
  recordCertificate,
} from '#manager/ca/issue';
import { issuingRoot, trustBundle } from '#manager/ca/rotation';
import type { ReplicatedStore } from '#manager/host/replicated-store';
import { certificateRequest } from '#protocol/certificates';
import { IssueNodeCertificateRequest } from '#protocol/generated/ca';
import { NodeRole } from '#protocol/generated/specs';
import type { Random } from '#protocol/world';
import type { Prng } from '#test/support/prng';

/** SubjectPublicKeyInfo of ECDSA P-256 up to the 64 bytes of the point. */
const SPKI_HEAD = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const KEY_LABEL = 'PRIVATE KEY';

function hash(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return new Uint8Array(digest.digest());
}

function signatureOf(publicKey: Uint8Array, data: Uint8Array): Uint8Array {
  const r = hash(publicKey, data);
  r[0] = ((r[0] as number) & 0x3f) | 0x40; // A positive number with one encoding.
  return toDer(sequence(integer(r), integer(r)));
}

export const SIM_CA_CRYPTO: CaCrypto = {
  sha256: (data) => hash(data),
  verify: (publicKey, data, signature) =>
    Buffer.compare(signatureOf(publicKey, data), signature) === 0,
};

/** The key that follows from `seed`. */
export function simSigner(seed: Uint8Array): Signer {
  const point = Buffer.concat([hash(seed, Uint8Array.of(1)), hash(seed, Uint8Array.of(2))]);
  const publicKey = new Uint8Array(Buffer.concat([SPKI_HEAD, point]));
  return { publicKey, sign: (data) => signatureOf(publicKey, data) };
}

/** A new root: its key as the cluster object keeps it, and its signer. */
export function newRootKey(random: Random): { readonly pem: string; readonly signer: Signer } {
  const seed = random.bytes(32);
  return { pem: toPem(KEY_LABEL, seed), signer: simSigner(seed) };
}

function signerFromPem(pem: string): Signer {
  return simSigner(fromPem(KEY_LABEL, pem));
}

/** A root to rotate to, certified by the present one. */
export function newRoot(
  random: Random,
  nowMicros: number,
  present: { readonly certificate: string; readonly key: string },
): { caCert: string; caKey: string; crossSignedCaCert: string } {
  const { pem, signer } = newRootKey(random);
  const [serial, crossSerial] = [random.bytes(16), random.bytes(16)];
  const caCert = makeRootCertificate(SIM_CA_CRYPTO, signer, { nowMicros, serial });
  const by = { certificate: present.certificate, signer: signerFromPem(present.key) };
  const args = { nowMicros, serial: crossSerial };
  const crossSignedCaCert = crossSignRoot(SIM_CA_CRYPTO, by, caCert, args);
  return { caCert, caKey: pem, crossSignedCaCert };
}

export interface Issued {
  readonly nodeId: string;
  readonly certificate: string;
  readonly trusted: string;
}

/** Answers a request for a certificate, as the leader. @throws TswarmError what manager/ca says */
export async function issueCertificate(
  replicated: ReplicatedStore,
  request: IssueNodeCertificateRequest,
  applicant: Applicant,
  world: { readonly random: Random; readonly nowMicros: number },
): Promise<Issued> {
  const publicKey = publicKeyOfRequest(SIM_CA_CRYPTO, request.csr);
  const grant =
    request.token === ''
      ? decideRenewal(replicated.view, request, applicant)
      : (
          await replicated.update({ author: 'ca', summary: 'join' }, (tx) =>
            admitNode(tx, SIM_CA_CRYPTO, request, nodeIdOf(SIM_CA_CRYPTO, publicKey)),
          )
        ).value;
  const cluster = replicated.view.cluster();
  const issuing = issuingRoot(cluster);
  const issuer = { certificate: issuing.certificate, signer: signerFromPem(issuing.key) };
  const leaf = issueLeaf(SIM_CA_CRYPTO, issuer, {
    publicKey,
    commonName: grant.nodeId,
    role: grant.certificateRole,
    clusterId: cluster.id,
    nowMicros: world.nowMicros,
    validityMicros: leafValidityMicros(cluster),
    serial: world.random.bytes(16),
  });
  await replicated.update({ author: 'ca', summary: '' }, (tx) =>
    recordCertificate(tx, grant.nodeId, leaf, issuing.digest),
  );
  return { nodeId: grant.nodeId, certificate: leaf + issuing.chain, trusted: trustBundle(cluster) };
}

/** A request that is wrong in some way, or asks for more than it may get, or is in order. */
export function strangeRequest(prng: Prng, token: string): IssueNodeCertificateRequest {
  const csr = certificateRequest(simSigner(prng.bytes(8)));
  const tokens = ['', '', token, token.replace(/.$/, 'x'), token.replace('-0', '-1'), 'SWMTKN-1-x'];
  const csrs = [csr, csr, csr, flipped(prng, csr), csr.slice(0, 90), 'nothing'];
  const hostnames = ['host', 'host', 'a host', 'h'.repeat(400)];
  return IssueNodeCertificateRequest.create({
    csr: csrs[prng.below(csrs.length)] as string,
    token: tokens[prng.below(tokens.length)] as string,
    role: prng.chance(0.5) ? NodeRole.MANAGER : NodeRole.WORKER,
    hostname: hostnames[prng.below(hostnames.length)] as string,
    availability: (prng.chance(0.2) ? 9 : 0) as 0,
  });
}

/** The request with another bit somewhere in its middle. */
function flipped(prng: Prng, csr: string): string {
  const der = fromPem('CERTIFICATE REQUEST', csr);
  const at = prng.below(der.length);
  der[at] = (der[at] as number) ^ (1 << prng.below(8));
  return toPem('CERTIFICATE REQUEST', der);
}
