// Objects as /tswarm/v1 shows them: Engine JSON plus what our clients would otherwise have to look up (names beside ids, counts, whether a task is
// of the present spec).
import type { EngineJson } from '#protocol/engine';
import { toEngineJson } from '#protocol/engine-json';
import { ObjectUnion } from '#protocol/generated/control';
import {
  Config,
  Node,
  Secret,
  type Service,
  Stack,
  type Task,
  Volume,
} from '#protocol/generated/objects';
import { taskName } from '#protocol/ids';
import type { KindName } from '../cache/kinds.ts';
import { nameOf } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { isUpToDate } from '../cache/service-status.ts';
import { networkJson, serviceJson, taskJson } from '../engine/shapes.ts';
import type { StackObjectKind, StackObjects } from './types.ts';

/** A service with its counts. */
export function serviceView(cache: ObjectCache, service: Service): EngineJson {
  return serviceJson(cache, service, { status: true, defaults: false });
}

/** A task with the names of what it belongs to. */
export function taskView(cache: ObjectCache, task: Task): EngineJson {
  const service = cache.get('service', task.serviceId);
  const node = cache.get('node', task.nodeId);
  return {
    ...taskJson(cache, task),
    Slot: task.slot,
    Name: taskName(task),
    ServiceName: task.serviceName,
    NodeName: node ? nameOf('node', node) : '',
    UpToDate: service !== undefined && isUpToDate(service, task),
  };
}

/** Any object. A removed one looks as it did last. */
export function objectView(cache: ObjectCache, kind: KindName, union: ObjectUnion): EngineJson {
  if (union.service) return serviceView(cache, union.service);
  if (union.task) return taskView(cache, union.task);
  if (union.network) return { ...networkJson(union.network), ID: union.network.id };
  if (union.secret) return toEngineJson(Secret, union.secret);
  if (union.config) return toEngineJson(Config, union.config);
  if (union.volume) return toEngineJson(Volume, union.volume);
  if (union.stack) return toEngineJson(Stack, union.stack);
  if (union.node) return toEngineJson(Node, union.node);
  throw new Error(`bug: no view of ${kind}`);
}

export const STACK_KINDS: readonly StackObjectKind[] = [
  'stack',
  'service',
  'task',
  'network',
  'volume',
  'secret',
  'config',
];

const STACK_LABEL = 'com.docker.stack.namespace';

/** Does an object belong to a stack? By our field, or by the label that `docker stack deploy` sets. */
export function isOfStack(
  cache: ObjectCache,
  kind: KindName,
  union: ObjectUnion,
  stack: string,
): boolean {
  if (kind === 'stack') return union.stack?.spec?.name === stack;
  if (union.task) return taskIsOfStack(cache, union.task, stack);
  const object = union[kind] as
    | { stack?: string; spec?: { labels?: Readonly<Record<string, string>> } }
    | undefined;
  return object?.stack === stack || object?.spec?.labels?.[STACK_LABEL] === stack;
}

/** The same for a task: through its service, or, once that is gone, its own labels. */
export function taskIsOfStack(cache: ObjectCache, task: Task, stack: string): boolean {
  const service = cache.get('service', task.serviceId);
  if (service) return service.stack === stack || service.spec?.labels[STACK_LABEL] === stack;
  if (task.labels[STACK_LABEL] === stack) return true;
  const labels = task.spec?.containerSpec?.labels ?? {};
  return labels[STACK_LABEL] === stack || task.serviceName.startsWith(`${stack}_`);
}

/** Objects of one kind and one stack ('' = of all), as views. */
export function listViews(cache: ObjectCache, kind: KindName, stack: string): EngineJson[] {
  const out: EngineJson[] = [];
  for (const object of cache.all(kind)) {
    const union = ObjectUnion.create({ [kind]: object });
    if (stack !== '' && !isOfStack(cache, kind, union, stack)) continue;
    out.push(objectView(cache, kind, union));
  }
  return out;
}

/** Everything of one stack, without the project's text. */
export function stackObjects(cache: ObjectCache, stack: string): StackObjects {
  return {
    stack: listViews(cache, 'stack', stack)[0] ?? null,
    services: listViews(cache, 'service', stack),
    tasks: listViews(cache, 'task', stack),
    networks: listViews(cache, 'network', stack),
    volumes: listViews(cache, 'volume', stack),
    secrets: listViews(cache, 'secret', stack),
    configs: listViews(cache, 'config', stack),
  };
}
