// The cluster's root and its replacement. A rotation goes: the new root is made and certified by
// the old one too (cross-signed); from then on everything is signed with the new key, and both
// roots are trusted; nodes and managers get new certificates; when all have one, the new root alone
// is left, and the join tokens, which carry the root's digest, are new. A node that is down holds
// the end up until it is back or removed, because it could not come back afterwards. Pure, after
// swarmkit ca/reconciler.go. Refuses to end a rotation early.
import type { ReadView, WriteView } from '#manager/store/view';
import { type Cluster, type Node, RootCa, RootRotation } from '#protocol/generated/objects';
import { formatJoinToken } from '#protocol/join-token';
import { publicKeyOfCertificate } from './certificates.ts';
import { ROTATED_TOKENS_MAX } from './limits.ts';

/** A root to rotate to. */
export interface NewRoot {
  /** PEM. */
  readonly caCert: string;
  /** PEM, PKCS#8. */
  readonly caKey: string;
  /** PEM: the same key certified by the present root. */
  readonly crossSignedCaCert: string;
  readonly caCertDigest: string;
}

/** With what certificates are signed now. */
export interface IssuingRoot {
  readonly certificate: string;
  readonly key: string;
  readonly digest: string;
  /** PEM that goes with every leaf; '' outside a rotation. */
  readonly chain: string;
}

/** Roots (PEM, one each) whose certificates are accepted. */
export function trustedRoots(cluster: Cluster): readonly string[] {
  const root = cluster.rootCa;
  if (!root) return [];
  const { rootRotation } = root;
  return rootRotation ? [root.caCert, rootRotation.caCert] : [root.caCert];
}

/** The same as one text, for who is told whom to trust. */
export function trustBundle(cluster: Cluster): string {
  return trustedRoots(cluster).join('');
}

export function issuingRoot(cluster: Cluster): IssuingRoot {
  const root = cluster.rootCa ?? RootCa.create({});
  const { rootRotation } = root;
  if (rootRotation) {
    return {
      certificate: rootRotation.caCert,
      key: rootRotation.caKey,
      digest: rootRotation.caCertDigest,
      chain: rootRotation.crossSignedCaCert,
    };
  }
  return { certificate: root.caCert, key: root.caKey, digest: root.caCertDigest, chain: '' };
}

/** The cluster with a rotation to `next` begun; one that was going on is given up for it. */
export function beginRotation(cluster: Cluster, next: NewRoot): Cluster {
  const rootCa = RootCa.create({
    ...cluster.rootCa,
    rootRotation: RootRotation.create(next),
    lastForcedRotation: cluster.spec?.caConfig?.forceRotate ?? 0,
  });
  return { ...cluster, rootCa };
}

/** Whether the node must get new certificates, for its worker or, on a manager, its gateway. */
export function mustRenew(cluster: Cluster, node: Node): boolean {
  if (cluster.rootCa?.rootRotation && isGatewayOld(node, issuingRoot(cluster).digest)) return true;
  // Nodes from before the first rotation do not say which root theirs is of.
  if (node.rootDigest === '' && !cluster.rootCa?.rootRotation) return false;
  return node.rootDigest !== issuingRoot(cluster).digest;
}

function isGatewayOld({ managerStatus }: Node, digest: string): boolean {
  const { adminRootDigest = '' } = managerStatus ?? {};
  return adminRootDigest !== '' && adminRootDigest !== digest;
}

/** The node says that it holds a certificate of another root. One that was issued may not have got there. */
function holdsOther(node: Node, rootKey: Uint8Array): boolean {
  const held = node.description?.tlsInfo?.certIssuerPublicKey ?? NOTHING;
  return held.length > 0 && !sameBytes(held, rootKey);
}

const NOTHING: Uint8Array = new Uint8Array();

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Ids of the nodes that still have a certificate of a root that goes out. */
export function waitingFor(view: ReadView): string[] {
  const cluster = view.cluster();
  const { digest, certificate } = issuingRoot(cluster);
  const rootKey = publicKeyOfCertificate(certificate);
  const nodes: string[] = [];
  for (const node of view.list('node')) {
    const { managerStatus } = node;
    const isManagerOld = managerStatus !== undefined && managerStatus.rootDigest !== digest;
    if (mustRenew(cluster, node) || isManagerOld || holdsOther(node, rootKey)) nodes.push(node.id);
  }
  return nodes;
}

/**
 * Ends the rotation if nobody needs the old root any more. `newSecret` gives the secret of a join
 * token. Returns whether it ended.
 */
export function endRotation(tx: WriteView, newSecret: () => string): boolean {
  const cluster = tx.cluster();
  const { rootCa } = cluster;
  const next = rootCa?.rootRotation;
  if (!rootCa || !next || waitingFor(tx).length > 0) return false;
  const token = (): string => formatJoinToken({ caDigest: next.caCertDigest, secret: newSecret() });
  const ended = RootCa.create({
    caCert: next.caCert,
    caKey: next.caKey,
    caCertDigest: next.caCertDigest,
    joinTokenWorker: token(),
    joinTokenManager: token(),
    lastForcedRotation: rootCa.lastForcedRotation,
  });
  tx.update('cluster', { ...cluster, rootCa: ended });
  return true;
}

/** The list of rotated tokens with one more; the oldest are forgotten. */
export function withRotatedToken(root: RootCa, digest: string): readonly string[] {
  return [...root.rotatedTokens, digest].slice(-ROTATED_TOKENS_MAX);
}
