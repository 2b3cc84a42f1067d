// Nodes and the cluster object: what administrators may change of them. Roles do not change yet
// (the membership of the Raft group would have to follow), which is said, not ignored.
import { CERTIFICATE_ROLE } from '#manager/ca/certificates';
import type { DecisionContext, ReadView, WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type { UpdateObjectRequest } from '#protocol/generated/control';
import {
  type Cluster,
  type Node,
  NodeState,
  RootCa,
  Task,
  TaskState,
  TaskStatus,
} from '#protocol/generated/objects';
import { ClusterSpec, NodeRole, NodeSpec } from '#protocol/generated/specs';
import { formatJoinToken, parseJoinToken } from '#protocol/join-token';
import { keepExtensions } from './extensions.ts';
import { checkLabels, invalid } from './validate-names.ts';
import { refuseOldVersion } from './versions.ts';

const CERT_EXPIRY_NANOS_MIN = 3600e9;
const HEARTBEAT_NANOS_MIN = 100e6;
const HEARTBEAT_NANOS_MAX = 3600e9;

export function updateNode(tx: WriteView, request: UpdateObjectRequest): Node {
  const node = tx.get('node', request.id);
  if (!node?.spec) throw new TswarmError('not_found', `node ${request.id} not found`);
  refuseOldVersion(node, request.version);
  const asked = request.spec?.node;
  if (!asked) throw invalid('Spec', 'the request carries no node specification');
  checkLabels(asked.labels);
  const spec = request.keepExtensions ? keepExtensions(NodeSpec, asked, node.spec) : asked;
  if (spec.role !== node.spec.role) refuseRoleChange(tx, node);
  const updated: Node = { ...node, spec };
  tx.update('node', updated);
  return updated;
}

function refuseRoleChange(tx: WriteView, node: Node): never {
  if (node.spec?.role === NodeRole.MANAGER) {
    const managers = [...tx.list('node')].filter((n) => n.spec?.role === NodeRole.MANAGER);
    if (managers.length === 1) {
      throw new TswarmError(
        'failed_precondition',
        'attempting to demote the last manager of the swarm',
        { field: 'Role' },
      );
    }
  }
  throw new TswarmError('not_supported', 'the role of a node cannot be changed', {
    field: 'Role',
    hint: 'Leave the cluster on that host and join again with the token of the other role.',
  });
}

/**
 * Removes a node; its unfinished tasks are orphaned in the same change, so that replacements start.
 */
export function removeNode(tx: WriteView, id: string, force: boolean): void {
  const node = tx.get('node', id);
  if (!node) throw new TswarmError('not_found', `node ${id} not found`);
  if (node.spec?.role === NodeRole.MANAGER) {
    throw new TswarmError(
      'failed_precondition',
      `node ${id} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`,
    );
  }
  if (!force && node.status?.state === NodeState.READY) {
    throw new TswarmError('failed_precondition', `node ${id} is not down and can't be removed`, {
      hint: 'Leave the cluster on that host first, or use --force.',
    });
  }
  for (const task of [...tx.tasksByNode(id)]) {
    if ((task.status?.state ?? 0) > TaskState.RUNNING) continue;
    const status = TaskStatus.create({
      ...task.status,
      state: TaskState.ORPHANED,
      message: 'Task belonged to a node that has been deleted',
    });
    tx.update('task', Task.create({ ...task, status }));
  }
  tx.remove('node', id);
}

export function updateCluster(
  tx: WriteView,
  context: DecisionContext,
  request: UpdateObjectRequest,
): Cluster {
  const cluster = tx.get('cluster', request.id);
  if (!cluster?.spec) throw new TswarmError('not_found', `cluster ${request.id} not found`);
  refuseOldVersion(cluster, request.version);
  const asked = request.spec?.cluster ?? cluster.spec;
  const spec = request.keepExtensions ? keepExtensions(ClusterSpec, asked, cluster.spec) : asked;
  checkClusterSpec(spec, cluster.spec);
  if (request.rotateUnlockKey) {
    throw new TswarmError('not_supported', 'there is no unlock key: autolock is not supported');
  }
  const updated: Cluster = {
    ...cluster,
    spec: ClusterSpec.create({ ...spec, name: 'default' }),
    rootCa: cluster.rootCa && rotated(cluster.rootCa, request, context),
  };
  tx.update('cluster', updated);
  return updated;
}

function checkClusterSpec(spec: ClusterSpec, old: ClusterSpec): void {
  if (spec.name !== '' && spec.name !== 'default') {
    throw invalid('Name', 'swarm spec must be named "default"');
  }
  checkLabels(spec.labels);
  const expiry = spec.caConfig?.nodeCertExpiry ?? 0;
  if (expiry !== 0 && expiry < CERT_EXPIRY_NANOS_MIN) {
    throw invalid('CAConfig.NodeCertExpiry', 'minimum certificate expiry time is: 1h0m0s');
  }
  const period = spec.dispatcher?.heartbeatPeriod ?? 0;
  if (period !== 0 && (period < HEARTBEAT_NANOS_MIN || period > HEARTBEAT_NANOS_MAX)) {
    throw invalid('Dispatcher.HeartbeatPeriod', 'invalid heartbeat period: 100ms to 1h');
  }
  if (spec.encryptionConfig?.autoLockManagers) {
    throw new TswarmError('not_supported', 'autolock is not supported', {
      field: 'EncryptionConfig.AutoLockManagers',
    });
  }
  if ((spec.caConfig?.forceRotate ?? 0) !== (old.caConfig?.forceRotate ?? 0)) {
    throw new TswarmError('not_supported', 'the root certificate cannot be rotated', {
      field: 'CAConfig.ForceRotate',
    });
  }
}

function rotated(root: RootCa, request: UpdateObjectRequest, context: DecisionContext): RootCa {
  // An id has as many random bits as a token's secret, in the same form.
  const rotate = (token: string): string =>
    formatJoinToken({ caDigest: parseJoinToken(token).caDigest, secret: context.newId() });
  return RootCa.create({
    ...root,
    joinTokenWorker: request.rotateWorkerToken
      ? rotate(root.joinTokenWorker)
      : root.joinTokenWorker,
    joinTokenManager: request.rotateManagerToken
      ? rotate(root.joinTokenManager)
      : root.joinTokenManager,
  });
}

/**
 * Only administrators command; a node's own certificate changes nothing. An administrator's
 * certificate is a manager host's, and ends with its node. @throws TswarmError permission_denied,
 * unauthenticated.
 */
export function requireAdministrator(
  view: ReadView,
  peer: { readonly nodeId: string; readonly role: string },
): void {
  if (peer.nodeId === '') {
    throw new TswarmError('unauthenticated', 'a certificate of an administrator is needed');
  }
  if (peer.role !== CERTIFICATE_ROLE.admin) {
    throw new TswarmError(
      'permission_denied',
      `node ${peer.nodeId} (${peer.role}) is not allowed to manage the cluster`,
      { hint: 'Use a manager, or log in with `tswarm login`.' },
    );
  }
  if (view.get('node', peer.nodeId)?.spec?.role === NodeRole.MANAGER) return;
  throw new TswarmError(
    'permission_denied',
    `the certificate is of host ${peer.nodeId}, which is no manager of this cluster`,
  );
}
