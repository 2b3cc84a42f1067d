// /networks: the cluster's (from the manager) and this node's own (bridge, host, none; from the worker) as one list. A name may be in both;
// `scope=` chooses, else an exact id, then a cluster network wins. connect and disconnect act on containers of this node.

import type { EngineJson } from '#protocol/engine';
import {
  checkFilters,
  matchesLabel,
  matchesLabels,
  matchesPrefix,
  untilMs,
} from '#protocol/engine-filters';
import { fromEngineJson } from '#protocol/engine-json';
import { hasCode, TswarmError } from '#protocol/errors';
import { CreateObjectRequest, ObjectKind, SpecUnion } from '#protocol/generated/control';
import { Network, TaskState } from '#protocol/generated/objects';
import { Driver, NetworkSpec } from '#protocol/generated/specs';
import { taskName } from '#protocol/ids';
import { tryLookup } from '../cache/lookup.ts';
import { type Context, pathId, type Route, requireSession } from '../context.ts';
import { type Asker, callOptions, written } from '../control.ts';
import { EngineError } from '../http/errors.ts';
import { parseFilters } from '../http/filters.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, keyOf, textKey } from '../http/request.ts';
import { NETWORK_FREE_POLL_MS, NETWORK_FREE_WAIT_MS } from '../limits.ts';
import type { ClusterSession } from '../node-control.ts';
import { attachedContainers, networkJson } from './shapes.ts';

const FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];
/** Networks of each node that services may be on, under these names. */
export const NODE_LOCAL: ReadonlySet<string> = new Set(['bridge', 'host', 'none']);
/** Those of them that Swarm's clients may name; `none` is ours, by the cluster API alone. */
const SERVICE_LOCAL: ReadonlySet<string> = new Set(['bridge', 'host']);
/** First announced version whose networks say it. */
const ENABLE_IPV4_SINCE = 1044;
/** Of a node's id, as Swarm names peers. */
const PEER_NAME_CHARS = 12;
const PREDEFINED = new Set(['bridge', 'host', 'none', 'default']);

export function networkRoutes(context: Context): readonly Route[] {
  const { networks } = context.engine;
  return [
    { method: 'GET', pattern: '/networks', handler: (q, r) => list(context, q, r) },
    { method: 'POST', pattern: '/networks/create', handler: (q, r) => create(context, q, r) },
    { method: 'POST', pattern: '/networks/prune', handler: (q, r) => prune(context, q, r) },
    { method: 'GET', pattern: '/networks/{id}', handler: (q, r) => inspect(context, q, r) },
    { method: 'DELETE', pattern: '/networks/{id}', handler: (q, r) => remove(context, q, r) },
    {
      method: 'POST',
      pattern: '/networks/{id}/connect',
      handler: async (request, reply) => {
        const body = await request.json();
        const { id, name } = targetOf(context, pathId(request));
        await networks.connect(id, body, name);
        reply.empty(200);
      },
    },
    {
      method: 'POST',
      pattern: '/networks/{id}/disconnect',
      handler: async (request, reply) => {
        const body = await request.json();
        const { id, name } = targetOf(context, pathId(request));
        await networks.disconnect(id, body, name);
        reply.empty(200);
      },
    },
  ];
}

/** The session when there is one: without a cluster only the node's networks are shown. */
function sessionOf(context: Context): ClusterSession | undefined {
  const session = context.node.session();
  return session?.cache.isReady ? session : undefined;
}

/** Cluster networks go to the worker by id, so that a name means the same to both. */
function targetOf(
  context: Context,
  idOrName: string,
): { readonly id: string; readonly name?: string } {
  const session = sessionOf(context);
  const network = session && tryLookup(session.cache, 'network', idOrName);
  return network ? { id: network.id, name: network.spec?.name ?? '' } : { id: idOrName };
}

async function list(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const filters = parseFilters(request.query.raw('filters'));
  checkFilters(filters, FILTERS);
  for (const type of filters.type ?? []) {
    if (type !== 'custom' && type !== 'builtin') {
      throw new EngineError('internal', 500, `Invalid filter 'type=${type}'`);
    }
  }
  const out: EngineJson[] = [];
  const session = sessionOf(context);
  if (session) for (const network of session.cache.all('network')) out.push(networkJson(network));
  const known = new Set(out.map((network) => network.Id));
  // The worker may list the cluster networks that it has joined: they are in the list already.
  for (const network of await context.engine.networks.list({})) {
    if (!known.has(network.Id)) out.push(network);
  }
  const shown = out.filter((network) => passes(network, filters, session));
  reply.json(
    200,
    shown.map((network) => ofVersion(network, request.version)),
  );
}

/** Clients of an API that had no `EnableIPv4` are not shown it. */
function ofVersion(network: EngineJson, version: number): EngineJson {
  if (version >= ENABLE_IPV4_SINCE) return network;
  const { EnableIPv4: _unknown, ...known } = network;
  return known;
}

function passes(
  network: EngineJson,
  filters: Readonly<Record<string, readonly string[]>>,
  session: ClusterSession | undefined,
): boolean {
  const name = String(network.Name);
  const id = String(network.Id);
  const labels = (network.Labels ?? {}) as Record<string, string>;
  if (filters.driver && !filters.driver.includes(String(network.Driver))) return false;
  if (filters.scope && !filters.scope.includes(String(network.Scope))) return false;
  if (!matchesPrefix(filters.id, id)) return false;
  if (filters.name && !filters.name.some((wanted) => name.includes(wanted))) return false;
  if (!matchesLabels(filters.label, labels)) return false;
  if (filters.type) {
    const type = PREDEFINED.has(name) || network.Ingress === true ? 'builtin' : 'custom';
    if (!filters.type.includes(type)) return false;
  }
  const dangling = filters.dangling?.[0];
  if (dangling === undefined) return true;
  const used =
    PREDEFINED.has(name) ||
    Object.keys((network.Containers ?? {}) as object).length > 0 ||
    (session !== undefined && isUsed(session, id));
  return used !== ['true', '1'].includes(dangling);
}

function isUsed(session: ClusterSession, networkId: string): boolean {
  for (const service of session.cache.all('service')) {
    if (service.spec?.taskTemplate?.networks.some((n) => n.target === networkId)) return true;
  }
  for (const task of session.cache.all('task')) {
    if ((task.status?.state ?? 0) > TaskState.COMPLETE) continue;
    if (task.networkAttachments.some((a) => a.networkId === networkId)) return true;
  }
  return false;
}

async function inspect(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const id = pathId(request);
  const scope = request.query.text('scope');
  const session = sessionOf(context);
  const network = scope === 'local' ? undefined : findCluster(session, id);
  if (session && network) {
    const { nodeId } = context.node.state();
    const tasks = attachedContainers(session.cache, network.id, nodeId);
    const local = await localPart(context, network.id);
    const containers = { ...tasks, ...(local?.Containers as object | undefined) };
    const peers = peersOf(session, network);
    const json = {
      ...networkJson(network, containers),
      ...(peers.length > 0 ? { Peers: peers } : {}),
    };
    reply.json(
      200,
      request.query.bool('verbose') ? { ...json, ...verbosePart(session, network) } : json,
    );
    return;
  }
  if (scope === 'swarm' && session && SERVICE_LOCAL.has(id)) {
    reply.json(200, networkJson(nodeLocal(id)));
    return;
  }
  if (scope === 'swarm') throw new TswarmError('not_found', `network ${id} not found`);
  reply.json(200, ofVersion(await context.engine.networks.inspect(id), request.version));
}

/** Nodes that take part in a network now: those with a task on it. */
function peersOf(session: ClusterSession, network: Network): readonly EngineJson[] {
  const nodeIds = new Set<string>();
  for (const task of session.cache.all('task')) {
    if (task.status?.state !== TaskState.RUNNING) continue;
    if (task.networkAttachments.some((a) => a.networkId === network.id)) nodeIds.add(task.nodeId);
  }
  return [...nodeIds].map((nodeId) => ({
    Name: nodeId.slice(0, PEER_NAME_CHARS),
    IP: session.cache.get('node', nodeId)?.status?.addr ?? '',
  }));
}

/** Each node's own network, as `docker service create --network host` asks for it before it uses the id. */
function nodeLocal(name: string): Network {
  const driverConfig = Driver.create({ name });
  return Network.create({ id: name, spec: NetworkSpec.create({ name, driverConfig }) });
}

/** What this node knows of a cluster network: containers of `docker run` on it. */
async function localPart(context: Context, id: string): Promise<EngineJson | undefined> {
  try {
    return await context.engine.networks.inspect(id);
  } catch {
    return undefined;
  }
}

function findCluster(session: ClusterSession | undefined, id: string): Network | undefined {
  return session && tryLookup(session.cache, 'network', id);
}

/** Services of a network with their addresses and tasks, for inspect --verbose. */
function verbosePart(session: ClusterSession, network: Network): EngineJson {
  const services: Record<string, unknown> = {};
  for (const service of session.cache.all('service')) {
    const vip = service.endpoint?.virtualIps.find((v) => v.networkId === network.id);
    const tasks: unknown[] = [];
    for (const task of session.cache.tasksOf(service.id)) {
      if (task.status?.state !== TaskState.RUNNING) continue;
      const attachment = task.networkAttachments.find((a) => a.networkId === network.id);
      if (!attachment) continue;
      const node = session.cache.get('node', task.nodeId);
      tasks.push({
        Name: taskName(task),
        EndpointID: '',
        EndpointIP: bareAddress(attachment.addresses[0] ?? ''),
        Info: { 'Host IP': node?.status?.addr ?? '' },
      });
    }
    if (!vip && tasks.length === 0) continue;
    services[service.spec?.name ?? service.id] = {
      VIP: bareAddress(vip?.addr ?? ''),
      Ports: (service.endpoint?.ports ?? []).map(
        (p) => `Target: ${p.targetPort}, Publish: ${p.publishedPort}`,
      ),
      LocalLBIndex: 0,
      Tasks: tasks,
    };
  }
  return { Services: services };
}

function bareAddress(cidr: string): string {
  return cidr.split('/')[0] ?? '';
}

async function create(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  const name = textKey(body, 'Name');
  const driver = textKey(body, 'Driver') || 'bridge';
  if (PREDEFINED.has(name)) {
    throw new TswarmError(
      'permission_denied',
      `operation is not permitted on predefined ${name} network`,
    );
  }
  const isCluster = driver === 'overlay' || textKey(body, 'Scope') === 'swarm';
  if (!isCluster) {
    const session = sessionOf(context);
    if (session && tryLookup(session.cache, 'network', name)?.spec?.name === name)
      throw taken(name);
    reply.json(201, { Warning: '', ...(await context.engine.networks.create(body)) });
    return;
  }
  const session = requireSession(context);
  if (tryLookup(session.cache, 'network', name)?.spec?.name === name) throw taken(name);
  refuseUnsupported(body);
  const answer = session.control.createObject(
    CreateObjectRequest.create({ spec: SpecUnion.create({ network: readSpec(body, driver) }) }),
    callOptions(request),
  );
  const { network } = await written(session, answer);
  reply.json(201, { Id: network?.id ?? '', Warning: (await answer).warnings.join(' ') });
}

function taken(name: string): TswarmError {
  return new TswarmError('already_exists', `network with name ${name} already exists`);
}

function refuseUnsupported(body: EngineJson): void {
  if (keyOf(body, 'ConfigOnly') === true || keyOf(body, 'ConfigFrom')) {
    throw new TswarmError('not_supported', 'ConfigOnly, ConfigFrom: not supported', {
      field: 'ConfigFrom',
      hint: 'Give the settings in the network itself.',
    });
  }
}

/** The Engine's body as a NetworkSpec: other names, the same meaning. */
function readSpec(body: EngineJson, driver: string): NetworkSpec {
  const ipam = (keyOf(body, 'IPAM') ?? {}) as EngineJson;
  return fromEngineJson(NetworkSpec, {
    Name: keyOf(body, 'Name'),
    Labels: keyOf(body, 'Labels'),
    DriverConfig: { Name: driver, Options: keyOf(body, 'Options') },
    IPv6Enabled: keyOf(body, 'EnableIPv6'),
    Internal: keyOf(body, 'Internal'),
    Attachable: keyOf(body, 'Attachable'),
    Ingress: keyOf(body, 'Ingress'),
    IPAMOptions: {
      Driver: keyOf(ipam, 'Driver') ?? '',
      Options: keyOf(ipam, 'Options'),
      Config: keyOf(ipam, 'Config'),
    },
  });
}

async function remove(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const id = pathId(request);
  const session = sessionOf(context);
  const network = findCluster(session, id);
  if (!session || !network) {
    await context.engine.networks.remove(id);
    reply.empty(204);
    return;
  }
  await removeWhenFree(context, session, network.id, request);
  reply.empty(204);
}

/**
 * `docker stack rm` removes services and then, at once, their networks. As long as nothing but tasks that are on their way out uses a network,
 * the call waits for them instead of failing.
 */
async function removeWhenFree(
  context: Context,
  session: ClusterSession,
  id: string,
  asker: Asker,
): Promise<void> {
  const deadline = context.clock.monotonicMs() + NETWORK_FREE_WAIT_MS;
  for (;;) {
    try {
      const request = { kind: ObjectKind.NETWORK, id, force: false };
      await written(session, session.control.removeObject(request, callOptions(asker)));
      return;
    } catch (error) {
      const isLate = context.clock.monotonicMs() > deadline || asker.signal.aborted;
      if (!hasCode(error, 'failed_precondition') || isLate || !isOnlyLeaving(session, id)) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, NETWORK_FREE_POLL_MS));
  }
}

/** True when no service uses the network and each task that does is to be stopped. */
function isOnlyLeaving(session: ClusterSession, id: string): boolean {
  for (const service of session.cache.all('service')) {
    if (service.spec?.taskTemplate?.networks.some((n) => n.target === id)) return false;
  }
  for (const task of session.cache.all('task')) {
    const isWanted = task.desiredState <= TaskState.COMPLETE;
    if (isWanted && task.networkAttachments.some((a) => a.networkId === id)) return false;
  }
  return true;
}

async function prune(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const filters = parseFilters(request.query.raw('filters'));
  checkFilters(filters, ['label', 'label!', 'until']);
  const local = await context.engine.networks.prune(filters);
  const deleted = [...((local.NetworksDeleted ?? []) as string[])];
  const session = sessionOf(context);
  const limits = (filters.until ?? []).map((value) => untilMs(value, context.clock.nowMs()));
  for (const network of session ? [...session.cache.all('network')] : []) {
    if (!session || network.spec?.ingress || network.stack !== '') continue;
    if (isUsed(session, network.id)) continue;
    const labels = network.spec?.labels ?? {};
    if (!matchesLabels(filters.label, labels)) continue;
    if ((filters['label!'] ?? []).some((value) => matchesLabel(labels, value))) continue;
    const createdMs = (network.meta?.createdAt ?? 0) / 1000;
    if (limits.some((limit) => createdMs > limit)) continue;
    const answer = session.control.removeObject(
      { kind: ObjectKind.NETWORK, id: network.id, force: false },
      callOptions(request),
    );
    try {
      await written(session, answer);
      deleted.push(network.spec?.name ?? network.id);
    } catch (error) {
      // Somebody began to use it in the meantime: then it stays, as prune promises.
      context.log.debug('network not pruned', { network: network.id, reason: String(error) });
    }
  }
  reply.json(200, { NetworksDeleted: deleted.length > 0 ? deleted : null });
}
