// /secrets and /configs: the same calls on two kinds. A secret's data never comes out; a config's does, and is fetched from the manager since the
// cache does not hold it: from a state that is at least the cache's, which was confirmed before the request came here (cache/fresh-reads.ts).
import { checkFilters, matchesLabels, matchesPrefix } from '#protocol/engine-filters';
import { fromEngineJson, toEngineJson } from '#protocol/engine-json';
import { hasCode } from '#protocol/errors';
import { CreateObjectRequest, SpecUnion, UpdateObjectRequest } from '#protocol/generated/control';
import { Config, Secret } from '#protocol/generated/objects';
import { ConfigSpec, SecretSpec } from '#protocol/generated/specs';
import { OBJECT_KINDS } from '#protocol/object-kinds';
import { lookup } from '../cache/lookup.ts';
import { type Context, pathId, type Route, requireSession, versionParam } from '../context.ts';
import { type Asker, callOptions, written } from '../control.ts';
import { parseFilters } from '../http/filters.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { CONFIGS_AT_ONCE_MAX } from '../limits.ts';
import type { ClusterSession } from '../node-control.ts';

type Kind = 'secret' | 'config';

const FILTERS = ['id', 'label', 'name', 'names'];

export function secretConfigRoutes(context: Context): readonly Route[] {
  return [...routesOf(context, 'secret', '/secrets'), ...routesOf(context, 'config', '/configs')];
}

function routesOf(context: Context, kind: Kind, base: string): readonly Route[] {
  return [
    { method: 'GET', pattern: base, handler: (q, r) => list(context, kind, q, r) },
    { method: 'POST', pattern: `${base}/create`, handler: (q, r) => create(context, kind, q, r) },
    { method: 'GET', pattern: `${base}/{id}`, handler: (q, r) => inspect(context, kind, q, r) },
    { method: 'DELETE', pattern: `${base}/{id}`, handler: (q, r) => remove(context, kind, q, r) },
    {
      method: 'POST',
      pattern: `${base}/{id}/update`,
      handler: (q, r) => update(context, kind, q, r),
    },
  ];
}

async function list(
  context: Context,
  kind: Kind,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const session = requireSession(context);
  const filters = parseFilters(request.query.raw('filters'));
  checkFilters(filters, FILTERS);
  const found: (Secret | Config)[] = [];
  for (const object of session.cache.all(kind)) {
    const name = object.spec?.name ?? '';
    if (!matchesPrefix(filters.id, object.id) || !matchesPrefix(filters.name, name)) continue;
    if (filters.names && !filters.names.includes(name)) continue;
    if (!matchesLabels(filters.label, object.spec?.labels ?? {})) continue;
    found.push(object);
  }
  const out: unknown[] = [];
  for (let at = 0; at < found.length; at += CONFIGS_AT_ONCE_MAX) {
    const some = found.slice(at, at + CONFIGS_AT_ONCE_MAX);
    const rows = await Promise.all(some.map(({ id }) => listedJson(session, kind, id, request)));
    out.push(...rows.filter((row) => row !== undefined));
  }
  reply.json(200, out);
}

/** Undefined: removed meanwhile, which is no fault of a list. */
async function listedJson(
  session: ClusterSession,
  kind: Kind,
  id: string,
  asker: Asker,
): Promise<Record<string, unknown> | undefined> {
  try {
    return await objectJson(session, kind, id, asker);
  } catch (error) {
    if (hasCode(error, 'not_found')) return undefined;
    throw error;
  }
}

/** The object's JSON: a config with its data. */
export async function objectJson(
  session: ClusterSession,
  kind: Kind,
  id: string,
  asker: Asker,
): Promise<Record<string, unknown>> {
  if (kind === 'secret') {
    const secret = lookup(session.cache, kind, id);
    const spec = secret.spec && { ...secret.spec, data: new Uint8Array(0) };
    return toEngineJson(Secret, { ...secret, spec });
  }
  const answer = await session.control.getObject(
    { kind: OBJECT_KINDS[kind], id, knownIndex: session.cache.index },
    callOptions(asker),
  );
  return toEngineJson(Config, answer.object?.config ?? lookup(session.cache, kind, id));
}

async function inspect(
  context: Context,
  kind: Kind,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const session = requireSession(context);
  const { id } = lookup(session.cache, kind, pathId(request));
  reply.json(200, await objectJson(session, kind, id, request));
}

function readSpec(kind: Kind, body: unknown): SpecUnion {
  return kind === 'secret'
    ? SpecUnion.create({ secret: fromEngineJson(SecretSpec, body) })
    : SpecUnion.create({ config: fromEngineJson(ConfigSpec, body) });
}

async function create(
  context: Context,
  kind: Kind,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const session = requireSession(context);
  const spec = readSpec(kind, await request.json());
  const answer = session.control.createObject(
    CreateObjectRequest.create({ spec }),
    callOptions(request),
  );
  const object = await written(session, answer);
  reply.json(201, { ID: object[kind]?.id ?? '' });
}

async function update(
  context: Context,
  kind: Kind,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const session = requireSession(context);
  const { id } = lookup(session.cache, kind, pathId(request));
  const answer = session.control.updateObject(
    UpdateObjectRequest.create({
      kind: OBJECT_KINDS[kind],
      id,
      version: versionParam(request),
      spec: readSpec(kind, await request.json()),
      keepExtensions: true,
    }),
    callOptions(request),
  );
  await written(session, answer);
  reply.empty(200);
}

async function remove(
  context: Context,
  kind: Kind,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const session = requireSession(context);
  const { id } = lookup(session.cache, kind, pathId(request));
  const answer = session.control.removeObject(
    { kind: OBJECT_KINDS[kind], id, force: false },
    callOptions(request),
  );
  await written(session, answer);
  reply.empty(204);
}
