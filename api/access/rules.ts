// What each role may call, by route (those of /tswarm/v1 say it in their definitions): the pattern that the router has matched, so that no spelling of a path gets around it. It is a list of what is
// open, not of what is closed: a new call takes an administrator until somebody has thought about it. viewer: looks at what is not secret (no data of
// configs, no environment of containers, no files); operator: runs things; the rest (membership, roles of nodes, keys, tokens, backups, audit)
// is for administrators. Whoever may run containers may run privileged ones: an operator is as strong as root on the nodes' containers and files.
import { includesRole, type Role } from '#protocol/access';
import { TswarmError } from '#protocol/errors';
import { OPERATIONS } from '../cluster/operations.ts';
import type { Caller } from '../http/request.ts';

const VIEWER: readonly string[] = [
  'GET /_ping',
  'HEAD /_ping',
  'GET /version',
  'GET /info',
  'GET /healthz',
  'GET /metrics',
  'GET /readyz',
  'GET /events',
  'GET /system/df',
  'GET /containers/json',
  'GET /containers/{id}/logs',
  'GET /containers/{id}/stats',
  'GET /containers/{id}/top',
  'GET /images/json',
  'GET /nodes',
  'GET /nodes/{id}',
  'GET /networks',
  'GET /networks/{id}',
  'GET /plugins',
  'GET /secrets',
  'GET /secrets/{id}',
  'GET /services',
  'GET /services/{id}',
  'GET /services/{id}/logs',
  'GET /tasks',
  'GET /tasks/{id}',
  'GET /tasks/{id}/logs',
  'GET /volumes',
  'GET /volumes/{id}',
];

const OPERATOR: readonly string[] = [
  'POST /auth',
  'POST /build',
  'POST /build/prune',
  'POST /commit',
  'GET /configs',
  'GET /configs/{id}',
  'POST /configs/create',
  'POST /configs/{id}/update',
  'DELETE /configs/{id}',
  'POST /containers/create',
  'POST /containers/prune',
  'GET /containers/{id}/json',
  'GET /containers/{id}/archive',
  'HEAD /containers/{id}/archive',
  'PUT /containers/{id}/archive',
  'GET /containers/{id}/changes',
  'GET /containers/{id}/export',
  'POST /containers/{id}/attach',
  'POST /containers/{id}/exec',
  'POST /containers/{id}/kill',
  'POST /containers/{id}/pause',
  'POST /containers/{id}/rename',
  'POST /containers/{id}/resize',
  'POST /containers/{id}/restart',
  'POST /containers/{id}/start',
  'POST /containers/{id}/stop',
  'POST /containers/{id}/unpause',
  'POST /containers/{id}/update',
  'POST /containers/{id}/wait',
  'DELETE /containers/{id}',
  'GET /distribution/{name:*}/json',
  'GET /exec/{id}/json',
  'POST /exec/{id}/resize',
  'POST /exec/{id}/start',
  'POST /images/create',
  'GET /images/get',
  'POST /images/load',
  'POST /images/prune',
  'GET /images/search',
  'GET /images/{name:*}/get',
  'GET /images/{name:*}/history',
  'GET /images/{name:*}/json',
  'POST /images/{name:*}/push',
  'POST /images/{name:*}/tag',
  'DELETE /images/{name:*}',
  'POST /networks/create',
  'POST /networks/prune',
  'POST /networks/{id}/connect',
  'POST /networks/{id}/disconnect',
  'DELETE /networks/{id}',
  // The manager takes an administrator for a change of the role.
  'POST /nodes/{id}/update',
  'POST /secrets/create',
  'POST /secrets/{id}/update',
  'DELETE /secrets/{id}',
  'POST /services/create',
  'POST /services/{id}/update',
  'DELETE /services/{id}',
  'POST /volumes/create',
  'POST /volumes/prune',
  'DELETE /volumes/{id}',
];

/** Route → role; the others are for administrators. */
export const ROUTE_ROLES: ReadonlyMap<string, Role> = new Map<string, Role>([
  ...OPERATIONS.map(({ method, path, role }) => [`${method} ${path}`, role] as const),
  ...VIEWER.map((route) => [route, 'viewer'] as const),
  ...OPERATOR.map((route) => [route, 'operator'] as const),
]);

/** The least role that may call a route (`METHOD pattern`). */
export function roleFor(route: string): Role {
  return ROUTE_ROLES.get(route) ?? 'admin';
}

/** @throws TswarmError permission_denied */
export function requireAccess(caller: Caller, route: string): void {
  const needs = roleFor(route);
  if (includesRole(caller.role, needs)) return;
  const may = caller.role === 'viewer' ? 'may only look' : `has the role ${caller.role}`;
  throw new TswarmError(
    'permission_denied',
    `${caller.name} ${may}: this takes the role ${needs}`,
    {
      hint: 'Ask an administrator, or use another token.',
    },
  );
}
