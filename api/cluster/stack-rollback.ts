// Rolling a whole stack back (`/tswarm/v1/stacks/{name}/versions` and `…/rollback`): all of its services to the specifications that they had until a moment, as one
// deployment, so it is planned, applied whole or not at all, and refused when something has changed since the plan. What was made later stays as it is. Of a
// secret or config whose content was replaced under its name, today's is used, and the plan says so; what is gone is refused. Networks and volumes are
// not touched, and the compose file is not changed.
import { formatTime, parseTime } from '#protocol/engine-json';
import { TswarmError } from '#protocol/errors';
import { type DeployStackRequest, ObjectKind } from '#protocol/generated/control';
import type { Service, Stack } from '#protocol/generated/objects';
import { type ContainerSpec, type ServiceSpec, StackSpec } from '#protocol/generated/specs';
import type { ObjectOf } from '../cache/kinds.ts';
import { nameOf } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { type Context, type Route, requireSession } from '../context.ts';
import { callOptions } from '../control.ts';
import { NODE_LOCAL } from '../engine/networks.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import type { ClusterSession } from '../node-control.ts';
import { shownPlan } from './compose.ts';
import { specUntil, type VersionOfStack, versionsOf } from './stack-versions.ts';
import { deployResult, planResult } from './stacks.ts';
import type { StackVersion } from './types.ts';

const BASE = '/tswarm/v1/stacks/{name}';

export function rollbackRoutes(context: Context): readonly Route[] {
  return [
    { method: 'GET', pattern: `${BASE}/versions`, handler: (q, r) => versions(context, q, r) },
    { method: 'POST', pattern: `${BASE}/rollback`, handler: (q, r) => rollback(context, q, r) },
    { method: 'POST', pattern: `${BASE}/rollback/plan`, handler: (q, r) => plan(context, q, r) },
  ];
}

async function versions(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { cache } = requireSession(context);
  const { services } = stackOf(cache, request.params.name ?? '');
  const out = versionsOf(services).map(
    ({ until, replaced }): StackVersion => ({ until: formatTime(until), replaced }),
  );
  reply.json(200, out);
}

async function plan(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const { asked, notes } = await requestOf(session, request);
  const answer = planResult(await session.control.planStack(asked, callOptions(request)));
  reply.json(200, await shownPlan({ ...answer, warnings: [...notes, ...answer.warnings] }));
}

async function rollback(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const { asked, notes } = await requestOf(session, request);
  const answer = await session.control.deployStack(asked, callOptions(request));
  await session.cache.reached(answer.index);
  const result = deployResult(answer);
  reply.json(200, { ...result, warnings: [...notes, ...result.warnings] });
}

interface Kept {
  readonly stack: Stack;
  readonly services: readonly Service[];
}

/** @throws TswarmError not_found; failed_precondition for a stack that is known by labels only. */
function stackOf(cache: ObjectCache, name: string): Kept {
  const stack = named(cache, 'stack', name);
  if (!stack) {
    throw new TswarmError('not_found', `stack ${name} not found`, {
      hint: 'Only stacks of compose files that tswarm deployed have versions; services of others are rolled back one by one.',
    });
  }
  const services = [...cache.all('service')].filter((one) => one.stack === name);
  services.sort((a, b) => nameOf('service', a).localeCompare(nameOf('service', b)));
  return { stack, services };
}

/** The deployment that makes the stack what it was until `?to=`, and what to know about it. */
async function requestOf(
  session: ClusterSession,
  request: ApiRequest,
): Promise<{ readonly asked: DeployStackRequest; readonly notes: readonly string[] }> {
  const { cache, control } = session;
  const { stack, services } = stackOf(cache, request.params.name ?? '');
  const { until } = versionAsked(request, services);
  // The cache is without the project.
  const query = { kind: ObjectKind.STACK, id: stack.id, knownIndex: cache.index };
  const { object } = await control.getObject(query, callOptions(request));
  const notes: string[] = [];
  const asked = services.map((service) => {
    const name = service.spec?.name ?? '';
    const spec = specUntil(service, until);
    if (spec && service.spec) return withPresentReferences(cache, name, spec, notes);
    notes.push(`service ${name} was made later; it stays as it is`);
    return service.spec;
  });
  return {
    notes,
    asked: {
      stack: StackSpec.create({
        ...object?.stack?.spec,
        services: asked.filter((spec) => spec !== undefined),
        // Without their contents they would be taken for empty ones; what is not named is not touched.
        secrets: [],
        configs: [],
      }),
      prune: false,
      forceRecreate: false,
      recreateOnly: [],
      expectedState: request.query.text('expectedState'),
      registryAuth: {},
    },
  };
}

/** `?to=` a version by its time; the newest one unless given. */
function versionAsked(request: ApiRequest, services: readonly Service[]): VersionOfStack {
  const kept = versionsOf(services);
  const to = request.query.text('to');
  const found = to === '' ? kept[0] : kept.find(({ until }) => until === parseTime(to));
  if (found) return found;
  const name = request.params.name ?? '';
  if (kept.length === 0) {
    throw new TswarmError('failed_precondition', `stack ${name} has no earlier version`, {
      hint: 'There is one after the first change of a service of it.',
    });
  }
  throw new TswarmError('not_found', `stack ${name} has no version ${to.slice(0, 40)}`, {
    field: 'to',
    hint: `Kept are: ${kept.map(({ until }) => formatTime(until)).join(', ')}.`,
  });
}

/** The specification with the secrets and configs that have its names now. @throws TswarmError when one of its objects is gone. */
function withPresentReferences(
  cache: ObjectCache,
  name: string,
  spec: ServiceSpec,
  notes: string[],
): ServiceSpec {
  const container = spec.taskTemplate?.containerSpec;
  if (!container || !spec.taskTemplate) return spec;
  for (const { target } of spec.taskTemplate.networks) {
    if (NODE_LOCAL.has(target) || cache.get('network', target)) continue;
    throw gone(`service ${name}: its network of that time has been replaced or removed`);
  }
  const present = (kind: 'secret' | 'config', id: string, called: string): string => {
    if (cache.get(kind, id)?.spec?.name === called) return id;
    const other = named(cache, kind, called);
    if (!other) throw gone(`service ${name}: its ${kind} ${called} has been removed`);
    notes.push(
      `${kind} ${called} of service ${name} has another content now; earlier contents are not kept`,
    );
    return other.id;
  };
  const containerSpec: ContainerSpec = {
    ...container,
    secrets: container.secrets.map((one) => ({
      ...one,
      secretId: present('secret', one.secretId, one.secretName),
    })),
    configs: container.configs.map((one) => ({
      ...one,
      configId: present('config', one.configId, one.configName),
    })),
  };
  return { ...spec, taskTemplate: { ...spec.taskTemplate, containerSpec } };
}

/** By the whole name only. */
function named<K extends 'stack' | 'secret' | 'config'>(
  cache: ObjectCache,
  kind: K,
  name: string,
): ObjectOf<K> | undefined {
  for (const object of cache.all(kind)) if (nameOf(kind, object) === name) return object;
  return undefined;
}

function gone(message: string): TswarmError {
  return new TswarmError('failed_precondition', message, {
    hint: 'Deploy the compose file of that time, with: tcompose up -d',
  });
}
