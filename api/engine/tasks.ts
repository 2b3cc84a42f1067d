// /tasks: read only, from the cache.

import { isAttachment } from '#protocol/attachments';
import type { EngineFilters } from '#protocol/engine';
import { checkFilters, matchesLabels, matchesPrefix } from '#protocol/engine-filters';
import { type Task, TaskState } from '#protocol/generated/objects';
import { taskName } from '#protocol/ids';
import { lookup, tryLookup } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { isUpToDate } from '../cache/service-status.ts';
import { type Context, pathId, type Route, requireSession } from '../context.ts';
import { EngineError } from '../http/errors.ts';
import { parseFilters } from '../http/filters.ts';
import { engineTaskJson } from './shapes.ts';
import { TaskTexts } from './task-texts.ts';

const FILTERS = [
  'id',
  'label',
  'name',
  'node',
  'service',
  'desired-state',
  'runtime',
  // Not in the API description, but every waiting `docker service` command sends it.
  '_up-to-date',
];

export function taskRoutes(context: Context): readonly Route[] {
  const texts = new TaskTexts();
  return [
    {
      method: 'GET',
      pattern: '/tasks',
      handler: async (request, reply) => {
        const { cache } = requireSession(context);
        const filters = parseFilters(request.query.raw('filters'));
        checkFilters(filters, FILTERS);
        const list = listTasks(cache, filters).map((task) => texts.of(cache, task));
        reply.text(200, `[${list.join(',')}]\n`, 'application/json');
      },
    },
    {
      method: 'GET',
      pattern: '/tasks/{id}',
      handler: async (request, reply) => {
        const { cache } = requireSession(context);
        reply.json(200, engineTaskJson(cache, lookup(cache, 'task', pathId(request))));
      },
    },
  ];
}

/** Tasks that pass the filters of GET /tasks. @throws EngineError on a bad desired-state. */
export function listTasks(cache: ObjectCache, filters: EngineFilters): readonly Task[] {
  const services = idsOf(cache, 'service', filters.service);
  const nodes = idsOf(cache, 'node', filters.node);
  const states = desiredStates(filters['desired-state']);
  const upToDate = filters['_up-to-date']?.[0];
  const out: Task[] = [];
  for (const task of candidates(cache, services)) {
    // As in Docker's API: only tasks with a container of their own.
    if (isAttachment(task)) continue;
    const service = cache.get('service', task.serviceId);
    if (services && !services.has(task.serviceId)) continue;
    if (nodes && !nodes.has(task.nodeId)) continue;
    if (!matchesPrefix(filters.id, task.id)) continue;
    if (!matchesPrefix(filters.name, taskName(task))) continue;
    const labels = { ...service?.spec?.labels, ...task.labels };
    if (!matchesLabels(filters.label, labels)) continue;
    if (states && !states.has(desiredGroup(task))) continue;
    if (filters.runtime && !filters.runtime.includes(task.spec?.runtime || 'container')) continue;
    if (upToDate !== undefined) {
      const current = service ? isUpToDate(service, task) : false;
      if (current !== ['true', '1'].includes(upToDate)) continue;
    }
    out.push(task);
  }
  return out;
}

function* candidates(
  cache: ObjectCache,
  services: ReadonlySet<string> | undefined,
): Iterable<Task> {
  if (!services) {
    yield* cache.all('task');
    return;
  }
  for (const id of services) yield* cache.tasksOf(id);
}

/** Ids for a filter that takes ids or names; a text that fits nothing stays as it is, so that it selects nothing. */
function idsOf(
  cache: ObjectCache,
  kind: 'service' | 'node',
  wanted: readonly string[] | undefined,
): ReadonlySet<string> | undefined {
  if (!wanted || wanted.length === 0) return undefined;
  return new Set(wanted.map((text) => tryLookup(cache, kind, text)?.id ?? text));
}

function desiredStates(wanted: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (!wanted || wanted.length === 0) return undefined;
  for (const state of wanted) {
    if (!['running', 'shutdown', 'accepted'].includes(state)) {
      throw new EngineError('internal', 500, `Invalid filter 'desired-state=${state}'`);
    }
  }
  return new Set(wanted);
}

function desiredGroup(task: Task): string {
  if (task.desiredState <= TaskState.READY && task.desiredState >= TaskState.ACCEPTED) {
    return 'accepted';
  }
  return task.desiredState <= TaskState.COMPLETE ? 'running' : 'shutdown';
}
