// What becomes of the address that a service asked for when its task moves, is replaced, or the node dies; each sentence is in a test's name.
import { describe, expect, it } from 'vitest';
import { Network, NodeState, NodeStatus, type Task, TaskState } from '#protocol/generated/objects';
import {
  IpamConfig,
  IpamOptions,
  NetworkAttachmentConfig,
  NetworkSpec,
  NodeAvailability,
  NodeSpec,
  ReplicatedMode,
  ServiceMode,
  TaskSpec,
} from '#protocol/generated/specs';
import { attach, template } from '../support/objects.ts';
import { TestCluster } from './cluster.ts';

const ADDRESS = '10.5.0.2';
const replicated = (replicas: number): ServiceMode =>
  ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });

/** Two nodes, and a network with a subnet of its own. */
function clusterWithNetwork(subnet = '10.5.0.0/24'): TestCluster {
  const c = new TestCluster();
  c.addNode('n1');
  c.addNode('n2');
  const ipam = IpamOptions.create({ config: [IpamConfig.create({ subnet })] });
  const spec = NetworkSpec.create({ name: 'front', ipam });
  c.write((tx) => tx.create('network', Network.create({ id: 'net', spec })));
  return c;
}

function createFixed(c: TestCluster, name: string): string {
  const networks = [NetworkAttachmentConfig.create({ target: 'net', ipv4Address: ADDRESS })];
  return c.createService({ name, mode: replicated(1), taskTemplate: template({ networks }) });
}

const addressOf = (task: Task | undefined): string =>
  task?.networkAttachments[0]?.addresses[0]?.split('/')[0] ?? '';

function force(c: TestCluster, id: string): void {
  c.updateService(id, (spec) => ({
    taskTemplate: TaskSpec.create({ ...spec.taskTemplate, forceUpdate: 1 }),
  }));
}

describe('an address of its own', () => {
  it('is nobody else’s: not a task’s, not a virtual address, not before the service has a task', () => {
    const c = clusterWithNetwork('10.5.0.0/29');
    const id = createFixed(c, 'db');
    const other = c.createService({
      name: 'web',
      mode: replicated(4),
      taskTemplate: template({ networks: [attach('net')] }),
    });
    c.run(12);
    expect(c.running(id).map(addressOf)).toEqual([ADDRESS]);
    const vips = [id, other].flatMap((one) =>
      (c.store.view.get('service', one)?.endpoint?.virtualIps ?? []).map(({ addr }) => addr),
    );
    expect(vips).toHaveLength(2);
    for (const vip of vips) expect(vip.split('/')[0]).not.toBe(ADDRESS);
    // Of six addresses the gateway, two virtual ones and the fixed one are gone.
    expect(c.running(other)).toHaveLength(2);
    expect(c.running(other).map(addressOf)).not.toContain(ADDRESS);
    // Who waits says who has them.
    const waiting = [...c.store.view.list('task')].find(
      (task) => task.networkAttachments.length === 0,
    );
    expect(waiting?.status?.err).toBe(
      'network front: all 6 addresses of 10.5.0.0/29 are in use, by service db, service web',
    );
  });

  it('goes from the old task to the new one when it is updated', () => {
    const c = clusterWithNetwork();
    const id = createFixed(c, 'db');
    c.run(10);
    const [before] = c.running(id);
    force(c, id);
    c.run(30);
    const [after] = c.running(id);
    expect(after?.id).not.toBe(before?.id);
    expect(addressOf(after)).toBe(ADDRESS);
  });

  it.each([
    ['is drained', { spec: NodeSpec.create({ availability: NodeAvailability.DRAIN }) }],
    ['dies', { status: NodeStatus.create({ state: NodeState.DOWN }) }],
  ])('goes to another node when its own %s, under a new leader too', (_, changed) => {
    const c = clusterWithNetwork();
    const id = createFixed(c, 'db');
    c.run(10);
    const [before] = c.running(id);
    c.setNode(before?.nodeId ?? '', changed);
    c.run(30);
    const [after] = c.running(id);
    expect(after?.nodeId).not.toBe(before?.nodeId);
    expect(addressOf(after)).toBe(ADDRESS);
    // The node comes back: its task reports itself running once more, then ends. The address stays with the successor.
    c.changeLeader();
    c.setNode(before?.nodeId ?? '', { status: NodeStatus.create({ state: NodeState.READY }) });
    c.report(before?.id ?? '', { state: TaskState.RUNNING });
    c.run(30);
    force(c, id);
    c.run(30);
    expect(c.running(id).map(addressOf)).toEqual([ADDRESS]);
  });

  it('that a task of before still has is waited for by name, and taken as soon as it is free', () => {
    const c = clusterWithNetwork();
    const old = c.createService({
      name: 'web',
      mode: replicated(3),
      taskTemplate: template({ networks: [attach('net')] }),
    });
    c.run(10);
    const [holder] = c.running(old).sort((a, b) => (addressOf(a) < addressOf(b) ? -1 : 1));
    const ipv4Address = addressOf(holder);
    const networks = [NetworkAttachmentConfig.create({ target: 'net', ipv4Address })];
    const id = c.createService({
      name: 'db',
      mode: replicated(1),
      taskTemplate: template({ networks }),
    });
    c.run(5);
    expect(c.wanted(id)[0]?.status?.err).toBe(
      `address ${ipv4Address} of network front is in use by task web.${holder?.slot}.${holder?.id}`,
    );
    c.removeService(old);
    c.run(10);
    expect(c.running(id).map(addressOf)).toEqual([ipv4Address]);
  });
});
