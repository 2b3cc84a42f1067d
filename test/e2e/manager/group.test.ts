// Goal: several real managers are one cluster: join, writes through any of them, a leader that dies
// or is demoted, a disk that is lost. Method: manager processes on loopback with their real Raft,
// TLS and disks; the test plays the daemons.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type ManagerIdentity, readIdentity } from '#manager/host/identity';
import { createRaftNode } from '#manager/host/raft/client';
import { compileRaftOptions } from '#manager/host/raft/options';
import { ObjectKind } from '#protocol/generated/control';
import { Reachability } from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';
import { MANAGER_EXIT } from '#protocol/manager-ipc';
import { SILENT_LOG } from '#test/support/raft-host/silent-log';
import {
  createNetwork,
  ManagerGroup,
  type ManagerNode,
  nodesAt,
  objectsAt,
  updateNodeSpec,
} from '../../support/manager-group.ts';

/** Times that a person would still call soon, on a machine with other work. */
const eventually = <T>(look: () => Promise<T>) => expect.poll(look, { timeout: 15_000 });

const groups: ManagerGroup[] = [];

function newGroup(): ManagerGroup {
  const group = new ManagerGroup();
  groups.push(group);
  return group;
}

afterEach(async () => {
  for (const group of groups.splice(0)) await group.close();
});

const networksAt = async (node: ManagerNode): Promise<number> =>
  (await objectsAt(node.control, ObjectKind.NETWORK)).length;

describe('three managers', () => {
  it('take writes at any of them and outlive their leader', async () => {
    const group = newGroup();
    const [first, second, third] = (await group.create(3)) as [
      ManagerNode,
      ManagerNode,
      ManagerNode,
    ];
    await eventually(async () =>
      (await nodesAt(second.control)).map((n) => n.managerStatus?.reachability),
    ).toEqual([Reachability.REACHABLE, Reachability.REACHABLE, Reachability.REACHABLE]);
    for (const [i, node] of [first, second, third].entries()) {
      const index = await createNetwork(node.control, `before${i}`);
      for (const other of [first, second, third]) {
        const read = await other.control.readIndex({});
        expect(read.index).toBeGreaterThanOrEqual(index);
        expect(await networksAt(other)).toBe(i + 1);
      }
    }
    const leader = await group.leader();
    const others = [first, second, third].filter((node) => node !== leader);
    await leader.kill();
    const startedMs = performance.now();
    await Promise.all(others.map((node, i) => createNetwork(node.control, `after${i}`)));
    expect(performance.now() - startedMs).toBeLessThan(4000);
    await leader.restart();
    await eventually(() => networksAt(leader)).toBe(5);
    await eventually(
      async () => (await nodesAt(first.control)).filter((n) => n.managerStatus?.leader).length,
    ).toBe(1);
  });

  it('say so at once when too few are left, and go on when one is back', async () => {
    const group = newGroup();
    const nodes = await group.create(3);
    const [survivor, ...gone] = nodes as [ManagerNode, ManagerNode, ManagerNode];
    const { index } = await survivor.control.readIndex({});
    for (const node of gone) await node.kill();
    await new Promise((resolve) => setTimeout(resolve, 7000));
    const startedMs = performance.now();
    await expect(createNetwork(survivor.control, 'lost')).rejects.toMatchObject({
      code: 'no_leader',
      message: expect.stringContaining('does not have a leader'),
    });
    expect(performance.now() - startedMs).toBeLessThan(2000);
    expect(await networksAt(survivor)).toBe(0);
    // Of what was confirmed to the caller before it still speaks, of nothing newer.
    const asked = { kind: ObjectKind.NODE, id: survivor.nodeId };
    const known = await survivor.control.getObject({ ...asked, knownIndex: index });
    expect(known.object?.node?.id).toBe(survivor.nodeId);
    for (const knownIndex of [0, index + 1_000_000]) {
      const later = survivor.control.getObject({ ...asked, knownIndex });
      await expect(later).rejects.toMatchObject({ code: 'no_leader' });
    }
    await gone[0].restart();
    await group.leader();
    await createNetwork(survivor.control, 'found');
    expect(await networksAt(survivor)).toBe(1);
  });
});

/** Writes one after the other until it is told to stop; what came of them. */
function writer(node: ManagerNode, prefix: string) {
  const { control } = node;
  const names: string[] = [];
  const failures: string[] = [];
  let longestMs = 0;
  let isStopped = false;
  const running = (async () => {
    for (let i = 0; !isStopped && failures.length < 50; i++) {
      const startedMs = performance.now();
      const name = `${prefix}-${i}`;
      try {
        await createNetwork(control, name);
        names.push(name);
      } catch (error) {
        failures.push(String(error));
      }
      longestMs = Math.max(longestMs, performance.now() - startedMs);
    }
  })();
  return async () => {
    isStopped = true;
    await running;
    return { names, failures, longestMs };
  };
}

it('a rolling restart of all managers fails no write', async () => {
  const group = newGroup();
  const nodes = await group.create(3);
  const names: string[] = [];
  let longestMs = 0;
  for (const node of nodes) {
    const other = nodes.find((n) => n !== node) as ManagerNode;
    const stop = writer(other, node.name);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await node.kill('SIGTERM');
    expect(node.exitCode).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const result = await stop();
    expect(result.failures).toEqual([]);
    expect(result.names.length).toBeGreaterThan(0);
    names.push(...result.names);
    longestMs = Math.max(longestMs, result.longestMs);
    await node.restart();
    await eventually(async () => (await node.control.readIndex({})).index).toBeGreaterThan(0);
  }
  expect(longestMs).toBeLessThan(5000);
  for (const node of nodes) {
    await node.control.readIndex({});
    const found = await objectsAt(node.control, ObjectKind.NETWORK);
    expect(found.map((o) => o.network?.spec?.name).sort()).toEqual([...new Set(names)].sort());
  }
});

/** Leaves the log of a member that has joined, and got nothing yet. */
async function emptyLog({ folder }: ManagerNode): Promise<void> {
  const dataDir = join(folder, 'raft');
  rmSync(dataDir, { recursive: true, force: true });
  const { clusterId, raftId } = readIdentity(folder) as ManagerIdentity;
  const options = compileRaftOptions({ dataDir, clusterId, raftId, startMode: 'join' });
  const raft = createRaftNode(options, { log: SILENT_LOG });
  await raft.start();
  await raft.stop();
}

describe('roles', () => {
  it('follow promote and demote, also of the leader; the last one stays', async () => {
    const group = newGroup();
    const nodes = (await group.create(3)) as [ManagerNode, ManagerNode, ManagerNode];
    const roleOf = async (at: ManagerNode, id: string): Promise<unknown> => {
      const node = (await nodesAt(at.control)).find((n) => n.id === id);
      return [node?.role, node?.managerStatus === undefined];
    };
    const leader = await group.leader();
    const [a, b] = nodes.filter((node) => node !== leader) as [ManagerNode, ManagerNode];
    await updateNodeSpec(a.control, leader.nodeId, { role: NodeRole.WORKER });
    expect(await leader.ended()).toBe(MANAGER_EXIT.removed);
    await eventually(() => roleOf(a, leader.nodeId)).toEqual([NodeRole.WORKER, true]);
    await createNetwork(b.control, 'one');

    await updateNodeSpec(b.control, a.nodeId, { role: NodeRole.WORKER });
    expect(await a.ended()).toBe(MANAGER_EXIT.removed);
    await eventually(() => roleOf(b, a.nodeId)).toEqual([NodeRole.WORKER, true]);
    await createNetwork(b.control, 'two');
    await expect(updateNodeSpec(b.control, b.nodeId, { role: NodeRole.WORKER })).rejects.toThrow(
      'attempting to demote the last manager of the swarm',
    );

    await updateNodeSpec(b.control, a.nodeId, { role: NodeRole.MANAGER });
    // The seat that it had is gone, and what never got an entry cannot know: it asks.
    await emptyLog(a);
    a.launch(a.joinRequest([b]));
    expect(await a.ended()).toBe(MANAGER_EXIT.removed);
    rmSync(a.folder, { recursive: true, force: true });
    await a.join([b]);
    await createNetwork(a.control, 'three');
    expect(await networksAt(b)).toBe(3);
  });

  it('are not taken away when the quorum would go with them', async () => {
    const group = newGroup();
    const nodes = (await group.create(3)) as [ManagerNode, ManagerNode, ManagerNode];
    const leader = await group.leader();
    const [a, b] = nodes.filter((node) => node !== leader) as [ManagerNode, ManagerNode];
    await a.kill();
    await eventually(async () => {
      const found = (await nodesAt(leader.control)).find((n) => n.id === a.nodeId);
      return found?.managerStatus?.reachability;
    }).toBe(Reachability.UNREACHABLE);
    await expect(
      updateNodeSpec(leader.control, b.nodeId, { role: NodeRole.WORKER }),
    ).rejects.toThrow("can't remove member from the raft: this would result in a loss of quorum");
    await updateNodeSpec(leader.control, a.nodeId, { role: NodeRole.WORKER });
    await eventually(
      async () => (await nodesAt(b.control)).find((n) => n.id === a.nodeId)?.role,
    ).toBe(NodeRole.WORKER);
    await updateNodeSpec(leader.control, b.nodeId, { role: NodeRole.WORKER });
    expect(await b.ended()).toBe(MANAGER_EXIT.removed);
    await createNetwork(leader.control, 'alone');
  });
});

it('a manager that comes back with an empty disk is a new member; the old one leaves', async () => {
  const group = newGroup();
  const nodes = (await group.create(3)) as [ManagerNode, ManagerNode, ManagerNode];
  await createNetwork(nodes[0].control, 'one');
  const leader = await group.leader();
  const lost = nodes.find((node) => node !== leader) as ManagerNode;
  const raftIds = async (): Promise<number[]> =>
    (await nodesAt(leader.control)).map((n) => n.managerStatus?.raftId ?? 0);
  const before = await raftIds();
  await lost.kill();
  rmSync(lost.folder, { recursive: true, force: true });
  await lost.join(nodes.filter((node) => node !== lost));
  await createNetwork(lost.control, 'two');
  expect(await networksAt(lost)).toBe(2);
  const after = await raftIds();
  expect(after.filter((id) => before.includes(id)).length).toBe(2);
  // Both others may go one after the other: three voters, not four.
  for (const node of nodes.filter((n) => n !== lost && n !== leader)) await node.kill();
  await createNetwork(lost.control, 'three');
});
