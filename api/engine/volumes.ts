// /volumes: this node's volumes.
import { type Context, pathId, type Route } from '../context.ts';
import { parseFilters } from '../http/filters.ts';

export function volumeRoutes(context: Context): readonly Route[] {
  const { volumes } = context.engine;
  return [
    {
      method: 'GET',
      pattern: '/volumes',
      handler: async (request, reply) => {
        const filters = parseFilters(request.query.raw('filters'));
        reply.json(200, await volumes.list(filters));
      },
    },
    {
      method: 'POST',
      pattern: '/volumes/create',
      handler: async (request, reply) => {
        reply.json(201, await volumes.create((await request.optionalJson()) ?? {}));
      },
    },
    {
      method: 'POST',
      pattern: '/volumes/prune',
      handler: async (request, reply) => {
        const filters = parseFilters(request.query.raw('filters'));
        // Before 1.42 there was no `all` and named volumes were pruned as well.
        const whole =
          request.version < 1042 && !filters.all ? { ...filters, all: ['true'] } : filters;
        reply.json(200, await volumes.prune(whole));
      },
    },
    {
      method: 'GET',
      pattern: '/volumes/{id}',
      handler: async (request, reply) => reply.json(200, await volumes.inspect(pathId(request))),
    },
    {
      method: 'DELETE',
      pattern: '/volumes/{id}',
      handler: async (request, reply) => {
        await volumes.remove(pathId(request), request.query.bool('force'));
        reply.empty(204);
      },
    },
  ];
}
