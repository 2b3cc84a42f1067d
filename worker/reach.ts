// The node's side of connections from other nodes' gateways (protocol/proto/reach.proto): keeps one stream open at the leader, on the session's channel, and for
// each question on it opens one more and joins that to a connection to this node's own API. What may be asked there is what the node's socket
// answers anyway; who may ask has been decided by the manager. Lives as long as the session.

import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import type { Client as Channel } from '@grpc/grpc-js';
import { messageOf } from '#protocol/errors';
import { ReachAttachRequest, ReachService } from '#protocol/generated/reach';
import { clientOf } from '#protocol/transport/grpc';
import { openTunnel } from '#protocol/transport/tunnel';
import type { Log } from '#protocol/world';
import { REACH_RETRY_MS } from './limits.ts';
import { delay } from './queue.ts';

export interface ReachDeps {
  /** Path of this node's docker.sock. */
  readonly engineSocket: string;
  readonly log: Log;
}

/** Answers questions until `signal` is aborted. Never rejects. */
export async function serveReach(
  channel: Channel,
  deps: ReachDeps,
  signal: AbortSignal,
): Promise<void> {
  const { log } = deps;
  const client = clientOf(ReachService, channel);
  while (!signal.aborted) {
    try {
      const asks = client.attach(ReachAttachRequest.create({}), { signal });
      for await (const { operation } of asks) join(channel, operation, deps, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.debug('other nodes cannot reach this one', { reason: messageOf(error) });
    }
    await delay(REACH_RETRY_MS, signal);
  }
}

/** One connection. */
function join(channel: Channel, operation: string, deps: ReachDeps, signal: AbortSignal): void {
  const tunnel = openTunnel(channel, ReachService.methods.serve, { operation });
  const socket = connect({ path: deps.engineSocket, allowHalfOpen: true });
  const stop = (): void => {
    tunnel.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  // No second pipeline: it would cut the answer off when the API has closed its side and part of the answer is on its way still.
  tunnel.pipe(socket);
  pipeline(socket, tunnel, (error) => {
    signal.removeEventListener('abort', stop);
    if (error) deps.log.debug('a connection of another node ended', { reason: messageOf(error) });
    socket.destroy();
    // The answer may be on its way still; what the other side sends after it has no reader any more.
    if (error) tunnel.destroy();
    else tunnel.resume();
  });
}
