// One member of a Raft group as a deterministic state machine: messages and ticks go in, messages
// and log changes come out (collected by RawNode). No clock, no randomness, no I/O of its own.
// Owns term, vote, role, leader, timers and the outgoing messages; the rules live beside it:
// election.ts, leader.ts, follower.ts, replication.ts, membership.ts, reads.ts.
// Sources: Raft paper (USENIX ATC'14) and thesis (2014), etcd-io/raft raft.go for structure,
// raft.md §1 for the decisions. Deviations from etcd: a configuration takes effect when appended;
// reads are never answered before an entry of the own term is committed, also by a single member;
// a removed leader hands over and steps down by itself.
import { isVoter } from './conf.ts';
import { ConfHistory } from './conf-history.ts';
import { checkConfig, type RaftConfig } from './config.ts';
import { campaign, handleVoteRequest } from './election.ts';
import { stepCandidate, stepFollower } from './follower.ts';
import { invariant } from './invariant.ts';
import { stepLeader } from './leader.ts';
import { RaftLog } from './log.ts';
import { afterCommit, loadConfiguration } from './membership.ts';
import { ReadOnly, type ReadRequest } from './read-only.ts';
import { appendEntries } from './replication.ts';
import { entriesBytes, payloadBytes } from './storage.ts';
import { Tracker } from './tracker.ts';
import {
  EntryType,
  type HardState,
  type Message,
  MessageType,
  makeMessage,
  NO_NODE,
  type RaftId,
  type ReadState,
  Role,
  type Snapshot,
  type SoftState,
  type StepError,
} from './types.ts';

const NO_DATA = new Uint8Array(0);

/** Fields are written only by this class and the step functions beside it. */
export class Raft {
  readonly id: RaftId;
  readonly config: RaftConfig;
  readonly log: RaftLog;
  readonly tracker: Tracker;
  readonly confHistory: ConfHistory = new ConfHistory();
  term: number;
  vote: RaftId;
  role: Role = Role.follower;
  leader: RaftId = NO_NODE;
  /** Member that leadership is being handed to; proposals are refused meanwhile. */
  transferee: RaftId = NO_NODE;
  /** Members that the newest configuration drops → last entry known to match there. */
  readonly departing: Map<RaftId, number> = new Map();
  /** Ticks since the last word of the leader; of a leader, since the last quorum check. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTicks = 0;
  /** Index of this leader's first entry: from there on its commit mark can be trusted. */
  termStartIndex = 0;
  /** Bytes proposed in this term and not applied yet. */
  uncommittedBytes = 0;
  readOnly: ReadOnly = new ReadOnly();
  /** Reads that came before the first commit of this term. */
  earlyReads: ReadRequest[] = [];
  readStates: ReadState[] = [];
  /** May be sent at once. */
  messages: Message[] = [];
  /** May be sent only when everything appended before is durable. */
  messagesAfterAppend: Message[] = [];

  constructor(config: RaftConfig) {
    checkConfig(config);
    this.id = config.id;
    this.config = config;
    this.log = new RaftLog(config.storage, config.maxCommittedBytesPerReady);
    this.tracker = new Tracker({
      maxCount: config.maxInflightMessages,
      maxBytes: config.maxInflightBytes,
    });
    const hardState = config.storage.hardState();
    this.term = hardState.term;
    this.vote = hardState.vote;
    this.log.restoreMarks(hardState.commit, config.applied);
    loadConfiguration(this, config.storage);
    this.becomeFollower(this.term, NO_NODE);
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  softState(): SoftState {
    return { leader: this.leader, role: this.role };
  }

  note(
    level: 'debug' | 'info' | 'warn',
    message: string,
    values: Readonly<Record<string, string | number | boolean>> = {},
  ): void {
    this.config.note({ level, message, values });
  }

  /** Queues a message. Answers that count as a vote or as a stored entry wait for the disk. */
  send(message: Message): void {
    const { type } = message;
    const isVote =
      type === MessageType.vote ||
      type === MessageType.voteResponse ||
      type === MessageType.preVote ||
      type === MessageType.preVoteResponse;
    invariant(isVote === (message.term !== 0), 'message carries a wrong kind of term', { type });
    // Proposals and reads are passed on in the name of whoever made them and carry no term.
    const isTermless = type === MessageType.propose || type === MessageType.readIndex;
    const out: Message = {
      ...message,
      from: message.from === NO_NODE ? this.id : message.from,
      term: isVote || isTermless ? message.term : this.term,
    };
    if (
      type === MessageType.appendResponse ||
      type === MessageType.voteResponse ||
      type === MessageType.preVoteResponse
    ) {
      this.messagesAfterAppend.push(out);
    } else {
      invariant(out.to !== this.id, 'message to itself', { type });
      this.messages.push(out);
    }
  }

  /** Time passes by one tick. */
  tick(): void {
    if (this.role === Role.leader) this.#tickLeader();
    else this.#tickElection();
  }

  #tickElection(): void {
    this.electionElapsed++;
    if (this.canCampaign() && this.electionElapsed >= this.randomizedElectionTicks) {
      this.electionElapsed = 0;
      this.step(makeMessage(MessageType.hup, this.id, { from: this.id }));
    }
  }

  #tickLeader(): void {
    this.heartbeatElapsed++;
    this.electionElapsed++;
    if (this.electionElapsed >= this.config.electionTicks) {
      this.electionElapsed = 0;
      if (this.config.checkQuorum) {
        this.step(makeMessage(MessageType.checkQuorum, this.id, { from: this.id }));
      }
      // A transfer that takes longer than an election is given up (thesis §3.10).
      if (this.role === Role.leader) this.transferee = NO_NODE;
    }
    if (this.role !== Role.leader || this.heartbeatElapsed < this.config.heartbeatTicks) return;
    this.heartbeatElapsed = 0;
    this.step(makeMessage(MessageType.beat, this.id, { from: this.id }));
  }

  /** Handles one message. Returns why it had no effect, or null. */
  step(message: Message): StepError | null {
    if (message.term > this.term) {
      if (!this.#meetHigherTerm(message)) return null;
    } else if (message.term !== 0 && message.term < this.term) {
      this.#answerLowerTerm(message);
      return null;
    }
    switch (message.type) {
      case MessageType.hup:
        campaign(this, this.config.preVote ? 'preVote' : 'election');
        return null;
      case MessageType.storageAppendResponse:
        this.#onAppended(message);
        return null;
      case MessageType.storageApplyResponse:
        this.#onApplied(message);
        return null;
      case MessageType.vote:
      case MessageType.preVote:
        handleVoteRequest(this, message);
        return null;
      default:
        if (this.role === Role.leader) return stepLeader(this, message);
        if (this.role === Role.follower) return stepFollower(this, message);
        return stepCandidate(this, message);
    }
  }

  /** Returns false if the message is to be ignored altogether. */
  #meetHigherTerm(message: Message): boolean {
    const { type } = message;
    const isRequest = type === MessageType.vote || type === MessageType.preVote;
    // Thesis §4.2.3: a member that hears its leader neither votes nor raises its term, so that a
    // removed or flapping member cannot disturb the group. Transfers are exempt.
    const inLease =
      this.config.checkQuorum &&
      this.leader !== NO_NODE &&
      this.electionElapsed < this.config.electionTicks;
    if (isRequest && inLease && !message.force) {
      this.note('info', 'ignored a vote request while the leader is alive', {
        from: message.from,
        messageTerm: message.term,
      });
      return false;
    }
    // A pre-vote asks about a term that nobody has entered yet, and so does its grant.
    if (type === MessageType.preVote) return true;
    if (type === MessageType.preVoteResponse && !message.reject) return true;
    this.note('info', 'met a higher term', { from: message.from, messageTerm: message.term });
    const fromLeader =
      type === MessageType.append ||
      type === MessageType.heartbeat ||
      type === MessageType.snapshot;
    this.becomeFollower(message.term, fromLeader ? message.from : NO_NODE);
    return true;
  }

  #answerLowerTerm(message: Message): void {
    const { type, from } = message;
    const fromLeader = type === MessageType.append || type === MessageType.heartbeat;
    if (fromLeader && (this.config.checkQuorum || this.config.preVote)) {
      // With stickiness or pre-vote nobody raises the stale leader's term by asking for votes, so
      // it must learn of ours by an answer, or both sides wait for ever (etcd #8501).
      this.send(makeMessage(MessageType.appendResponse, from));
    } else if (type === MessageType.preVote) {
      // A pre-candidate behind in term must learn of it too (etcd #8243).
      this.send(makeMessage(MessageType.preVoteResponse, from, { term: this.term, reject: true }));
    } else if (type === MessageType.storageAppendResponse) {
      // Entries may have been overwritten in the meantime and stay unstable (ABA); a snapshot
      // holds committed state, whatever the term.
      if (message.snapshot !== null) this.#onSnapshotStored(message.snapshot);
    } else {
      this.note('debug', 'ignored a message of a lower term', { from, type });
    }
  }

  #onAppended(message: Message): void {
    if (message.index !== 0) {
      const ignored = this.log.unstable.stableTo({ term: message.logTerm, index: message.index });
      if (ignored !== null) {
        this.note('debug', 'ignored an append acknowledgement', { index: message.index, ignored });
      }
    }
    if (message.snapshot !== null) this.#onSnapshotStored(message.snapshot);
  }

  #onSnapshotStored(snapshot: Snapshot): void {
    this.log.unstable.stableSnapshotTo(snapshot.index);
    if (snapshot.index > this.log.applied) this.log.appliedTo(snapshot.index, 0);
  }

  #onApplied(message: Message): void {
    const last = message.entries[message.entries.length - 1];
    if (last === undefined) return;
    if (last.index >= this.log.applied) {
      this.log.appliedTo(last.index, entriesBytes(message.entries));
    }
    this.uncommittedBytes = Math.max(0, this.uncommittedBytes - payloadBytes(message.entries));
  }

  /** Whether this member may stand for election at all. */
  canCampaign(): boolean {
    if (this.log.unstable.snapshot !== null || this.isRecovering()) return false;
    if (isVoter(this.tracker.conf, this.id)) return true;
    // Thesis §4.2.2: until the configuration without this member is committed, its log may be the
    // only one that can win, and the others wait for its vote in vain.
    if (this.confHistory.currentIndex <= this.log.committed) return false;
    const committed = this.confHistory.at(this.log.committed);
    return committed !== null && isVoter(committed, this.id);
  }

  /**
   * Log that this member once acknowledged is missing: it must not help to elect anyone, until it has
   * committed that far again, or an entry of a later term than it knew of when the log was lost
   * (which the log remembers: it may start again before it is whole). A leader of such a term was elected without this member's vote, so it has all that was ever committed, and by
   * then this member has it, too; without this a quiet group would never make it whole.
   */
  isRecovering(): boolean {
    const { committed } = this.log;
    if (committed >= this.config.recoverUpTo) return false;
    return (this.log.term(committed) ?? 0) <= this.config.recoverTerm;
  }

  committedInOwnTerm(): boolean {
    return this.log.term(this.log.committed) === this.term;
  }

  #reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = NO_NODE;
    }
    this.leader = NO_NODE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.transferee = NO_NODE;
    this.departing.clear();
    this.tracker.resetVotes();
    this.tracker.resetProgress(this.id, this.log.lastIndex());
    this.uncommittedBytes = 0;
    this.readOnly = new ReadOnly();
    this.earlyReads = [];
  }

  /** Raft paper §5.2: randomised, so that split votes are rare. */
  drawElectionTimeout(): void {
    const { electionTicks, random } = this.config;
    this.randomizedElectionTicks = electionTicks + Math.floor(random() * electionTicks);
  }

  becomeFollower(term: number, leader: RaftId): void {
    invariant(term >= this.term, 'term would go back', { term, current: this.term });
    this.#reset(term);
    this.role = Role.follower;
    this.leader = leader;
    this.note('info', 'became follower', { term: this.term, leader });
  }

  becomePreCandidate(): void {
    invariant(this.role !== Role.leader, 'a leader cannot become pre-candidate');
    // Neither term nor vote changes: this election may never take place.
    this.role = Role.preCandidate;
    this.leader = NO_NODE;
    this.tracker.resetVotes();
    this.note('info', 'became pre-candidate', { term: this.term });
  }

  becomeCandidate(): void {
    invariant(this.role !== Role.leader, 'a leader cannot become candidate');
    this.#reset(this.term + 1);
    this.role = Role.candidate;
    this.vote = this.id;
    this.note('info', 'became candidate', { term: this.term });
  }

  becomeLeader(): void {
    invariant(this.role === Role.candidate, 'only a candidate can become leader');
    this.#reset(this.term);
    this.role = Role.leader;
    this.leader = this.id;
    const own = this.tracker.get(this.id);
    if (own !== undefined) {
      own.becomeReplicate();
      own.recentActive = true;
    }
    // Raft paper §8: an entry of the own term, so that earlier ones can be committed (§5.4.2).
    const added = appendEntries(this, [{ type: EntryType.normal, data: NO_DATA }]);
    invariant(added, 'the first entry of a term was refused');
    this.termStartIndex = this.log.lastIndex();
    this.note('info', 'became leader', { term: this.term });
  }

  /** To be called after the commit mark of a leader has moved. */
  afterLeaderCommit(): void {
    afterCommit(this);
  }
}
