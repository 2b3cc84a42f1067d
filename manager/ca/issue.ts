// Who gets which certificate. Joining: the token says the role, a node object is made. Renewal and
// a manager's second certificate: the certificate that the caller has says who it is. Pure: reads
// and writes the store's transaction; the certificate itself is built by the caller once the node
// is committed, so that no valid certificate exists for a node that does not.

import type { ReadView, WriteView } from '#manager/store/view';
import { CERTIFICATE_ROLE, type CertificateRole } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import type { IssueNodeCertificateRequest } from '#protocol/generated/ca';
import {
  type Cluster,
  ManagerStatus,
  Node,
  NodeDescription,
  NodeState,
  NodeStatus,
} from '#protocol/generated/objects';
import { NodeAvailabilityText, NodeRole, NodeSpec } from '#protocol/generated/specs';
import { hex } from '#protocol/ids';
import { base36, parseJoinToken } from '#protocol/join-token';
import type { CaCrypto } from './crypto.ts';
import { utf8Bytes } from './der.ts';
import {
  CLOCK_DIFFERENCE_MICROS_MAX,
  HOSTNAME_CHARS_MAX,
  LEAF_VALIDITY_MICROS,
  LEAF_VALIDITY_MICROS_MIN,
} from './limits.ts';

const NODE_ID_CHARS = 25;

/** Who asks, from the verified client certificate; empty when there is none. */
export interface Applicant {
  readonly nodeId: string;
  readonly role: string;
}

/** A certificate to make. */
export interface Grant {
  readonly nodeId: string;
  readonly certificateRole: CertificateRole;
  /** Of the node. */
  readonly nodeRole: NodeRole;
}

/** The id of the node with this key: a join that is tried again gives the same node. */
export function nodeIdOf(crypto: CaCrypto, publicKey: Uint8Array): string {
  return base36(crypto.sha256(publicKey).subarray(0, 16), NODE_ID_CHARS);
}

/**
 * Refuses to begin with a node whose clock is far from the leader's: as a manager it would once lead, and
 * sign for a time that is not yet, or over. Renewals go on: a clock that went wrong must not lock its node out.
 * @throws TswarmError failed_precondition
 */
export function checkClock(
  request: Pick<IssueNodeCertificateRequest, 'token' | 'role' | 'nowMicros'>,
  applicant: Applicant,
  nowMicros: number,
): void {
  const becomesManager =
    request.role === NodeRole.MANAGER && applicant.role === CERTIFICATE_ROLE.worker;
  if (request.nowMicros === 0 || (request.token === '' && !becomesManager)) return;
  if (Math.abs(request.nowMicros - nowMicros) <= CLOCK_DIFFERENCE_MICROS_MAX) return;
  throw new TswarmError(
    'failed_precondition',
    `the clocks differ: it is ${iso(request.nowMicros)} on this host and ${iso(nowMicros)} on the leader`,
    { hint: 'Set both clocks (timedatectl, chrony), then try again.' },
  );
}

/** Of any number that a caller may send. */
function iso(micros: number): string {
  const date = new Date(micros / 1000);
  return Number.isNaN(date.getTime()) ? `${micros} µs after 1970` : date.toISOString();
}

/**
 * Admits a node that joins: checks its token and creates the node object, unless an earlier try of
 * the same join has. @throws TswarmError unauthenticated, invalid_argument; permission_denied for a node that was removed.
 */
export function admitNode(
  tx: WriteView,
  crypto: CaCrypto,
  request: IssueNodeCertificateRequest,
  nodeId: string,
): Grant {
  const role = roleOfToken(tx.cluster(), crypto, request.token);
  checkHostname(request.hostname);
  if (!NodeAvailabilityText.has(request.availability)) {
    throw new TswarmError('invalid_argument', `invalid Availability: ${request.availability}`, {
      field: 'Availability',
    });
  }
  const known = tx.get('node', nodeId);
  if (known?.spec) {
    return { nodeId, certificateRole: CERTIFICATE_ROLE.worker, nodeRole: known.spec.role };
  }
  // The same key: a host that has not left since, or a call that is late. The other nodes would refuse it.
  if (tx.cluster().removedNodes.some(({ id }) => id === nodeId)) throw noMember(nodeId);
  tx.create(
    'node',
    Node.create({
      id: nodeId,
      spec: NodeSpec.create({ role, availability: request.availability }),
      role,
      description: NodeDescription.create({ hostname: request.hostname }),
      status: NodeStatus.create({ state: NodeState.UNKNOWN, message: 'not heard from yet' }),
    }),
  );
  return { nodeId, certificateRole: CERTIFICATE_ROLE.worker, nodeRole: role };
}

/**
 * What a caller with a certificate of this cluster may have. @throws TswarmError unauthenticated,
 * permission_denied.
 */
export function decideRenewal(
  view: ReadView,
  request: IssueNodeCertificateRequest,
  applicant: Applicant,
): Grant {
  if (applicant.nodeId === '') {
    throw new TswarmError(
      'unauthenticated',
      'a join token or a certificate of the cluster is needed',
    );
  }
  const node = view.get('node', applicant.nodeId);
  if (!node?.spec) {
    throw noMember(applicant.nodeId);
  }
  const isAdmin = applicant.role === CERTIFICATE_ROLE.admin;
  const asManager =
    request.role === NodeRole.MANAGER || applicant.role === CERTIFICATE_ROLE.manager;
  if ((asManager || isAdmin) && node.spec.role !== NodeRole.MANAGER) {
    throw new TswarmError('permission_denied', `node ${node.id} is not a manager`);
  }
  if (asManager && applicant.role === CERTIFICATE_ROLE.worker) refuseSealed(view.cluster(), node);
  if (isAdmin) {
    return { nodeId: node.id, certificateRole: CERTIFICATE_ROLE.admin, nodeRole: node.spec.role };
  }
  const certificateRole = asManager ? CERTIFICATE_ROLE.manager : CERTIFICATE_ROLE.worker;
  return { nodeId: node.id, certificateRole, nodeRole: node.spec.role };
}

function noMember(nodeId: string): TswarmError {
  return new TswarmError('permission_denied', `node ${nodeId} is no longer in the cluster`, {
    hint: 'Leave the cluster on that host and join again.',
  });
}

/**
 * With autolock a stolen disk must not get back in without the unlock key. The worker's key is on it
 * in the clear; so that key brings a manager into the group once, and not a second time.
 */
function refuseSealed(cluster: Cluster, node: Node): void {
  const wasManager = (node.managerStatus?.rootDigest ?? '') !== '';
  if (cluster.unlockKey.length === 0 || !wasManager) return;
  throw new TswarmError(
    'locked',
    `node ${node.id} is a manager already, and autolock is on: its keys are needed`,
    {
      hint: 'Unlock it with `tswarm unlock`. If its disk is lost: demote it and promote it again.',
    },
  );
}

/** Keeps the worker's certificate with its node, and which root it is of. */
export function recordCertificate(
  tx: WriteView,
  nodeId: string,
  certificate: string,
  rootDigest: string,
): void {
  const node = tx.get('node', nodeId);
  if (node) tx.update('node', { ...node, certificate: utf8Bytes(certificate), rootDigest });
}

/** Keeps which root the administrator's certificate of a manager's gateway is of. */
export function recordAdministrator(tx: WriteView, nodeId: string, adminRootDigest: string): void {
  const node = tx.get('node', nodeId);
  if (!node?.managerStatus) return;
  const managerStatus = ManagerStatus.create({ ...node.managerStatus, adminRootDigest });
  tx.update('node', { ...node, managerStatus });
}

/** How long a leaf lives, from the cluster's settings. */
export function leafValidityMicros(cluster: Cluster): number {
  const expiryNanos = cluster.spec?.caConfig?.nodeCertExpiry ?? 0;
  if (expiryNanos === 0) return LEAF_VALIDITY_MICROS;
  return Math.max(LEAF_VALIDITY_MICROS_MIN, Math.floor(expiryNanos / 1000));
}

function checkHostname(hostname: string): void {
  const isPrintable = [...hostname].every((char) => char > ' ' && char !== '\x7f');
  if (isPrintable && hostname.length <= HOSTNAME_CHARS_MAX) return;
  throw new TswarmError(
    'invalid_argument',
    `the host's name must have at most ${HOSTNAME_CHARS_MAX} characters without spaces`,
    { field: 'Hostname' },
  );
}

function roleOfToken(cluster: Cluster, crypto: CaCrypto, text: string): NodeRole {
  const token = parseJoinToken(text);
  const root = cluster.rootCa;
  if (token.caDigest !== root?.caCertDigest) {
    throw new TswarmError('invalid_argument', 'the join token is of another cluster', {
      field: 'JoinToken',
      hint: 'Run `tswarm join-token worker` on a manager of this cluster.',
    });
  }
  // Both are compared always, so that the time taken says nothing.
  const isWorker = sameSecret(text.trim(), root.joinTokenWorker);
  const isManager = sameSecret(text.trim(), root.joinTokenManager);
  if (isManager) return NodeRole.MANAGER;
  if (isWorker) return NodeRole.WORKER;
  const wasRotated = root.rotatedTokens.includes(tokenDigest(crypto, text));
  throw new TswarmError(
    'unauthenticated',
    wasRotated
      ? 'the join token is not valid any more: it was rotated'
      : 'the join token is not valid: its secret is not one of this cluster',
    {
      field: 'JoinToken',
      hint: 'Run `tswarm join-token worker` (or manager) on a manager and copy the whole token.',
    },
  );
}

/** What is remembered of a token that is rotated out. */
export function tokenDigest(crypto: CaCrypto, token: string): string {
  return hex(crypto.sha256(utf8Bytes(token.trim())));
}

/** Equality whose time depends on the lengths only. */
export function sameSecret(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++)
    difference |= a.charCodeAt(i) ^ b.charCodeAt(i % (b.length || 1));
  return difference === 0;
}
