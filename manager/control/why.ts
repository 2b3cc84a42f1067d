// The Why call: explains a task, a service or a node. See why-task.ts for tasks; a service is its tasks by reason and its update, a node what it has, what it
// cannot take and what still has to leave it.
import { filtersFor } from '#manager/scheduler/filters';
import type { NodeInfo, NodeSet } from '#manager/scheduler/node-set';
import type { ReadView } from '#manager/store/view';
import { isAttachment } from '#protocol/attachments';
import { TswarmError } from '#protocol/errors';
import {
  ObjectKind,
  WhyNode,
  WhyPending,
  WhyReason,
  type WhyRequest,
  WhyResponse,
  WhyService,
} from '#protocol/generated/control';
import {
  type Node,
  NodeState,
  type Service,
  type Task,
  TaskState,
  UpdateState,
} from '#protocol/generated/objects';
import { NodeAvailability } from '#protocol/generated/specs';
import { taskName } from '#protocol/ids';
import { fix } from './why-fixes.ts';
import { earlierTask, hostnameOf, nodeSetOf, type WhyContext, whyTask } from './why-task.ts';

/** Failures and tasks named in one answer. */
const FAILURES_MAX = 5;
const PENDING_MAX = 50;

/** @throws TswarmError not_found, invalid_argument. */
export function why(view: ReadView, request: WhyRequest, context: WhyContext): WhyResponse {
  const missing = (kind: string): TswarmError =>
    new TswarmError('not_found', `${kind} ${request.id} not found`);
  if (request.kind === ObjectKind.TASK) {
    const task = view.get('task', request.id);
    if (!task) throw missing('task');
    return WhyResponse.create({ task: whyTask(view, task, context) });
  }
  if (request.kind === ObjectKind.SERVICE) {
    const service = view.get('service', request.id);
    if (!service) throw missing('service');
    return WhyResponse.create({ service: whyService(view, service, context) });
  }
  if (request.kind === ObjectKind.NODE) {
    const node = view.get('node', request.id);
    if (!node) throw missing('node');
    return WhyResponse.create({ node: whyNode(view, node) });
  }
  throw new TswarmError('invalid_argument', 'only a task, a service or a node can be explained', {
    field: 'kind',
  });
}

function stateOf(task: Task): TaskState {
  return task.status?.state ?? TaskState.NEW;
}

function isWanted(task: Task): boolean {
  return task.desiredState <= TaskState.COMPLETE;
}

// ---- a service --------------------------------------------------------------------------------------

function whyService(view: ReadView, service: Service, context: WhyContext): WhyService {
  const tasks = [...view.tasksByService(service.id)];
  const wanted = tasks.filter(isWanted);
  const waiting = wanted.filter((task) => !isThere(task));
  const pending = waiting.find((task) => stateOf(task) < TaskState.ASSIGNED);
  const example = pending && whyTask(view, pending, context);
  return WhyService.create({
    id: service.id,
    name: service.spec?.name ?? '',
    desired: desiredOf(service, wanted),
    running: wanted.filter((task) => stateOf(task) === TaskState.RUNNING).length,
    updateStatus: service.updateStatus,
    reasons: reasonsOf(waiting),
    failures: failuresOf(view, tasks),
    fixes: [...updateFixes(service), ...(example?.fixes ?? waitingOn(waiting))],
    example,
  });
}

function isThere(task: Task): boolean {
  return stateOf(task) === TaskState.RUNNING || stateOf(task) === TaskState.COMPLETE;
}

function desiredOf(service: Service, wanted: readonly Task[]): number {
  const mode = service.spec?.mode;
  if (mode?.global || mode?.globalJob) return wanted.length;
  if (mode?.replicatedJob) {
    return mode.replicatedJob.totalCompletions ?? mode.replicatedJob.maxConcurrent ?? 1;
  }
  return mode?.replicated?.replicas ?? 1;
}

function reasonsOf(waiting: readonly Task[]): WhyReason[] {
  const by = new Map<string, { tasks: number; exampleTaskId: string }>();
  for (const task of waiting) {
    const reason = reasonOf(task);
    const known = by.get(reason) ?? { tasks: 0, exampleTaskId: task.id };
    by.set(reason, { ...known, tasks: known.tasks + 1 });
  }
  return [...by]
    .map(([reason, rest]) => WhyReason.create({ reason, ...rest }))
    .sort((a, b) => b.tasks - a.tasks);
}

/** What a task that does not run waits for, or what became of it. Ids of other tasks are left out, so that like reasons are one. */
function reasonOf(task: Task): string {
  const text = task.status?.err || task.waitingFor || task.status?.message || 'no report yet';
  return text.replace(/^waiting for the task before it \(\S+\)/, 'waiting for the task before it');
}

function failuresOf(view: ReadView, tasks: readonly Task[]): WhyService['failures'] {
  const failed = tasks.filter(
    (task) => stateOf(task) === TaskState.FAILED || stateOf(task) === TaskState.REJECTED,
  );
  failed.sort((a, b) => (b.status?.appliedAt ?? 0) - (a.status?.appliedAt ?? 0));
  return failed.slice(0, FAILURES_MAX).map((task) => earlierTask(view, task, undefined));
}

function updateFixes(service: Service): WhyService['fixes'] {
  const name = service.spec?.name ?? '';
  switch (service.updateStatus?.state) {
    case UpdateState.PAUSED:
    case UpdateState.FAILED:
      return service.previousSpec
        ? [fix('resume-update', name), fix('rollback', name)]
        : [fix('resume-update', name)];
    case UpdateState.ROLLBACK_PAUSED:
      return [fix('resume-update', name)];
    default:
      return [];
  }
}

function waitingOn(waiting: readonly Task[]): WhyService['fixes'] {
  for (const task of waiting) {
    const dependency = /^(?:dependency failed to start: |waiting for )service "?([^\s":]+)/.exec(
      task.waitingFor,
    )?.[1];
    if (dependency !== undefined) return [fix('look-at-service', dependency)];
  }
  const failed = waiting.find((task) => stateOf(task) === TaskState.FAILED);
  return failed ? [fix('look-at-logs', failed.serviceName)] : [];
}

// ---- a node -----------------------------------------------------------------------------------------

function whyNode(view: ReadView, node: Node): WhyNode {
  const nodes = nodeSetOf(view);
  const info = nodes.nodes.get(node.id);
  const resources = node.description?.resources;
  const isDrained = node.spec?.availability === NodeAvailability.DRAIN;
  return WhyNode.create({
    id: node.id,
    hostname: node.description?.hostname ?? '',
    state: node.status?.state ?? NodeState.UNKNOWN,
    availability: node.spec?.availability ?? NodeAvailability.ACTIVE,
    message: node.status?.message ?? '',
    tasks: info?.taskCount ?? 0,
    nanoCpus: resources?.nanoCpus ?? 0,
    nanoCpusReserved: info?.nanoCpusReserved ?? 0,
    memoryBytes: resources?.memoryBytes ?? 0,
    memoryBytesReserved: info?.memoryBytesReserved ?? 0,
    refused: info ? refusedBy(view, nodes, info) : [],
    stays: isDrained ? stillOn(view, node.id) : [],
    fixes: nodeFixes(view, node),
  });
}

/** Tasks without a node that this one cannot take, and why. */
function refusedBy(view: ReadView, nodes: NodeSet, info: NodeInfo): WhyPending[] {
  const refused: WhyPending[] = [];
  if (nodes.nodes.size === 0) return refused;
  for (const task of view.list('task')) {
    if (!isWanted(task) || task.nodeId !== '' || stateOf(task) >= TaskState.ASSIGNED) continue;
    const failing = filtersFor(task, view).find((filter) => !filter.check(info));
    if (!failing) continue;
    refused.push(
      WhyPending.create({
        taskId: task.id,
        name: taskName(task),
        filter: failing.name,
        detail: failing.detail(info),
      }),
    );
    if (refused.length >= PENDING_MAX) break;
  }
  return refused;
}

/** What has not left a drained node yet. */
function stillOn(view: ReadView, nodeId: string): WhyPending[] {
  const stays: WhyPending[] = [];
  for (const task of view.tasksByNode(nodeId)) {
    if (stateOf(task) > TaskState.RUNNING || stateOf(task) < TaskState.ASSIGNED) continue;
    // Containers of `docker run` stay where they were started.
    if (isAttachment(task)) continue;
    const successor = [...view.tasksByService(task.serviceId)].find(
      (other) => other.id !== task.id && other.slot === task.slot && isWanted(other),
    );
    const detail = !isWanted(task)
      ? 'it is stopping'
      : successor
        ? `its successor is not running yet: ${reasonOf(successor)}`
        : 'it has no successor yet';
    stays.push(WhyPending.create({ taskId: task.id, name: taskName(task), filter: '', detail }));
    if (stays.length >= PENDING_MAX) break;
  }
  return stays;
}

function nodeFixes(view: ReadView, node: Node): WhyNode['fixes'] {
  const name = hostnameOf(view, node.id);
  if (node.status?.state !== NodeState.READY) return [fix('bring-back-node', name)];
  return node.spec?.availability === NodeAvailability.ACTIVE ? [] : [fix('activate-node', name)];
}
