// POST /build in its classic form: parameters in the query, the context as a tar in the body. BuildKit's form (version=2) needs
// a BuildKit behind it and is refused with what to do instead.
import type { BuildOptions } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Context, Route } from '../context.ts';
import { parseFilters } from '../http/filters.ts';
import { sendProgress } from '../http/json-stream.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest, Query } from '../http/request.ts';
import { registryAuths } from './registry-auth.ts';

export function buildRoutes(context: Context): readonly Route[] {
  return [
    { method: 'POST', pattern: '/build', handler: (q, r) => build(context, q, r) },
    {
      method: 'POST',
      pattern: '/build/prune',
      handler: async (request, reply) => {
        const { query } = request;
        if (query.int('keep-storage', 0, 400) > 0) {
          throw new TswarmError('not_supported', 'keep-storage: not supported by the builder', {
            field: 'keep-storage',
            hint: 'Name a time instead: --filter until=24h.',
          });
        }
        const filters = parseFilters(query.raw('filters'));
        reply.json(200, await context.engine.images.pruneBuilds(filters));
      },
    },
  ];
}

async function build(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { query } = request;
  if (query.text('version') === '2') {
    throw new TswarmError('not_supported', 'version=2: the BuildKit protocol is not supported', {
      hint: 'Set DOCKER_BUILDKIT=0 to use the classic builder.',
    });
  }
  if (query.text('remote') !== '') {
    throw new TswarmError('not_supported', 'remote: building from a URL is not supported', {
      field: 'remote',
      hint: 'Fetch the sources first and build from the folder.',
    });
  }
  for (const name of ['squash', 'outputs', 'isolation']) {
    if (query.bool(name)) {
      throw new TswarmError('not_supported', `${name}: not supported by the builder`, {
        field: name,
      });
    }
  }
  const progress = await context.engine.images.build(
    request.stream(),
    { ...optionsOf(query), registryAuths: registryAuths(request) },
    request.signal,
  );
  await sendProgress(reply, progress);
}

function optionsOf(query: Query): Omit<BuildOptions, 'registryAuths'> {
  return {
    dockerfile: query.text('dockerfile') || 'Dockerfile',
    tags: query.all('t'),
    target: query.text('target'),
    buildArgs: textMap(query, 'buildargs', true),
    labels: textMap(query, 'labels', false) as Record<string, string>,
    noCache: query.bool('nocache'),
    pull: query.bool('pull'),
    quiet: query.bool('q'),
    networkMode: query.text('networkmode'),
    extraHosts: query.all('extrahosts'),
    shmBytes: query.int('shmsize', 0, 400),
    platform: query.text('platform'),
  };
}

/** A parameter that is a JSON object of texts. @throws invalid_argument. */
function textMap(query: Query, name: string, nullable: boolean): Record<string, string | null> {
  const text = query.text(name);
  if (text === '' || text === 'null') return {};
  const bad = new TswarmError('invalid_argument', `${name}: must be a JSON object of strings`, {
    field: name,
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw bad;
  for (const value of Object.values(json)) {
    if (typeof value !== 'string' && !(nullable && value === null)) throw bad;
  }
  return json as Record<string, string | null>;
}
