// `join` on a node that is in this very cluster but cannot find its managers any more: all of them are at other addresses (a restore on other hosts), and this
// node cannot be called (behind a translation, or it has moved, too). It keeps its identity, its containers and its place; only the address is new. A node that
// is in touch with its managers, or in another cluster than the token's, is refused as ever.
import { createHash } from 'node:crypto';
import { pemBlocks } from '#protocol/certificates';
import { messageOf, TswarmError } from '#protocol/errors';
import { caDigestText, parseJoinToken } from '#protocol/join-token';
import type { Clock, Log } from '#protocol/world';
import type { Worker } from '#worker/worker';
import { JOIN_WAIT_MS } from './limits.ts';
import type { Membership } from './membership.ts';
import { firstReachable } from './places.ts';

export interface RejoinDeps {
  readonly worker: Worker;
  readonly clock: Clock;
  readonly log: Log;
}

const WAIT_STEP_MS = 20;

/** @throws TswarmError invalid_argument for a bad token, when that is what matters */
export function hasLostItsCluster(member: Membership, token: string): boolean {
  const { record, identity, isConnected, isLeaving } = member;
  if (!record || !identity || isConnected || isLeaving) return false;
  const { caDigest } = parseJoinToken(token);
  return pemBlocks(identity.caCert).some((root) => digestOf(root) === caDigest);
}

function digestOf(root: string): string {
  return caDigestText(new Uint8Array(createHash('sha256').update(root, 'utf8').digest()));
}

/** @throws unavailable: what stands in the way; then all is as it was */
export async function findAgain(
  member: Membership,
  remoteAddrs: readonly string[],
  { worker, clock, log }: RejoinDeps,
): Promise<void> {
  const known = member.managers;
  const { address } = await firstReachable(remoteAddrs);
  log.info('looking for the cluster of this node', { manager: address });
  worker.setManagers([address]);
  const deadlineMs = clock.monotonicMs() + JOIN_WAIT_MS;
  while (!member.isConnected) {
    if (clock.monotonicMs() > deadlineMs) {
      worker.setManagers(known);
      const why = member.sessionError === undefined ? '' : `: ${messageOf(member.sessionError)}`;
      throw new TswarmError('unavailable', `${address} does not take this node in${why}`, {
        hint: 'Check that it is a manager of this cluster: tswarm info there. To begin anew here: tswarm leave --force.',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS));
  }
}
