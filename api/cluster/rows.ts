// Objects of the cache as the short rows of feed-types.ts.
import { formatTime } from '#protocol/engine-json';
import {
  type Config,
  HealthStateText,
  type Network,
  type Node,
  NodeStateText,
  ReachabilityText,
  type Secret,
  type Service,
  type Stack,
  type Task,
  TaskState,
  TaskStateText,
  UpdateState,
  UpdateStateText,
  type Volume,
} from '#protocol/generated/objects';
import {
  NodeAvailabilityText,
  NodeRole,
  PortProtocolText,
  PublishModeText,
} from '#protocol/generated/specs';
import { taskName } from '#protocol/ids';
import { nameOf } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { serviceStatus } from '../cache/service-status.ts';
import type {
  NetworkRow,
  NodeRow,
  PortRow,
  Rows,
  SecretRow,
  ServiceRow,
  StackRow,
  TaskRow,
  UpdateRow,
  VolumeRow,
} from './feed-types.ts';

/** Rows of the kinds that GET /events knows, by kind. */
export const ROW_MAKERS: {
  readonly [K in keyof Rows]: (cache: ObjectCache, object: never) => Rows[K];
} = {
  node: (_, node: Node) => nodeRow(node),
  service: (cache, service: Service) => serviceRow(cache, service),
  task: (_, task: Task) => taskRow(task),
  stack: (_, stack: Stack) => stackRow(stack),
  network: (_, network: Network) => networkRow(network),
  volume: (_, volume: Volume) => volumeRow(volume),
  secret: (_, secret: Secret) => secretRow(secret),
  config: (_, config: Config) => secretRow(config),
};

/** '' for a time that is not known. */
function time(micros: number | undefined): string {
  return micros ? formatTime(micros) : '';
}

function nodeRow(node: Node): NodeRow {
  const { description, status, spec, managerStatus } = node;
  return {
    id: node.id,
    name: nameOf('node', node),
    role: node.role === NodeRole.MANAGER ? 'manager' : 'worker',
    state: NodeStateText.get(status?.state ?? 0) ?? '',
    message: status?.message ?? '',
    availability: NodeAvailabilityText.get(spec?.availability ?? 0) ?? '',
    addr: status?.addr ?? '',
    isLeader: managerStatus?.leader ?? false,
    reachability: managerStatus ? (ReachabilityText.get(managerStatus.reachability) ?? '') : '',
    nanoCpus: description?.resources?.nanoCpus ?? 0,
    memoryBytes: description?.resources?.memoryBytes ?? 0,
    version: description?.engine?.engineVersion ?? '',
    platform: description?.platform
      ? `${description.platform.os}/${description.platform.architecture}`
      : '',
    labels: spec?.labels ?? {},
  };
}

function serviceRow(cache: ObjectCache, service: Service): ServiceRow {
  const counts = serviceStatus(cache, service);
  return {
    id: service.id,
    name: service.spec?.name ?? '',
    stack: service.stack || (service.spec?.labels['com.docker.stack.namespace'] ?? ''),
    mode: modeOf(service),
    image: service.spec?.taskTemplate?.containerSpec?.image ?? '',
    running: counts.RunningTasks,
    desired: counts.DesiredTasks,
    completed: isJob(service) ? counts.CompletedTasks : finishedTasks(cache, service),
    ports: (service.endpoint?.ports ?? []).map(
      (port): PortRow => ({
        target: port.targetPort,
        published: port.publishedPort,
        protocol: PortProtocolText.get(port.protocol) ?? '',
        mode: PublishModeText.get(port.publishMode) ?? '',
      }),
    ),
    update: updateRow(service),
    revision: service.revision,
    taskVersion: service.jobStatus?.jobIteration?.index ?? service.specVersion?.index ?? 0,
    createdAt: time(service.meta?.createdAt),
    updatedAt: time(service.meta?.updatedAt),
  };
}

function isJob({ spec }: Service): boolean {
  return spec?.mode?.replicatedJob !== undefined || spec?.mode?.globalJob !== undefined;
}

/** Of a service that is no job, and whose tasks are not started again: a migration of a compose file, say. */
function finishedTasks(cache: ObjectCache, service: Service): number {
  let count = 0;
  for (const { status, desiredState } of cache.tasksOf(service.id)) {
    if (status?.state === TaskState.COMPLETE && desiredState <= TaskState.COMPLETE) count++;
  }
  return count;
}

function modeOf(service: Service): string {
  const mode = service.spec?.mode;
  if (mode?.global) return 'global';
  if (mode?.replicatedJob) return 'replicated-job';
  return mode?.globalJob ? 'global-job' : 'replicated';
}

function updateRow({ updateStatus }: Service): UpdateRow | null {
  if (!updateStatus || updateStatus.state === UpdateState.NONE) return null;
  const { state, message, startedAt, completedAt, updated, failed, total } = updateStatus;
  return {
    state: UpdateStateText.get(state) ?? '',
    message,
    startedAt: time(startedAt),
    completedAt: time(completedAt),
    updated,
    failed,
    total,
  };
}

function taskRow(task: Task): TaskRow {
  const container = task.status?.containerStatus;
  const reserved = task.spec?.resources?.reservations;
  return {
    id: task.id,
    name: taskName(task),
    serviceId: task.serviceId,
    serviceName: task.serviceName,
    nodeId: task.nodeId,
    slot: task.slot,
    state: TaskStateText.get(task.status?.state ?? 0) ?? '',
    desired: TaskStateText.get(task.desiredState) ?? '',
    message: task.status?.message ?? '',
    err: task.status?.err ?? '',
    waitingFor: task.waitingFor,
    health: HealthStateText.get(container?.health ?? 0) ?? '',
    restarts: container?.restartCount ?? 0,
    isDraining: task.drain !== undefined,
    image: task.spec?.containerSpec?.image ?? '',
    containerId: container?.containerId ?? '',
    taskVersion: task.jobIteration?.index ?? task.specVersion?.index ?? 0,
    nanoCpus: reserved?.nanoCpus ?? 0,
    memoryBytes: reserved?.memoryBytes ?? 0,
    createdAt: time(task.meta?.createdAt),
    since: time(task.status?.timestamp),
  };
}

function stackRow(stack: Stack): StackRow {
  return {
    id: stack.id,
    name: stack.spec?.name ?? '',
    revision: stack.revision,
    createdAt: time(stack.meta?.createdAt),
    updatedAt: time(stack.meta?.updatedAt),
  };
}

function networkRow(network: Network): NetworkRow {
  const { spec } = network;
  return {
    id: network.id,
    name: spec?.name ?? '',
    stack: network.stack,
    driver: spec?.driverConfig?.name || 'overlay',
    subnets: network.ipam.map(({ subnet }) => subnet),
    isInternal: spec?.internal ?? false,
    isAttachable: spec?.attachable ?? false,
    isIngress: spec?.ingress ?? false,
  };
}

function volumeRow(volume: Volume): VolumeRow {
  return {
    id: volume.id,
    name: volume.spec?.name ?? '',
    stack: volume.stack,
    driver: volume.spec?.driver?.name || 'local',
    nodeId: volume.nodeId,
  };
}

function secretRow({ id, spec, meta }: Secret | Config): SecretRow {
  return {
    id,
    name: spec?.name ?? '',
    createdAt: time(meta?.createdAt),
    updatedAt: time(meta?.updatedAt),
  };
}
