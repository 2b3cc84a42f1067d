// /plugins: there are none. Clients list them and look names up while they search for an object of unknown type.
import { TswarmError } from '#protocol/errors';
import type { Handler, Route } from '../context.ts';

export function pluginRoutes(): readonly Route[] {
  const missing: Handler = async (request) => {
    throw new TswarmError('not_found', `plugin ${JSON.stringify(request.params.name)} not found`);
  };
  return [
    { method: 'GET', pattern: '/plugins', handler: async (_r, reply) => reply.json(200, []) },
    { method: 'GET', pattern: '/plugins/{name:*}/json', handler: missing },
    { method: 'DELETE', pattern: '/plugins/{name:*}', handler: missing },
    { method: 'POST', pattern: '/plugins/{name:*}/enable', handler: missing },
    { method: 'POST', pattern: '/plugins/{name:*}/disable', handler: missing },
  ];
}
