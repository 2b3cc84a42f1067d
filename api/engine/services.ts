// /services: lists and single objects from the cache, writes through the manager. Names of networks, secrets and configs in a spec are
// resolved to ids here (stack deploy sends names). Codes and texts of errors are Docker's.
import { checkFilters, matchesLabels, matchesPrefix } from '#protocol/engine-filters';
import { fromEngineJson } from '#protocol/engine-json';
import { TswarmError } from '#protocol/errors';
import { CreateObjectRequest, ObjectKind, SpecUnion } from '#protocol/generated/control';
import type { Service } from '#protocol/generated/objects';
import { type NetworkAttachmentConfig, ServiceSpec } from '#protocol/generated/specs';
import { lookup, tryLookup } from '../cache/lookup.ts';
import { type Context, pathId, type Route, requireSession, versionParam } from '../context.ts';
import { callOptions, written } from '../control.ts';
import { EngineError } from '../http/errors.ts';
import { parseFilters } from '../http/filters.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, emptyBody } from '../http/request.ts';
import type { ClusterSession } from '../node-control.ts';
import { NODE_LOCAL } from './networks.ts';
import { withPinnedImage } from './pinned-image.ts';
import { encodedAuth } from './registry-auth.ts';
import { ISOLATION, serviceJson, withIsolation } from './shapes.ts';

type Json = Record<string, unknown>;

export function serviceRoutes(context: Context): readonly Route[] {
  return [
    { method: 'GET', pattern: '/services', handler: (q, r) => list(context, q, r) },
    { method: 'POST', pattern: '/services/create', handler: (q, r) => create(context, q, r) },
    { method: 'GET', pattern: '/services/{id}', handler: (q, r) => inspect(context, q, r) },
    { method: 'POST', pattern: '/services/{id}/update', handler: (q, r) => update(context, q, r) },
    { method: 'DELETE', pattern: '/services/{id}', handler: (q, r) => remove(context, q, r) },
  ];
}

const FILTERS = ['id', 'label', 'mode', 'name', 'runtime'];

async function list(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { cache } = requireSession(context);
  const filters = parseFilters(request.query.raw('filters'));
  checkFilters(filters, FILTERS);
  const options = {
    status: request.query.bool('status'),
    defaults: request.query.bool('insertDefaults'),
  };
  const out: unknown[] = [];
  for (const service of cache.all('service')) {
    const spec = service.spec;
    if (!matchesPrefix(filters.id, service.id)) continue;
    if (!matchesPrefix(filters.name, spec?.name ?? '')) continue;
    if (!matchesLabels(filters.label, spec?.labels ?? {})) continue;
    if (filters.mode && !filters.mode.includes(modeOf(service))) continue;
    if (filters.runtime && !filters.runtime.includes(spec?.taskTemplate?.runtime || 'container')) {
      continue;
    }
    out.push(asDockerKnows(serviceJson(cache, service, options)));
  }
  reply.json(200, out);
}

function modeOf(service: Service): string {
  const mode = service.spec?.mode;
  if (mode?.global) return 'global';
  if (mode?.replicatedJob) return 'replicated-job';
  return mode?.globalJob ? 'global-job' : 'replicated';
}

async function inspect(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { cache } = requireSession(context);
  const service = lookup(cache, 'service', pathId(request));
  const defaults = request.query.bool('insertDefaults');
  reply.json(200, asDockerKnows(serviceJson(cache, service, { status: false, defaults })));
}

/**
 * What is otherwise in Docker's own answers. Its clients do not know an update that ended as failed and would wait for it for ever; to them it is paused, with the
 * same message. Every container has an isolation there, and every endpoint a mode: Traefik takes no address of a service that has none.
 */
function asDockerKnows(json: Json): Json {
  for (const spec of [json.Spec, json.PreviousSpec] as (Json | undefined)[]) {
    withIsolation(spec?.TaskTemplate);
    if (spec) spec.EndpointSpec = withMode(spec.EndpointSpec);
  }
  const endpoint = json.Endpoint as Json | undefined;
  if (endpoint) endpoint.Spec = withMode(endpoint.Spec);
  const update = json.UpdateStatus as Json | undefined;
  return update?.State === 'failed'
    ? { ...json, UpdateStatus: { ...update, State: 'paused' } }
    : json;
}

function withMode(endpointSpec: unknown): Json {
  return { Mode: 'vip', ...(endpointSpec as Json | undefined) };
}

async function create(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const read = readSpec(session, await request.json());
  const spec = await withPinnedImage(context, named(context, session, read), undefined);
  const answer = session.control.createObject(
    CreateObjectRequest.create({
      spec: SpecUnion.create({ service: spec }),
      registryAuth: encodedAuth(request),
    }),
    callOptions(request),
  );
  const { service } = await written(session, answer);
  const warnings = (await answer).warnings;
  reply.json(201, {
    ID: service?.id ?? '',
    ...(warnings.length > 0 ? { Warnings: warnings } : {}),
  });
}

/** A service without a name gets one, as containers do. */
function named(context: Context, session: ClusterSession, spec: ServiceSpec): ServiceSpec {
  if (spec.name !== '') return spec;
  const isTaken = (name: string): boolean =>
    tryLookup(session.cache, 'service', name) !== undefined;
  return { ...spec, name: context.randomName(isTaken) };
}

async function update(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const service = lookup(session.cache, 'service', pathId(request));
  const version = versionParam(request);
  const rollback = rollbackParam(request);
  const body = await request.optionalJson();
  if (!rollback && !body) throw emptyBody();
  const spec = rollback ? undefined : await changed(context, session, service, body ?? {});
  const answer = session.control.updateObject(
    {
      kind: ObjectKind.SERVICE,
      id: service.id,
      version,
      spec: spec && SpecUnion.create({ service: spec }),
      rollback,
      rotateWorkerToken: false,
      rotateManagerToken: false,
      rotateUnlockKey: false,
      keepExtensions: true,
      rollbackTo: undefined,
      registryAuth: encodedAuth(request),
      previousRegistryAuth: request.query.text('registryAuthFrom') === 'previous-spec',
    },
    callOptions(request),
  );
  await written(session, answer);
  const { warnings } = await answer;
  reply.json(200, { Warnings: warnings.length > 0 ? warnings : null });
}

/** Another image, or the same name once more by force, may be another one of this node's now. */
async function changed(
  context: Context,
  session: ClusterSession,
  service: Service,
  body: Readonly<Record<string, unknown>>,
): Promise<ServiceSpec> {
  const spec = readSpec(session, body);
  const [now, before] = [spec.taskTemplate, service.spec?.taskTemplate];
  const isSame =
    now?.containerSpec?.image === before?.containerSpec?.image &&
    now?.forceUpdate === before?.forceUpdate;
  return isSame ? spec : withPinnedImage(context, spec, service.spec);
}

function rollbackParam(request: ApiRequest): boolean {
  const from = request.query.text('registryAuthFrom');
  if (!['', 'spec', 'previous-spec'].includes(from)) {
    throw new EngineError(
      'invalid_argument',
      500,
      `unsupported registryAuthFrom value: ${JSON.stringify(from.slice(0, 40))}`,
    );
  }
  const rollback = request.query.text('rollback');
  if (rollback === '') return false;
  if (rollback === 'previous') return true;
  throw new TswarmError(
    'invalid_argument',
    `unrecognized rollback option ${rollback.slice(0, 40)}`,
    { field: 'rollback' },
  );
}

async function remove(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const service = lookup(session.cache, 'service', pathId(request));
  const answer = session.control.removeObject(
    { kind: ObjectKind.SERVICE, id: service.id, force: false },
    callOptions(request),
  );
  await written(session, answer);
  reply.empty(200);
}

/** Reads a ServiceSpec and resolves the names in it. @throws invalid_argument, not_found. */
export function readSpec(session: ClusterSession, body: unknown): ServiceSpec {
  const spec = fromEngineJson(ServiceSpec, legacyNetworks(body as Record<string, unknown>));
  const template = spec.taskTemplate;
  if (!template) return spec;
  // "container" is shown for a spec that names no runtime, "default" for one without an isolation; a client that sends back what it read must not thereby
  // change the template, or every task would be replaced.
  const runtime = template.runtime === 'container' ? '' : template.runtime;
  const container = template.containerSpec;
  const isolation = container?.isolation === ISOLATION ? '' : container?.isolation;
  const containerSpec = container && { ...container, isolation: isolation ?? '' };
  const networks = template.networks.map((n) => resolve(session, n));
  return { ...spec, taskTemplate: { ...template, containerSpec, runtime, networks } };
}

/** Before 1.25 networks stood beside the task template; old clients still send them there. */
function legacyNetworks(body: Record<string, unknown>): Record<string, unknown> {
  const { Networks: networks, TaskTemplate: template } = body;
  if (!Array.isArray(networks) || networks.length === 0) return body;
  if (typeof template !== 'object' || template === null || 'Networks' in template) return body;
  return { ...body, TaskTemplate: { ...template, Networks: networks } };
}

function resolve(
  session: ClusterSession,
  config: NetworkAttachmentConfig,
): NetworkAttachmentConfig {
  const network = tryLookup(session.cache, 'network', config.target);
  if (network) return { ...config, target: network.id };
  if (NODE_LOCAL.has(config.target)) return config;
  throw new TswarmError('not_found', `network ${config.target} not found`, { field: 'Networks' });
}
