// GET /tswarm/v1/topology: what runs where and over which networks, in one answer: nodes with what their tasks have reserved, tasks that have or will have a
// container, services with their networks and published ports, networks with the nodes that they reach. For a picture and for tools; what changes comes by
// /events.
import type { Service, Task } from '#protocol/generated/objects';
import { TaskState } from '#protocol/generated/objects';
import type { ObjectCache } from '../cache/object-cache.ts';
import { type Context, type Route, requireSession } from '../context.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import type { NodeRow, ServiceRow, TaskRow } from './feed-types.ts';
import { ROW_MAKERS } from './rows.ts';
import type { Topology, TopologyNetwork, TopologyNode, TopologyService } from './types.ts';

export function topologyRoutes(context: Context): readonly Route[] {
  return [
    {
      method: 'GET',
      pattern: '/tswarm/v1/topology',
      handler: (q, r) => topology(context, q, r),
    },
  ];
}

async function topology(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { cache } = requireSession(context);
  const stack = request.query.text('stack');
  const services = [...cache.all('service')].filter(
    (service) => stack === '' || rowOf(cache, service).stack === stack,
  );
  const shown = new Set(services.map(({ id }) => id));
  const alive = [...cache.all('task')].filter(isAlive);
  const tasks = alive.filter((task) => stack === '' || shown.has(task.serviceId));
  const out: Topology = {
    index: cache.index,
    nodes: nodesOf(cache, alive),
    services: services.map((service) => serviceOf(cache, service)),
    tasks: tasks.map((task) => ROW_MAKERS.task(cache, task as never)).map(taskOf),
    networks: networksOf(cache, tasks),
  };
  reply.json(200, out);
}

/** Whether it has a container, or is on its way to one. */
function isAlive(task: Task): boolean {
  return (task.status?.state ?? 0) <= TaskState.RUNNING;
}

function nodesOf(cache: ObjectCache, alive: readonly Task[]): TopologyNode[] {
  const sums = new Map<string, { nanoCpus: number; memoryBytes: number; tasks: number }>();
  for (const { nodeId, spec } of alive) {
    const sum = sums.get(nodeId) ?? { nanoCpus: 0, memoryBytes: 0, tasks: 0 };
    sum.nanoCpus += spec?.resources?.reservations?.nanoCpus ?? 0;
    sum.memoryBytes += spec?.resources?.reservations?.memoryBytes ?? 0;
    sum.tasks++;
    sums.set(nodeId, sum);
  }
  return [...cache.all('node')].map((node) => {
    const row: NodeRow = ROW_MAKERS.node(cache, node as never);
    const { id, name, role, state, availability, addr, isLeader, nanoCpus, memoryBytes } = row;
    const sum = sums.get(id);
    return {
      ...{ id, name, role, state, availability, addr, isLeader, nanoCpus, memoryBytes },
      nanoCpusReserved: sum?.nanoCpus ?? 0,
      memoryBytesReserved: sum?.memoryBytes ?? 0,
      tasks: sum?.tasks ?? 0,
    };
  });
}

function rowOf(cache: ObjectCache, service: Service): ServiceRow {
  return ROW_MAKERS.service(cache, service as never);
}

function serviceOf(cache: ObjectCache, service: Service): TopologyService {
  const { id, name, stack, mode, running, desired, ports } = rowOf(cache, service);
  const networks = (service.endpoint?.virtualIps ?? []).map(({ networkId }) => networkId);
  return { id, name, stack, mode, running, desired, ports, networks };
}

function taskOf(row: TaskRow): Topology['tasks'][number] {
  const { id, name, serviceId, nodeId, slot, state, desired, health, waitingFor, err } = row;
  return { id, name, serviceId, nodeId, slot, state, desired, health, waitingFor, err };
}

/** Networks that one of the tasks is attached to. */
function networksOf(cache: ObjectCache, tasks: readonly Task[]): TopologyNetwork[] {
  const nodes = new Map<string, Set<string>>();
  const services = new Map<string, Set<string>>();
  for (const task of tasks) {
    for (const { networkId } of task.networkAttachments) {
      if (task.nodeId !== '') addTo(nodes, networkId, task.nodeId);
      addTo(services, networkId, task.serviceId);
    }
  }
  return [...services].flatMap(([id, users]) => {
    const network = cache.get('network', id);
    if (!network) return [];
    const { name, stack, driver, subnets } = ROW_MAKERS.network(cache, network as never);
    return [
      { id, name, stack, driver, subnets, services: [...users], nodes: [...(nodes.get(id) ?? [])] },
    ];
  });
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}
