// What both ends of the connections between managers agree on: the hello, and the refusal that means
// "you are out of the group for good".
import * as grpc from '@grpc/grpc-js';
import { MessageType } from '#manager/raft/types';
import { TswarmError } from '#protocol/errors';
import { PeerHello } from '#protocol/generated/raft';
import { toServiceError } from '#protocol/transport/grpc';
import { refuseOtherProtocol } from '#protocol/version';
import type { Greeting } from './greeting.ts';

/** Grows when a member that does not know a change of hello, frames or messages would take them for
 * something else. Like all that travels between managers, N and N - 1 work together. */
export const PEER_PROTOCOL_VERSION = 1;

/** What members say to each other on the stream of messages. Snapshots come on their own call;
 * proposals are not passed on; the rest never leaves a process. */
export const PEER_MESSAGES: ReadonlySet<MessageType> = new Set([
  MessageType.append,
  MessageType.appendResponse,
  MessageType.vote,
  MessageType.voteResponse,
  MessageType.preVote,
  MessageType.preVoteResponse,
  MessageType.heartbeat,
  MessageType.heartbeatResponse,
  MessageType.timeoutNow,
  MessageType.readIndex,
  MessageType.readIndexResponse,
]);

/** Metadata field of a refusal. */
const REMOVED_KEY = 'tswarm-removed';

export interface Parties {
  readonly clusterId: string;
  readonly from: number;
  readonly to: number;
  /** Where the caller is reached; '' = as known. */
  readonly addr: string;
  /** Of the caller's process. */
  readonly instance: string;
}

export function makeHello(parties: Parties, greeting: Greeting): PeerHello {
  const { isMember: member, ...rest } = greeting;
  return PeerHello.create({ version: PEER_PROTOCOL_VERSION, ...parties, ...rest, member });
}

/** The greeting in a hello for `own`. @throws TswarmError when it is for somebody else */
export function checkHello(
  hello: PeerHello | undefined,
  own: { readonly clusterId: string; readonly raftId: number },
  version: number = PEER_PROTOCOL_VERSION,
): Greeting {
  if (hello === undefined) {
    throw new TswarmError('invalid_argument', 'the first frame must be a hello');
  }
  refuseOtherProtocol(`member ${hello.from}`, hello.version, version);
  if (hello.clusterId !== own.clusterId) {
    throw new TswarmError('permission_denied', 'this manager belongs to another cluster');
  }
  if (hello.to !== own.raftId) {
    const message = `member ${hello.to} is not here; this is member ${own.raftId}`;
    throw new TswarmError('failed_precondition', message);
  }
  const { epoch, commit, member: isMember, namesCallee } = hello;
  return { epoch, commit, isMember, namesCallee };
}

/** The refusal of a caller that was removed. */
export function removedError(raftId: number): Partial<grpc.ServiceError> {
  const message = `member ${raftId} was removed from the cluster`;
  const error = toServiceError(new TswarmError('failed_precondition', message));
  error.metadata?.set(REMOVED_KEY, '1');
  return error;
}

export function isRemovedError(error: Error): boolean {
  const { metadata } = error as { readonly metadata?: unknown };
  return metadata instanceof grpc.Metadata && metadata.get(REMOVED_KEY)[0] === '1';
}
