// /tswarm/v1/stacks: deploy, remove, list, show, watch, logs of Compose projects. The manager turns a StackSpec into one transaction; nothing here
// looks inside it.
import type { EngineJson } from '#protocol/engine';
import { formatTime, fromEngineJson, toEngineJson } from '#protocol/engine-json';
import { TswarmError } from '#protocol/errors';
import {
  type DeployStackRequest,
  type DeployStackResponse,
  ObjectKind,
  ObjectKindText,
  ObjectUnion,
  PlannedActionText,
  type PlanStackResponse,
  type SpecUnion,
  type StackChange,
  type StackChangeAction,
  StackChangeActionText,
} from '#protocol/generated/control';
import { Stack } from '#protocol/generated/objects';
import {
  ConfigSpec,
  NetworkSpec,
  SecretSpec,
  ServiceSpec,
  StackSpec,
  VolumeSpec,
} from '#protocol/generated/specs';
import { tryLookup } from '../cache/lookup.ts';
import { type Context, type Route, requireSession } from '../context.ts';
import { callOptions } from '../control.ts';
import { withPinnedImage } from '../engine/pinned-image.ts';
import { servicesAuth } from '../engine/registry-auth.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { STACK_BODY_BYTES_MAX } from '../limits.ts';
import type { ClusterSession } from '../node-control.ts';
import { logsOf, stackLogs } from './stack-logs.ts';
import type {
  DeployResult,
  PlannedTaskInfo,
  StackChangeInfo,
  StackPlan,
  StackSummary,
} from './types.ts';
import { isOfStack, stackObjects } from './views.ts';
import { watchStack } from './watch.ts';

const BASE = '/tswarm/v1/stacks';

export function stackRoutes(context: Context): readonly Route[] {
  return [
    { method: 'GET', pattern: BASE, handler: (_q, r) => list(context, r) },
    { method: 'GET', pattern: '/tswarm/v1/logs', handler: (q, r) => logsOf(context, q, r) },
    { method: 'GET', pattern: `${BASE}/{name}`, handler: (q, r) => inspect(context, q, r) },
    { method: 'DELETE', pattern: `${BASE}/{name}`, handler: (q, r) => remove(context, q, r) },
    { method: 'POST', pattern: `${BASE}/{name}/deploy`, handler: (q, r) => deploy(context, q, r) },
    { method: 'POST', pattern: `${BASE}/{name}/plan`, handler: (q, r) => plan(context, q, r) },
    {
      method: 'GET',
      pattern: `${BASE}/{name}/watch`,
      handler: (q, r) => watchStack(context, q, r),
    },
    { method: 'GET', pattern: `${BASE}/{name}/logs`, handler: (q, r) => stackLogs(context, q, r) },
  ];
}

async function list(context: Context, reply: Reply): Promise<void> {
  const { cache } = requireSession(context);
  const out: StackSummary[] = [];
  for (const stack of cache.all('stack')) {
    const name = stack.spec?.name ?? '';
    let services = 0;
    for (const service of cache.all('service')) if (service.stack === name) services++;
    out.push({
      name,
      id: stack.id,
      revision: stack.revision,
      services,
      createdAt: formatTime(stack.meta?.createdAt ?? 0),
      updatedAt: formatTime(stack.meta?.updatedAt ?? 0),
    });
  }
  out.sort((a, b) => (a.name < b.name ? -1 : 1));
  reply.json(200, out);
}

async function inspect(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const name = request.params.name ?? '';
  const objects = stackObjects(session.cache, name);
  const held = tryLookup(session.cache, 'stack', name);
  if (!held && objects.services.length === 0) {
    throw new TswarmError('not_found', `stack ${name} not found`);
  }
  if (!held) {
    reply.json(200, objects);
    return;
  }
  const answer = await session.control.getObject(
    { kind: ObjectKind.STACK, id: held.id, knownIndex: session.cache.index },
    callOptions(request),
  );
  const stack = answer.object?.stack;
  reply.json(200, stack ? { ...objects, stack: toEngineJson(Stack, stack) } : objects);
}

async function deploy(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  reply.json(200, await deployStackSpec(context, request, await bodyOf(request)));
}

async function plan(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  reply.json(200, await planStackSpec(context, request, await bodyOf(request)));
}

/** The specification in the body. @throws TswarmError when it is not that of the path */
async function bodyOf(request: ApiRequest): Promise<StackSpec> {
  const name = request.params.name ?? '';
  const stack = fromEngineJson(StackSpec, await request.json(STACK_BODY_BYTES_MAX));
  if (stack.name === name) return stack;
  throw new TswarmError(
    'invalid_argument',
    `Name: the stack is called ${JSON.stringify(stack.name)} in the body and ` +
      `${JSON.stringify(name)} in the path`,
    { field: 'Name' },
  );
}

/** Deploys as the query of the request says. */
export async function deployStackSpec(
  context: Context,
  request: ApiRequest,
  stack: StackSpec,
): Promise<DeployResult> {
  const session = requireSession(context);
  const asked = await deployRequest(context, session, request, stack);
  const answer = await session.control.deployStack(asked, callOptions(request));
  await session.cache.reached(answer.index);
  return deployResult(answer);
}

/** What that would do. */
export async function planStackSpec(
  context: Context,
  request: ApiRequest,
  stack: StackSpec,
): Promise<StackPlan> {
  const session = requireSession(context);
  const asked = await deployRequest(context, session, request, stack);
  return planResult(await session.control.planStack(asked, callOptions(request)));
}

/** What a deployment and a plan of it ask alike. */
async function deployRequest(
  context: Context,
  session: ClusterSession,
  request: ApiRequest,
  asked: StackSpec,
): Promise<DeployStackRequest> {
  const stack = { ...asked, services: await pinned(context, session, asked.services) };
  return {
    stack,
    prune: request.query.bool('prune'),
    forceRecreate: request.query.bool('forceRecreate'),
    recreateOnly: request.query.all('recreate'),
    expectedState: request.query.text('expectedState'),
    registryAuth: servicesAuth(request, stack.services),
  };
}

/** Services by name, with the ids of images that only this cluster has. */
async function pinned(
  context: Context,
  session: ClusterSession,
  services: readonly ServiceSpec[],
): Promise<ServiceSpec[]> {
  return Promise.all(
    services.map((service) => {
      const known = tryLookup(session.cache, 'service', service.name)?.spec;
      return withPinnedImage(context, service, known);
    }),
  );
}

/** Answer of a deployment, as JSON. */
export function deployResult(answer: DeployStackResponse): DeployResult {
  return {
    changes: answer.changes.map(changeInfo),
    index: answer.index,
    warnings: answer.warnings,
    stack: answer.stack ? toEngineJson(Stack, answer.stack) : null,
  };
}

/** Answer of a plan, as JSON. */
export function planResult(answer: PlanStackResponse): StackPlan {
  return {
    changes: answer.changes.map((change) => ({
      kind: kindText(change.kind),
      name: change.name,
      action: actionText(change.action),
      recreated: change.recreated,
      before: specJson(change.before),
      after: specJson(change.after),
    })),
    tasks: answer.tasks.map(({ service, slot, action, hostname, from, reason }) => ({
      service,
      slot,
      action: (PlannedActionText.get(action) ?? 'keep') as PlannedTaskInfo['action'],
      node: hostname,
      from,
      reason,
    })),
    warnings: answer.warnings,
    state: answer.state,
    durationMs: Math.round(answer.duration / 1e6),
    complete: answer.complete,
    nodes: answer.nodes,
    revision: answer.revision,
  };
}

function specJson(spec: SpecUnion | undefined): EngineJson | null {
  if (spec?.service) return toEngineJson(ServiceSpec, spec.service);
  if (spec?.network) return toEngineJson(NetworkSpec, spec.network);
  if (spec?.volume) return toEngineJson(VolumeSpec, spec.volume);
  if (spec?.secret) return toEngineJson(SecretSpec, spec.secret);
  return spec?.config ? toEngineJson(ConfigSpec, spec.config) : null;
}

function kindText(kind: ObjectKind): StackChangeInfo['kind'] {
  return (ObjectKindText.get(kind) ?? 'service') as StackChangeInfo['kind'];
}

function actionText(action: StackChangeAction): StackChangeInfo['action'] {
  return (StackChangeActionText.get(action) ?? 'none') as StackChangeInfo['action'];
}

function changeInfo(change: StackChange): StackChangeInfo {
  return {
    kind: kindText(change.kind),
    id: change.id,
    name: change.name,
    action: actionText(change.action),
  };
}

async function remove(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const name = request.params.name ?? '';
  const known = [...session.cache.all('stack')].some((stack) =>
    isOfStack(session.cache, 'stack', ObjectUnion.create({ stack }), name),
  );
  if (!known) throw new TswarmError('not_found', `stack ${name} not found`);
  const answer = await session.control.removeStack(
    { name, volumes: request.query.bool('volumes') },
    callOptions(request),
  );
  await session.cache.reached(answer.index);
  reply.json(200, { changes: answer.changes.map(changeInfo), index: answer.index });
}
