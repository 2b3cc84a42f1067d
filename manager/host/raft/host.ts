// Runs one member: feeds the core with proposals, ticks and messages, carries out what it answers,
// and sends one message per turn of the event loop to the main thread. Everything here runs in the
// Raft thread; nothing waits except for the disk.
// Order within a turn (etcd-io/raft doc.go): messages to peers and the append to the log start
// together; responses go out when the log is durable; committed entries go to the main thread.

import { type Conf, isMember } from '#manager/raft/conf';
import { RAFT_DEFAULTS, type RaftNote } from '#manager/raft/config';
import { RawNode } from '#manager/raft/raw-node';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type Entry,
  EntryType,
  type Message,
  MessageType,
  type RaftId,
  Role,
  type StepError,
} from '#manager/raft/types';
import type { SnapshotMark } from '#manager/wal/frame';
import { AppendWriter } from './append-writer.ts';
import { ApplyingPages } from './applying-pages.ts';
import { type Greeting, greetingOf, type Judgement, judge } from './greeting.ts';
import type { HostDeps } from './host-deps.ts';
import { statusOf } from './host-status.ts';
import { LeaderHealth } from './leader-health.ts';
import {
  NONSENSE_LINE_MS,
  STATUS_EVERY_ELECTIONS,
  SUSPECT_TICKS_MIN,
  SUSPECT_TICKS_SPREAD,
} from './limits.ts';
import { MembershipDesk } from './membership-desk.ts';
import { unpackProposals } from './packing.ts';
import { PeerView } from './peer-view.ts';
import { ProposalDesk } from './proposal-desk.ts';
import type { RaftNodeOptions, RaftStatus } from './raft-node.ts';
import { Snapshotter } from './snapshotter.ts';
import { Sparing } from './sparing.ts';
import { refusalOf, threadError, toThreadError } from './thread-errors.ts';
import type { ThreadError, ThreadNote, ToThread } from './thread-messages.ts';
import { TurnReport } from './turn-report.ts';

export class RaftHost {
  readonly #options: RaftNodeOptions;
  readonly #deps: HostDeps;
  readonly #node: RawNode;
  readonly #writer: AppendWriter;
  readonly #snapshotter: Snapshotter;
  readonly #desk: MembershipDesk;
  readonly #view: PeerView;
  readonly #proposals: ProposalDesk;
  readonly #report = new TurnReport();
  readonly #health: LeaderHealth;
  readonly #nonsense = new Sparing(NONSENSE_LINE_MS);
  #isRecovering: boolean;
  #isScheduled = false;
  #isStopped = false;
  /** The log is about to be closed: what is not written by now is not written any more. */
  hasEnded = false;
  #isRemoved = false;
  /** Commit mark at start: replay is complete when it is applied. */
  readonly #replayTo: number;
  #isReplayed = false;
  readonly #applying = new ApplyingPages();
  #conf: Conf | null = null;
  #ticksSinceStatus = 0;
  #appliedIndex: number;

  constructor(options: RaftNodeOptions, deps: HostDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#replayTo = deps.storage.hardState().commit;
    this.#appliedIndex = deps.appliedIndex;
    this.#node = new RawNode({
      ...RAFT_DEFAULTS,
      ...deps.tuning,
      id: options.raftId,
      electionTicks: options.electionTicks,
      heartbeatTicks: options.heartbeatTicks,
      storage: deps.storage,
      applied: deps.appliedIndex,
      recoverUpTo: deps.recoverUpTo,
      recoverTerm: deps.recoverTerm,
      random: deps.random,
      note: (note) => this.#note(note),
    });
    this.#isRecovering = this.#node.raft.isRecovering();
    this.#view = new PeerView(deps.nowMs, options.electionTicks * options.tickMs);
    this.#desk = new MembershipDesk({
      node: this.#node,
      electionTicks: options.electionTicks,
      isActive: (id) => this.#view.isActive(id),
      answer: (id, error) => this.#report.answer(id, error),
    });
    this.#proposals = new ProposalDesk(this.#node, (seqs, error) => {
      this.#report.refused(seqs, error);
    });
    this.#health = new LeaderHealth(deps.nowMs, options.electionTicks * options.tickMs);
    this.#writer = new AppendWriter(deps.wal, deps.storage, deps.nowMs, {
      wrote: (tookMs) => this.#health.wrote(tookMs),
      respond: (messages) => this.#respond(messages),
      fail: (error) => this.#fail(error),
      marked: (mark) => this.#marked(mark),
      hasFile: (index) => this.#snapshotter.hasFile(index),
    });
    const { snapshotEveryEntries: everyEntries, trailingEntries } = options;
    this.#snapshotter = new Snapshotter(
      { everyEntries, trailingEntries },
      {
        node: this.#node,
        storage: deps.storage,
        snapshots: deps.snapshots,
        everyBytes: options.snapshotEveryBytes,
        enqueueMark: (mark) => this.#writer.enqueueMark(mark),
        note: (level, message, values) => this.#report.note(level, message, values),
        wake: () => this.#wake(),
      },
    );
  }

  /** The core, to look at: whoever changes it goes around this host's turns. */
  get core(): RawNode {
    return this.#node;
  }

  /** Whether this member alone decides. */
  isSoleVoter(): boolean {
    const { voters, votersOutgoing } = this.#node.raft.tracker.conf;
    const isAlone = voters.length === 1 && votersOutgoing.length === 0;
    return isAlone && voters[0] === this.#options.raftId;
  }

  /** Begins to work. The only voter need not wait for an election timeout. */
  start(): void {
    this.#checkRemoved();
    if (this.isSoleVoter()) this.#node.campaign();
    this.#turn();
  }

  tick(): void {
    if (this.#isStopped || this.#isRemoved) return;
    this.#node.tick();
    this.#desk.tick();
    this.#watchHealth();
    this.#ticksSinceStatus++;
    if (this.#ticksSinceStatus >= STATUS_EVERY_ELECTIONS * this.#options.electionTicks) {
      this.#ticksSinceStatus = 0;
      if (this.#node.raft.role === Role.leader) this.#report.hasStatusNews = true;
    }
    this.#wake();
  }

  /** Messages from another member. */
  receive(messages: readonly Message[]): void {
    if (this.#isStopped || this.#isRemoved) return;
    const from = messages[0]?.from;
    if (from !== undefined) this.#view.heard(from, messages);
    for (const message of messages) if (this.#isSane(message)) this.#node.step(message);
    this.#wake();
  }

  /** A snapshot from the leader has arrived whole: stores it, then lets the core decide. */
  async receiveSnapshot(message: Message): Promise<void> {
    if (this.#isStopped || this.#isRemoved || !this.#isSane(message)) return;
    await this.#snapshotter.receive(message, (stored) => this.receive([stored]));
  }

  #isSane(message: Message): boolean {
    const problem = this.#deps.screen?.(this.#node.raft, message) ?? null;
    if (problem === null) return true;
    const { from, type } = message;
    if (this.#nonsense.isNews(from, this.#deps.nowMs())) {
      this.#report.note('warn', 'dropped a message of a manager', { from, type, problem });
    }
    return false;
  }

  /** Everything that `id` had to say to this member has ended with its connection. */
  lostContact(id: RaftId): void {
    if (this.#isStopped || this.#isRemoved || this.#node.raft.leader !== id) return;
    const { random } = this.#deps;
    const ticks = SUSPECT_TICKS_MIN + Math.floor(random() * SUSPECT_TICKS_SPREAD);
    this.#node.suspectLeader(Math.min(ticks, this.#options.electionTicks));
    this.#wake();
  }

  /** What was sent to `id` was probably lost. */
  unreachable(id: RaftId): void {
    if (this.#isStopped) return;
    this.#node.reportUnreachable(id);
    this.#wake();
  }

  /** `sendSnapshot` to `id` has ended. */
  snapshotSent(id: RaftId, hasFailed: boolean): void {
    if (this.#isStopped) return;
    this.#node.reportSnapshot(id, hasFailed);
    this.#wake();
  }

  /** What this member says of itself when it calls member `to`. */
  greeting(to: RaftId): Greeting {
    return greetingOf(this.#node.raft, to);
  }

  /** Whether member `from`, who says `greeting`, is to be heard. */
  judge(from: RaftId, greeting: Greeting): Judgement {
    return judge(this.#node.raft, from, greeting);
  }

  /** Another member knows that this one was removed. */
  toldRemoved(by: RaftId): void {
    if (this.#isRemoved) return;
    this.#report.note('warn', 'told by another member to be removed from the group', { by });
    this.#becomeRemoved();
    this.#wake();
  }

  /** Asks for a snapshot and drops all log before it. */
  takeWholeSnapshot(done: (isDone: boolean) => void): void {
    this.#snapshotter.takeWhole(done);
    this.#wake();
  }

  /** Leaves the current segment of the log behind everything that is queued. */
  beginSegment(begun: () => void): void {
    this.#writer.enqueueSegment(begun);
    this.#wake();
  }

  /** The main thread has answered. */
  mainAnswered(): void {
    this.#health.mainAnswered();
  }

  /** Somebody whose disk or main thread is stuck should not lead. */
  #watchHealth(): void {
    if (this.#node.raft.role !== Role.leader || this.#desk.isTransferring) return;
    const reason = this.#health.reasonToHandOver(this.#writer.writingMs(this.#deps.nowMs()));
    if (reason === null || !this.giveAwayLeadership()) return;
    this.#health.handedOver();
    this.#report.note('warn', 'hands leadership over', { reason });
  }

  /** The log that was lost is here again: the next segment's header says so. */
  #watchRecovery(): void {
    if (!this.#isRecovering || this.#node.raft.isRecovering()) return;
    this.#isRecovering = false;
    this.#report.hasStatusNews = true;
    this.#deps.wal.recovered();
    this.#writer.enqueueSegment(() => {});
    this.#report.note('info', 'the damaged log is whole again', {
      index: this.#node.raft.log.committed,
    });
  }

  #marked(mark: SnapshotMark): void {
    const restore = this.#snapshotter.marked(mark);
    if (restore === null) return;
    // The log was replaced: the state machine must be, too, before anything else is applied.
    const { index, bytes } = restore;
    this.#applying.replaced(index);
    this.#appliedIndex = Math.max(this.#appliedIndex, index);
    this.#report.restored(index, bytes);
    this.#report.lost(this.#proposals.replaced());
    this.#report.hasStatusNews = true;
  }

  /** While set, nothing new is accepted (the disk is nearly full). */
  refuseProposals(error: ThreadError | null): void {
    this.#proposals.refuseAll = error;
    // Whoever leads although its disk is full, also later, hands over: see #watchHealth.
    this.#health.isDiskFull = error !== null;
    this.#wake();
  }

  /** Hands leadership to another member if one is fit for it; false if this one does not lead or
   * nobody is. */
  giveAwayLeadership(): boolean {
    if (this.#node.raft.role !== Role.leader) return false;
    const isBegun = this.#desk.giveAway();
    this.#wake();
    return isBegun;
  }

  handle(message: ToThread): void {
    switch (message.type) {
      case 'input':
        this.#onApplied(message.appliedIndex);
        if (message.packed !== null) {
          const entries = unpackProposals(message.packed);
          this.#proposals.propose(entries, message.firstSeq, this.#desk.isTransferring);
        }
        break;
      case 'read':
        this.#read(message.context);
        break;
      case 'snapshot':
        this.#snapshotter.store(message.index, message.bytes);
        break;
      case 'command':
        this.#desk.start(message.id, message.command, this.#appliedConf());
        break;
      case 'settings':
        this.#snapshotter.settings = message.settings;
        break;
      case 'stop':
        this.#isStopped = true;
        break;
      case 'service':
      case 'peers':
      case 'pong':
        break; // For the thread around this host.
    }
    this.#wake();
  }

  /** Whether the last write is done, a snapshot's included. */
  get isIdle(): boolean {
    return this.#writer.isIdle && !this.#snapshotter.isStoring;
  }

  #read(context: number): void {
    const refused: StepError | null = this.#node.readIndex(context);
    if (refused === null) return;
    const error = refusalOf(refused, this.#node.raft.leader);
    this.#report.read({ context, index: null, error });
  }

  #onApplied(index: number): void {
    this.#applying.applied(index, (response) => this.#node.step(response));
    if (!this.#isReplayed && this.#node.raft.log.applied >= this.#replayTo) {
      this.#isReplayed = true;
      this.#report.hasStatusNews = true;
    }
    this.#snapshotter.wantIfDue();
  }

  #wake(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#deps.schedule(() => this.#turn());
  }

  /** Does all work that is due, then reports once. */
  #turn(): void {
    this.#isScheduled = false;
    if (this.hasEnded) return;
    this.#work();
    this.#desk.advance(this.#appliedConf());
    if (!this.#desk.isTransferring) this.#proposals.release();
    this.#watchRecovery();
    this.#work();
    this.#watchMembers();
    this.#tell();
  }

  /** The configuration as of what was handed to the main thread. */
  #appliedConf(): Conf {
    const { raft } = this.#node;
    return raft.confHistory.at(this.#appliedIndex) ?? raft.tracker.conf;
  }

  #watchMembers(): void {
    const { tracker } = this.#node.raft;
    if (this.#conf === tracker.conf) return;
    this.#conf = tracker.conf;
    this.#report.hasStatusNews = true;
    this.#view.keep(new Set([...tracker.entries()].map(([id]) => id)));
  }

  /** A member that was in the group and is not any more has nothing to do. */
  #checkRemoved(): void {
    const { raft } = this.#node;
    const { raftId } = this.#options;
    if (this.#isRemoved || isMember(this.#appliedConf(), raftId)) return;
    const wasMember = raft.confHistory.some(this.#appliedIndex, (conf) => isMember(conf, raftId));
    if (wasMember) this.#becomeRemoved();
  }

  #becomeRemoved(): void {
    this.#isRemoved = true;
    this.#report.removed();
  }

  #work(): void {
    // With a synchronous disk, pump() delivers responses at once, which makes more work ready.
    while (this.#node.hasReady()) {
      const ready = this.#node.ready();
      if (ready.softState !== null) this.#report.hasStatusNews = true;
      for (const { context, index } of ready.readStates) {
        this.#report.read({ context, index, error: null });
      }
      this.#dispatch(ready.messages);
      this.#writer.pump();
    }
    this.#writer.pump();
  }

  #dispatch(messages: readonly Message[]): void {
    let peers: Map<RaftId, Message[]> | null = null;
    for (const message of messages) {
      if (message.to === APPEND_THREAD) this.#writer.enqueue(message);
      else if (message.to === APPLY_THREAD) this.#apply(message);
      else {
        peers ??= new Map();
        const list = peers.get(message.to);
        if (list === undefined) peers.set(message.to, [message]);
        else list.push(message);
      }
    }
    if (peers !== null) for (const [to, list] of peers) this.#sendTo(to, list);
  }

  #sendTo(to: RaftId, messages: Message[]): void {
    this.#view.sent(to, messages);
    const isSnapshot = ({ type }: Message): boolean => type === MessageType.snapshot;
    for (const message of messages.filter(isSnapshot)) this.#deps.sendSnapshot(to, message);
    const others = messages.filter((message) => !isSnapshot(message));
    if (others.length > 0) this.#deps.send(to, others);
  }

  #apply(message: Message): void {
    const { entries } = message;
    const last = entries.at(-1) as Entry;
    const [response] = message.responses as [Message];
    const bytes = entries.reduce((sum, { data }) => sum + data.length, 0);
    const hasChange = entries.some(({ type }) => type === EntryType.confChange);
    this.#report.applied(entries);
    this.#snapshotter.applied(entries.length, bytes);
    this.#report.lost(this.#proposals.applied(last.term));
    this.#appliedIndex = last.index;
    if (hasChange) this.#checkRemoved();
    this.#applying.add({ lastIndex: last.index, response });
  }

  #respond(messages: readonly Message[]): void {
    const foreign: Message[] = [];
    for (const message of messages) {
      if (message.to === this.#options.raftId) this.#node.step(message);
      else foreign.push(message);
    }
    if (foreign.length > 0) this.#dispatch(foreign);
    // An asynchronous write has ended outside of a turn.
    if (this.#node.hasReady()) this.#wake();
  }

  #fail(error: Error): void {
    this.#isStopped = true;
    const { code, hint } = toThreadError(error);
    const message = `writing the log failed: ${error.message}`;
    this.#deps.fatal(threadError(code, message, hint ?? 'check the disk, then start again'));
  }

  #note(note: RaftNote): void {
    if (note.level === 'debug') return; // Per message: for tests of the core.
    this.#report.note(note.level, note.message, note.values);
  }

  /** The status goes to the main thread with the next turn. */
  reportStatus(): void {
    this.#report.hasStatusNews = true;
    this.#wake();
  }

  /** A line for the log, from whatever works around this host. */
  noteLine(level: ThreadNote['level'], message: string, values: ThreadNote['values']): void {
    this.#report.note(level, message, values);
    this.#wake();
  }

  #tell(): void {
    if (!this.#report.hasNews && !this.#snapshotter.isWanted) return;
    const turn = this.#report.take({
      status: this.status(),
      termStartIndex: this.#node.raft.termStartIndex,
      isReplayed: this.#isReplayed || this.#appliedIndex >= this.#replayTo,
      snapshotWanted: this.#snapshotter.takeWish(),
    });
    this.#deps.postTurn(turn);
  }

  status(): RaftStatus {
    const { wal, storage, instanceOf } = this.#deps;
    const { instance, raftId } = this.#options;
    return statusOf({
      ...{ raft: this.#node.raft, storage, wal, view: this.#view },
      peerPort: this.#deps.peerPort(),
      instanceOf: (id) => (id === raftId ? instance || null : (instanceOf?.(id) ?? null)),
    });
  }
}
