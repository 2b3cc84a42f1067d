// Planted bugs in the rules of Raft itself (manager/raft).
import type { Mutant } from './mutants.ts';

const RAFT = 'manager/raft';

export const RAFT_MUTANTS: readonly Mutant[] = [
  {
    name: 'commits an entry of an earlier term',
    source: 'Raft paper, figure 8',
    file: `${RAFT}/replication.ts`,
    find: 'if (raft.log.term(index) !== raft.term) return false;',
    replace: '',
  },
  {
    name: 'follower commits before it has compared the logs',
    source: 'raft.md §1.2',
    file: `${RAFT}/follower.ts`,
    find: 'if (log.matches({ term: logTerm, index })) {',
    replace: `log.commitTo(Math.min(message.commit, index, log.lastIndex()));
  if (log.matches({ term: logTerm, index })) {`,
  },
  {
    name: 'heartbeat carries a commit mark that the member may not have',
    source: 'etcd-io/raft bcastHeartbeat',
    file: `${RAFT}/replication.ts`,
    find: 'const commit = Math.min(progress.match, raft.log.committed);',
    replace: 'const commit = raft.log.committed;',
  },
  {
    name: 'votes for a candidate with an older log',
    source: 'Raft paper §5.4.1',
    file: `${RAFT}/election.ts`,
    find: 'if (!mayVote || !upToDate) {',
    replace: 'if (!mayVote) {',
  },
  {
    name: 'votes twice in a term',
    source: 'Raft paper §5.2',
    file: `${RAFT}/election.ts`,
    find: '(raft.vote === NO_NODE && raft.leader === NO_NODE) ||',
    replace: 'raft.leader === NO_NODE ||',
  },
  {
    name: 'quorum is one short for even sizes',
    source: 'hashicorp 163a55f',
    file: `${RAFT}/quorum.ts`,
    find: 'return Math.floor(voterCount / 2) + 1;',
    replace: 'return Math.ceil(voterCount / 2);',
  },
  {
    name: 'commits by the incoming half of a joint configuration alone',
    source: 'Raft paper §6',
    file: `${RAFT}/quorum.ts`,
    find: 'return Math.min(majorityCommitted(incoming, acked), majorityCommitted(outgoing, acked));',
    replace: 'return outgoing.length < 0 ? 0 : majorityCommitted(incoming, acked);',
  },
  {
    name: 'wins an election by the incoming half alone',
    source: 'Raft paper §6',
    file: `${RAFT}/quorum.ts`,
    find: 'const second = majorityVote(outgoing, voteOf);',
    replace: 'const second = outgoing.length < 0 ? majorityVote(outgoing, voteOf) : first;',
  },
  {
    name: 'answers reads before an entry of the own term is committed',
    source: 'etcd #7331, TikV #9208',
    file: `${RAFT}/reads.ts`,
    find: `  if (!raft.committedInOwnTerm()) {
    if (raft.earlyReads`,
    replace: `  if (raft.term < 0) {
    if (raft.earlyReads`,
  },
  {
    name: 'leads before its own vote is on its disk',
    source: 'Raft paper, figure 2',
    file: `${RAFT}/election.ts`,
    find: "const counted = isEarly ? 'pending' : result;",
    replace: 'const counted = result;',
  },
  {
    name: 'answers reads without asking a quorum',
    source: 'thesis §6.4',
    file: `${RAFT}/reads.ts`,
    find: 'if (raft.tracker.isSingleton() && raft.tracker.conf.voters[0] === raft.id) {',
    replace: 'if (raft.role === 2) {',
  },
  {
    name: 'late heartbeat answers confirm newer reads',
    source: 'etcd #20418',
    file: `${RAFT}/read-only.ts`,
    find: 'if (pending.round > round) break;',
    replace: '',
  },
  {
    name: 'two membership changes at a time',
    source: 'Raft paper §6',
    file: `${RAFT}/membership.ts`,
    find: `  if (raft.confHistory.currentIndex > raft.log.committed) {
    return \``,
    replace: `  if (raft.term < 0) {
    return \``,
  },
  {
    name: 'membership change before an entry of the own term is committed',
    source: 'Ongaro 2015, raft-dev',
    file: `${RAFT}/membership.ts`,
    find: 'if (!isSoleVoter && !raft.committedInOwnTerm()) {',
    replace: 'if (raft.term < 0 && !isSoleVoter) {',
  },
  {
    name: 'a truncated configuration stays in effect',
    source: 'raft.md §1.6',
    file: `${RAFT}/membership.ts`,
    find: 'let changed = raft.confHistory.truncateFrom(first.index);',
    replace: 'let changed = false;',
  },
  {
    name: 'a snapshot does not bring its configuration',
    source: 'ScyllaDB #9551',
    file: `${RAFT}/membership.ts`,
    find: `  raft.confHistory.reset(index, conf);
  activate(raft);
}

function recordConfigurations`,
    replace: `  raft.confHistory.reset(index, raft.tracker.conf.voters.length > 0 ? raft.tracker.conf : conf);
  activate(raft);
}

function recordConfigurations`,
  },
  {
    name: 'never leaves a joint configuration by itself',
    source: 'etcd-io/raft bd3c759, #12359',
    file: `${RAFT}/membership.ts`,
    find: 'if (appendEntries(raft, [{ type: EntryType.confChange, data }])) broadcastAppend(raft);',
    replace: 'if (raft.term < 0) appendEntries(raft, [{ type: EntryType.confChange, data }]);',
  },
  {
    name: 'a removed leader goes on',
    source: 'raft #83, thesis §4.2.2',
    file: `${RAFT}/membership.ts`,
    find: 'if (!isVoter(conf, raft.id)) handOver(raft);',
    replace: 'if (raft.term < 0) handOver(raft);',
  },
  {
    name: 'an old append acknowledgement makes newer entries stable',
    source: 'raft.md §1.3, ABA',
    file: `${RAFT}/unstable.ts`,
    find: "if (term !== id.term) return 'entry was overwritten since';",
    replace: '',
    isGap: true,
  },
  {
    name: 'truncates the log without a conflict',
    source: 'Raft paper §5.3',
    file: `${RAFT}/follower.ts`,
    find: 'const conflict = log.findConflict(entries);',
    replace: 'const conflict = entries[0]?.index ?? log.findConflict(entries);',
  },
  {
    name: 'takes a snapshot that is older than its log',
    source: 'raft.md §1.7',
    file: `${RAFT}/follower.ts`,
    find: 'if (snapshot.index <= raft.log.committed) return false;',
    replace: 'if (snapshot.index <= raft.log.firstIndex()) return false;',
  },
  {
    name: 'keeps the own log behind a snapshot that conflicts with it',
    source: 'ScyllaDB #9551',
    file: `${RAFT}/follower.ts`,
    find: 'if (raft.log.matches(snapshot)) {',
    replace: 'if (raft.log.lastIndex() >= snapshot.index) {',
  },
  {
    name: 'next falls to match',
    source: 'etcd-io/raft PR 149',
    file: `${RAFT}/progress.ts`,
    find: 'this.next = Math.max(this.next, index + 1);',
    replace: '',
  },
  {
    name: 'accounts of uncommitted bytes leak',
    source: 'etcd-io/raft a370b6f',
    file: `${RAFT}/raft.ts`,
    find: 'this.uncommittedBytes = Math.max(0, this.uncommittedBytes - payloadBytes(message.entries));',
    replace: '',
  },
  {
    name: 'does not answer a leader of a lower term',
    source: 'etcd #8501, #9586',
    file: `${RAFT}/raft.ts`,
    find: 'this.send(makeMessage(MessageType.appendResponse, from));',
    replace: '',
  },
  {
    name: 'a learner stands for election',
    source: 'hashicorp #398, etcd-io/raft db54973',
    file: `${RAFT}/raft.ts`,
    find: 'if (isVoter(this.tracker.conf, this.id)) return true;',
    replace: 'if (this.tracker.has(this.id)) return true;',
  },
  {
    name: 'votes while its damaged log is being recovered',
    source: 'raft.md §2.2, CTRL',
    file: `${RAFT}/raft.ts`,
    find: 'if (committed >= this.config.recoverUpTo) return false;',
    replace: 'if (committed >= 0) return false;',
  },
];
