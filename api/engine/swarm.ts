// /swarm: state of the cluster, init, join, leave, update, unlock. What changes the node itself goes to the daemon (NodeControl).
import type { EngineJson } from '#protocol/engine';
import { fromEngineJson } from '#protocol/engine-json';
import { hasCode, TswarmError } from '#protocol/errors';
import { ClusterSpec } from '#protocol/generated/specs';
import {
  applySettings,
  clusterOf,
  leaveWarning,
  updateCluster,
  withoutZeros,
} from '../cluster-spec.ts';
import { type Context, type Route, requireSession, versionParam } from '../context.ts';
import { callOptions } from '../control.ts';
import { EngineError } from '../http/errors.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, boolKey, keyOf, textKey } from '../http/request.ts';
import type { InitOptions } from '../node-control.ts';
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

async function inspect(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const status = await session.control.clusterStatus({}, callOptions(request));
  const cluster = clusterOf(session);
  const json = clusterJson(cluster, {
    worker: status.joinTokenWorker,
    manager: status.joinTokenManager,
  });
  reply.json(200, json);
}

async function init(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  const forceNewCluster = boolKey(body, 'ForceNewCluster');
  const { state, isHostOnly } = context.node.state();
  if (!forceNewCluster && !isHostOnly) refuseInSwarm(context);
  refuseDataPathAddr(body);
  const nodeId = await context.node
    .init({
      listenAddr: textKey(body, 'ListenAddr'),
      advertiseAddr: textKey(body, 'AdvertiseAddr'),
      embedded: false,
      defaultAddrPool: textList(body, 'DefaultAddrPool'),
      subnetSize: chosenSubnetSize(wholeNumber(body, 'SubnetSize'), isHostOnly),
      availability: availability(body),
      dataPathPort: wholeNumber(body, 'DataPathPort'),
      forceNewCluster,
    })
    .catch((error: unknown) => {
      if (hasCode(error, 'already_exists')) refuseInSwarm(context);
      throw error;
    });
  await applySettings(context, initialSpec(body), { isNew: state === 'inactive' }, request);
  reply.json(200, nodeId);
}

/** What the stock client sends when nobody has chosen a size. */
const STOCK_SUBNET_SIZE = 24;

/** 0 = not chosen: the cluster of this host that `init` opens has its subnets already, and the stock client always names a size. */
export function chosenSubnetSize(asked: number, isHostOnly: boolean): number {
  return isHostOnly && asked === STOCK_SUBNET_SIZE ? 0 : asked;
}

function initialSpec(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const spec = keyOf(body, 'Spec');
  const said = typeof spec === 'object' && spec !== null ? withoutZeros(spec as EngineJson) : {};
  if (!boolKey(body, 'AutoLockManagers')) return said;
  return { ...said, EncryptionConfig: { AutoLockManagers: true } };
}

/** Accepting an address that nothing uses would be a lie. */
function refuseDataPathAddr(body: Readonly<Record<string, unknown>>): void {
  const address = textKey(body, 'DataPathAddr');
  if (address === '' || address === textKey(body, 'AdvertiseAddr').replace(/:\d+$/, '')) return;
  throw new TswarmError(
    'not_supported',
    'DataPathAddr: where a node takes container traffic is a setting of its daemon',
    {
      field: 'DataPathAddr',
      hint: 'Leave it out, and start tswarmd there with --mesh-addr ADDRESS if it must be another.',
    },
  );
}

function refuseInSwarm(context: Context): void {
  if (context.node.state().state === 'inactive') return;
  throw new EngineError(
    'failed_precondition',
    503,
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
  );
}

export function textList(body: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const value = keyOf(body, name) ?? [];
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
    throw new TswarmError('invalid_argument', `${name}: must be a list of strings`, {
      field: name,
    });
  }
  return value as string[];
}

export function wholeNumber(body: Readonly<Record<string, unknown>>, name: string): number {
  const value = keyOf(body, name) ?? 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TswarmError('invalid_argument', `${name}: must be a whole number`, { field: name });
  }
  return value;
}

export function availability(body: Readonly<Record<string, unknown>>): InitOptions['availability'] {
  const text = textKey(body, 'Availability') || 'active';
  if (text === 'active' || text === 'pause' || text === 'drain') return text;
  throw new TswarmError('invalid_argument', `invalid Availability: ${JSON.stringify(text)}`, {
    field: 'Availability',
  });
}

async function join(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  refuseInSwarm(context);
  refuseDataPathAddr(body);
  await context.node.join({
    listenAddr: textKey(body, 'ListenAddr'),
    advertiseAddr: textKey(body, 'AdvertiseAddr'),
    remoteAddrs: textList(body, 'RemoteAddrs'),
    joinToken: textKey(body, 'JoinToken'),
    availability: availability(body),
  });
  reply.empty(200);
}

async function leave(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const force = request.query.bool('force');
  const { state, isManager } = context.node.state();
  if (state === 'inactive') {
    throw new EngineError('no_cluster', 503, 'This node is not part of a swarm');
  }
  if (isManager && !force) {
    throw new EngineError('failed_precondition', 503, leaveWarning(context.node.session()));
  }
  await context.node.leave({ force });
  reply.empty(200);
}

async function update(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const spec = fromEngineJson(ClusterSpec, await request.json());
  const rotate = {
    workerToken: request.query.bool('rotateWorkerToken'),
    managerToken: request.query.bool('rotateManagerToken'),
    unlockKey: request.query.bool('rotateManagerUnlockKey'),
  };
  const version = versionParam(request);
  await updateCluster(session, { spec, version, rotate }, request);
  reply.empty(200);
}

async function unlock(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  const { state } = context.node.state();
  if (state === 'inactive') {
    throw new EngineError('no_cluster', 503, 'This node is not part of a swarm');
  }
  if (state !== 'locked') throw new EngineError('conflict', 409, 'swarm is not locked');
  await context.node.unlock(textKey(body, 'UnlockKey'));
  reply.empty(200);
}

async function unlockKey(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const answer = await session.control.getUnlockKey({}, callOptions(request));
  reply.json(200, { UnlockKey: answer.unlockKey });
}
