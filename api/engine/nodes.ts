// /nodes.

import type { EngineFilters } from '#protocol/engine';
import { checkFilters, matchesLabels, matchesPrefix } from '#protocol/engine-filters';
import { fromEngineJson } from '#protocol/engine-json';
import { ObjectKind, SpecUnion, UpdateObjectRequest } from '#protocol/generated/control';
import { type Node, NodeState, NodeStatus, Reachability } from '#protocol/generated/objects';
import { NodeRole, NodeSpec } from '#protocol/generated/specs';
import { lookup, nameOf } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { type Context, pathId, type Route, requireSession, versionParam } from '../context.ts';
import { type Asker, callOptions, written } from '../control.ts';
import { EngineError } from '../http/errors.ts';
import { parseFilters } from '../http/filters.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import type { ClusterSession } from '../node-control.ts';
import { nodeJson } from './shapes.ts';

const FILTERS = ['id', 'label', 'name', 'node.label', 'membership', 'role'];

export function nodeRoutes(context: Context): readonly Route[] {
  return [
    {
      method: 'GET',
      pattern: '/nodes',
      handler: async (request, reply) => {
        const session = requireSession(context);
        const filters = parseFilters(request.query.raw('filters'));
        checkFilters(filters, FILTERS);
        const shown = await asKnown(session, listNodes(session.cache, filters), request);
        reply.json(200, shown.map(nodeJson));
      },
    },
    {
      method: 'GET',
      pattern: '/nodes/{id}',
      handler: async (request, reply) => {
        const session = requireSession(context);
        const node = lookup(session.cache, 'node', pathId(request));
        const [shown = node] = await asKnown(session, [node], request);
        reply.json(200, nodeJson(shown));
      },
    },
    { method: 'POST', pattern: '/nodes/{id}/update', handler: (q, r) => update(context, q, r) },
    {
      method: 'DELETE',
      pattern: '/nodes/{id}',
      handler: async (request, reply) => {
        const session = requireSession(context);
        const node = lookup(session.cache, 'node', pathId(request));
        const force = request.query.bool('force');
        const answer = session.control.removeObject(
          { kind: ObjectKind.NODE, id: node.id, force },
          callOptions(request),
        );
        await written(session, answer);
        reply.empty(200);
      },
    },
  ];
}

/**
 * Without a leader nobody watches the nodes: what is written down about who lives and who leads is old, and is not passed on as if it were true.
 */
async function asKnown(
  session: ClusterSession,
  nodes: readonly Node[],
  asker: Asker,
): Promise<readonly Node[]> {
  const status = await session.control.clusterStatus({}, callOptions(asker));
  if (status.leaderNodeId !== '') return nodes;
  return nodes.map((node) => ({
    ...node,
    status: NodeStatus.create({ ...node.status, state: NodeState.UNKNOWN, message: 'no leader' }),
    managerStatus: node.managerStatus && {
      ...node.managerStatus,
      leader: false,
      reachability: Reachability.UNKNOWN,
    },
  }));
}

/** Nodes that pass the filters of GET /nodes. @throws EngineError on a bad role or membership. */
export function listNodes(cache: ObjectCache, filters: EngineFilters): readonly Node[] {
  checkValues(filters, 'role', ['manager', 'worker']);
  checkValues(filters, 'membership', ['accepted', 'pending']);
  const out: Node[] = [];
  for (const node of cache.all('node')) {
    const role = node.spec?.role === NodeRole.MANAGER ? 'manager' : 'worker';
    if (!matchesPrefix(filters.id, node.id)) continue;
    if (!matchesPrefix(filters.name, nameOf('node', node))) continue;
    if (!matchesLabels(filters.label, node.description?.engine?.labels ?? {})) continue;
    if (!matchesLabels(filters['node.label'], node.spec?.labels ?? {})) continue;
    if (filters.role && !filters.role.includes(role)) continue;
    if (filters.membership && !filters.membership.includes('accepted')) continue;
    out.push(node);
  }
  return out;
}

function checkValues(filters: EngineFilters, name: string, known: readonly string[]): void {
  for (const value of filters[name] ?? []) {
    if (!known.includes(value)) {
      throw new EngineError('internal', 500, `Invalid ${name} filter: '${value}'`);
    }
  }
}

async function update(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const node = lookup(session.cache, 'node', pathId(request));
  const answer = session.control.updateObject(
    UpdateObjectRequest.create({
      kind: ObjectKind.NODE,
      id: node.id,
      version: versionParam(request),
      spec: SpecUnion.create({ node: fromEngineJson(NodeSpec, await request.json()) }),
      keepExtensions: true,
    }),
    callOptions(request),
  );
  await written(session, answer);
  reply.empty(200);
}
