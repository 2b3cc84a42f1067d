// The managers among the nodes: where they are, who leads, and what may be done to them without
// losing the quorum. Raft's configuration knows ids (raftId, voter), the nodes know addresses; this
// joins the two. Pure: the Raft members come in as they are at the moment. Rules and texts of
// swarmkit controlapi/node.go and role_manager.go.
import type { ReadView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type { Node } from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';

/** One member of the Raft group, as the leader sees it. */
export interface Member {
  readonly raftId: number;
  readonly voter: boolean;
  /** Heard from within the last election timeout; null where that is not known. */
  readonly active: boolean | null;
}

export interface MemberAddress {
  readonly raftId: number;
  readonly nodeId: string;
  /** `host:port` of the Raft listener. */
  readonly addr: string;
}

/** Raft id of a node; 0 = it is no member. */
export function raftIdOf(node: Node | undefined): number {
  return node?.managerStatus?.raftId ?? 0;
}

/** The node with this Raft id. */
export function managerOf(view: ReadView, raftId: number | null): Node | undefined {
  if (raftId === null || raftId === 0) return undefined;
  for (const node of view.list('node')) if (raftIdOf(node) === raftId) return node;
  return undefined;
}

/** Control address `host:port` of the manager with this Raft id; undefined when it is not known. */
export function controlAddressOf(view: ReadView, raftId: number | null): string | undefined {
  const address = managerOf(view, raftId)?.managerStatus?.addr ?? '';
  return address === '' ? undefined : address;
}

/** Where the other members are reached, ordered by id. */
export function peersOf(view: ReadView, ownRaftId: number): MemberAddress[] {
  const peers: MemberAddress[] = [];
  for (const node of view.list('node')) {
    const raftId = raftIdOf(node);
    const addr = node.managerStatus?.raftAddr ?? '';
    if (raftId === 0 || raftId === ownRaftId || addr === '') continue;
    peers.push({ raftId, nodeId: node.id, addr });
  }
  return peers.sort((a, b) => a.raftId - b.raftId);
}

/**
 * Whether the group keeps a quorum of reachable voters without this member. Taking away a learner,
 * or a voter that is gone while enough others are there, is always fine.
 */
export function canRemoveMember(members: readonly Member[], raftId: number): boolean {
  if (members.some((member) => member.raftId === raftId && !member.voter)) return true;
  const others = members.filter((member) => member.voter && member.raftId !== raftId);
  const reachable = others.filter((member) => member.active !== false).length;
  return others.length > 0 && reachable >= Math.floor(others.length / 2) + 1;
}

/** Nodes that shall be managers. */
export function managersOf(view: ReadView): Node[] {
  return [...view.list('node')].filter((node) => node.spec?.role === NodeRole.MANAGER);
}

/**
 * Refuses to take a manager's role away when the cluster could not be commanded any more.
 * @throws TswarmError failed_precondition
 */
export function refuseUnsafeDemotion(view: ReadView, node: Node, members: readonly Member[]): void {
  if (managersOf(view).length === 1) {
    throw new TswarmError(
      'failed_precondition',
      'attempting to demote the last manager of the swarm',
      {
        field: 'Role',
        hint: 'Promote another node first, or end the cluster with `tswarm leave --force` on it.',
      },
    );
  }
  const raftId = raftIdOf(node);
  const isMember = members.some((member) => member.raftId === raftId);
  if (!isMember || canRemoveMember(members, raftId)) return;
  throw new TswarmError(
    'failed_precondition',
    "can't remove member from the raft: this would result in a loss of quorum",
    {
      field: 'Role',
      hint: 'Bring the managers back that `tswarm node ls` shows as unreachable, then try again.',
    },
  );
}
