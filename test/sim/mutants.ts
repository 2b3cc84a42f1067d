// Planted bugs: each takes away one rule of Raft, of the log or of the host, most of them after bugs
// that other implementations once had (raft.md §1.9). The simulator's checks must catch every one
// (npm run sim:mutants); one that goes through shows a gap in the simulator.
// `find` must occur exactly once in the file.

export interface Mutant {
  readonly name: string;
  /** Where the bug was met, or what it breaks. */
  readonly source: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Not known to be caught within 2,000 seeds (MUTANTS.md): a gap to work on. Tried with --all only. */
  readonly isGap?: true;
}

const RAFT = 'manager/raft';
const WAL = 'manager/wal';
const HOST = 'manager/host/raft';
const STORE = 'manager/store';
const DISPATCHER = 'manager/dispatcher';
const ORCHESTRATOR = 'manager/orchestrator';

export const MUTANTS: readonly Mutant[] = [
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
  {
    name: 'acknowledges before the disk does',
    source: 'etcd #14370',
    file: `${HOST}/append-writer.ts`,
    find: `    this.#isWriting = true;
    this.#startedMs`,
    replace: `    this.#events.respond(group.responses.splice(0));
    this.#isWriting = true;
    this.#startedMs`,
  },
  {
    name: 'does not write a vote that comes alone',
    source: 'Raft paper §5.2',
    file: `${HOST}/append-writer.ts`,
    find: 'if (batches.length === 0 && isVoteNews)',
    replace: 'if (batches.length < 0 && isVoteNews)',
  },
  {
    name: 'group commit keeps entries that were overwritten in the same group',
    source: 'raft.md §1.3',
    file: `${HOST}/append-writer.ts`,
    find: 'else entries.length = Math.min(entries.length, first.index - start);',
    replace: '',
  },
  {
    name: 'goes on after a failed write',
    source: 'fsyncgate; raft-wal #32',
    file: `${HOST}/append-writer.ts`,
    find: 'if (error !== null) this.#events.fail(error);\n      else this.#writeBatches',
    replace:
      'if (error !== null && i < 0) this.#events.fail(error);\n      else this.#writeBatches',
  },
  {
    name: 'a snapshot that comes together with later entries is not restored',
    source: 'etcd #13766',
    file: `${HOST}/client.ts`,
    find: 'if (bytes.length > 0) this.#onRestore',
    replace: 'if (bytes.length > 0 && turn.applied === null) this.#onRestore',
  },
  {
    name: 'marks an older snapshot behind the one of the leader',
    source: 'found by this simulator',
    file: `${HOST}/snapshotter.ts`,
    find: 'Math.max(node.raft.log.firstIndex() - 1, index - trailing)',
    replace: 'Math.max(storage.firstIndex() - 1, index - trailing)',
  },
  {
    name: 'forgets snapshots that are still on the way',
    source: 'found by this simulator',
    file: `${HOST}/snapshotter.ts`,
    find: 'if (taken <= index) this.#taken.delete(taken);',
    replace: 'this.#taken.delete(taken);',
  },
  {
    name: 'reads before the entry is applied',
    source: 'thesis §6.4',
    file: `${HOST}/pending-reads.ts`,
    find: 'if (read.index === null || read.index > appliedIndex) continue;',
    replace: 'if (read.index === null) continue;',
  },
  {
    name: 'says that a change was not made when nobody knows',
    source: 'Jepsen: indeterminate operations',
    file: `${HOST}/proposal-ledger.ts`,
    find: 'if (first.term >= term) break;',
    replace: 'if (first.term > term) break;',
  },
  {
    name: 'tells members that they were removed without a proof',
    source: 'SwarmKit #1815',
    file: `${HOST}/greeting.ts`,
    find: 'const isProved = greeting.isMember && raft.log.committed >= greeting.commit;',
    replace: 'const isProved = raft.log.committed >= 0 || greeting.isMember;',
  },
  {
    name: 'takes damage in the middle for a torn tail',
    source: 'etcd #6378; raft.md §2.2',
    file: `${WAL}/recovery.ts`,
    find: 'const follows = this.#highestBatchAfter(bytes, offset) > this.#lastBatchNo;',
    replace: 'const follows = bytes.length < 0;',
  },
  {
    name: 'forgets how far it must recover',
    source: 'raft.md §2.2',
    file: `${WAL}/recovery.ts`,
    find: 'const recoverUpTo = Math.max(this.#recoverUpTo, damage === null ? 0 : highestSeen);',
    replace: 'const recoverUpTo = damage === null ? 0 : this.#recoverUpTo;',
  },
  {
    name: 'takes what was left by lost frames for committed',
    source: 'found by this simulator',
    file: `${WAL}/recovery.ts`,
    find: '{ ...newest(this.#hardState, hardState), commit };',
    replace:
      'newest(this.#hardState, { ...hardState, commit: Math.max(hardState.commit, commit) });',
    isGap: true,
  },
  {
    name: 'does not miss a lost frame that only a new segment follows',
    source: 'found by this simulator',
    file: `${WAL}/recovery.ts`,
    find: 'this.#highestSeen = Math.max(this.#highestSeen, previousLastIndex, recoverUpTo);',
    replace:
      'this.#highestSeen = Math.max(this.#highestSeen, recoverUpTo * previousLastIndex * 0);',
    isGap: true,
  },
  {
    name: 'one key for all segments',
    source: 'raft.md §2.3, nonce rules',
    file: `${WAL}/segment.ts`,
    find: 'return crypto.hkdfSha256(dek, header.salt, info.finish(), 32);',
    replace: 'return crypto.hkdfSha256(dek, new Uint8Array(32), new Uint8Array(0), 32);',
  },
  {
    name: 'removes segments that are still needed',
    source: 'raft.md §2.3',
    file: `${WAL}/wal.ts`,
    find: 'this.#older.findIndex(({ maxIndex }) => maxIndex > mark.base.index);',
    replace: 'this.#older.findIndex(({ maxIndex }) => maxIndex > mark.meta.index + 8);',
  },
  {
    name: 'a write error of the log is not reported',
    source: 'fsyncgate',
    file: `${WAL}/wal.ts`,
    find: `      if (error !== null) this.#failure = error;
      done(error);`,
    replace: `      done(error === null ? error : null);`,
  },
  {
    name: 'the hard state of a new segment runs behind',
    source: 'raft.md §2.3',
    file: `${WAL}/wal.ts`,
    find: 'this.#hardState = content.hardState;',
    replace: '',
    isGap: true,
  },
  {
    name: 'a snapshot is named after what was applied since it was taken',
    source: 'etcd #13766',
    file: `${HOST}/client.ts`,
    find: "(bytes) => this.#post({ type: 'snapshot', index, bytes }, wholeBuffer(bytes)),",
    replace: `(bytes) =>
        this.#post({ type: 'snapshot', index: this.#appliedIndex, bytes }, wholeBuffer(bytes)),`,
  },
  {
    name: 'replicas take the spec of an updated task from its service',
    source: 'swarmkit: diverging stores',
    file: `${STORE}/apply.ts`,
    find: 'action.kind === StoreActionKind.UPDATE',
    replace: 'action.kind < StoreActionKind.UPDATE',
  },
  {
    name: 'a change is applied on a state that it was not made on',
    source: 'manager/DESIGN.md, chain of transactions',
    file: `${STORE}/store.ts`,
    find: 'if (entry.parent !== this.#committed.lastTransaction) {',
    replace: 'if (entry.parent < 0) {',
  },
  {
    name: 'a change with nothing to do is answered from what is still in flight',
    source: 'found by this simulator',
    file: 'manager/host/replicated-store.ts',
    find: 'if (this.store.pendingCount > 0 && !(await isAccepted(this.#newest))) return undefined;',
    replace: '',
  },
  {
    name: 'watchers that come back get a change again',
    source: 'etcd robustness tests, watch',
    file: `${STORE}/recent-changes.ts`,
    find: 'as CommittedEntry).index <= index) low = middle + 1;',
    replace: 'as CommittedEntry).index < index) low = middle + 1;',
  },
  {
    name: 'late reports of a node turn a task back',
    source: 'swarmkit api/types.proto: task states only grow',
    file: `${DISPATCHER}/status-queue.ts`,
    find: 'if (task.status && isOlder(status, task.status)) continue;',
    replace: '',
  },
  {
    name: 'nodes are thanked for reports before they are committed',
    source: 'swarmkit dispatcher, UpdateTaskStatus',
    file: 'manager/host/dispatcher-service.ts',
    find: 'await Promise.all([committed, described]);',
    replace: 'Promise.all([committed, described]).catch(() => undefined);',
  },
  {
    name: 'a node is not told what its tasks are to do next',
    source: 'swarmkit dispatcher/assignments.go',
    file: `${DISPATCHER}/node-assignments.ts`,
    find: 'if (before && isSameForNode(before, task)) continue;',
    replace: 'if (before) continue;',
  },
  {
    name: 'an update takes down all tasks at once',
    source: 'swarmkit orchestrator/update, parallelism',
    file: `${ORCHESTRATOR}/update.ts`,
    find: 'const room = parallelism === 0 ? Infinity : parallelism - progress.inProgress;',
    replace: 'const room = parallelism >= 0 ? Infinity : progress.inProgress;',
  },
  {
    name: 'start-first stops the old task before the new one runs',
    source: 'moby#34139',
    file: `${ORCHESTRATOR}/update.ts`,
    find: 'if (!ready) continue;',
    replace: '',
  },
  {
    name: 'a successor does not wait for the task before it',
    source: 'swarmkit orchestrator/restart, wait for the old task',
    file: `${ORCHESTRATOR}/slots.ts`,
    find: 'if (stopping) return `waiting',
    replace: 'if (stopping && slot.number < 0) return `waiting',
  },
  {
    name: 'restarts are not counted',
    source: 'swarmkit orchestrator/restart, max attempts',
    file: `${ORCHESTRATOR}/restart.ts`,
    find: 'return restarts < maxAttempts;',
    replace: 'return restarts >= 0;',
  },
  {
    name: 'a job does what was done again',
    source: 'swarmkit orchestrator/jobs',
    file: `${ORCHESTRATOR}/jobs.ts`,
    find: 'else if (wanted.length === 0) open.push(slot);',
    replace: 'else open.push(slot);',
  },
  {
    name: 'a job runs as many tasks at a time as it likes',
    source: 'swarmkit orchestrator/jobs, max concurrent',
    file: `${ORCHESTRATOR}/jobs.ts`,
    find: 'Math.max(0, maxConcurrent - active)',
    replace: 'Math.max(0, total - active)',
  },
  {
    name: 'tasks of an earlier run of a job go on',
    source: 'swarmkit orchestrator/jobs, iterations',
    file: `${ORCHESTRATOR}/jobs.ts`,
    find: 'if ((task.jobIteration?.index ?? 0) === iteration) continue;',
    replace: 'if ((task.jobIteration?.index ?? 0) >= 0 || iteration < 0) continue;',
  },
  {
    name: 'a task on a node that is down is not replaced',
    source: 'swarmkit orchestrator/replicated, node failure',
    file: `${ORCHESTRATOR}/lost.ts`,
    find: "if (node.status?.state === NodeState.DOWN) return 'down';",
    replace: 'if (node.status?.state === NodeState.DOWN) return undefined;',
  },
  {
    name: 'a data key leaves the file while something is sealed with it',
    source: 'raft.md §2.3, key rotation',
    file: `${HOST}/key-vault.ts`,
    find: 'if ([...inUse].every((id) => id === this.currentId)) {',
    replace: 'if (inUse.size > 0) {\n        inUse.clear();',
  },
  {
    name: 'autolock goes on with a data key that was in the clear',
    source: 'swarmkit manager/keymanager',
    file: `${HOST}/key-vault.ts`,
    find: 'const isFirst = this.#kek === null && kek !== null;',
    replace: 'const isFirst = this.#kek !== null && kek === null;',
  },
  {
    name: 'an unlock key that was not needed counts as what the file is locked with',
    source: 'found by this simulator',
    file: `${HOST}/key-vault.ts`,
    find: 'this.#kek = isWrapped ? kek : null;',
    replace: 'this.#kek = isWrapped || kek !== null ? kek : null;',
    isGap: true,
  },
  {
    name: 'the term of a loss is the one of the last start',
    source: 'found by this simulator, seed 1497',
    file: `${WAL}/recovery.ts`,
    find: 'return isNew || this.#recoverTerm === 0 ? this.#hardState.term : this.#recoverTerm;',
    replace: 'return isNew || this.#recoverTerm >= 0 ? this.#hardState.term : this.#recoverTerm;',
    isGap: true,
  },
  {
    name: 'whoever joins a forced group and has the old log is told to be removed',
    source: 'found by this simulator',
    file: `${HOST}/greeting.ts`,
    find: "return isMember(raft.confHistory.current, from) ? 'heard' : 'removed';",
    replace: "return from < 0 ? 'heard' : 'removed';",
  },
  {
    name: 'members of the group from before a forced one are heard',
    source: 'SwarmKit #603, #2670',
    file: `${HOST}/greeting.ts`,
    find: 'if (greeting.epoch < conf.epoch) {',
    replace: 'if (greeting.epoch < 0) {',
    isGap: true,
  },
  {
    name: 'segments with nothing but overwritten entries are kept for ever',
    source: 'found by this simulator',
    file: `${WAL}/wal.ts`,
    find: 'segment.maxIndex = Math.min(segment.maxIndex, first.index - 1);',
    replace: 'segment.maxIndex = Math.max(segment.maxIndex, 0);',
  },
  {
    name: 'a late call to join takes the seat of a manager that lives',
    source: 'found by this simulator',
    file: 'manager/control/membership.ts',
    find: 'if (!isSameDisk) refuseLivingMember(node, members);',
    replace: '',
    isGap: true,
  },
  {
    name: 'a removed node joins again with its key',
    source: 'found by this simulator',
    file: 'manager/ca/issue.ts',
    find: 'if (tx.cluster().removedNodes.some(({ id }) => id === nodeId)) throw noMember(nodeId);',
    replace: '',
  },
  {
    name: 'a removed node gets a new certificate',
    source: 'swarmkit ca/server.go',
    file: 'manager/ca/issue.ts',
    find: `  if (!node?.spec) {
    throw noMember(applicant.nodeId);
  }`,
    replace: `  if (!node?.spec) {
    return { nodeId: applicant.nodeId, certificateRole: 'swarm-worker', nodeRole: 0 };
  }`,
    isGap: true,
  },
  {
    name: 'who goes on alone leaves the others managers',
    source: 'swarmkit #603',
    file: 'manager/control/membership.ts',
    find: 'const spec = node.spec && { ...node.spec, role: NodeRole.WORKER };',
    replace: 'const spec = node.spec;',
  },
  {
    name: 'a new root counts before all have a certificate of it',
    source: 'swarmkit ca/reconciler.go',
    file: 'manager/ca/rotation.ts',
    find: 'if (!rootCa || !next || waitingFor(tx).length > 0) return false;',
    replace: 'if (!rootCa || !next || waitingFor(tx).length < 0) return false;',
  },
  {
    name: 'an update goes on although it is halted',
    source: 'manager/control/services.ts, steered',
    file: `${ORCHESTRATOR}/update.ts`,
    find: 'if (status && PAUSED_STATES.has(status.state)) return service;',
    replace: '',
    isGap: true,
  },
];
