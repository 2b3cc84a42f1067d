// /images, /commit, /distribution: thin, on this node's image store. Names may hold slashes and colons, hence the greedy patterns.
import { TswarmError } from '#protocol/errors';
import type { Context, Route } from '../context.ts';
import { EngineError } from '../http/errors.ts';
import { parseFilters } from '../http/filters.ts';
import { sendProgress } from '../http/json-stream.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { sendBytes } from './containers.ts';
import { registryAuth } from './registry-auth.ts';

export function imageRoutes(context: Context): readonly Route[] {
  const { images } = context.engine;
  return [
    { method: 'GET', pattern: '/images/json', handler: (q, r) => list(context, q, r) },
    { method: 'POST', pattern: '/images/create', handler: (q, r) => create(context, q, r) },
    {
      method: 'POST',
      pattern: '/images/load',
      handler: async (request, reply) => {
        const quiet = request.query.bool('quiet', true);
        await sendProgress(reply, await images.load(request.stream(), { quiet }));
      },
    },
    {
      method: 'GET',
      pattern: '/images/get',
      handler: async (request, reply) => {
        const names = request.query.all('names').flatMap((value) => value.split(','));
        if (names.length === 0) {
          throw new TswarmError('invalid_argument', 'names: name at least one image');
        }
        await sendBytes(reply, 'application/x-tar', await images.save(names));
      },
    },
    {
      method: 'GET',
      pattern: '/images/search',
      handler: async () => {
        throw new TswarmError('not_supported', 'search: searching a registry is not supported', {
          hint: 'Look the image up on the web page of its registry.',
        });
      },
    },
    {
      method: 'POST',
      pattern: '/images/prune',
      handler: async (request, reply) => {
        const filters = parseFilters(request.query.raw('filters'));
        reply.json(200, await images.prune(filters));
      },
    },
    { method: 'POST', pattern: '/commit', handler: (q, r) => commit(context, q, r) },
    {
      method: 'GET',
      pattern: '/distribution/{name:*}/json',
      handler: async (request, reply) => {
        const found = await images.distribution(nameOf(request), registryAuth(request));
        reply.json(200, found);
      },
    },
    ...namedRoutes(context),
  ];
}

function nameOf(request: ApiRequest): string {
  return request.params.name ?? '';
}

function namedRoutes(context: Context): readonly Route[] {
  const { images } = context.engine;
  return [
    {
      method: 'GET',
      pattern: '/images/{name:*}/json',
      handler: async (request, reply) => reply.json(200, await images.inspect(nameOf(request))),
    },
    {
      method: 'GET',
      pattern: '/images/{name:*}/history',
      handler: async (request, reply) => reply.json(200, await images.history(nameOf(request))),
    },
    {
      method: 'GET',
      pattern: '/images/{name:*}/get',
      handler: async (request, reply) => {
        await sendBytes(reply, 'application/x-tar', await images.save([nameOf(request)]));
      },
    },
    {
      method: 'POST',
      pattern: '/images/{name:*}/push',
      handler: async (request, reply) => {
        const auth = registryAuth(request);
        const ref = withTag(nameOf(request), request.query.text('tag'));
        const progress = await images.push(ref, auth ? { auth } : {}, request.signal);
        await sendProgress(reply, progress);
      },
    },
    {
      method: 'POST',
      pattern: '/images/{name:*}/tag',
      handler: async (request, reply) => {
        const repo = request.query.text('repo');
        if (repo === '') throw new TswarmError('invalid_argument', 'repo: must be given');
        await images.tag(nameOf(request), { repo, tag: request.query.text('tag') });
        reply.empty(201);
      },
    },
    {
      method: 'DELETE',
      pattern: '/images/{name:*}',
      handler: async (request, reply) => {
        const removed = await images.remove(nameOf(request), {
          force: request.query.bool('force'),
          noPrune: request.query.bool('noprune'),
        });
        reply.json(200, removed);
      },
    },
  ];
}

async function list(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const filters = parseFilters(request.query.raw('filters'));
  // Before 1.25 there was `filter=<reference>`.
  const legacy = request.query.text('filter');
  const found = await context.engine.images.list({
    all: request.query.bool('all'),
    digests: request.query.bool('digests'),
    filters: legacy === '' ? filters : { ...filters, reference: [legacy] },
  });
  if (request.version >= 1044) reply.json(200, found);
  else
    reply.json(
      200,
      found.map((image) => ({ ...image, VirtualSize: image.Size })),
    );
}

function withTag(name: string, tag: string): string {
  if (tag === '') return name;
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}

/** Pull, or import when `fromSrc` is given. */
async function create(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { query } = request;
  const from = query.text('fromImage');
  if (from !== '') {
    const auth = registryAuth(request);
    const progress = await context.engine.images.pull(
      withTag(from, query.text('tag')),
      { platform: query.text('platform'), ...(auth ? { auth } : {}) },
      request.signal,
    );
    await sendProgress(reply, progress);
    return;
  }
  const source = query.text('fromSrc');
  if (source === '') {
    throw new TswarmError('invalid_argument', 'fromImage or fromSrc: one of them must be given');
  }
  if (source !== '-') {
    throw new TswarmError('not_supported', 'fromSrc: only "-" (the request body) is supported', {
      field: 'fromSrc',
      hint: 'Download the archive first and pipe it in.',
    });
  }
  const progress = await context.engine.images.importTar(request.stream(), {
    repo: query.text('repo'),
    tag: query.text('tag'),
    message: query.text('message'),
    changes: query.all('changes'),
  });
  await sendProgress(reply, progress);
}

async function commit(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { query } = request;
  const container = query.text('container');
  if (container === '') throw new EngineError('invalid_argument', 400, 'container: must be given');
  const config = (await request.optionalJson()) ?? {};
  const made = await context.engine.images.commit({
    container,
    repo: query.text('repo'),
    tag: query.text('tag'),
    comment: query.text('comment'),
    author: query.text('author'),
    pause: query.bool('pause', true),
    changes: query.all('changes'),
    config,
  });
  reply.json(201, made);
}
