// Runs one member: feeds the core with proposals, ticks and messages, carries out what it answers,
// and sends one message per turn of the event loop to the main thread. Everything here runs in the
// Raft thread; nothing waits except for the disk.
// Order within a turn (etcd-io/raft doc.go): messages to peers and the append to the log start
// together; responses go out when the log is durable; committed entries go to the main thread.

import { RAFT_DEFAULTS, type RaftNote } from '#manager/raft/config';
import { RawNode } from '#manager/raft/raw-node';
import type { MemoryStorage } from '#manager/raft/storage';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type Entry,
  EntryType,
  type Message,
  NO_NODE,
  type RaftId,
  Role,
  type StepError,
} from '#manager/raft/types';
import type { Wal } from '#manager/wal/wal';
import { AppendWriter } from './append-writer.ts';
import { PROPOSAL_HEADER_BYTES } from './limits.ts';
import { packApplied, unpackProposals } from './packing.ts';
import type { RaftNodeOptions, RaftRole, RaftStatus } from './raft-node.ts';
import type { SnapshotFiles } from './snapshot-store.ts';
import { refusalOf, threadError } from './thread-errors.ts';
import type {
  AnsweredRead,
  RefusedProposals,
  ThreadError,
  ThreadNote,
  ToThread,
  Turn,
} from './thread-messages.ts';

export interface HostDeps {
  readonly wal: Wal;
  readonly storage: MemoryStorage;
  readonly snapshots: SnapshotFiles;
  /** Index that the main thread has got by the restored snapshot; 0 for none. */
  readonly appliedIndex: number;
  readonly recoverUpTo: number;
  readonly random: () => number;
  /** Sends to a member; may drop. */
  readonly send: (to: RaftId, messages: readonly Message[]) => void;
  readonly postTurn: (turn: Turn) => void;
  readonly fatal: (error: ThreadError) => void;
  /** Runs once, after the events that are due now. */
  readonly schedule: (action: () => void) => void;
}

/** One that the core is deciding about and one that has just come. */
const MAX_RECEIVED_SNAPSHOTS = 2;

const ROLE_NAMES: Readonly<Record<Role, RaftRole>> = {
  [Role.follower]: 'follower',
  [Role.candidate]: 'candidate',
  [Role.leader]: 'leader',
  [Role.preCandidate]: 'pre-candidate',
};

export class RaftHost {
  readonly #options: RaftNodeOptions;
  readonly #deps: HostDeps;
  readonly #node: RawNode;
  readonly #writer: AppendWriter;
  #isScheduled = false;
  #isStopped = false;
  /** Commit mark at start: replay is complete when it is applied. */
  readonly #replayTo: number;
  #isReplayed = false;
  #refuseAll: ThreadError | null = null;
  /** Pages at the main thread, oldest first, with the response for the core. */
  #applying: { readonly lastIndex: number; readonly response: Message }[] = [];
  #entriesSinceSnapshot = 0;
  #bytesSinceSnapshot = 0;
  #isSnapshotting = false;
  #snapshotWanted = false;
  /** A snapshot file is being written. */
  #isStoring = false;
  #notes: ThreadNote[] = [];
  #applied: Entry[] = [];
  #appliedIndex: number;
  #hasApplied = false;
  #restore: { readonly index: number; readonly bytes: Uint8Array } | null = null;
  /** Snapshots that came from the leader and are stored, by index; the core decides about them. */
  readonly #received = new Map<number, Uint8Array>();
  #refused: RefusedProposals[] = [];
  #reads: AnsweredRead[] = [];
  #hasStatusNews = true;

  constructor(options: RaftNodeOptions, deps: HostDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#replayTo = deps.storage.hardState().commit;
    this.#appliedIndex = deps.appliedIndex;
    this.#node = new RawNode({
      ...RAFT_DEFAULTS,
      id: options.raftId,
      electionTicks: options.electionTicks,
      heartbeatTicks: options.heartbeatTicks,
      storage: deps.storage,
      applied: deps.appliedIndex,
      recoverUpTo: deps.recoverUpTo,
      random: deps.random,
      note: (note) => this.#note(note),
    });
    this.#writer = new AppendWriter(deps.wal, deps.storage, {
      respond: (messages) => this.#respond(messages),
      fail: (error) => this.#fail(error),
      marked: (mark) => {
        deps.snapshots.removeOlder(mark.meta.index);
        this.#isSnapshotting = false;
        if (mark.replacesLog) this.#restoreFrom(mark.meta.index);
      },
    });
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
    if (this.isSoleVoter()) this.#node.campaign();
    this.#turn();
  }

  tick(): void {
    if (this.#isStopped) return;
    this.#node.tick();
    this.#wake();
  }

  /** Messages from another member. */
  receive(messages: readonly Message[]): void {
    for (const message of messages) this.#node.step(message);
    this.#wake();
  }

  /** A snapshot from the leader has arrived whole: stores it, then lets the core decide. */
  async receiveSnapshot(message: Message): Promise<void> {
    const { snapshot } = message;
    if (snapshot === null) return;
    const { index, term, confState, data } = snapshot;
    await this.#deps.snapshots.write({ index, term, confState }, data);
    this.#received.set(index, data);
    for (const older of this.#received.keys()) {
      if (this.#received.size > MAX_RECEIVED_SNAPSHOTS) this.#received.delete(older);
    }
    this.receive([{ ...message, snapshot: { index, term, confState, data: new Uint8Array(0) } }]);
  }

  /** The log was replaced: the state machine must be, too, before anything else is applied. */
  #restoreFrom(index: number): void {
    const bytes = this.#received.get(index);
    this.#received.clear();
    if (bytes === undefined) {
      this.#fail(new Error(`the snapshot at ${index} is in the log but was never stored`));
      return;
    }
    this.#applied = this.#applied.filter((entry) => entry.index > index);
    this.#applying = this.#applying.filter(({ lastIndex }) => lastIndex > index);
    this.#appliedIndex = Math.max(this.#appliedIndex, index);
    this.#restore = { index, bytes };
    this.#hasStatusNews = true;
  }

  /** While set, nothing new is accepted (the disk is nearly full). */
  refuseProposals(error: ThreadError | null): void {
    this.#refuseAll = error;
    if (error !== null && this.#node.raft.role === Role.leader) this.#giveAwayLeadership();
  }

  #giveAwayLeadership(): void {
    const { raft } = this.#node;
    for (const [id, progress] of raft.tracker.entries()) {
      if (id === raft.id || progress.isLearner || !progress.recentActive) continue;
      this.#node.transferLeader(id);
      this.#wake();
      return;
    }
  }

  handle(message: ToThread): void {
    switch (message.type) {
      case 'input':
        this.#onApplied(message.appliedIndex);
        if (message.packed !== null) {
          this.#propose(unpackProposals(message.packed), message.firstSeq);
        }
        break;
      case 'read':
        this.#read(message.context);
        break;
      case 'snapshot':
        this.#storeSnapshot(message.index, message.bytes);
        break;
      case 'transfer':
        this.#node.transferLeader(message.to);
        break;
      case 'stop':
        this.#isStopped = true;
        break;
    }
    this.#wake();
  }

  /** Whether the last write is done, a snapshot's included. */
  get isIdle(): boolean {
    return this.#writer.isIdle && !this.#isStoring;
  }

  #propose(batch: readonly Uint8Array[], firstSeq: number): void {
    const leaderId = this.#node.raft.leader;
    let error = this.#refuseAll;
    if (error === null) {
      const refused = this.#node.proposeBatch(batch);
      if (refused === null) return;
      // One of many may have been too much: the others still get their chance.
      if (batch.length > 1 && (refused === 'uncommitted_limit' || refused === 'too_large')) {
        for (let i = 0; i < batch.length; i++) {
          const single = this.#node.propose(batch[i] as Uint8Array);
          if (single !== null) this.#refuse([firstSeq + i], refusalOf(single, leaderId));
        }
        return;
      }
      error = refusalOf(refused, leaderId);
    }
    this.#refuse(
      batch.map((_, i) => firstSeq + i),
      error,
    );
  }

  #refuse(seqs: readonly number[], error: ThreadError): void {
    this.#refused.push({ seqs, error });
  }

  #read(context: number): void {
    const refused: StepError | null = this.#node.readIndex(context);
    if (refused === null) return;
    const error = refusalOf(refused, this.#node.raft.leader);
    this.#reads.push({ context, index: null, error });
  }

  #onApplied(index: number): void {
    while (this.#applying.length > 0) {
      const page = this.#applying[0] as { lastIndex: number; response: Message };
      if (page.lastIndex > index) break;
      this.#applying.shift();
      this.#node.step(page.response);
    }
    if (!this.#isReplayed && this.#node.raft.log.applied >= this.#replayTo) {
      this.#isReplayed = true;
      this.#hasStatusNews = true;
    }
    this.#maybeWantSnapshot();
  }

  #maybeWantSnapshot(): void {
    const { snapshotEveryEntries, snapshotEveryBytes } = this.#options;
    const isDue =
      this.#entriesSinceSnapshot >= snapshotEveryEntries ||
      this.#bytesSinceSnapshot >= snapshotEveryBytes;
    if (!isDue || this.#isSnapshotting) return;
    this.#isSnapshotting = true;
    this.#snapshotWanted = true;
    this.#entriesSinceSnapshot = 0;
    this.#bytesSinceSnapshot = 0;
  }

  #storeSnapshot(index: number, bytes: Uint8Array): void {
    const { storage, snapshots } = this.#deps;
    const term = storage.term(index);
    const confState = this.#node.confStateAt(index);
    if (term === null || confState === null || bytes.length === 0) {
      // A snapshot from the leader has overtaken it, or none is given.
      this.#isSnapshotting = false;
      return;
    }
    const meta = { index, term, confState };
    this.#isStoring = true;
    snapshots.write(meta, bytes).then(
      () => {
        this.#isStoring = false;
        const baseIndex = Math.max(storage.firstIndex() - 1, index - this.#options.trailingEntries);
        const baseTerm = storage.term(baseIndex);
        if (baseTerm === null || baseIndex > index) {
          this.#isSnapshotting = false; // Overtaken while it was written.
          return;
        }
        const base = { index: baseIndex, term: baseTerm };
        storage.recordSnapshot({ ...meta, data: new Uint8Array(0) });
        storage.compact(baseIndex);
        this.#writer.enqueueMark({ meta, hasFile: true, base, replacesLog: false });
        this.#noteLine('info', 'snapshot written', { index, bytes: bytes.length });
        this.#wake();
      },
      (error: unknown) => {
        // Without a new snapshot the log just grows; the next attempt comes with the next entries.
        this.#isStoring = false;
        this.#isSnapshotting = false;
        this.#noteLine('error', 'snapshot could not be written', { index, error: String(error) });
        this.#wake();
      },
    );
  }

  #wake(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#deps.schedule(() => this.#turn());
  }

  /** Does all work that is due, then reports once. */
  #turn(): void {
    this.#isScheduled = false;
    this.#work();
    this.#report();
  }

  #work(): void {
    // With a synchronous disk, pump() delivers responses at once, which makes more work ready.
    while (this.#node.hasReady()) {
      const ready = this.#node.ready();
      if (ready.softState !== null) this.#hasStatusNews = true;
      for (const { context, index } of ready.readStates) {
        this.#reads.push({ context, index, error: null });
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
    if (peers !== null) for (const [to, list] of peers) this.#deps.send(to, list);
  }

  #apply(message: Message): void {
    const { entries } = message;
    const last = entries[entries.length - 1] as Entry;
    const response = message.responses[0] as Message;
    for (const entry of entries) {
      this.#entriesSinceSnapshot++;
      this.#bytesSinceSnapshot += entry.data.length;
      const hasData = entry.data.length >= PROPOSAL_HEADER_BYTES;
      if (entry.type === EntryType.normal && hasData) this.#applied.push(entry);
    }
    this.#appliedIndex = last.index;
    this.#hasApplied = true;
    this.#applying.push({ lastIndex: last.index, response });
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
    const message = `writing the log failed: ${error.message}`;
    this.#deps.fatal(threadError('internal', message, 'check the disk, then start again'));
  }

  #note(note: RaftNote): void {
    this.#noteLine(note.level, note.message, note.values);
  }

  #noteLine(
    level: ThreadNote['level'],
    message: string,
    values: Readonly<Record<string, string | number | boolean>>,
  ): void {
    this.#notes.push({ level, message, values });
  }

  #report(): void {
    const hasNews =
      this.#hasApplied ||
      this.#hasStatusNews ||
      this.#snapshotWanted ||
      this.#notes.length + this.#refused.length + this.#reads.length > 0;
    if (!hasNews) return;
    const applied = this.#hasApplied
      ? { packed: packApplied(this.#applied), appliedIndex: this.#appliedIndex }
      : null;
    this.#deps.postTurn({
      type: 'turn',
      notes: orNull(this.#notes),
      restore: this.#restore,
      applied,
      refused: orNull(this.#refused),
      reads: orNull(this.#reads),
      snapshotWanted: this.#snapshotWanted,
      status: this.status(),
      termStartIndex: this.#node.raft.termStartIndex,
      isReplayed: this.#isReplayed || this.#appliedIndex >= this.#replayTo,
    });
    this.#notes = [];
    this.#applied = [];
    this.#hasApplied = false;
    this.#refused = [];
    this.#reads = [];
    this.#restore = null;
    this.#snapshotWanted = false;
    this.#hasStatusNews = false;
  }

  status(): RaftStatus {
    const { raft } = this.#node;
    const { wal, storage } = this.#deps;
    const isLeader = raft.role === Role.leader;
    const members = [...raft.tracker.entries()].map(([raftId, progress]) => ({
      raftId,
      voter: !progress.isLearner,
      matchIndex: isLeader ? progress.match : null,
      active: isLeader ? progress.recentActive || raftId === raft.id : null,
      rttMs: null,
      silentMs: null,
    }));
    return {
      raftId: raft.id,
      role: ROLE_NAMES[raft.role],
      term: raft.term,
      leaderId: raft.leader === NO_NODE ? null : raft.leader,
      commitIndex: raft.log.committed,
      appliedIndex: raft.log.applied,
      firstIndex: raft.log.firstIndex(),
      lastIndex: raft.log.lastIndex(),
      snapshotIndex: storage.snapshot()?.index ?? 0,
      members,
      walSyncs: wal.syncs,
      walBytes: wal.bytesWritten,
      peerPort: null,
      isRecovering: raft.isRecovering(),
    };
  }
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}
