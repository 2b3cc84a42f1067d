// What a manager that joins, or tells of itself, changes in the store; and the next step that brings
// Raft's configuration and the nodes' roles together. Level-triggered: every step is found from the
// present state alone, so it can be repeated after a crash or a change of leader at any point.
// promote: role MANAGER at once → the node's manager calls Join → learner → caught up → voter.
// demote: out of Raft first (the leader hands leadership over before) → then role WORKER.
// A disk that is gone: new id as a learner, then new for old in one change of the configuration.
// After swarmkit manager/role_manager.go. Refuses any step that would cost the quorum.
import { recordCertificate } from '#manager/ca/issue';
import type { ReadView, WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type { AnnounceRequest, JoinRequest } from '#protocol/generated/membership';
import { ManagerStatus, type Node, Reachability } from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';
import { canRemoveMember, type Member, raftIdOf } from './managers.ts';

/** Addresses as others reach them, the unspecified host already replaced. */
export interface JoinAddresses {
  readonly control: string;
  readonly raft: string;
}

/**
 * Gives a manager its Raft id and keeps where it is reached. The id that it has from an earlier try
 * is good as long as it is the newest one given to this node.
 * @throws TswarmError permission_denied, failed_precondition, already_exists
 */
export function admitManager(
  tx: WriteView,
  request: JoinRequest,
  addresses: JoinAddresses,
  members: readonly Member[],
  newRaftId: () => number,
): number {
  const node = requireFutureManager(tx, request.nodeId);
  refuseTakenAddress(tx, node.id, addresses);
  const own = raftIdOf(node);
  const isSameDisk = request.raftId !== 0 && request.raftId === own;
  if (!isSameDisk) refuseLivingMember(node, members);
  const raftId = isSameDisk ? own : newRaftId();
  const wasVoter = members.some((member) => member.raftId === own && member.voter);
  const before = node.managerStatus;
  const managerStatus = ManagerStatus.create({
    reachability: Reachability.UNKNOWN,
    ...before,
    addr: addresses.control,
    raftAddr: addresses.raft,
    raftId,
    leader: false,
    replacedRaftId: !isSameDisk && wasVoter ? own : (before?.replacedRaftId ?? 0),
  });
  tx.update('node', { ...node, role: NodeRole.MANAGER, managerStatus });
  return raftId;
}

/**
 * A seat whose member is there is not given away: this is a call that was overtaken by its own repetition, or
 * another host with the same identity.
 * @throws TswarmError conflict
 */
function refuseLivingMember(node: Node, members: readonly Member[]): void {
  const own = raftIdOf(node);
  const member = members.find(({ raftId }) => raftId === own);
  if (member?.active !== true) return;
  throw new TswarmError(
    'conflict',
    `manager ${node.id} is in the group already and answers, as member ${own}`,
    {
      retryable: true,
      hint: 'If its disk was lost, try again in some seconds. If another host has its identity, run `tswarm leave --force` on the copy.',
    },
  );
}

function requireFutureManager(view: ReadView, nodeId: string): Node {
  const node = view.get('node', nodeId);
  if (!node) {
    throw new TswarmError('permission_denied', `node ${nodeId} is no longer in the cluster`);
  }
  if (node.spec?.role === NodeRole.MANAGER) return node;
  throw new TswarmError('failed_precondition', `node ${nodeId} is not to be a manager`, {
    hint: `Run \`tswarm node promote ${nodeId}\` on a manager first.`,
  });
}

function refuseTakenAddress(view: ReadView, nodeId: string, addresses: JoinAddresses): void {
  for (const other of view.list('node')) {
    const status = other.managerStatus;
    if (other.id === nodeId || !status) continue;
    const taken =
      status.addr === addresses.control
        ? addresses.control
        : status.raftAddr === addresses.raft
          ? addresses.raft
          : undefined;
    if (taken === undefined) continue;
    const name = other.description?.hostname ?? '';
    throw new TswarmError(
      'already_exists',
      `the address ${taken} is that of manager ${other.id} (${name})`,
      { hint: 'Give this manager its own with --advertise-addr, or demote and remove the other.' },
    );
  }
}

/**
 * A manager whose seat another process has, as Raft knows, runs on a copy of that one's disk.
 * @throws TswarmError conflict
 */
export function refuseCopy(
  members: readonly (Member & { readonly instance: string | null })[],
  { raftId, nodeId, instance }: AnnounceRequest,
): void {
  const speaking = members.find((member) => member.raftId === raftId)?.instance ?? null;
  if (instance === '' || speaking === null || speaking === instance) return;
  throw new TswarmError(
    'conflict',
    `another process speaks for manager ${nodeId} already: two hosts have the same identity`,
    {
      retryable: true,
      hint: 'Run `tswarm leave --force` on the copy and let it join anew.',
    },
  );
}

/** Whether the node is a member with this id, or may become one. */
export function hasSeat(
  view: ReadView,
  { nodeId, raftId }: { readonly nodeId: string; readonly raftId: number },
): boolean {
  return raftId !== 0 && raftIdOf(view.get('node', nodeId)) === raftId;
}

/**
 * A member tells where it is reached now and what its certificate is.
 * @throws TswarmError failed_precondition when it is not a member with this id any more
 */
export function announceManager(tx: WriteView, request: AnnounceRequest): void {
  const node = tx.get('node', request.nodeId);
  const status = node?.managerStatus;
  if (!node || !status || !hasSeat(tx, request)) {
    throw new TswarmError(
      'failed_precondition',
      `node ${request.nodeId} is no manager with raft id ${request.raftId}`,
    );
  }
  const managerStatus = ManagerStatus.create({
    ...status,
    addr: request.controlAddr,
    raftAddr: request.raftAddr,
    rootDigest: request.rootDigest,
    adminRootDigest: request.adminRootDigest || status.adminRootDigest,
  });
  tx.update('node', { ...node, managerStatus });
  if (request.workerCertificate === '') return;
  recordCertificate(tx, node.id, request.workerCertificate, request.rootDigest);
}

/** Who leads and who is reachable, as the leader sees it; and roles that only have to be written. */
export function refreshManagers(
  tx: WriteView,
  leaderRaftId: number,
  members: readonly Member[],
): void {
  for (const node of [...tx.list('node')]) {
    const next = withRole(withReachability(node, leaderRaftId, members), members);
    if (next !== node) tx.update('node', next);
  }
}

function withReachability(node: Node, leaderRaftId: number, members: readonly Member[]): Node {
  const status = node.managerStatus;
  if (!status) return node;
  const member = members.find(({ raftId }) => raftId === status.raftId);
  const reachability = !member
    ? Reachability.UNKNOWN
    : member.active === false
      ? Reachability.UNREACHABLE
      : Reachability.REACHABLE;
  const leader = status.raftId === leaderRaftId;
  const isGone = !members.some(({ raftId }) => raftId === status.replacedRaftId);
  const replacedRaftId = isGone ? 0 : status.replacedRaftId;
  const isSame =
    status.leader === leader &&
    status.reachability === reachability &&
    status.replacedRaftId === replacedRaftId;
  if (isSame) return node;
  const changed = { leader, reachability, replacedRaftId };
  return { ...node, managerStatus: ManagerStatus.create({ ...status, ...changed }) };
}

/** A promotion counts at once; a demotion once the node is out of the Raft group. */
function withRole(node: Node, members: readonly Member[]): Node {
  const wanted = node.spec?.role ?? NodeRole.WORKER;
  if (wanted === NodeRole.MANAGER) {
    return node.role === NodeRole.MANAGER ? node : { ...node, role: NodeRole.MANAGER };
  }
  const status = node.managerStatus;
  const ids = [status?.raftId ?? 0, status?.replacedRaftId ?? 0];
  if (members.some(({ raftId }) => ids.includes(raftId))) return node;
  if (!status && node.role === NodeRole.WORKER) return node;
  return { ...node, role: NodeRole.WORKER, managerStatus: undefined };
}

/** One change of Raft's configuration. */
export type MembershipStep =
  | { readonly kind: 'add'; readonly raftId: number }
  | { readonly kind: 'promote'; readonly raftId: number }
  | { readonly kind: 'replace'; readonly raftId: number; readonly oldId: number }
  | { readonly kind: 'remove'; readonly raftId: number }
  | { readonly kind: 'hand-over'; readonly raftId: number };

/**
 * The steps that are due, the most urgent first; several, because the first may have to wait (a
 * learner that has not caught up). `ownRaftId`: the leader's.
 */
export function membershipSteps(
  view: ReadView,
  members: readonly Member[],
  ownRaftId: number,
): MembershipStep[] {
  const nodes = [...view.list('node')];
  const byId = new Map(members.map((member) => [member.raftId, member]));
  const steps: MembershipStep[] = [];
  const remove = (raftId: number): void => {
    if (!byId.has(raftId) || !canRemoveMember(members, raftId)) return;
    steps.push({ kind: raftId === ownRaftId ? 'hand-over' : 'remove', raftId });
  };
  for (const node of nodes) {
    const status = node.managerStatus;
    if (!status) continue;
    if (node.spec?.role !== NodeRole.MANAGER) {
      remove(status.raftId);
      continue;
    }
    const member = byId.get(status.raftId);
    if (!member) steps.push({ kind: 'add', raftId: status.raftId });
    else if (!member.voter) steps.push(voteFor(status, byId));
  }
  for (const { raftId } of members) {
    const isKnown = nodes.some(
      ({ managerStatus: status }) =>
        status && (status.raftId === raftId || status.replacedRaftId === raftId),
    );
    if (!isKnown && raftId !== ownRaftId) remove(raftId);
  }
  return steps;
}

function voteFor(status: ManagerStatus, byId: ReadonlyMap<number, Member>): MembershipStep {
  const { raftId, replacedRaftId: oldId } = status;
  const isReplacing = byId.get(oldId)?.voter === true;
  return isReplacing ? { kind: 'replace', raftId, oldId } : { kind: 'promote', raftId };
}

/**
 * This manager goes on alone (recovery from a lost quorum, restore): the others are workers from
 * now on, and their hosts give up what they have of the old group when they come back.
 */
export function takeOver(tx: WriteView, nodeId: string, raftId: number): void {
  for (const node of [...tx.list('node')]) {
    if (node.id === nodeId) {
      const spec = node.spec && { ...node.spec, role: NodeRole.MANAGER };
      const managerStatus = ManagerStatus.create({
        ...node.managerStatus,
        raftId,
        replacedRaftId: 0,
      });
      tx.update('node', { ...node, spec, role: NodeRole.MANAGER, managerStatus });
      continue;
    }
    const wasManager =
      node.managerStatus !== undefined ||
      node.role === NodeRole.MANAGER ||
      node.spec?.role === NodeRole.MANAGER;
    if (!wasManager) continue;
    const spec = node.spec && { ...node.spec, role: NodeRole.WORKER };
    tx.update('node', { ...node, spec, role: NodeRole.WORKER, managerStatus: undefined });
  }
}
