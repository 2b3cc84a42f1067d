// Goal: a container of `docker run` on a network of the cluster gets an address there and is heard of by the nodes on that network only; refused wishes
// and ended containers leave nothing. Method: the real store, controllers and assignments; the node's part by hand.
import { beforeEach, describe, expect, it } from 'vitest';
import { AssignmentHub } from '#manager/dispatcher/assignment-hub';
import { createAttachment } from '#manager/dispatcher/attachments';
import type { NodeAssignments } from '#manager/dispatcher/node-assignments';
import { AttachNetworkRequest, type ServiceEndpoints } from '#protocol/generated/dispatcher';
import { Network, NodeState, NodeStatus, type Task, TaskState } from '#protocol/generated/objects';
import {
  IpamConfig,
  IpamOptions,
  NetworkAttachmentConfig,
  NetworkAttachmentSpec,
  NetworkSpec,
} from '#protocol/generated/specs';
import { TestCluster } from '../orchestrator/cluster.ts';

const CONTAINER = 'c'.repeat(64);
const SUBNET = IpamOptions.create({ config: [IpamConfig.create({ subnet: '10.9.0.0/29' })] });

let cluster: TestCluster;
let hub: AssignmentHub;

beforeEach(() => {
  cluster = new TestCluster();
  hub = new AssignmentHub();
  cluster.store.subscribe((entry) => {
    if (entry !== 'reset') hub.note(entry.changes);
  });
  for (const id of ['n1', 'n2', 'n3']) cluster.addNode(id);
  cluster.write((tx) => {
    const attachable = NetworkSpec.create({ name: 'open', attachable: true, ipam: SUBNET });
    tx.create('network', Network.create({ id: 'net-open', spec: attachable }));
    const other = NetworkSpec.create({ name: 'closed' });
    tx.create('network', Network.create({ id: 'net-closed', spec: other }));
  });
  cluster.settle();
});

function attach(
  nodeId: string,
  containerName: string,
  config: Partial<NetworkAttachmentConfig> = {},
): string {
  let id = '';
  cluster.write((tx) => {
    const request = AttachNetworkRequest.create({
      network: NetworkAttachmentConfig.create({ target: 'open', ...config }),
      container: NetworkAttachmentSpec.create({ containerId: CONTAINER, containerName }),
    });
    id = createAttachment(tx, cluster.context, nodeId, request).id;
  });
  cluster.pass();
  return id;
}

const taskOf = (id: string): Task | undefined => cluster.store.view.get('task', id);
const addressOf = (id: string): string | undefined =>
  taskOf(id)?.networkAttachments[0]?.addresses[0];

function endpointsFor(assignments: NodeAssignments): readonly ServiceEndpoints[] {
  const changes = assignments.next(cluster.store.view, hub.endpoints)?.changes ?? [];
  return changes.flatMap(({ assignment }) => (assignment?.endpoints ? [assignment.endpoints] : []));
}

describe('an attachment', () => {
  it('gets addresses on its node, which keeps them while it is down', () => {
    const id = attach('n1', 'a');
    expect(taskOf(id)).toMatchObject({ nodeId: 'n1', status: { state: TaskState.ASSIGNED } });
    expect(addressOf(id)).toMatch(/^10\.9\.0\.\d\/29$/);
    cluster.setNode('n1', { status: NodeStatus.create({ state: NodeState.DOWN }) });
    cluster.settle();
    expect(addressOf(id)).toMatch(/^10\.9\.0\.\d\/29$/);
    expect(cluster.hasMoreToDo).toBe(false);
  });

  it('with an address of its own gets that, and nobody else does', () => {
    expect(addressOf(attach('n1', 'a', { ipv4Address: '10.9.0.5' }))).toBe('10.9.0.5/29');
    const second = attach('n2', 'b', { ipv4Address: '10.9.0.5' });
    expect(taskOf(second)?.status).toMatchObject({
      state: TaskState.REJECTED,
      err: 'address 10.9.0.5 of network open is in use by container a',
    });
    cluster.settle();
    expect(taskOf(second)).toBeUndefined();
  });

  it.each([
    ['10.9.0.0', 'address 10.9.0.0 is the network address of network open'],
    ['10.9.0.7', 'address 10.9.0.7 is the broadcast address of network open'],
    ['10.9.0.9', 'address 10.9.0.9 is outside subnet 10.9.0.0/29 of network open'],
    ['nonsense', '"nonsense" is not an IPv4 address'],
  ])('with an address that nobody can have, %s, is told so', (ipv4Address, err) => {
    const id = attach('n1', 'a', { ipv4Address });
    expect(taskOf(id)?.status).toMatchObject({ state: TaskState.REJECTED, err });
  });

  it('goes when its node reports it over, and when the node leaves; the address is free then', () => {
    const first = attach('n1', 'a', { ipv4Address: '10.9.0.5' });
    cluster.report(first, { state: TaskState.COMPLETE });
    cluster.settle();
    expect(taskOf(first)).toBeUndefined();
    const second = attach('n2', 'b', { ipv4Address: '10.9.0.5' });
    expect(addressOf(second)).toBe('10.9.0.5/29');
    cluster.write((tx) => tx.remove('node', 'n2'));
    cluster.settle();
    expect(taskOf(second)).toBeUndefined();
  });

  it('outlives a change of leader, which gives nobody its address', () => {
    const held = addressOf(attach('n1', 'a'));
    cluster.changeLeader();
    const others = ['b', 'c', 'd'].map((name) => addressOf(attach('n2', name)));
    expect(others).not.toContain(held);
    expect(new Set(others).size).toBe(3);
  });

  it('is heard of by the nodes on its network once it runs, and by no other', () => {
    const [n1, n2, n3] = ['n1', 'n2', 'n3'].map((id) => hub.connect(id, 'session'));
    if (!n1 || !n2 || !n3) throw new Error('three nodes');
    for (const node of [n1, n2, n3]) endpointsFor(node);
    const id = attach('n1', 'a', { aliases: ['alias'] });
    attach('n2', 'b');
    cluster.report(id, { state: TaskState.RUNNING });
    const [seen] = endpointsFor(n2).filter(({ serviceId }) => serviceId === id);
    expect(seen?.backends).toMatchObject([{ containerName: 'a', nodeId: 'n1', serving: true }]);
    expect(seen?.networks).toMatchObject([{ target: 'net-open', aliases: ['alias'] }]);
    expect(endpointsFor(n3)).toEqual([]);
    cluster.report(id, { state: TaskState.COMPLETE });
    cluster.settle();
    const changes = n2.next(cluster.store.view, hub.endpoints)?.changes ?? [];
    expect(changes.map(({ assignment }) => assignment?.endpoints?.serviceId)).toContain(id);
    expect(n2.knows('endpoints', id)).toBe(false);
  });

  it('takes no room on its node', () => {
    const free = cluster.memory.nodes.nodes.get('n1')?.tasksOfService.size;
    attach('n1', 'a');
    expect(cluster.memory.nodes.nodes.get('n1')?.tasksOfService.size).toBe(free);
  });
});

it.for([
  ['closed', 'permission_denied', 'network closed not manually attachable'],
  ['nowhere', 'not_found', 'network nowhere not found'],
] as const)('network %s is refused: %s', ([target, code, text]) => {
  const wish = (): string => attach('n1', 'a', { target });
  expect(wish).toThrow(text);
  expect(wish).toThrow(expect.objectContaining({ code }));
  expect([...cluster.store.view.list('task')]).toEqual([]);
});
