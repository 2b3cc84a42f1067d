// A service as the network sees it (ServiceEndpoints): made from the service and its tasks, once
// for all nodes that need it, and again only after one of them changed. The same contents keep the
// same object, so that "has it changed for this node" is a comparison of references.
import { sameBytes } from '#manager/store/kinds';
import type { ReadView, StoreChange } from '#manager/store/view';
import { attachedName, isAttachment } from '#protocol/attachments';
import { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import { HealthState, type Service, type Task, TaskState } from '#protocol/generated/objects';
import { EndpointMode, PublishMode, SessionAffinity } from '#protocol/generated/specs';
import { askedContainerName, taskName } from '#protocol/ids';
import { isWaiting } from './drains.ts';

/** Compose's label that says by which name a service's neighbours know it. */
const COMPOSE_SERVICE_LABEL = 'com.docker.compose.service';

interface Known {
  readonly endpoints: ServiceEndpoints;
  readonly bytes: Uint8Array;
}

export class EndpointsCache {
  readonly #known: Map<string, Known> = new Map();
  readonly #stale: Set<string> = new Set();

  /** Marks what must be made again; returns the ids of services whose endpoints may differ. */
  note(changes: readonly StoreChange[]): Set<string> {
    const touched = new Set<string>();
    for (const { kind, before, after } of changes) {
      const object = after ?? before;
      if (!object) continue;
      if (kind === 'service') touched.add(object.id);
      else if (kind === 'task' && mattersToNetwork(before as Task, after as Task)) {
        touched.add(endpointsIdOf(object as Task));
      }
    }
    for (const id of touched) this.#stale.add(id);
    return touched;
  }

  /**
   * The endpoints of a service; undefined when there is no such service, or nothing of it to see on
   * a network.
   */
  get(view: ReadView, serviceId: string): ServiceEndpoints | undefined {
    const known = this.#known.get(serviceId);
    if (known && !this.#stale.has(serviceId)) return known.endpoints;
    this.#stale.delete(serviceId);
    const endpoints = present(view, serviceId);
    if (!endpoints) {
      this.#known.delete(serviceId);
      return undefined;
    }
    const bytes = ServiceEndpoints.encode(endpoints);
    if (known && sameBytes(known.bytes, bytes)) return known.endpoints;
    this.#known.set(serviceId, { endpoints, bytes });
    return endpoints;
  }

  clear(): void {
    this.#known.clear();
    this.#stale.clear();
  }
}

/** Under which id nodes hear of a task: its service's; an attachment is one backend of its own. */
function endpointsIdOf(task: Task): string {
  return isAttachment(task) ? task.id : task.serviceId;
}

function present(view: ReadView, id: string): ServiceEndpoints | undefined {
  const service = view.get('service', id);
  if (service) {
    return isVisible(service) ? endpointsOf(service, view.tasksByService(id)) : undefined;
  }
  const task = view.get('task', id);
  return task && isAttachment(task) && isListed(task) ? attachedEndpoints(task) : undefined;
}

/** Networks that a service, or an attachment, is on. */
export function networksUnder(view: ReadView, id: string): string[] {
  const service = view.get('service', id);
  return service ? networksOf(service) : attachedNetworks(view.get('task', id));
}

/** Networks of an attachment; none for any other task. */
export function attachedNetworks(task: Task | undefined): string[] {
  if (!task || !isAttachment(task)) return [];
  return task.networkAttachments.map(({ networkId }) => networkId);
}

/** Networks that a service is on, by id. */
export function networksOf(service: Service | undefined): string[] {
  return (service?.spec?.taskTemplate?.networks ?? []).map((config) => config.target);
}

/** Whether every node must know the service because it accepts connections for it. */
export function publishesIngress(service: Service | undefined): boolean {
  return (service?.endpoint?.ports ?? []).some((port) => port.publishMode === PublishMode.INGRESS);
}

function isVisible(service: Service): boolean {
  return networksOf(service).length > 0 || publishesIngress(service);
}

/** Progress reports (pulling, preparing) come often and change nothing that a network shows. */
function mattersToNetwork(before: Task | undefined, after: Task | undefined): boolean {
  if (!before || !after) return true;
  return (
    before.nodeId !== after.nodeId ||
    before.networkAttachments !== after.networkAttachments ||
    isListed(before) !== isListed(after) ||
    isServing(before) !== isServing(after) ||
    isWaiting(before) !== isWaiting(after)
  );
}

/**
 * What is known of a service and its tasks, for the nodes' DNS, virtual addresses and published
 * ports.
 */
export function endpointsOf(service: Service, tasks: Iterable<Task>): ServiceEndpoints {
  const spec = service.spec;
  const backends: EndpointBackend[] = [];
  for (const task of tasks) if (isListed(task)) backends.push(backendOf(task));
  return ServiceEndpoints.create({
    serviceId: service.id,
    serviceName: spec?.name ?? '',
    mode: spec?.endpointSpec?.mode ?? EndpointMode.VIP,
    virtualIps: service.endpoint?.virtualIps ?? [],
    ports: service.endpoint?.ports ?? [],
    networks: spec?.taskTemplate?.networks ?? [],
    backends,
    stack: service.stack,
    names: namesOf(service),
    sessionAffinity: spec?.endpointSpec?.sessionAffinity ?? SessionAffinity.NONE,
    preferSameNode: spec?.endpointSpec?.preferSameNode ?? false,
  });
}

/** A container of `docker run` as the network sees it: no service, one backend with its names. */
function attachedEndpoints(task: Task): ServiceEndpoints {
  return ServiceEndpoints.create({
    serviceId: task.id,
    mode: EndpointMode.DNSRR,
    networks: task.spec?.networks ?? [],
    backends: [
      EndpointBackend.create({
        taskId: task.id,
        containerName: attachedName(task),
        hostname: task.spec?.networkAttachmentSpec?.hostname ?? '',
        nodeId: task.nodeId,
        serving: isServing(task),
        attachments: task.networkAttachments,
      }),
    ],
  });
}

function namesOf(service: Service): string[] {
  const labels = service.spec?.labels ?? {};
  const containerLabels = service.spec?.taskTemplate?.containerSpec?.labels ?? {};
  const name = labels[COMPOSE_SERVICE_LABEL] ?? containerLabels[COMPOSE_SERVICE_LABEL] ?? '';
  return service.stack === '' || name === '' || name === service.spec?.name ? [] : [name];
}

function backendOf(task: Task): EndpointBackend {
  const container = task.spec?.containerSpec;
  return EndpointBackend.create({
    taskId: task.id,
    taskName: taskName(task),
    containerName: askedContainerName(task),
    hostname: container?.hostname ?? '',
    slot: task.slot,
    nodeId: task.nodeId,
    serving: isServing(task),
    attachments: task.networkAttachments,
  });
}

/**
 * Has, or may still get, a container on a node: also while it drains, since open connections go on.
 */
function isListed(task: Task): boolean {
  const state = task.status?.state ?? TaskState.NEW;
  return task.nodeId !== '' && state >= TaskState.ASSIGNED && state <= TaskState.RUNNING;
}

/**
 * Takes new connections: runs, is healthy or has no healthcheck, is meant to run, is neither
 * stopped nor paused.
 */
export function isServing(task: Task): boolean {
  const container = task.status?.containerStatus;
  const health = container?.health ?? HealthState.NONE;
  return (
    task.status?.state === TaskState.RUNNING &&
    (task.desiredState === TaskState.RUNNING || task.desiredState === TaskState.COMPLETE) &&
    (health === HealthState.NONE || health === HealthState.HEALTHY) &&
    container?.stopped !== true &&
    container?.paused !== true
  );
}
