// Rows with what a test does not care about filled in.
import type { NodeRow, Rows, ServiceRow, Snapshot, TaskRow } from '#api/cluster/feed-types';

export function node(partial: Partial<NodeRow> & { readonly id: string }): NodeRow {
  return {
    name: partial.id,
    role: 'worker',
    state: 'ready',
    message: '',
    availability: 'active',
    addr: '192.0.2.1',
    isLeader: false,
    reachability: '',
    nanoCpus: 2e9,
    memoryBytes: 1024 ** 3,
    version: '0.1.0',
    platform: 'linux/x86_64',
    labels: {},
    ...partial,
  };
}

export function service(partial: Partial<ServiceRow> & { readonly id: string }): ServiceRow {
  return {
    name: partial.id,
    stack: '',
    mode: 'replicated',
    image: 'app:1',
    running: 1,
    desired: 1,
    completed: 0,
    ports: [],
    update: null,
    revision: 0,
    taskVersion: 1,
    createdAt: '',
    updatedAt: '',
    ...partial,
  };
}

export function task(partial: Partial<TaskRow> & { readonly id: string }): TaskRow {
  return {
    name: partial.id,
    serviceId: 's1',
    serviceName: 'web',
    nodeId: 'n1',
    slot: 1,
    state: 'running',
    desired: 'running',
    message: 'started',
    err: '',
    waitingFor: '',
    health: '',
    restarts: 0,
    isDraining: false,
    image: 'app:1',
    containerId: '',
    taskVersion: 1,
    nanoCpus: 0,
    memoryBytes: 0,
    createdAt: '',
    since: '',
    ...partial,
  };
}

export function snapshot(partial: { readonly [K in keyof Rows]?: readonly Rows[K][] }): Snapshot {
  return {
    index: 7,
    node: [],
    service: [],
    task: [],
    stack: [],
    network: [],
    volume: [],
    secret: [],
    config: [],
    ...partial,
  };
}
