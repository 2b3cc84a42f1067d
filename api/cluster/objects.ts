// One object of /tswarm/v1: read, make, change and remove, as the Engine API does it on the objects that both know, with the names of this API around
// them. What the Engine API alone has (updates of secrets, connecting containers to networks) is not repeated here.
import { fromEngineJson } from '#protocol/engine-json';
import {
  CreateObjectRequest,
  ObjectKind,
  ObjectUnion,
  SpecUnion,
  UpdateObjectRequest,
} from '#protocol/generated/control';
import { ConfigSpec, NetworkSpec, NodeSpec, SecretSpec } from '#protocol/generated/specs';
import { OBJECT_KINDS } from '#protocol/object-kinds';
import { unionKind } from '../cache/kinds.ts';
import { lookup } from '../cache/lookup.ts';
import { type Context, pathId, type Route, requireSession, versionParam } from '../context.ts';
import { callOptions, written } from '../control.ts';
import { withPinnedImage } from '../engine/pinned-image.ts';
import { encodedAuth } from '../engine/registry-auth.ts';
import { objectJson } from '../engine/secrets-configs.ts';
import { readSpec } from '../engine/services.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import type { ClusterSession } from '../node-control.ts';
import { objectView } from './views.ts';

const BASE = '/tswarm/v1';
const READ = ['node', 'task', 'network', 'volume', 'secret', 'config'] as const;
const MADE = ['service', 'network', 'secret', 'config'] as const;
const REMOVED = ['service', 'network', 'secret', 'config', 'volume', 'node'] as const;

type Read = (typeof READ)[number];
type Made = (typeof MADE)[number];

export function objectRoutes(context: Context): readonly Route[] {
  return [
    ...READ.map(
      (kind): Route => ({
        method: 'GET',
        pattern: `${BASE}/${kind}s/{id}`,
        handler: (request, reply) => show(context, kind, request, reply),
      }),
    ),
    ...MADE.map(
      (kind): Route => ({
        method: 'POST',
        pattern: `${BASE}/${kind}s`,
        handler: (request, reply) => create(context, kind, request, reply),
      }),
    ),
    ...REMOVED.map(
      (kind): Route => ({
        method: 'DELETE',
        pattern: `${BASE}/${kind}s/{id}`,
        handler: (request, reply) => remove(context, kind, request, reply),
      }),
    ),
    {
      method: 'POST',
      pattern: `${BASE}/nodes/{id}/update`,
      handler: (request, reply) => updateNode(context, request, reply),
    },
  ];
}

/** A secret without its data; a config with it. */
async function show(
  context: Context,
  kind: Read,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const session = requireSession(context);
  const object = lookup(session.cache, kind, pathId(request));
  const isData = kind === 'secret' || kind === 'config';
  reply.json(
    200,
    isData
      ? await objectJson(session, kind, object.id, request)
      : objectView(session.cache, kind, ObjectUnion.create({ [kind]: object })),
  );
}

async function create(
  context: Context,
  kind: Made,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const session = requireSession(context);
  const spec = await specOf(context, session, kind, await request.json());
  const answer = session.control.createObject(
    CreateObjectRequest.create({
      spec,
      ...(kind === 'service' ? { registryAuth: encodedAuth(request) } : {}),
    }),
    callOptions(request),
  );
  const made = await written(session, answer);
  const id = made[unionKind(made) ?? kind]?.id ?? '';
  reply.json(201, { id, index: (await answer).index });
}

async function specOf(
  context: Context,
  session: ClusterSession,
  kind: Made,
  body: unknown,
): Promise<SpecUnion> {
  switch (kind) {
    case 'service': {
      const service = await withPinnedImage(context, readSpec(session, body), undefined);
      return SpecUnion.create({ service });
    }
    case 'network':
      return SpecUnion.create({ network: fromEngineJson(NetworkSpec, body) });
    case 'secret':
      return SpecUnion.create({ secret: fromEngineJson(SecretSpec, body) });
    case 'config':
      return SpecUnion.create({ config: fromEngineJson(ConfigSpec, body) });
  }
}

async function remove(
  context: Context,
  kind: (typeof REMOVED)[number],
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const session = requireSession(context);
  const { id } = lookup(session.cache, kind, pathId(request));
  const force = kind === 'node' && request.query.bool('force');
  const answer = session.control.removeObject(
    { kind: OBJECT_KINDS[kind], id, force },
    callOptions(request),
  );
  await written(session, answer);
  reply.json(200, { index: (await answer).index });
}

async function updateNode(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const { id } = lookup(session.cache, 'node', pathId(request));
  const answer = session.control.updateObject(
    UpdateObjectRequest.create({
      kind: ObjectKind.NODE,
      id,
      version: versionParam(request),
      spec: SpecUnion.create({ node: fromEngineJson(NodeSpec, await request.json()) }),
    }),
    callOptions(request),
  );
  await written(session, answer);
  reply.json(200, { index: (await answer).index });
}
