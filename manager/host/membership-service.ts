// The Membership service: managers that join or tell of themselves. Any manager answers by way of
// the leader, which looks first whether it can reach the new one at its addresses: a manager that
// nobody reaches would only cost quorum. Only a manager's own certificate is let in, for itself.
import { createConnection } from 'node:net';
import { hostname } from 'node:os';
import { peersOf } from '#manager/control/managers';
import {
  admitManager,
  announceManager,
  hasSeat,
  type JoinAddresses,
  refuseCopy,
} from '#manager/control/membership';
import { managerAddresses } from '#manager/dispatcher/nodes';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { hasCode, TswarmError } from '#protocol/errors';
import {
  type JoinRequest,
  type JoinResponse,
  type MembershipMethods,
  MembershipService,
} from '#protocol/generated/membership';
import type { Handlers, Peer } from '#protocol/transport/grpc';
import { nodeClock } from '#protocol/transport/node-world';
import { reachErrorText } from '#protocol/transport/reach-errors';
import { refuseOtherProtocol } from '#protocol/version';
import type { Log, Random } from '#protocol/world';
import { DIAL_BACK_MS, LEADER_LOOK_MS, SEAT_WAIT_MS } from '../limits.ts';
import { newRaftId } from './identity.ts';
import type { LeaderAccess } from './leader-access.ts';
import { ADDRESS_CHARS_MAX, withSeenHost } from './places.ts';
import type { RaftNode } from './raft/raft-node.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface MembershipDeps {
  readonly replicated: ReplicatedStore;
  readonly leader: LeaderAccess;
  readonly raft: Pick<RaftNode, 'status'>;
  readonly random: Random;
  readonly log: Log;
}

export function membershipHandlers(deps: MembershipDeps): Handlers<MembershipMethods> {
  return {
    join: (request, context) => {
      requireItself(context.peer, request.nodeId);
      refuseOtherProtocol(`manager ${request.nodeId}`, request.protocol);
      return deps.leader.run(
        context,
        MembershipService,
        () => join(deps, request, context.peer),
        (client, options) => client.join(request, options),
      );
    },
    announce: (request, context) => {
      requireItself(context.peer, request.nodeId);
      return deps.leader.run(
        context,
        MembershipService,
        async () => {
          refuseCopy(deps.raft.status().members, request);
          await deps.replicated.update({ author: request.nodeId, summary: '' }, (tx) =>
            announceManager(tx, request),
          );
          return {};
        },
        (client, options) => client.announce(request, options),
      );
    },
    // The state here will do when it is up to date: what is said may end a member.
    seat: async (request, context) => {
      requireItself(context.peer, request.nodeId);
      await deps.leader.caughtUp();
      return { isGiven: hasSeat(deps.replicated.view, request) };
    },
  };
}

async function join(
  { replicated, raft, random, log }: MembershipDeps,
  request: JoinRequest,
  peer: Peer,
): Promise<JoinResponse> {
  const addresses: JoinAddresses = {
    control: asSeenFromHere(request.controlAddr, peer, 'control_addr'),
    raft: asSeenFromHere(request.raftAddr, peer, 'raft_addr'),
  };
  await Promise.all([dialBack(addresses.control), dialBack(addresses.raft)]);
  const admit = async (): Promise<number> => {
    const options = { author: request.nodeId, summary: `manager ${request.nodeId}: join` };
    const { value } = await replicated.update(options, (tx) =>
      admitManager(tx, request, addresses, raft.status().members, () => newRaftId(random)),
    );
    return value;
  };
  const raftId = await untilSeatIsFree(admit);
  log.info('manager joins', { node: request.nodeId, raftId, address: addresses.control });
  const { view } = replicated;
  return {
    raftId,
    peers: peersOf(view, 0),
    managers: managerAddresses(view),
    unlockKey: view.cluster().unlockKey,
    controlAddr: addresses.control,
    raftAddr: addresses.raft,
  };
}

/** A manager that lost its disk a moment ago still counts as there until nothing has been heard of it for a while. */
async function untilSeatIsFree(admit: () => Promise<number>): Promise<number> {
  const endMs = nodeClock.monotonicMs() + SEAT_WAIT_MS;
  for (;;) {
    try {
      return await admit();
    } catch (error) {
      if (!hasCode(error, 'conflict') || nodeClock.monotonicMs() >= endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, LEADER_LOOK_MS));
    }
  }
}

/** @throws TswarmError unauthenticated, permission_denied */
function requireItself(peer: Peer, nodeId: string): void {
  if (peer.nodeId === '') {
    throw new TswarmError('unauthenticated', 'a certificate of a manager is needed');
  }
  if (peer.role === CERTIFICATE_ROLE.manager && peer.nodeId === nodeId) return;
  throw new TswarmError(
    'permission_denied',
    `node ${peer.nodeId} (${peer.role}) cannot speak for manager ${nodeId}`,
  );
}

/** The address with the caller's own host where it gave none that others could use. */
function asSeenFromHere(address: string, peer: Peer, field: string): string {
  if (!/^.*:\d{1,5}$/.test(address) || address.length > ADDRESS_CHARS_MAX) {
    throw new TswarmError('invalid_argument', `${field}: expected HOST:PORT`, { field });
  }
  return withSeenHost(address, peer.address);
}

/** @throws TswarmError failed_precondition when nothing answers at the address. */
function dialBack(address: string): Promise<void> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(at + 1));
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, timeout: DIAL_BACK_MS });
    const fail = (why: string): void => {
      socket.destroy();
      reject(
        new TswarmError(
          'failed_precondition',
          `the new manager cannot be reached at ${address} from the leader (${hostname()}): ${why}`,
          { hint: 'Check --advertise-addr, and that firewalls let ports 2377 and 2378 through.' },
        ),
      );
    };
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => fail(`no answer within ${DIAL_BACK_MS / 1000} s`));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      fail(reachErrorText(error.code ?? error.message)),
    );
  });
}
