// GET /tswarm/v1/topology over a cache filled by hand: what is counted where, what a stack's part is, and what is left out.
import { afterEach, describe, expect, it } from 'vitest';
import { topologyRoutes } from '#api/cluster/topology';
import type { Topology } from '#api/cluster/types';
import type { Context } from '#api/context';
import type { Reply } from '#api/http/reply';
import { type ApiRequest, Query } from '#api/http/request';
import * as objects from '#protocol/generated/objects';
import {
  NetworkAttachment,
  Node,
  NodeState,
  NodeStatus,
  Service,
  Task,
  TaskState,
  TaskStatus,
} from '#protocol/generated/objects';
import { ResourceRequirements, Resources, ServiceSpec, TaskSpec } from '#protocol/generated/specs';
import { FakeManager, fakeNode } from './fakes.ts';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function task(id: string, serviceId: string, nodeId: string, state: TaskState): Task {
  const reservations = Resources.create({ nanoCpus: 5e8, memoryBytes: 100 });
  return Task.create({
    id,
    serviceId,
    nodeId,
    status: TaskStatus.create({ state }),
    spec: TaskSpec.create({ resources: ResourceRequirements.create({ reservations }) }),
    networkAttachments: [NetworkAttachment.create({ networkId: 'net1' })],
  });
}

async function ask(query: string): Promise<Topology> {
  const manager = new FakeManager();
  const status = NodeStatus.create({ state: NodeState.READY });
  manager.put({ node: Node.create({ id: 'n1', status }) });
  manager.put({ network: objects.Network.create({ id: 'net1' }) });
  for (const [id, stack] of [
    ['s1', 'shop'],
    ['s2', ''],
  ] as const) {
    manager.put({ service: Service.create({ id, stack, spec: ServiceSpec.create({ name: id }) }) });
  }
  manager.put({ task: task('t1', 's1', 'n1', TaskState.RUNNING) });
  manager.put({ task: task('t2', 's2', 'n1', TaskState.STARTING) });
  manager.put({ task: task('t3', 's1', 'n1', TaskState.FAILED) });
  manager.put({ task: task('t4', 's1', '', TaskState.PENDING) });
  const node = await fakeNode(manager);
  cleanups.push(async () => {
    manager.breakStreams();
    await node.session()?.cache.stop();
  });
  let answer: unknown;
  const reply = { json: (_: number, value: unknown) => (answer = value) };
  const [route] = topologyRoutes({ node } as unknown as Context);
  const request = { query: new Query(query) } as unknown as ApiRequest;
  await route?.handler(request, reply as unknown as Reply);
  return answer as Topology;
}

describe('topology', () => {
  it('has living tasks, what they have reserved of their nodes, and networks that are in use', async () => {
    const { nodes, tasks, networks, services } = await ask('');
    expect(tasks.map(({ id }) => id).sort()).toEqual(['t1', 't2', 't4']);
    expect(nodes).toMatchObject([
      { id: 'n1', state: 'ready', tasks: 2, nanoCpusReserved: 1e9, memoryBytesReserved: 200 },
    ]);
    expect(networks).toMatchObject([{ id: 'net1', nodes: ['n1'], services: ['s1', 's2'] }]);
    expect(services.map(({ id }) => id)).toEqual(['s1', 's2']);
  });

  it('has of a stack its own services and tasks, and of the nodes everything', async () => {
    const { nodes, tasks, services, networks } = await ask('stack=shop');
    expect(services.map(({ id }) => id)).toEqual(['s1']);
    expect(tasks.map(({ id }) => id).sort()).toEqual(['t1', 't4']);
    expect(nodes[0]?.tasks).toBe(2);
    expect(networks[0]?.services).toEqual(['s1']);
  });
});
