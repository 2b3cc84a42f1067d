// Small objects for the manager's tests: only what a test does not care about has a default here.

import type { Stamp } from '#manager/store/store';
import { Cluster, Network, Node, Service, Task } from '#protocol/generated/objects';
import {
  ClusterSpec,
  ContainerSpec,
  NetworkAttachmentConfig,
  NetworkSpec,
  NodeSpec,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
} from '#protocol/generated/specs';
import type { Random } from '#protocol/world';

/** A repeatable random source (mulberry32). */
export function testRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)),
  };
}

/** A stamp with ids 1, 2, 3, … from `counter`. */
export function testStamp(counter: { next: number }, over: Partial<Stamp> = {}): Stamp {
  return {
    nowMicros: counter.next * 1000,
    newTransactionId: () => counter.next++,
    author: 'admin',
    summary: '',
    ...over,
  };
}

export function cluster(id = 'cluster1'): Cluster {
  return Cluster.create({ id, spec: ClusterSpec.create({ name: 'default' }) });
}

export function service(id: string, over: Partial<ServiceSpec> = {}, stack = ''): Service {
  return Service.create({
    id,
    stack,
    spec: ServiceSpec.create({
      name: id,
      taskTemplate: TaskSpec.create({
        containerSpec: ContainerSpec.create({ image: 'busybox' }),
      }),
      mode: ServiceMode.create({ replicated: { replicas: 1 } }),
      ...over,
    }),
  });
}

export function template(
  over: Partial<TaskSpec>,
  container: Partial<ContainerSpec> = {},
): TaskSpec {
  return TaskSpec.create({
    containerSpec: ContainerSpec.create({ image: 'busybox', ...container }),
    ...over,
  });
}

export function attach(target: string): NetworkAttachmentConfig {
  return NetworkAttachmentConfig.create({ target });
}

export function task(id: string, of: Service, over: Partial<Task> = {}): Task {
  return Task.create({
    id,
    serviceId: of.id,
    serviceName: of.spec?.name ?? '',
    slot: 1,
    spec: of.spec?.taskTemplate,
    ...over,
  });
}

export function node(id: string, over: Partial<Node> = {}): Node {
  return Node.create({ id, spec: NodeSpec.create({}), ...over });
}

export function network(id: string, name = id, stack = ''): Network {
  return Network.create({ id, stack, spec: NetworkSpec.create({ name }) });
}
