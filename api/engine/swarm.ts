// /swarm: state of the cluster, init, join, leave, update, unlock. What changes the node itself goes to the daemon (NodeControl).
import { fromEngineJson } from '#protocol/engine-json';
import { TswarmError } from '#protocol/errors';
import { ObjectKind, SpecUnion } from '#protocol/generated/control';
import type { Cluster } from '#protocol/generated/objects';
import { ClusterSpec } from '#protocol/generated/specs';
import { type Context, type Route, requireSession, versionParam } from '../context.ts';
import { callOptions, written } from '../control.ts';
import { EngineError } from '../http/errors.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, boolKey, keyOf, textKey } from '../http/request.ts';
import type { ClusterSession, InitOptions } from '../node-control.ts';
import { clusterJson } from './shapes.ts';

export function swarmRoutes(context: Context): readonly Route[] {
  return [
    { method: 'GET', pattern: '/swarm', handler: (q, r) => inspect(context, q, r) },
    { method: 'POST', pattern: '/swarm/init', handler: (q, r) => init(context, q, r) },
    { method: 'POST', pattern: '/swarm/join', handler: (q, r) => join(context, q, r) },
    { method: 'POST', pattern: '/swarm/leave', handler: (q, r) => leave(context, q, r) },
    { method: 'POST', pattern: '/swarm/update', handler: (q, r) => update(context, q, r) },
    { method: 'POST', pattern: '/swarm/unlock', handler: (q, r) => unlock(context, q, r) },
    { method: 'GET', pattern: '/swarm/unlockkey', handler: (q, r) => unlockKey(context, q, r) },
  ];
}

/** The one cluster object. @throws unavailable when it is not known yet. */
export function clusterOf(session: ClusterSession): Cluster {
  const [cluster] = session.cache.all('cluster');
  if (!cluster) throw new TswarmError('unavailable', 'the cluster object is not known yet');
  return cluster;
}

async function inspect(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const status = await session.control.clusterStatus({}, callOptions(request.signal));
  const cluster = clusterOf(session);
  const json = clusterJson(cluster, {
    worker: status.joinTokenWorker,
    manager: status.joinTokenManager,
  });
  json.TLSInfo = { TrustRoot: status.caCert };
  reply.json(200, json);
}

async function init(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  refuseInSwarm(context);
  if (boolKey(body, 'ForceNewCluster')) {
    throw new TswarmError('not_supported', 'ForceNewCluster: not supported yet', {
      hint: 'Leave the cluster with --force and start a new one.',
    });
  }
  if (boolKey(body, 'AutoLockManagers')) {
    throw new TswarmError('not_supported', 'AutoLockManagers: not supported yet', {
      hint: 'Start the cluster without --autolock.',
    });
  }
  const nodeId = await context.node.init({
    listenAddr: textKey(body, 'ListenAddr'),
    advertiseAddr: textKey(body, 'AdvertiseAddr'),
    embedded: false,
    defaultAddrPool: textList(body, 'DefaultAddrPool'),
    subnetSize: wholeNumber(body, 'SubnetSize'),
    availability: availability(body),
    dataPathPort: wholeNumber(body, 'DataPathPort'),
    forceNewCluster: boolKey(body, 'ForceNewCluster'),
  });
  const spec = keyOf(body, 'Spec');
  const session = context.node.session();
  if (session && typeof spec === 'object' && spec !== null) {
    await applyInitialSpec(session, spec as Record<string, unknown>, request);
  }
  reply.json(200, nodeId);
}

function refuseInSwarm(context: Context): void {
  if (context.node.state().state === 'inactive') return;
  throw new EngineError(
    'failed_precondition',
    503,
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
  );
}

/** `docker swarm init` sends a spec with every part, mostly empty; only a spec that says something becomes an update. */
async function applyInitialSpec(
  session: ClusterSession,
  json: Record<string, unknown>,
  request: ApiRequest,
): Promise<void> {
  const asked = fromEngineJson(ClusterSpec, withoutZeros(json));
  const current = clusterOf(session);
  const spec: ClusterSpec = {
    ...asked,
    name: current.spec?.name || 'default',
    raft: asked.raft ?? current.spec?.raft,
  };
  if (JSON.stringify(withoutZeros(json)) === '{}') return;
  const answer = session.control.updateObject(
    clusterUpdate(current, current.meta?.version?.index ?? 0, spec),
    callOptions(request.signal),
  );
  await written(session, answer);
}

/** Drops nulls, zeros, empty texts and objects that hold nothing else. */
function withoutZeros(json: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    if (value === null || value === 0 || value === '' || value === false) continue;
    if (typeof value === 'object' && !Array.isArray(value)) {
      const inner = withoutZeros(value as Record<string, unknown>);
      if (Object.keys(inner).length > 0) out[key] = inner;
    } else out[key] = value;
  }
  return out;
}

type UpdateRequest = Parameters<ClusterSession['control']['updateObject']>[0];

function clusterUpdate(cluster: Cluster, version: number, spec: ClusterSpec): UpdateRequest {
  return {
    kind: ObjectKind.CLUSTER,
    id: cluster.id,
    version,
    spec: SpecUnion.create({ cluster: spec }),
    rollback: false,
    rotateWorkerToken: false,
    rotateManagerToken: false,
    rotateUnlockKey: false,
    keepExtensions: true,
    rollbackTo: undefined,
  };
}

function textList(body: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const value = keyOf(body, name) ?? [];
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
    throw new TswarmError('invalid_argument', `${name}: must be a list of strings`, {
      field: name,
    });
  }
  return value as string[];
}

function wholeNumber(body: Readonly<Record<string, unknown>>, name: string): number {
  const value = keyOf(body, name) ?? 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TswarmError('invalid_argument', `${name}: must be a whole number`, { field: name });
  }
  return value;
}

function availability(body: Readonly<Record<string, unknown>>): InitOptions['availability'] {
  const text = textKey(body, 'Availability') || 'active';
  if (text === 'active' || text === 'pause' || text === 'drain') return text;
  throw new TswarmError('invalid_argument', `invalid Availability: ${JSON.stringify(text)}`, {
    field: 'Availability',
  });
}

async function join(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  refuseInSwarm(context);
  await context.node.join({
    listenAddr: textKey(body, 'ListenAddr'),
    advertiseAddr: textKey(body, 'AdvertiseAddr'),
    remoteAddrs: textList(body, 'RemoteAddrs'),
    joinToken: textKey(body, 'JoinToken'),
    availability: availability(body),
  });
  reply.empty(200);
}

const LAST_MANAGER =
  'You are attempting to leave the swarm on a node that is participating as a manager. Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ';

async function leave(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const force = request.query.bool('force');
  const { state, isManager } = context.node.state();
  if (state === 'inactive') {
    throw new EngineError('no_cluster', 503, 'This node is not part of a swarm');
  }
  if (isManager && !force) throw new EngineError('failed_precondition', 503, LAST_MANAGER);
  await context.node.leave({ force });
  reply.empty(200);
}

async function update(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const spec = fromEngineJson(ClusterSpec, await request.json());
  const answer = session.control.updateObject(
    {
      ...clusterUpdate(clusterOf(session), versionParam(request), spec),
      rotateWorkerToken: request.query.bool('rotateWorkerToken'),
      rotateManagerToken: request.query.bool('rotateManagerToken'),
      rotateUnlockKey: request.query.bool('rotateManagerUnlockKey'),
    },
    callOptions(request.signal),
  );
  await written(session, answer);
  reply.empty(200);
}

async function unlock(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  if (context.node.state().state !== 'locked') {
    throw new EngineError('conflict', 409, 'swarm is not locked');
  }
  await context.node.unlock(textKey(body, 'UnlockKey'));
  reply.empty(200);
}

async function unlockKey(context: Context, _request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const locked = clusterOf(session).spec?.encryptionConfig?.autoLockManagers ?? false;
  if (locked) {
    throw new TswarmError('not_supported', 'unlock keys are not supported yet', {
      hint: 'Turn auto-lock off: docker swarm update --autolock=false.',
    });
  }
  reply.json(200, { UnlockKey: '' });
}
