// GET /tswarm/v1/images, /local-volumes and /stats: what every node has of its own, put together. Nodes are asked at once and for a bounded time; those that
// are down or do not answer are named in `missing`, so that an answer says itself whether it is whole. Nothing is kept between two calls.
import type { EngineJson } from '#protocol/engine';
import { hasCode, messageOf } from '#protocol/errors';
import { nameOf } from '../cache/lookup.ts';
import { type Context, type Route, requireSession } from '../context.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { STATS_AT_ONCE_MAX } from '../limits.ts';
import { OtherNodes } from '../reach/other-nodes.ts';
import { containerStats } from './container-stats.ts';
import type { ClusterImage, ContainerStats, LocalVolume, MissingNode } from './types.ts';

const BASE = '/tswarm/v1';
const NODE_STATS = `${BASE}/node/stats`;

export function acrossRoutes(context: Context): readonly Route[] {
  const nodes = new OtherNodes(context);
  return [
    { method: 'GET', pattern: `${BASE}/images`, handler: (q, r) => images(context, nodes, q, r) },
    {
      method: 'GET',
      pattern: `${BASE}/local-volumes`,
      handler: (q, r) => volumes(context, nodes, q, r),
    },
    { method: 'GET', pattern: `${BASE}/stats`, handler: (q, r) => stats(context, nodes, q, r) },
    {
      method: 'GET',
      pattern: NODE_STATS,
      handler: async (request, reply) => reply.json(200, await ownStats(context, request.signal)),
    },
  ];
}

/** What one node said. */
interface Part<T> {
  readonly node: string;
  readonly answer: T;
}

/** This node's own part and those of the others. */
async function gathered<T>(
  context: Context,
  nodes: OtherNodes,
  target: string,
  own: () => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly parts: readonly Part<T>[]; readonly missing: readonly MissingNode[] }> {
  requireSession(context);
  const [mine, others] = await Promise.all([
    own(),
    nodes.gather<T>({ method: 'GET', target }, signal),
  ]);
  const missing = others.missing.map(({ node, reason }) => ({
    id: node.id,
    node: node.hostname,
    reason,
  }));
  const parts = others.answers.map(({ node, answer }) => ({ node: node.hostname, answer }));
  return {
    parts: [{ node: ownName(context), answer: mine }, ...parts],
    missing,
  };
}

function ownName(context: Context): string {
  const { nodeId } = context.node.state();
  const node = context.node.session()?.cache.get('node', nodeId);
  return node ? nameOf('node', node) : '';
}

async function images(
  context: Context,
  nodes: OtherNodes,
  { signal }: ApiRequest,
  reply: Reply,
): Promise<void> {
  const own = (): Promise<readonly EngineJson[]> =>
    context.engine.images.list({ all: false, filters: {}, digests: true });
  const target = '/v1.44/images/json?digests=1';
  const { parts, missing } = await gathered(context, nodes, target, own, signal);
  const byId = new Map<string, ClusterImage>();
  for (const { node, answer } of parts) {
    for (const one of answer) {
      const id = String(one.Id);
      byId.set(id, merged(byId.get(id), one, node));
    }
  }
  reply.json(200, { images: [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1)), missing });
}

/** An image as the nodes before knew it, and as this one does: names may be on one and not on another. */
function merged(before: ClusterImage | undefined, one: EngineJson, node: string): ClusterImage {
  const texts = (value: unknown): readonly string[] => (value ?? []) as readonly string[];
  const union = (a: readonly string[], b: readonly string[]): readonly string[] =>
    [...new Set([...a, ...b])].sort();
  return {
    id: String(one.Id),
    tags: union(before?.tags ?? [], texts(one.RepoTags)),
    digests: union(before?.digests ?? [], texts(one.RepoDigests)),
    createdAt: new Date(Number(one.Created) * 1000).toISOString(),
    sizeBytes: Number(one.Size),
    nodes: union(before?.nodes ?? [], [node]),
  };
}

async function volumes(
  context: Context,
  nodes: OtherNodes,
  { signal, query }: ApiRequest,
  reply: Reply,
): Promise<void> {
  const own = (): Promise<EngineJson> => context.engine.volumes.list({});
  const { parts, missing } = await gathered(context, nodes, '/v1.44/volumes', own, signal);
  const wanted = query.all('node');
  const isWanted = (node: string): boolean => wanted.length === 0 || wanted.includes(node);
  const found: LocalVolume[] = [];
  for (const { node, answer } of parts) {
    if (!isWanted(node)) continue;
    for (const one of (answer.Volumes ?? []) as readonly EngineJson[]) {
      found.push({
        name: String(one.Name),
        node,
        driver: String(one.Driver),
        mountpoint: String(one.Mountpoint),
        createdAt: String(one.CreatedAt),
        labels: (one.Labels ?? {}) as EngineJson,
      });
    }
  }
  reply.json(200, {
    volumes: found,
    missing: missing.filter(({ id, node }) => isWanted(node) || wanted.includes(id)),
  });
}

async function stats(
  context: Context,
  nodes: OtherNodes,
  { signal, query }: ApiRequest,
  reply: Reply,
): Promise<void> {
  const own = (): Promise<readonly ContainerStats[]> => ownStats(context, signal);
  const { parts, missing } = await gathered(context, nodes, NODE_STATS, own, signal);
  const [services, places, stack] = [query.all('service'), query.all('node'), query.text('stack')];
  const found = parts.flatMap(({ node, answer }) =>
    answer
      .filter(
        (one) =>
          (services.length === 0 || services.includes(one.service)) &&
          (places.length === 0 || places.includes(node)) &&
          (stack === '' || one.stack === stack),
      )
      .map((one) => ({ ...one, node })),
  );
  reply.json(200, { containers: found, missing });
}

/** Of all containers that run here; those that end meanwhile are left out. */
async function ownStats(context: Context, signal: AbortSignal): Promise<readonly ContainerStats[]> {
  const { containers } = context.engine;
  const filters = { status: ['running', 'paused'] };
  const running = await containers.list({ all: false, limit: 0, size: false, filters });
  const node = ownName(context);
  const out: ContainerStats[] = [];
  for (let at = 0; at < running.length; at += STATS_AT_ONCE_MAX) {
    const some = running.slice(at, at + STATS_AT_ONCE_MAX);
    const read = await Promise.all(
      some.map(async (one) => {
        try {
          const options = { stream: false, oneShot: true };
          for await (const sample of await containers.stats(String(one.Id), options, signal)) {
            return containerStats(one, sample, node);
          }
        } catch (error) {
          if (!hasCode(error, 'not_found')) {
            context.log.debug('figures of a container', { reason: messageOf(error) });
          }
        }
        return undefined;
      }),
    );
    for (const one of read) if (one) out.push(one);
  }
  return out;
}
