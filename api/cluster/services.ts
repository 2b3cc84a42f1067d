// What `tswarm service` and `tswarm why` ask beyond the Engine API: updates that take whole specifications (also fields that Docker does not know),
// rollback to any kept revision, halting and resuming an update, and why things are as they are.
import { formatTime, toEngineJson } from '#protocol/engine-json';
import { TswarmError } from '#protocol/errors';
import { ObjectKind, RolloutAction, SpecUnion, WhyResponse } from '#protocol/generated/control';
import { ServiceSpec } from '#protocol/generated/specs';
import { lookup, tryLookup } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { type Context, pathId, type Route, requireSession, versionParam } from '../context.ts';
import { callOptions, written } from '../control.ts';
import { encodedAuth } from '../engine/registry-auth.ts';
import { readSpec } from '../engine/services.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, emptyBody } from '../http/request.ts';

import { serviceView } from './views.ts';

const BASE = '/tswarm/v1';

export function clusterServiceRoutes(context: Context): readonly Route[] {
  return [
    { method: 'GET', pattern: `${BASE}/why`, handler: (q, r) => why(context, q, r) },
    {
      method: 'POST',
      pattern: `${BASE}/services/{id}/update`,
      handler: (q, r) => update(context, q, r),
    },
    {
      method: 'POST',
      pattern: `${BASE}/services/{id}/rollout`,
      handler: (q, r) => rollout(context, q, r),
    },
    {
      method: 'GET',
      pattern: `${BASE}/services/{id}/revisions`,
      handler: async (request, reply) => revisions(context, request, reply),
    },
    {
      method: 'GET',
      pattern: `${BASE}/services/{id}`,
      handler: async (request, reply) => {
        const { cache } = requireSession(context);
        reply.json(200, serviceView(cache, lookup(cache, 'service', pathId(request))));
      },
    },
  ];
}

/** `?version=N` with a whole specification as the body, or `&rollback=previous` or `&rollback=REVISION` without one. */
async function update(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const service = lookup(session.cache, 'service', pathId(request));
  const rollbackTo = revisionParam(request);
  const body = await request.optionalJson();
  if (rollbackTo === undefined && !body) throw emptyBody();
  const answer = session.control.updateObject(
    {
      kind: ObjectKind.SERVICE,
      id: service.id,
      version: versionParam(request),
      spec:
        rollbackTo === undefined
          ? SpecUnion.create({ service: readSpec(session, body ?? {}) })
          : undefined,
      rollback: rollbackTo !== undefined,
      rollbackTo: typeof rollbackTo === 'number' ? rollbackTo : undefined,
      rotateWorkerToken: false,
      rotateManagerToken: false,
      rotateUnlockKey: false,
      keepExtensions: false,
      registryAuth: encodedAuth(request),
      previousRegistryAuth: false,
    },
    callOptions(request),
  );
  await written(session, answer);
  const { warnings } = await answer;
  const after = lookup(session.cache, 'service', service.id);
  reply.json(200, { ...serviceView(session.cache, after), Warnings: warnings });
}

function revisionParam(request: ApiRequest): number | 'previous' | undefined {
  const text = request.query.text('rollback');
  if (text === '') return undefined;
  if (text === 'previous') return 'previous';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new TswarmError('invalid_argument', `rollback: "${text.slice(0, 40)}" is no revision`, {
    field: 'rollback',
    hint: 'Give a number from the list of revisions, or "previous".',
  });
}

const ACTIONS: Readonly<Record<string, RolloutAction>> = {
  pause: RolloutAction.PAUSE,
  resume: RolloutAction.RESUME,
  rebalance: RolloutAction.REBALANCE,
};

/** `?action=pause|resume`: of the update that is under way, or halted. `rebalance`: moves tasks to better nodes, `moving` says how many. */
async function rollout(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const action = ACTIONS[request.query.text('action')];
  if (action === undefined) {
    throw new TswarmError('invalid_argument', 'action: must be pause, resume or rebalance', {
      field: 'action',
    });
  }
  const service = lookup(session.cache, 'service', pathId(request));
  const answer = await session.control.serviceAction(
    {
      services: [service.id],
      runState: 0,
      setRunState: false,
      restart: false,
      restartTasks: [],
      replicas: undefined,
      rollout: action,
    },
    callOptions(request),
  );
  await session.cache.reached(answer.index);
  reply.json(200, { index: answer.index, moving: answer.moving });
}

/** The present specification and the ones before it, newest first. */
function revisions(context: Context, request: ApiRequest, reply: Reply): void {
  const { cache } = requireSession(context);
  const service = lookup(cache, 'service', pathId(request));
  const present = service.spec ? toEngineJson(ServiceSpec, service.spec) : {};
  reply.json(200, [
    { Revision: service.revision, Spec: present, Present: true },
    ...service.revisions.map(({ revision, replacedAt, spec }) => ({
      Revision: revision,
      ReplacedAt: formatTime(replacedAt),
      Spec: spec ? toEngineJson(ServiceSpec, spec) : {},
      Present: false,
    })),
  ]);
}

const KINDS = [
  ['service', ObjectKind.SERVICE],
  ['task', ObjectKind.TASK],
  ['node', ObjectKind.NODE],
] as const;

/** `?id=` an id, the start of one, or a name; `&kind=` service, task or node where it could be several. */
async function why(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const { kind, id } = subjectOf(session.cache, request);
  const answer = await session.control.why({ kind, id }, callOptions(request));
  const json = toEngineJson(WhyResponse, answer);
  reply.json(200, { ...json, Hostnames: hostnames(session.cache, JSON.stringify(json)) });
}

function subjectOf(cache: ObjectCache, request: ApiRequest): { kind: ObjectKind; id: string } {
  const text = request.query.text('id');
  const asked = request.query.text('kind');
  if (text === '') throw new TswarmError('invalid_argument', 'id: is missing', { field: 'id' });
  if (asked !== '' && !KINDS.some(([name]) => name === asked)) {
    throw new TswarmError('invalid_argument', 'kind: must be service, task or node', {
      field: 'kind',
    });
  }
  for (const [name, kind] of KINDS) {
    if (asked !== '' && name !== asked) continue;
    const found =
      tryLookup(cache, name, text) ?? (name === 'task' ? byName(cache, text) : undefined);
    if (found) return { kind, id: found.id };
  }
  // In a project's folder people know a service by the name that the compose file has.
  const meant = [...cache.all('service')].map((service) => service.spec?.name ?? '');
  const near = meant.filter((name) => name.endsWith(`_${text}`));
  throw new TswarmError('not_found', `no ${asked || 'service, task or node'} ${text} found`, {
    hint:
      near.length > 0
        ? `Did you mean ${near.slice(0, 3).join(' or ')}?`
        : 'Give a name or an id from: tswarm service ls, tswarm service ps, tswarm node ls.',
  });
}

/** "web.2": the task that is wanted in a slot; the newest where there are several. */
function byName(cache: ObjectCache, text: string): { readonly id: string } | undefined {
  const [, serviceName = '', slot = ''] = /^(.+)\.(\d+)$/.exec(text) ?? [];
  const service = serviceName === '' ? undefined : tryLookup(cache, 'service', serviceName);
  if (!service) return undefined;
  const tasks = [...cache.tasksOf(service.id)].filter((task) => task.slot === Number(slot));
  tasks.sort((a, b) => (b.meta?.createdAt ?? 0) - (a.meta?.createdAt ?? 0));
  return tasks[0];
}

/** node id → hostname, for the ids in a text. */
function hostnames(cache: ObjectCache, text: string): Record<string, string> {
  const names: Record<string, string> = {};
  for (const node of cache.all('node')) {
    if (!text.includes(node.id)) continue;
    names[node.id] = node.spec?.name || node.description?.hostname || node.id;
  }
  return names;
}
