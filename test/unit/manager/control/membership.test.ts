// Goal: the Raft group follows the nodes' roles, step by step, from any state, and never at the
// price of the quorum. Method: a small model of Raft's configuration under the test's control; the
// pure decisions are applied until nothing is left to do, also after every prefix of the steps.
import { describe, expect, it } from 'vitest';
import { canRemoveMember, type Member, refuseUnsafeDemotion } from '#manager/control/managers';
import {
  admitManager,
  announceManager,
  hasSeat,
  type MembershipStep,
  membershipSteps,
  refreshManagers,
  takeOver,
} from '#manager/control/membership';
import { AnnounceRequest, JoinRequest } from '#protocol/generated/membership';
import { ManagerStatus, type Node, Reachability } from '#protocol/generated/objects';
import { NodeRole, NodeSpec } from '#protocol/generated/specs';
import { type TestCluster, testCluster } from '../support/cluster-state.ts';
import { node } from '../support/objects.ts';

const voter = (raftId: number, active = true): Member => ({ raftId, voter: true, active });
const learner = (raftId: number, active = true): Member => ({ raftId, voter: false, active });
const MANAGER = NodeSpec.create({ role: NodeRole.MANAGER });

function manager(id: string, raftId: number, over: Partial<Node> = {}): Node {
  const managerStatus = ManagerStatus.create({
    raftId,
    addr: `${id}:2377`,
    raftAddr: `${id}:2378`,
  });
  return node(id, { spec: MANAGER, role: NodeRole.MANAGER, managerStatus, ...over });
}

function clusterOf(...nodes: Node[]): TestCluster {
  const c = testCluster();
  c.run((tx) => {
    for (const n of nodes) tx.create('node', n);
  });
  return c;
}

const nodeOf = (c: TestCluster, id: string): Node => c.store.view.get('node', id) as Node;
const setRole = (c: TestCluster, id: string, role: NodeRole): void =>
  c.run((tx) => {
    const n = tx.get('node', id) as Node;
    tx.update('node', { ...n, spec: NodeSpec.create({ ...n.spec, role }) });
  });

/** Raft as the leader sees it; leadership goes to the next voter. */
class Group {
  members: Member[];
  leader: number;
  constructor(...members: Member[]) {
    this.members = members;
    this.leader = members[0]?.raftId ?? 0;
  }

  take(step: MembershipStep): void {
    const { raftId } = step;
    const without = (id: number): Member[] => this.members.filter((m) => m.raftId !== id);
    if (step.kind === 'add') this.members.push(learner(raftId));
    else if (step.kind === 'remove') this.members = without(raftId);
    else if (step.kind === 'promote') this.members = [...without(raftId), voter(raftId)];
    else if (step.kind === 'replace') {
      this.members = [...without(raftId).filter((m) => m.raftId !== step.oldId), voter(raftId)];
    } else this.leader = without(raftId).find((m) => m.voter)?.raftId ?? raftId;
  }

  /** One round of the leader's chores; false when there was nothing to do. */
  round(c: TestCluster): boolean {
    c.run((tx) => refreshManagers(tx, this.leader, this.members));
    const [step] = membershipSteps(c.store.view, this.members, this.leader);
    if (step) this.take(step);
    c.run((tx) => refreshManagers(tx, this.leader, this.members));
    return step !== undefined;
  }

  settle(c: TestCluster): void {
    for (let i = 0; this.round(c); i++) expect(i).toBeLessThan(20);
  }

  get ids(): number[] {
    return this.members.map((m) => m.raftId).sort();
  }
}

const join = (c: TestCluster, id: string, raftId: number, members: readonly Member[], next = 9) =>
  c.run((tx) =>
    admitManager(
      tx,
      JoinRequest.create({ nodeId: id, raftId }),
      { control: `${id}:2377`, raft: `${id}:2378` },
      members,
      () => next,
    ),
  );

describe('the quorum guard', () => {
  it('counts what is left', () => {
    const three = [voter(1), voter(2), voter(3)];
    expect(canRemoveMember(three, 3)).toBe(true);
    expect(canRemoveMember([voter(1), voter(2), voter(3, false)], 2)).toBe(false);
    expect(canRemoveMember([voter(1), voter(2), voter(3, false)], 3)).toBe(true);
    expect(canRemoveMember([voter(1), voter(2)], 1)).toBe(true);
    expect(canRemoveMember([voter(1), voter(2, false)], 1)).toBe(false);
    expect(canRemoveMember([voter(1)], 1)).toBe(false);
    expect(canRemoveMember([voter(1), voter(2, false), learner(3)], 3)).toBe(true);
    const five = [voter(1), voter(2), voter(3), voter(4, false), voter(5, false)];
    expect(canRemoveMember(five, 3)).toBe(false);
    expect(canRemoveMember(five, 5)).toBe(true);
  });

  it('speaks as Swarm does', () => {
    const c = clusterOf(manager('a', 1), manager('b', 2), manager('c', 3));
    const demote = (members: Member[]) => () =>
      refuseUnsafeDemotion(c.store.view, nodeOf(c, 'b'), members);
    expect(demote([voter(1), voter(2), voter(3)])).not.toThrow();
    expect(demote([voter(1), voter(2), voter(3, false)])).toThrow('loss of quorum');
    const alone = clusterOf(manager('a', 1));
    expect(() => refuseUnsafeDemotion(alone.store.view, nodeOf(alone, 'a'), [voter(1)])).toThrow(
      'attempting to demote the last manager of the swarm',
    );
  });
});

describe('a promotion', () => {
  it('counts at once; the manager becomes learner, then voter', () => {
    const c = clusterOf(manager('a', 1), node('b', { spec: MANAGER }));
    const group = new Group(voter(1));
    group.settle(c);
    expect(nodeOf(c, 'b').role).toBe(NodeRole.MANAGER);
    expect(group.ids).toEqual([1]);
    expect(join(c, 'b', 0, group.members)).toBe(9);
    expect(membershipSteps(c.store.view, group.members, 1)).toEqual([{ kind: 'add', raftId: 9 }]);
    group.settle(c);
    expect(group.members).toContainEqual(voter(9));
    expect(nodeOf(c, 'b').managerStatus).toMatchObject({ reachability: Reachability.REACHABLE });
  });

  it('is refused for a node that is to be a worker, or has the address of another manager', () => {
    const c = clusterOf(manager('a', 1), node('w'));
    expect(() => join(c, 'w', 0, [])).toThrow('is not to be a manager');
    expect(() => join(c, 'gone', 0, [])).toThrow('no longer in the cluster');
    setRole(c, 'w', NodeRole.MANAGER);
    expect(() =>
      c.run((tx) =>
        admitManager(
          tx,
          JoinRequest.create({ nodeId: 'w' }),
          { control: 'w:2377', raft: 'a:2378' },
          [],
          () => 5,
        ),
      ),
    ).toThrow('the address a:2378 is that of manager a');
  });

  it('may be tried again with the same disk', () => {
    const c = clusterOf(manager('a', 1), node('b', { spec: MANAGER }));
    join(c, 'b', 0, [voter(1)], 7);
    expect(join(c, 'b', 7, [voter(1), learner(7)], 8)).toBe(7);
    expect(nodeOf(c, 'b').managerStatus?.replacedRaftId).toBe(0);
  });

  it('does not give away the seat of a member that answers: the call may be late', () => {
    const c = clusterOf(manager('a', 1), manager('b', 7));
    expect(() => join(c, 'b', 0, [voter(1), voter(7)], 8)).toThrow('answers, as member 7');
    expect(nodeOf(c, 'b').managerStatus?.raftId).toBe(7);
    expect(join(c, 'b', 0, [voter(1), voter(7, false)], 8)).toBe(8);
  });
});

describe('a demotion', () => {
  it('takes the member out first, then the role', () => {
    const c = clusterOf(manager('a', 1), manager('b', 2), manager('c', 3));
    const group = new Group(voter(1), voter(2), voter(3));
    setRole(c, 'b', NodeRole.WORKER);
    c.run((tx) => refreshManagers(tx, 1, group.members));
    expect(nodeOf(c, 'b').role).toBe(NodeRole.MANAGER);
    group.settle(c);
    expect(group.ids).toEqual([1, 3]);
    expect(nodeOf(c, 'b')).toMatchObject({ role: NodeRole.WORKER, managerStatus: undefined });
  });

  it('of the leader hands leadership over before', () => {
    const c = clusterOf(manager('a', 1), manager('b', 2), manager('c', 3));
    const group = new Group(voter(1), voter(2), voter(3));
    setRole(c, 'a', NodeRole.WORKER);
    expect(membershipSteps(c.store.view, group.members, 1)[0]?.kind).toBe('hand-over');
    group.settle(c);
    expect(group.ids).toEqual([2, 3]);
    expect(nodeOf(c, 'b').managerStatus?.leader).toBe(true);
    expect(nodeOf(c, 'a').role).toBe(NodeRole.WORKER);
  });

  it('waits while the quorum would go', () => {
    const c = clusterOf(manager('a', 1), manager('b', 2), manager('c', 3));
    setRole(c, 'b', NodeRole.WORKER);
    expect(membershipSteps(c.store.view, [voter(1), voter(2), voter(3, false)], 1)).toEqual([]);
  });
});

describe('a disk that is lost', () => {
  it('gives a new member its vote and takes the old one out in one step', () => {
    const c = clusterOf(manager('a', 1), manager('b', 2), manager('c', 3));
    const group = new Group(voter(1), voter(2), voter(3, false));
    expect(join(c, 'c', 0, group.members)).toBe(9);
    expect(nodeOf(c, 'c').managerStatus?.replacedRaftId).toBe(3);
    // Lost again before it had the vote: the first replacement goes, the lost voter is still known.
    group.round(c);
    const lost = group.members.map((m) => (m.raftId === 9 ? { ...m, active: false } : m));
    expect(join(c, 'c', 0, lost, 10)).toBe(10);
    expect(nodeOf(c, 'c').managerStatus?.replacedRaftId).toBe(3);
    group.settle(c);
    expect(group.ids).toEqual([1, 10, 2]);
    expect(nodeOf(c, 'c').managerStatus?.replacedRaftId).toBe(0);
  });

  it('of a node that was removed leaves nothing behind', () => {
    const c = clusterOf(manager('a', 1), manager('b', 2));
    const group = new Group(voter(1), voter(2), learner(5, false), voter(6, false));
    group.settle(c);
    expect(group.ids).toEqual([1, 2]);
  });
});

it('an announcement counts only from the seat that the node has', () => {
  const c = clusterOf(manager('a', 1));
  const announce =
    (raftId: number, over: Partial<AnnounceRequest> = {}) =>
    () =>
      c.run((tx) =>
        announceManager(
          tx,
          AnnounceRequest.create({
            nodeId: 'a',
            raftId,
            controlAddr: 'x:1',
            raftAddr: 'x:2',
            ...over,
          }),
        ),
      );
  expect(announce(2)).toThrow('no manager with raft id 2');
  announce(1, { rootDigest: 'd', workerCertificate: 'pem', adminRootDigest: 'd' })();
  announce(1, { rootDigest: 'e' })();
  expect(nodeOf(c, 'a')).toMatchObject({
    rootDigest: 'd',
    managerStatus: { addr: 'x:1', raftAddr: 'x:2', rootDigest: 'e', adminRootDigest: 'd' },
  });
});

it('a seat that was taken back is not had any more, also when the node is wanted again', () => {
  const c = clusterOf(manager('a', 1), manager('b', 2), node('w'));
  const seatOf = (nodeId: string, raftId: number): boolean =>
    hasSeat(c.store.view, { nodeId, raftId });
  expect([seatOf('b', 2), seatOf('b', 1), seatOf('w', 0), seatOf('gone', 2)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  setRole(c, 'b', NodeRole.WORKER);
  expect(seatOf('b', 2)).toBe(true);
  c.run((tx) => refreshManagers(tx, 1, [voter(1)]));
  setRole(c, 'b', NodeRole.MANAGER);
  expect(seatOf('b', 2)).toBe(false);
});

it('who takes over alone makes workers of all others', () => {
  const c = clusterOf(manager('a', 1), manager('b', 2), node('w'));
  const before = nodeOf(c, 'w');
  c.run((tx) => takeOver(tx, 'a', 77));
  expect(nodeOf(c, 'a')).toMatchObject({ role: NodeRole.MANAGER, managerStatus: { raftId: 77 } });
  expect(nodeOf(c, 'b')).toMatchObject({
    role: NodeRole.WORKER,
    spec: { role: NodeRole.WORKER },
    managerStatus: undefined,
  });
  expect(nodeOf(c, 'w')).toBe(before);
});
