// /tswarm/v1 besides stacks: where the cluster stands, init and leave, lists, service actions, history.

import type { EngineJson } from '#protocol/engine';
import { checkFilters, matchesLabels, matchesPrefix } from '#protocol/engine-filters';
import { formatTime } from '#protocol/engine-json';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import { ObjectUnion, RolloutAction } from '#protocol/generated/control';
import { RunState } from '#protocol/generated/specs';
import type { KindName } from '../cache/kinds.ts';
import { lookup } from '../cache/lookup.ts';
import { type Context, type Route, requireSession } from '../context.ts';
import { callOptions } from '../control.ts';
import { listNodes } from '../engine/nodes.ts';
import { listTasks } from '../engine/tasks.ts';
import { parseFilters } from '../http/filters.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, boolKey, keyOf, textKey } from '../http/request.ts';
import { PENDING_WAIT_MS } from '../limits.ts';
import { streamEvents } from './feed.ts';
import type { ClusterInfo, HistoryRow } from './types.ts';
import { listViews, objectView, taskView } from './views.ts';

/** A cluster without a leader still has something to say of itself. */
const RETRYABLE = ['unavailable', 'no_leader', 'deadline_exceeded'] as const;
const BASE = '/tswarm/v1';
const HISTORY_ROWS = 100;
const PENDING_POLL_MS = 50;

export function clusterRoutes(context: Context): readonly Route[] {
  return [
    {
      method: 'GET',
      pattern: `${BASE}/cluster`,
      handler: async (request, reply) => {
        if (request.query.bool('wait')) await notPending(context, request.signal);
        reply.json(200, await clusterInfo(context, request));
      },
    },
    {
      method: 'POST',
      pattern: `${BASE}/services/action`,
      handler: (q, r) => action(context, q, r),
    },
    {
      method: 'GET',
      pattern: `${BASE}/network/check`,
      handler: async (_request, reply) => reply.json(200, await context.engine.networks.check()),
    },
    {
      method: 'GET',
      pattern: `${BASE}/node/leftovers`,
      handler: async (_request, reply) => reply.json(200, await context.engine.leftovers()),
    },
    {
      method: 'DELETE',
      pattern: `${BASE}/node/leftovers`,
      handler: async (_request, reply) => reply.json(200, await context.engine.removeLeftovers()),
    },
    { method: 'GET', pattern: `${BASE}/events`, handler: (q, r) => streamEvents(context, q, r) },
    { method: 'GET', pattern: `${BASE}/history`, handler: (q, r) => history(context, q, r) },
    {
      method: 'GET',
      pattern: `${BASE}/stacks/{name}/history`,
      handler: (q, r) => history(context, q, r, q.params.name),
    },
    ...(['service', 'network', 'volume', 'secret', 'config'] as const).map(
      (kind): Route => ({
        method: 'GET',
        pattern: `${BASE}/${kind}s`,
        handler: async (request, reply) => list(context, kind, request, reply),
      }),
    ),
    { method: 'GET', pattern: `${BASE}/tasks`, handler: (q, r) => tasks(context, q, r) },
    {
      method: 'GET',
      pattern: `${BASE}/nodes`,
      handler: async (request, reply) => {
        const { cache } = requireSession(context);
        const filters = parseFilters(request.query.raw('filters'));
        reply.json(
          200,
          listNodes(cache, filters).map((node) =>
            objectView(cache, 'node', ObjectUnion.create({ node })),
          ),
        );
      },
    },
  ];
}

/** Until the node is no longer just starting, for as long as a client may be kept waiting. */
async function notPending(context: Context, signal: AbortSignal): Promise<void> {
  const deadline = context.clock.monotonicMs() + PENDING_WAIT_MS;
  while (context.node.state().state === 'pending' && !signal.aborted) {
    if (context.clock.monotonicMs() > deadline) return;
    await new Promise((resolve) => setTimeout(resolve, PENDING_POLL_MS));
  }
}

/** What GET /cluster answers. */
export async function clusterInfo(context: Context, request: ApiRequest): Promise<ClusterInfo> {
  const state = context.node.state();
  if (state.state === 'inactive') return { state: 'inactive' };
  const base: ClusterInfo = {
    state: state.state,
    ...(state.error === '' ? {} : { error: state.error }),
    nodeId: state.nodeId,
    clusterId: state.clusterId,
    isManager: state.isManager,
    controlAddr: state.controlAddr,
    version: context.version,
  };
  const session = context.node.session();
  if (!session?.cache.isReady) return base;
  try {
    const status = await session.control.clusterStatus({}, callOptions(request));
    return {
      ...base,
      leader: status.leader,
      leaderAddr: status.leaderAddr,
      autolock: status.autolock,
      managers: status.managers,
      nodes: status.nodes,
      index: session.cache.index,
      ...(request.caller.role === 'admin'
        ? { joinTokens: { worker: status.joinTokenWorker, manager: status.joinTokenManager } }
        : {}),
    };
  } catch (error) {
    if (!RETRYABLE.some((code) => hasCode(error, code))) throw error;
    // Why it does not answer, if the node knows, says more than that it does not.
    return { error: messageOf(error), ...base };
  }
}

async function list(
  context: Context,
  kind: KindName,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const { cache } = requireSession(context);
  const filters = parseFilters(request.query.raw('filters'));
  checkFilters(filters, ['id', 'name', 'label']);
  const views = listViews(cache, kind, request.query.text('stack')).filter((view) => {
    const spec = (view.Spec ?? view) as EngineJson;
    if (!matchesPrefix(filters.id, String(view.ID))) return false;
    if (!matchesPrefix(filters.name, String(spec.Name ?? ''))) return false;
    return matchesLabels(filters.label, (spec.Labels ?? {}) as Record<string, string>);
  });
  reply.json(200, views);
}

async function tasks(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { cache } = requireSession(context);
  const filters: Record<string, readonly string[]> = {
    ...parseFilters(request.query.raw('filters')),
  };
  for (const name of ['service', 'node']) {
    if (request.query.has(name)) filters[name] = request.query.all(name);
  }
  const stack = request.query.text('stack');
  const allowed =
    stack === '' ? undefined : new Set(listViews(cache, 'task', stack).map((t) => t.ID));
  const found = listTasks(cache, filters).filter((task) => !allowed || allowed.has(task.id));
  reply.json(
    200,
    found.map((task) => taskView(cache, task)),
  );
}

const RUN_STATES: Readonly<Record<string, RunState>> = {
  running: RunState.RUNNING,
  stopped: RunState.STOPPED,
  paused: RunState.PAUSED,
};

async function action(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const body = await request.json();
  const names = keyOf(body, 'services');
  if (!Array.isArray(names) || names.length === 0 || names.some((n) => typeof n !== 'string')) {
    throw new TswarmError('invalid_argument', 'services: must be a list of names or ids', {
      field: 'services',
    });
  }
  const wanted = textKey(body, 'runState');
  const runState = RUN_STATES[wanted];
  if (wanted !== '' && runState === undefined) {
    throw new TswarmError('invalid_argument', 'runState: must be running, stopped or paused', {
      field: 'runState',
    });
  }
  const replicas = keyOf(body, 'replicas');
  if (replicas !== undefined && replicas !== null && !isCount(replicas)) {
    throw new TswarmError('invalid_argument', 'replicas: must be a whole number from 0', {
      field: 'replicas',
    });
  }
  const tasks = keyOf(body, 'restartTasks') ?? [];
  if (!Array.isArray(tasks) || tasks.some((id) => typeof id !== 'string')) {
    throw new TswarmError('invalid_argument', 'restartTasks: must be a list of task ids', {
      field: 'restartTasks',
    });
  }
  const answer = await session.control.serviceAction(
    {
      services: (names as string[]).map((name) => lookup(session.cache, 'service', name).id),
      runState: runState ?? RunState.RUNNING,
      setRunState: runState !== undefined,
      restart: boolKey(body, 'restart'),
      restartTasks: tasks as string[],
      replicas: isCount(replicas) ? replicas : undefined,
      rollout: RolloutAction.NONE,
    },
    callOptions(request),
  );
  await session.cache.reached(answer.index);
  reply.json(200, { index: answer.index });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Of the whole cluster, or of a stack: what names it or one of its objects. */
async function history(
  context: Context,
  request: ApiRequest,
  reply: Reply,
  stack?: string,
): Promise<void> {
  const session = requireSession(context);
  const limit = request.query.int('limit', HISTORY_ROWS, 400);
  const answer = await session.control.history({ limit }, callOptions(request));
  const rows: HistoryRow[] = answer.entries.map((entry) => ({
    index: entry.index,
    time: formatTime(entry.time),
    author: entry.author,
    summary: entry.summary,
  }));
  rows.sort((a, b) => b.index - a.index);
  reply.json(200, stack === undefined ? rows : rows.filter((row) => isAboutStack(row, stack)));
}

/** "stack shop: deploy", "service shop_web, shop_db: scale": objects of a stack have its name in front. */
export function isAboutStack({ summary }: HistoryRow, stack: string): boolean {
  const [, kind = '', names = ''] = /^(\w+) (.+?): /.exec(`${summary}: `) ?? [];
  if (kind === 'stack') return names === stack;
  return names.split(', ').some((name) => name.startsWith(`${stack}_`));
}
