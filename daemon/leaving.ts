// What a node asks of the cluster about itself, as an administrator: its availability at init, and to be let go as a manager before it leaves, so that the
// others do not count on it any more. Both through the gateway's link.
import type { ClusterSession, InitOptions } from '#api/node-control';
import { messageOf } from '#protocol/errors';
import { ObjectKind, SpecUnion, UpdateObjectRequest } from '#protocol/generated/control';
import { NodeAvailability, NodeRole, type NodeSpec } from '#protocol/generated/specs';
import type { Clock, Log } from '#protocol/world';
import { CLUSTER_READY_TIMEOUT_MS, LEAVE_DEMOTE_TIMEOUT_MS } from './limits.ts';

const WAIT_STEP_MS = 50;

export async function setAvailability(
  link: ClusterSession,
  nodeId: string,
  wanted: InitOptions['availability'],
): Promise<void> {
  if (wanted === 'active') return;
  const availability = wanted === 'pause' ? NodeAvailability.PAUSE : NodeAvailability.DRAIN;
  const index = await updateNode(
    link,
    nodeId,
    (spec) => ({ ...spec, availability }),
    CLUSTER_READY_TIMEOUT_MS,
  );
  await link.cache.reached(index);
}

/** Best effort: a manager that the others cannot let go now (no quorum, the last one) just leaves. */
export async function demoteSelf(
  link: ClusterSession,
  nodeId: string,
  isOut: () => boolean,
  deps: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const others = [...link.cache.all('node')].filter(
    (node) => node.id !== nodeId && node.managerStatus,
  );
  if (others.length === 0) return;
  const deadlineMs = deps.clock.monotonicMs() + LEAVE_DEMOTE_TIMEOUT_MS;
  try {
    const toWorker = (spec: NodeSpec): NodeSpec => ({ ...spec, role: NodeRole.WORKER });
    await updateNode(link, nodeId, toWorker, LEAVE_DEMOTE_TIMEOUT_MS);
    while (!isOut() && deps.clock.monotonicMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS));
    }
  } catch (error) {
    deps.log.warn('leaving without being let go by the other managers', {
      reason: messageOf(error),
    });
  }
}

async function updateNode(
  link: ClusterSession,
  nodeId: string,
  change: (spec: NodeSpec) => NodeSpec,
  timeoutMs: number,
): Promise<number> {
  const node = link.cache.get('node', nodeId);
  if (!node?.spec) return 0;
  const { index } = await link.control.updateObject(
    UpdateObjectRequest.create({
      kind: ObjectKind.NODE,
      id: nodeId,
      version: node.meta?.version?.index ?? 0,
      spec: SpecUnion.create({ node: change(node.spec) }),
      keepExtensions: true,
    }),
    { timeoutMs },
  );
  return index;
}
