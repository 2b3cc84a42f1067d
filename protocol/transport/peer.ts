// Who is at the other end of a gRPC call, from the client certificate. The listener lets callers in
// without a certificate (to join), so TLS itself checks only that the caller holds the key; that
// our root signed the certificate and that it is valid now is checked here. Checking a signature
// costs about 100 µs, so a verified certificate is remembered by its SHA-256 and by its connection;
// that its root is still trusted and that it has not expired is checked at every call. grpc-js
// hides a certificate that the listener's own root did not sign, so the connection is asked
// directly.
import { createHash, X509Certificate } from 'node:crypto';
import { TswarmError } from '../errors.ts';

/** Who calls: from the client certificate (CN, OU, O); all empty when none was presented. */
export interface Peer {
  readonly nodeId: string;
  readonly role: string;
  readonly clusterId: string;
  readonly address: string;
}

/**
 * The root certificates (PEM) that a caller's certificate must be signed by; asked at every call,
 * so a rotation counts at once.
 */
export type TrustRoots = () => readonly string[];

/** Certificates remembered over all connections; a thousand nodes have two each. */
const VERIFIED_MAX = 4096;

interface Verified {
  readonly nodeId: string;
  readonly role: string;
  readonly clusterId: string;
  /** PEM of the root that signed it. */
  readonly root: string;
  readonly validFromMs: number;
  readonly validToMs: number;
}

interface TlsSession {
  readonly socket?: { getPeerCertificate?(): { readonly raw?: Uint8Array } | undefined };
}

/** The part of grpc-js's server call that leads to the connection. */
interface CallInternals {
  getPeer(): string;
  readonly call?: { readonly stream?: { readonly session?: TlsSession } };
}

const byFingerprint = new Map<string, Verified>();
const bySession = new WeakMap<object, { readonly verified: Verified | undefined }>();

/** Signatures checked since start: for tests and figures. */
export const peerStatistics = { signatureChecks: 0 };

/**
 * The caller's identity. @throws TswarmError unauthenticated for a certificate that is not ours or
 * not valid now.
 */
export function peerOf(call: object, trustRoots: TrustRoots, nowMs: number = Date.now()): Peer {
  const internals = call as CallInternals;
  const address = internals.getPeer();
  const session = internals.call?.stream?.session;
  if (!session) throw new Error('bug: a call without a connection');
  const known = bySession.get(session);
  const roots = trustRoots();
  let verified = known?.verified;
  if (!known || (verified && !roots.includes(verified.root))) {
    verified = verifiedOf(session, roots);
    bySession.set(session, { verified });
  }
  if (!verified) return { nodeId: '', role: '', clusterId: '', address };
  if (nowMs > verified.validToMs || nowMs < verified.validFromMs) {
    throw notValidNow(verified, nowMs);
  }
  const { nodeId, role, clusterId } = verified;
  return { nodeId, role, clusterId, address };
}

function notValidNow({ validFromMs, validToMs }: Verified, nowMs: number): TswarmError {
  if (nowMs < validFromMs) {
    const message = `client certificate: valid from ${iso(validFromMs)}, and it is ${iso(nowMs)} here`;
    return new TswarmError('unauthenticated', message, {
      hint: 'Check the clocks of both hosts.',
    });
  }
  const message = `client certificate: expired at ${iso(validToMs)}, and it is ${iso(nowMs)} here`;
  return new TswarmError('unauthenticated', message, {
    hint: 'Check the clocks of both hosts; if they are right, leave the cluster and join again.',
  });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function verifiedOf(session: TlsSession, roots: readonly string[]): Verified | undefined {
  const raw = session.socket?.getPeerCertificate?.()?.raw;
  if (!raw) return undefined;
  const fingerprint = createHash('sha256').update(raw).digest('base64');
  const known = byFingerprint.get(fingerprint);
  if (known && roots.includes(known.root)) return known;
  const certificate = new X509Certificate(raw);
  const root = roots.find((pem) => {
    peerStatistics.signatureChecks++;
    return certificate.verify(new X509Certificate(pem).publicKey);
  });
  if (root === undefined) {
    throw new TswarmError('unauthenticated', 'client certificate: not signed by this cluster');
  }
  const part = (key: string): string =>
    new RegExp(`^${key}=(.*)$`, 'm').exec(certificate.subject)?.[1] ?? '';
  const verified: Verified = {
    nodeId: part('CN'),
    role: part('OU'),
    clusterId: part('O'),
    root,
    validFromMs: certificate.validFromDate.getTime(),
    validToMs: certificate.validToDate.getTime(),
  };
  if (byFingerprint.size >= VERIFIED_MAX) {
    const oldest = byFingerprint.keys().next();
    if (!oldest.done) byFingerprint.delete(oldest.value);
  }
  byFingerprint.set(fingerprint, verified);
  return verified;
}
