// /containers, all but the streams (container-streams.ts): thin, the worker does the work and chooses the texts of errors.
import { Buffer } from 'node:buffer';
import type { EngineJson } from '#protocol/engine';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import { type Context, pathId, type Route } from '../context.ts';
import { EngineError } from '../http/errors.ts';
import { parseFilters } from '../http/filters.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';

export function containerRoutes(context: Context): readonly Route[] {
  const { containers } = context.engine;
  return [
    { method: 'GET', pattern: '/containers/json', handler: (q, r) => list(context, q, r) },
    {
      method: 'POST',
      pattern: '/containers/create',
      handler: async (request, reply) => {
        const body = await request.json();
        const options = {
          name: request.query.text('name'),
          platform: request.query.text('platform'),
        };
        reply.json(201, await containers.create(body, options));
      },
    },
    {
      method: 'POST',
      pattern: '/containers/prune',
      handler: async (request, reply) => {
        const filters = parseFilters(request.query.raw('filters'));
        reply.json(200, await containers.prune(filters));
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/json',
      handler: async (request, reply) => {
        const size = request.query.bool('size');
        reply.json(200, await containers.inspect(pathId(request), { size }));
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/top',
      handler: async (request, reply) => {
        const psArgs = request.query.text('ps_args') || '-ef';
        reply.json(200, await containers.top(pathId(request), psArgs));
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/changes',
      handler: async (request, reply) => reply.json(200, await containers.changes(pathId(request))),
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/update',
      handler: async (request, reply) => {
        reply.json(200, await containers.update(pathId(request), await request.json()));
      },
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/resize',
      handler: async (request, reply) => {
        await containers.resize(pathId(request), sizeOf(request));
        reply.empty(200);
      },
    },
    {
      method: 'DELETE',
      pattern: '/containers/{id}',
      handler: async (request, reply) => {
        if (request.query.bool('link')) {
          throw new TswarmError('not_supported', 'link: container links are not supported');
        }
        await containers.remove(pathId(request), {
          force: request.query.bool('force'),
          volumes: request.query.bool('v'),
        });
        reply.empty(204);
      },
    },
    ...actionRoutes(context),
    ...archiveRoutes(context),
  ];
}

/** `h` and `w`. @throws EngineError 400. */
export function sizeOf(request: ApiRequest): { width: number; height: number } {
  return { width: request.query.int('w', 0, 400), height: request.query.int('h', 0, 400) };
}

async function list(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const filters = parseFilters(request.query.raw('filters'));
  const limit = request.query.int('limit', 0);
  const found = await context.engine.containers.list({
    all: request.query.bool('all'),
    limit,
    size: request.query.bool('size'),
    filters,
  });
  reply.json(200, found);
}

/** POST /containers/{id}/<verb>: 204, or 304 when there is nothing to do. */
function actionRoutes(context: Context): readonly Route[] {
  const { containers } = context.engine;
  const verbs: Record<string, (request: ApiRequest, id: string) => Promise<void>> = {
    start: (_request, id) => containers.start(id),
    stop: (request, id) => containers.stop(id, stopOptions(request)),
    restart: (request, id) => containers.restart(id, stopOptions(request)),
    kill: async (request, id) => {
      try {
        await containers.kill(id, request.query.text('signal') || 'SIGKILL');
      } catch (error) {
        if (!hasCode(error, 'not_found')) throw error;
        throw new TswarmError('not_found', `Cannot kill container: ${id}: ${messageOf(error)}`);
      }
    },
    pause: (_request, id) => containers.pause(id),
    unpause: (_request, id) => containers.unpause(id),
    rename: (request, id) => {
      const name = request.query.text('name');
      if (name === '' || name === '/') {
        throw new TswarmError('invalid_argument', 'Neither old nor new names may be empty');
      }
      return containers.rename(id, name.replace(/^\//, ''));
    },
  };
  return Object.entries(verbs).map(([verb, act]) => ({
    method: 'POST',
    pattern: `/containers/{id}/${verb}`,
    handler: async (request, reply) => {
      try {
        await act(request, pathId(request));
      } catch (error) {
        if (!hasCode(error, 'not_modified')) throw error;
        reply.empty(304);
        return;
      }
      reply.empty(204);
    },
  }));
}

function stopOptions(request: ApiRequest): { timeoutSeconds?: number; signal: string } {
  const signal = request.query.text('signal');
  if (request.query.text('t') === '') return { signal };
  return { signal, timeoutSeconds: request.query.int('t', 0, 400) };
}

const STAT_HEADER = 'X-Docker-Container-Path-Stat';

/** docker cp. */
function archiveRoutes(context: Context): readonly Route[] {
  const { containers } = context.engine;
  const pattern = '/containers/{id}/archive';
  return [
    {
      method: 'HEAD',
      pattern,
      handler: async (request, reply) => {
        const stat = await containers.statPath(pathId(request), archivePath(request));
        reply.header(STAT_HEADER, encodeStat(stat));
        reply.empty(200);
      },
    },
    {
      method: 'GET',
      pattern,
      handler: async (request, reply) => {
        const archive = await containers.getArchive(pathId(request), archivePath(request));
        reply.header(STAT_HEADER, encodeStat(archive.stat));
        await sendBytes(reply, 'application/x-tar', archive.tar);
      },
    },
    {
      method: 'PUT',
      pattern,
      handler: async (request, reply) => {
        await containers.putArchive(pathId(request), archivePath(request), request.stream(), {
          noOverwriteDirNonDir: request.query.bool('noOverwriteDirNonDir'),
          copyUidGid: request.query.bool('copyUIDGID'),
        });
        reply.empty(200);
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/export',
      handler: async (request, reply) => {
        const tar = await containers.exportTar(pathId(request));
        await sendBytes(reply, 'application/octet-stream', tar);
      },
    },
  ];
}

function archivePath(request: ApiRequest): string {
  const path = request.query.text('path');
  if (path === '')
    throw new EngineError('invalid_argument', 400, 'bad parameter: path cannot be empty');
  return path;
}

function encodeStat(stat: EngineJson): string {
  return Buffer.from(JSON.stringify(stat)).toString('base64');
}

/** A body of bytes with back-pressure. The first piece is awaited before the headers go out, so that an early error still has a status. */
export async function sendBytes(
  reply: Reply,
  contentType: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  const iterator = bytes[Symbol.asyncIterator]();
  try {
    let next = await iterator.next();
    const stream = reply.stream(200, contentType);
    while (!next.done) {
      await stream.write(next.value);
      next = await iterator.next();
    }
    stream.end();
  } finally {
    await iterator.return?.();
  }
}
