// Nodes that were removed, for as long as a certificate of theirs may be valid. Managers need no list:
// whoever calls them must be a node of the cluster. But nodes also serve each other (images), and
// they know nothing but certificates: they get this list in their session and refuse who is on it.
// Pure: the time comes in. Bounded: of more than fits the ones that expire first go.
import { type Cluster, RemovedNode } from '#protocol/generated/objects';
import { LEAF_BACKDATE_MICROS, LEAF_VALIDITY_MICROS, REMOVED_NODES_MAX } from './limits.ts';

const NANOS_PER_MICRO = 1000;

/** The cluster, with this node among those that are out. */
export function withRemovedNode(cluster: Cluster, id: string, nowMicros: number): Cluster {
  const expiryMicros = (cluster.spec?.caConfig?.nodeCertExpiry ?? 0) / NANOS_PER_MICRO;
  // A clock that is behind takes a certificate for valid for longer, and it may be of a time when
  // certificates lived longer than they do now.
  const validMicros = Math.max(expiryMicros, LEAF_VALIDITY_MICROS) + LEAF_BACKDATE_MICROS;
  const entry = RemovedNode.create({ id, until: nowMicros + validMicros });
  const kept = cluster.removedNodes.filter((node) => node.id !== id && node.until > nowMicros);
  const removedNodes = [...kept, entry].sort((a, b) => a.until - b.until);
  return { ...cluster, removedNodes: removedNodes.slice(-REMOVED_NODES_MAX) };
}

/** The cluster without those whose certificates have all expired; itself when there is none. */
export function withoutExpired(cluster: Cluster, nowMicros: number): Cluster {
  const removedNodes = cluster.removedNodes.filter(({ until }) => until > nowMicros);
  return removedNodes.length === cluster.removedNodes.length
    ? cluster
    : { ...cluster, removedNodes };
}
