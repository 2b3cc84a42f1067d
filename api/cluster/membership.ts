// /tswarm/v1/cluster/…: making, joining, leaving, changing, locking, saving and restoring the cluster. The same as /swarm, with settings that are changed one
// by one, and with what Docker lacks (backup, restore). What changes the node itself goes to the daemon (NodeControl).
import { TswarmError } from '#protocol/errors';
import { applySettings, changeCluster, leaveWarning, type Rotations } from '../cluster-spec.ts';
import { type Context, type Route, requireSession } from '../context.ts';
import { callOptions, onBehalfOf } from '../control.ts';
import { availability, textList, wholeNumber } from '../engine/swarm.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, boolKey, keyOf, textKey } from '../http/request.ts';
import { clusterInfo } from './cluster.ts';

/** Not in the query: queries end up in logs. */
const UNLOCK_KEY_HEADER = 'x-unlock-key';
const BASE = '/tswarm/v1/cluster';
type Body = Readonly<Record<string, unknown>>;

export function membershipRoutes(context: Context): readonly Route[] {
  const post = (
    name: string,
    handler: (context: Context, request: ApiRequest, reply: Reply) => Promise<void>,
  ): Route => ({
    method: 'POST',
    pattern: `${BASE}/${name}`,
    handler: (request, reply) => handler(context, request, reply),
  });
  return [
    post('init', init),
    post('join', join),
    post('leave', leave),
    post('update', update),
    post('unlock', unlock),
    post('restore', restore),
    { method: 'GET', pattern: `${BASE}/unlock-key`, handler: (q, r) => unlockKey(context, q, r) },
    { method: 'GET', pattern: `${BASE}/backup`, handler: (q, r) => backup(context, q, r) },
  ];
}

async function init(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = (await request.optionalJson()) ?? {};
  const forceNewCluster = boolKey(body, 'forceNewCluster');
  const { state, isHostOnly } = context.node.state();
  if (!forceNewCluster && !isHostOnly) refuseInCluster(context);
  await context.node.init({
    listenAddr: textKey(body, 'listenAddr'),
    advertiseAddr: textKey(body, 'advertiseAddr'),
    embedded: boolKey(body, 'embedded'),
    defaultAddrPool: textList(body, 'defaultAddrPool'),
    subnetSize: wholeNumber(body, 'subnetSize'),
    availability: availability(body),
    dataPathPort: wholeNumber(body, 'dataPathPort'),
    forceNewCluster,
  });
  await applySettings(context, specPart(body), { isNew: state === 'inactive' }, request);
  reply.json(200, await clusterInfo(context, request));
}

function refuseInCluster(context: Context): void {
  if (context.node.state().state === 'inactive') return;
  throw new TswarmError('already_exists', 'this node is already in a cluster', {
    hint: 'Leave it first: tswarm leave --force.',
  });
}

function specPart(body: Body): Body {
  const spec = keyOf(body, 'spec') ?? {};
  if (typeof spec === 'object' && !Array.isArray(spec)) return spec as Body;
  throw new TswarmError('invalid_argument', 'spec: must be an object', { field: 'spec' });
}

async function join(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  // A node that has lost its cluster finds it again by this; the node refuses all others itself.
  await context.node.join({
    listenAddr: textKey(body, 'listenAddr'),
    advertiseAddr: textKey(body, 'advertiseAddr'),
    remoteAddrs: textList(body, 'remoteAddrs'),
    joinToken: textKey(body, 'token'),
    availability: availability(body),
  });
  reply.json(200, await clusterInfo(context, request));
}

async function leave(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const force = request.query.bool('force');
  const { state, isManager } = context.node.state();
  if (state === 'inactive') throw new TswarmError('no_cluster', 'this node is in no cluster');
  if (isManager && !force) {
    throw new TswarmError('conflict', leaveWarning(context.node.session()).trim());
  }
  await context.node.leave({ force });
  reply.empty(204);
}

async function update(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const body = await request.json();
  const rotate: Rotations = {
    workerToken: boolKey(body, 'rotateWorkerToken'),
    managerToken: boolKey(body, 'rotateManagerToken'),
    unlockKey: boolKey(body, 'rotateUnlockKey'),
  };
  await changeCluster(session, specPart(body), rotate, request);
  reply.json(200, await clusterInfo(context, request));
}

async function unlock(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json();
  const { state } = context.node.state();
  if (state === 'inactive') throw new TswarmError('no_cluster', 'this node is in no cluster');
  if (state !== 'locked') throw new TswarmError('conflict', 'swarm is not locked');
  await context.node.unlock(textKey(body, 'unlockKey'));
  reply.empty(204);
}

async function unlockKey(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const answer = await session.control.getUnlockKey({}, callOptions(request));
  reply.json(200, { unlockKey: answer.unlockKey });
}

/** The chunks one after the other are the file; one that breaks off ends the connection, so that nobody takes it for whole. */
async function backup(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const chunks = session.control.backup({}, onBehalfOf(request))[Symbol.asyncIterator]();
  // A refusal is a status of its own, so the first chunk comes before the answer begins.
  let chunk = await chunks.next();
  const stream = reply.stream(200, 'application/octet-stream');
  for (; !chunk.done; chunk = await chunks.next()) await stream.write(chunk.value.data);
  stream.end();
}

async function restore(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  refuseInCluster(context);
  await context.node.restore({
    listenAddr: request.query.text('listenAddr'),
    advertiseAddr: request.query.text('advertiseAddr'),
    data: request.stream(),
    unlockKey: String(request.headers[UNLOCK_KEY_HEADER] ?? ''),
  });
  reply.json(200, await clusterInfo(context, request));
}
