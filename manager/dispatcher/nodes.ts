// What the dispatcher writes into node objects: who has registered, who is down; and who may talk
// to it at all. Pure functions over the store.
import type { ReadView, StoreChange, WriteView } from '#manager/store/view';
import { isNodeRole } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import type { ManagerAddress } from '#protocol/generated/dispatcher';
import {
  type Node,
  type NodeDescription,
  NodeState,
  NodeStatus,
} from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';
import { HEARTBEAT_PERIOD_MS } from './limits.ts';

const NANOS_PER_MS = 1e6;

/** The id of the calling node. @throws TswarmError unauthenticated, permission_denied. */
export function requireNode(peer: { readonly nodeId: string; readonly role: string }): string {
  if (peer.nodeId === '') {
    throw new TswarmError('unauthenticated', 'a certificate of a node is needed');
  }
  if (isNodeRole(peer.role)) return peer.nodeId;
  throw new TswarmError('permission_denied', `a ${peer.role} certificate is not that of a node`);
}

/** @throws TswarmError permission_denied when the node was removed. */
export function requireMember(view: ReadView, nodeId: string): Node {
  const node = view.get('node', nodeId);
  if (node) return node;
  throw new TswarmError('permission_denied', `node ${nodeId} is no longer in the cluster`, {
    hint: 'Leave the cluster on that host and join again.',
  });
}

/** A node has opened a session. `address` is the IP address it is reached at. */
export function registerNode(
  tx: WriteView,
  nodeId: string,
  registration: { readonly description: NodeDescription | undefined; readonly address: string },
): void {
  const node = requireMember(tx, nodeId);
  tx.update('node', {
    ...node,
    description: registration.description ?? node.description,
    status: NodeStatus.create({ state: NodeState.READY, addr: registration.address }),
  });
}

export function describeNode(tx: WriteView, nodeId: string, description: NodeDescription): void {
  tx.update('node', { ...requireMember(tx, nodeId), description });
}

/** These nodes have not been heard from in time. */
export function markDown(tx: WriteView, nodeIds: readonly string[]): void {
  for (const nodeId of nodeIds) {
    const node = tx.get('node', nodeId);
    if (!node || node.status?.state === NodeState.DOWN) continue;
    const status = NodeStatus.create({
      ...node.status,
      state: NodeState.DOWN,
      message: 'heartbeat failure',
    });
    tx.update('node', { ...node, status });
  }
}

/** Nodes that a new leader waits for: all that were not down already. */
export function nodesToExpect(view: ReadView): string[] {
  return [...view.list('node')]
    .filter((node) => node.status?.state !== NodeState.DOWN)
    .map((node) => node.id);
}

/** Whether a node's change is one of the managers' addresses. */
export function movesManagers({ before, after }: StoreChange<'node'>): boolean {
  return managerAddress(before) !== managerAddress(after);
}

/** '' = it is no manager, or not reachable as one yet. */
function managerAddress(node: Node | undefined): string {
  return node?.spec?.role === NodeRole.MANAGER ? (node.managerStatus?.addr ?? '') : '';
}

export function managerAddresses(view: ReadView): ManagerAddress[] {
  const addresses: ManagerAddress[] = [];
  for (const node of view.list('node')) {
    const addr = managerAddress(node);
    if (addr !== '') addresses.push({ nodeId: node.id, addr, weight: 1 });
  }
  return addresses;
}

export function heartbeatPeriodMs(view: ReadView): number {
  const nanos = view.cluster().spec?.dispatcher?.heartbeatPeriod ?? 0;
  return nanos > 0 ? nanos / NANOS_PER_MS : HEARTBEAT_PERIOD_MS;
}
