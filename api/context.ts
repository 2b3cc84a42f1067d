// What every group of routes is given, and what it gives back.
import type { NodeEngine } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Clock, Log, Random } from '#protocol/world';
import type { ClusterEvents } from './cache/cluster-events.ts';
import { EngineError } from './http/errors.ts';
import type { Reply } from './http/reply.ts';
import type { ApiRequest } from './http/request.ts';
import type { ClusterSession, NodeControl } from './node-control.ts';

export type Handler = (request: ApiRequest, reply: Reply) => Promise<void>;

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly pattern: string;
  readonly handler: Handler;
}

export interface Context {
  readonly engine: NodeEngine;
  readonly node: NodeControl;
  readonly clusterEvents: ClusterEvents;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A name for a service that was given none. */
  readonly randomName: (isTaken: (name: string) => boolean) => string;
  /** Version of tswarm. */
  readonly version: string;
}

const NOT_IN_SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
const ONLY_WORKER =
  "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.";
const LOCKED =
  'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.';
const STARTING = 'The cluster on this node is still starting.';

/** The way to the manager. @throws no_cluster, locked, unavailable: all 503, in Docker's words. */
export function requireSession(context: Context): ClusterSession {
  const session = context.node.session();
  if (session?.cache.isReady) return session;
  const { state, isManager, error } = context.node.state();
  if (state === 'inactive') throw new TswarmError('no_cluster', NOT_IN_SWARM);
  if (state === 'locked') throw new TswarmError('locked', LOCKED);
  if (state !== 'error' && !isManager) throw new TswarmError('no_cluster', ONLY_WORKER);
  throw new TswarmError('unavailable', error === '' ? STARTING : error, {
    retryable: true,
    hint: 'Try again in a few seconds.',
  });
}

/** `?version=`, which every Engine API update needs. @throws EngineError 400. */
export function versionParam(request: ApiRequest): number {
  const text = request.query.text('version');
  if (!/^\d{1,15}$/.test(text)) {
    throw new EngineError(
      'invalid_argument',
      400,
      `invalid version ${JSON.stringify(text)}: must be the Version.Index that was read`,
    );
  }
  return Number(text);
}

/** The body of a request that needs one. @throws invalid_argument. */
export function pathId(request: ApiRequest, name = 'id'): string {
  return (request.params[name] ?? '').replace(/^\//, '');
}
