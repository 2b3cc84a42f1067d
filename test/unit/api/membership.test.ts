// Goal: what a manager that wants to leave is told, how settings are changed one by one, and what a node that is no manager answers to cluster calls. Method:
// the functions behind both APIs, over a cache that is filled by a manager in a table.
import { describe, expect, it } from 'vitest';
import { changeCluster, leaveWarning, NO_ROTATION, withoutZeros } from '#api/cluster-spec';
import { type Context, requireSession } from '#api/context';
import { LOCAL_CALLER } from '#api/http/request';
import type { ClusterSession, NodeState } from '#api/node-control';
import type { UpdateObjectRequest } from '#protocol/generated/control';
import { Cluster, ManagerStatus, Node, Reachability } from '#protocol/generated/objects';
import { CaConfig, ClusterSpec, NodeSpec, OrchestrationConfig } from '#protocol/generated/specs';
import { FakeManager, fakeNode } from './fakes.ts';

async function sessionOf(manager: FakeManager): Promise<ClusterSession> {
  const session = (await fakeNode(manager)).session();
  if (!session) throw new Error('no session');
  return session;
}

/** A cluster whose managers are reachable (true) or not. */
async function withManagers(reachable: readonly boolean[]): Promise<ClusterSession> {
  const manager = new FakeManager();
  for (const [index, isReachable] of reachable.entries()) {
    const reachability = isReachable ? Reachability.REACHABLE : Reachability.UNREACHABLE;
    manager.put({
      node: Node.create({
        id: `m${index}`,
        spec: NodeSpec.create(),
        managerStatus: ManagerStatus.create({ reachability }),
      }),
    });
  }
  manager.put({ node: Node.create({ id: 'w', spec: NodeSpec.create() }) });
  return sessionOf(manager);
}

describe('a manager that wants to leave', () => {
  const restore = 'The only way to restore a swarm that has lost consensus is to reinitialize it';
  it.each([
    [[true], 'Removing the last manager erases all current state of the swarm. Use `--force`'],
    [
      [true, true],
      'Removing this node leaves 1 managers out of 2. Without a Raft quorum your swarm will be inaccessible.',
    ],
    [[true, true, false], 'Removing this node leaves 1 managers out of 3.'],
  ])('%j: %s', async (reachable, text) => {
    expect(leaveWarning(await withManagers(reachable))).toContain(text);
  });

  it('is not told of a lost quorum when the others have one', async () => {
    const text = leaveWarning(await withManagers([true, true, true]));
    expect(text).not.toContain('Without a Raft quorum');
    expect(text).toContain(restore);
  });

  it('is told that nobody knows while its manager does not run', () => {
    expect(leaveWarning(undefined)).toContain('Doing so may lose the consensus of your cluster.');
  });
});

describe('settings of the cluster', () => {
  const spec = ClusterSpec.create({
    name: 'default',
    labels: { a: '1' },
    caConfig: CaConfig.create({ nodeCertExpiry: 3.6e12, forceRotate: 4 }),
    orchestration: OrchestrationConfig.create({ taskHistoryRetentionLimit: 7 }),
  });

  it('change one by one; the version is the one that was seen', async () => {
    const manager = new FakeManager();
    const meta = { version: { index: 42 }, createdAt: 0, updatedAt: 0 };
    manager.put({ cluster: Cluster.create({ id: 'c'.repeat(25), meta, spec }) });
    const session = await sessionOf(manager);
    const rotate = { ...NO_ROTATION, workerToken: true };
    const part = { CAConfig: { ForceRotate: 5 }, Dispatcher: { HeartbeatPeriod: 1e9 } };
    await changeCluster(session, part, rotate, {
      caller: LOCAL_CALLER,
      signal: new AbortController().signal,
    });
    const call = manager.calls.find(({ name }) => name === 'updateObject');
    const request = call?.request as UpdateObjectRequest;
    expect(request).toMatchObject({
      version: 42,
      rotateWorkerToken: true,
      rotateManagerToken: false,
    });
    expect(request.spec?.cluster).toMatchObject({
      labels: { a: '1' },
      caConfig: { nodeCertExpiry: 3.6e12, forceRotate: 5 },
      dispatcher: { heartbeatPeriod: 1e9 },
      orchestration: { taskHistoryRetentionLimit: 7 },
    });
  });

  it('that say nothing are no settings', () => {
    const sent = { Name: '', Labels: null, Raft: { SnapshotInterval: 0 }, CAConfig: {} };
    expect(withoutZeros({ ...sent, Dispatcher: { HeartbeatPeriod: 5 } })).toEqual({
      Dispatcher: { HeartbeatPeriod: 5 },
    });
  });
});

describe('a cluster call on a node', () => {
  const answer = (state: Partial<NodeState>): string => {
    const node = {
      state: () => ({ isManager: false, error: '', ...state }),
      session: () => undefined,
    };
    try {
      requireSession({ node } as unknown as Context);
      return '';
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return `${code}: ${message}`;
    }
  };

  it.each([
    [
      { state: 'inactive' },
      'no_cluster: This node is not a swarm manager. Use "docker swarm init"',
    ],
    [
      { state: 'active' },
      "no_cluster: This node is not a swarm manager. Worker nodes can't be used",
    ],
    [
      { state: 'pending' },
      "no_cluster: This node is not a swarm manager. Worker nodes can't be used",
    ],
    [{ state: 'locked', isManager: true }, 'locked: Swarm is encrypted and needs to be unlocked'],
    [
      { state: 'pending', isManager: true },
      'unavailable: The cluster on this node is still starting.',
    ],
    [{ state: 'error', error: 'removed' }, 'unavailable: removed'],
  ] as const)('%j: %s', (state, text) => {
    expect(answer(state)).toContain(text);
  });
});
