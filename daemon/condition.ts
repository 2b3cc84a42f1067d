// What a node says of itself in `info`: Swarm's state of a node and the one thing that is wrong, with what to do about it.
import type { NodeState } from '#api/node-control';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import type { LocalManager } from './local-manager.ts';
import type { Membership } from './membership.ts';

export const NO_CLUSTER: NodeState = {
  state: 'inactive',
  error: '',
  nodeId: '',
  clusterId: '',
  isManager: false,
  nodeAddr: '',
  controlAddr: '',
  isHostOnly: false,
  remoteManagers: [],
};

/** State and error of a node that is in a cluster. */
export function conditionOf(
  member: Membership,
  manager: LocalManager | undefined,
  isManager: boolean,
): readonly [NodeState['state'], string] {
  const { sessionError, hasSession, isLeaving } = member;
  if (manager?.isLocked) return ['locked', ''];
  const why = sessionError === undefined ? '' : messageOf(sessionError);
  // Two hosts have this identity, and the other one was first.
  if (hasCode(sessionError, 'conflict')) return ['pending', why];
  if (hasCode(sessionError, 'permission_denied') || hasCode(sessionError, 'data_loss')) {
    return ['error', `${why}; run "tswarm leave" on this node`];
  }
  if (!isManager && member.lifePassed >= 1) {
    return ['error', 'the certificate of this node has expired: leave the cluster and join again'];
  }
  if (isManager) {
    const isReady = manager?.link?.cache.isReady === true && !isLeaving;
    return [isReady ? 'active' : 'pending', manager?.error ?? ''];
  }
  // A worker that is to be a manager says what keeps it from that.
  return hasSession ? ['active', manager?.error ?? ''] : ['pending', why];
}

/** For whoever has asked a manager to go on alone that is locked. */
export function waitsForKey(): TswarmError {
  return new TswarmError('locked', 'this manager is locked: it waits for the unlock key', {
    hint: 'Run `tswarm unlock` on this host: with the key the manager goes on alone.',
  });
}
