// Linearizable reads on a leader: thesis §6.4. A leader answers nothing before it has committed an
// entry of its own term, because its commit mark may be behind until then (etcd #7331); that holds
// for a single member too, whose durable commit mark lags after a restart.
import { MAX_PENDING_READS } from './limits.ts';
import type { Raft } from './raft.ts';
import type { ReadAnswer, ReadRequest } from './read-only.ts';
import { broadcastHeartbeat } from './replication.ts';
import { type Message, MessageType, makeMessage, NO_NODE } from './types.ts';

/** A read arrived at the leader. */
export function leaderRead(raft: Raft, request: ReadRequest): void {
  if (!raft.committedInOwnTerm()) {
    if (raft.earlyReads.length < MAX_PENDING_READS) raft.earlyReads.push(request);
    return;
  }
  if (raft.tracker.isSingleton() && raft.tracker.conf.voters[0] === raft.id) {
    answer(raft, { index: raft.log.committed, request });
    return;
  }
  const round = raft.readOnly.add(raft.log.committed, request, raft.id);
  if (round !== 0) broadcastHeartbeat(raft, round);
}

/** The first entry of the term is committed: start the rounds that had to wait. */
export function releaseEarlyReads(raft: Raft): void {
  if (raft.earlyReads.length === 0 || !raft.committedInOwnTerm()) return;
  const reads = raft.earlyReads;
  raft.earlyReads = [];
  for (const request of reads) leaderRead(raft, request);
}

/** A member answered a heartbeat that carried a read round. */
export function acknowledgeRead(raft: Raft, message: Message): void {
  const isQuorum = (acks: ReadonlySet<number>): boolean =>
    raft.tracker.voteResult((id) => (acks.has(id) ? true : undefined)) === 'won';
  const answers = raft.readOnly.acknowledge(message.from, message.context, isQuorum);
  for (const item of answers) answer(raft, item);
}

function answer(raft: Raft, { index, request }: ReadAnswer): void {
  if (request.from === NO_NODE || request.from === raft.id) {
    raft.readStates.push({ index, context: request.context });
    return;
  }
  const fields = { index, context: request.context };
  raft.send(makeMessage(MessageType.readIndexResponse, request.from, fields));
}
