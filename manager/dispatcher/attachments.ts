// A node asks for a place on a network for one of its own containers (swarmkit manager/resourceapi). Only networks that are made for it (attachable) take
// containers that are nobody's task; who may start containers on a node is the node's business, which networks they reach is the cluster's.
import type { DecisionContext, WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type { AttachNetworkRequest } from '#protocol/generated/dispatcher';
import { type Network, Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import { NetworkAttachmentConfig, TaskSpec } from '#protocol/generated/specs';
import { requireMember } from './nodes.ts';

/** Name of the runtime in such a task's spec, as in Swarm. */
export const ATTACHMENT_RUNTIME = 'attachment';

/** The task, without addresses yet. @throws TswarmError not_found, permission_denied, invalid_argument. */
export function createAttachment(
  tx: WriteView,
  context: DecisionContext,
  nodeId: string,
  { network: config, container }: AttachNetworkRequest,
): Task {
  requireMember(tx, nodeId);
  if (!config || !container || container.containerId === '') {
    throw new TswarmError('invalid_argument', 'AttachNetwork: network and container are needed');
  }
  const network = attachableNetwork(tx, config.target);
  const task = Task.create({
    id: context.newId(),
    nodeId,
    spec: TaskSpec.create({
      runtime: ATTACHMENT_RUNTIME,
      networkAttachmentSpec: container,
      networks: [NetworkAttachmentConfig.create({ ...config, target: network.id })],
    }),
    desiredState: TaskState.RUNNING,
    status: TaskStatus.create({
      timestamp: context.nowMicros,
      state: TaskState.NEW,
      message: 'created',
    }),
  });
  tx.create('task', task);
  return task;
}

function attachableNetwork(tx: WriteView, target: string): Network {
  const network = tx.get('network', target) ?? tx.byName('network', target);
  if (!network) throw new TswarmError('not_found', `network ${target} not found`);
  const { name = '', attachable = false, ingress = false } = network.spec ?? {};
  if (attachable && !ingress) return network;
  // Docker's words: clients and scripts look for them.
  throw new TswarmError(
    'permission_denied',
    `Could not attach to network ${target}: rpc error: code = PermissionDenied desc = network ${name} not manually attachable`,
    ingress ? {} : { hint: 'Create the network with --attachable.' },
  );
}
