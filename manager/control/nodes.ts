// Nodes: what administrators may change of them. A role is changed in two steps: here only what the
// node shall be (spec.role); what it is (role, membership of the Raft group) follows by the role
// manager. Texts of swarmkit controlapi/node.go.
import { withRemovedNode } from '#manager/ca/removed';
import type { StoreView, StoreWriteView } from '#manager/store/state';
import type { WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type { UpdateObjectRequest } from '#protocol/generated/control';
import {
  type Node,
  NodeState,
  Task,
  TaskState,
  TaskStatus,
  Volume,
} from '#protocol/generated/objects';
import { NodeAvailabilityText, NodeRole, NodeRoleText, NodeSpec } from '#protocol/generated/specs';
import { keepExtensions } from './extensions.ts';
import { type Member, raftIdOf, refuseUnsafeDemotion } from './managers.ts';
import { checkLabels, invalid } from './validate-names.ts';
import { refuseOldVersion } from './versions.ts';

/** @throws TswarmError not_found, out_of_sequence, invalid_argument, failed_precondition */
export function updateNode(
  tx: WriteView,
  request: UpdateObjectRequest,
  members: readonly Member[],
): Node {
  const node = tx.get('node', request.id);
  if (!node?.spec) throw new TswarmError('not_found', `node ${request.id} not found`);
  refuseOldVersion(node, request.version);
  const asked = request.spec?.node;
  if (!asked) throw invalid('Spec', 'the request carries no node specification');
  checkLabels(asked.labels);
  if (!NodeRoleText.has(asked.role)) throw invalid('Role', `invalid Role: ${asked.role}`);
  if (!NodeAvailabilityText.has(asked.availability)) {
    throw invalid('Availability', `invalid Availability: ${asked.availability}`);
  }
  const spec = request.keepExtensions ? keepExtensions(NodeSpec, asked, node.spec) : asked;
  const isDemoted = node.spec.role === NodeRole.MANAGER && spec.role === NodeRole.WORKER;
  if (isDemoted) refuseUnsafeDemotion(tx, node, members);
  const updated: Node = { ...node, spec };
  tx.update('node', updated);
  return updated;
}

/**
 * Removes a node; its unfinished tasks are orphaned in the same change, so that replacements start,
 * and volumes whose data was there have no home any more: they begin empty with the next task. So
 * whoever removes a node that a service's data is on must say so (`force`). From then on its certificates count for nothing: whoever calls must be a node of the cluster, and
 * ids are not used again. @throws TswarmError not_found, failed_precondition
 */
export function removeNode(
  tx: StoreWriteView,
  id: string,
  force: boolean,
  nowMicros: number,
): void {
  const node = tx.get('node', id);
  if (!node) throw new TswarmError('not_found', `node ${id} not found`);
  refuseMember(node);
  if (!force && node.status?.state === NodeState.READY) {
    throw new TswarmError('failed_precondition', `node ${id} is not down and can't be removed`, {
      hint: 'Leave the cluster on that host first, or use --force.',
    });
  }
  const volumes = [...tx.list('volume')].filter(({ nodeId }) => nodeId === id);
  if (!force) refuseLossOfData(tx, node, volumes);
  for (const volume of volumes) tx.update('volume', Volume.create({ ...volume, nodeId: '' }));
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
  tx.update('cluster', withRemovedNode(tx.cluster(), id, nowMicros));
}

function refuseLossOfData(view: StoreView, node: Node, volumes: readonly Volume[]): void {
  for (const { spec } of volumes) {
    const [service] = view.servicesUsing('volume', spec?.name ?? '');
    if (!service) continue;
    throw new TswarmError(
      'failed_precondition',
      `node ${node.id} has the data of volume ${spec?.name}, which service ${service.spec?.name} uses`,
      { hint: 'Start that host again, or give the data up with --force: the volume begins empty.' },
    );
  }
}

function refuseMember(node: Node): void {
  const isMember = raftIdOf(node) !== 0;
  if (node.spec?.role === NodeRole.MANAGER && isMember) {
    throw new TswarmError(
      'failed_precondition',
      `node ${node.id} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`,
      { hint: `Run \`tswarm node demote ${node.id}\` first.` },
    );
  }
  if (!isMember) return;
  throw new TswarmError(
    'failed_precondition',
    `node ${node.id} is being demoted and is still a member of the raft cluster`,
    { retryable: true, hint: 'Try again in a moment.' },
  );
}
