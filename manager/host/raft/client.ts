// The main thread's side of Raft: hands proposals over (all of one turn in one message), runs the
// callbacks for applied entries in order, and settles promises after them.
// Pending proposals and reads have files of their own; knows nothing of terms and logs beyond what a Turn says.
import { randomBytes } from 'node:crypto';
import { TswarmError } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { launchRaftThread } from './launch-thread.ts';
import {
  ACKNOWLEDGE_AT_ONCE_BYTES,
  ACKNOWLEDGE_DELAY_MS,
  MAX_DATA_BYTES,
  MAX_PENDING_COMMANDS,
  MAX_PENDING_PROPOSALS,
  TIMEOUT_SWEEP_MS,
} from './limits.ts';
import { type PendingData, packProposals, unpackApplied } from './packing.ts';
import { PendingProposals } from './pending-proposals.ts';
import { PendingReads } from './pending-reads.ts';
import type {
  AppliedEntry,
  Proposed,
  RaftIdentity,
  RaftNode,
  RaftNodeOptions,
  RaftPeer,
  RaftRole,
  RaftStatus,
  SnapshotSettings,
} from './raft-node.ts';
import { fromThreadError, threadError } from './thread-errors.ts';
import type {
  Answer,
  FromThread,
  HostCommand,
  LaunchThread,
  ThreadError,
  ThreadLink,
  ToThread,
  Turn,
} from './thread-messages.ts';
import type { Waiting } from './waiting.ts';

export interface RaftClientDeps {
  readonly log: Log;
  /** Ends the process; the default exits with code 70. */
  readonly onFatal?: (error: TswarmError) => void;
  /** Unlock key of a locked manager. */
  readonly kek?: Uint8Array;
  /** How the Raft thread comes to life; a thread of this process unless given. */
  readonly launch?: LaunchThread;
  /** Names the proposals of this process: 8 bytes, random unless given. */
  readonly session?: Uint8Array;
}

const EXIT_FATAL = 70;

/** Creates a member on this thread; `start` launches its Raft thread. */
export function createRaftNode(options: RaftNodeOptions, deps: RaftClientDeps): RaftNode {
  return new RaftClient(options, deps);
}

class RaftClient implements RaftNode {
  readonly #options: RaftNodeOptions;
  readonly #deps: RaftClientDeps;
  readonly #session: Uint8Array;
  #worker: ThreadLink | null = null;
  /** What was said before `start`. */
  readonly #early: ToThread[] = [];
  #status: RaftStatus;
  #appliedIndex = 0;
  #shownRole: RaftRole = 'follower';
  #nextSeq = 1;
  #outbox: PendingData[] = [];
  #isFlushing = false;
  /** What the thread knows of `#appliedIndex`. */
  #acknowledgedIndex = 0;
  #acknowledging: NodeJS.Timeout | null = null;
  readonly #pending = new PendingProposals();
  readonly #reads: PendingReads;
  #starting: Waiting<void> | null = null;
  #stopping: Waiting<void> | null = null;
  #nextCommand = 1;
  readonly #commands = new Map<number, Waiting<void>>();
  #isStopped = false;
  #sweeper: NodeJS.Timeout | null = null;
  #onApply: ((entry: AppliedEntry) => void) | null = null;
  #onRestore: ((snapshot: Uint8Array, index: number) => void) | null = null;
  #provider: (() => Uint8Array | Promise<Uint8Array>) | null = null;
  readonly #onRemoved: (() => void)[] = [];
  readonly #onStatus: ((status: RaftStatus) => void)[] = [];
  #shownStatus = '';
  readonly #onRole: ((role: RaftRole, status: RaftStatus) => void)[] = [];

  constructor(options: RaftNodeOptions, deps: RaftClientDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#session = deps.session ?? randomBytes(8);
    this.#reads = new PendingReads(this.#session, (context) =>
      this.#post({ type: 'read', context }),
    );
    this.#status = emptyStatus(options.raftId);
  }

  onApply(callback: (entry: AppliedEntry) => void): void {
    this.#onApply = callback;
  }

  onSnapshotRestore(callback: (snapshot: Uint8Array, index: number) => void): void {
    this.#onRestore = callback;
  }

  provideSnapshot(callback: () => Uint8Array | Promise<Uint8Array>): void {
    this.#provider = callback;
  }

  onRoleChange(callback: (role: RaftRole, status: RaftStatus) => void): void {
    this.#onRole.push(callback);
  }

  status(): RaftStatus {
    return this.#status;
  }

  start(): Promise<void> {
    if (this.#worker !== null) throw new TswarmError('failed_precondition', 'raft runs already');
    const launch = this.#deps.launch ?? launchRaftThread;
    const worker = launch(
      { options: this.#options, kek: this.#deps.kek ?? null },
      {
        message: (message) => this.#receive(message),
        error: (error) => {
          const failure = `the raft thread failed: ${error.message}`;
          this.#fatal(threadError('internal', failure, null), error);
        },
        exit: () => this.#ended(),
      },
    );
    this.#worker = worker;
    for (const message of this.#early.splice(0)) worker.post(message, []);
    this.#sweeper = setInterval(() => this.#sweep(), TIMEOUT_SWEEP_MS).unref();
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
    });
  }

  propose(data: Uint8Array): Promise<Proposed> {
    const refusal = this.#refusalNow(data);
    if (refusal !== null) return Promise.reject(refusal);
    const seq = this.#nextSeq++;
    this.#outbox.push({ seq, data });
    this.#flushSoon();
    return this.#pending.add(seq, performance.now() + this.#options.proposeTimeoutMs);
  }

  #refusalNow(data: Uint8Array): TswarmError | null {
    if (this.#worker === null || this.#isStopped) {
      return new TswarmError('unavailable', 'raft is not running', { retryable: true });
    }
    if (data.length > MAX_DATA_BYTES) {
      const message = `the change has ${data.length} bytes; the limit is ${MAX_DATA_BYTES}`;
      return new TswarmError('too_large', message, { hint: 'split it into smaller changes' });
    }
    if (this.#pending.size >= MAX_PENDING_PROPOSALS) {
      const message = `${MAX_PENDING_PROPOSALS} changes are waiting already`;
      return new TswarmError('resource_exhausted', message, { retryable: true });
    }
    return null;
  }

  /** Sends once for the whole turn of the event loop: for all calls that one read brought. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    if (this.#isStopped) return;
    const items = this.#outbox;
    this.#outbox = [];
    const appliedIndex = this.#appliedIndex;
    this.#acknowledgedIndex = appliedIndex;
    const first = items[0];
    if (first === undefined) {
      this.#post({ type: 'input', appliedIndex, packed: null, firstSeq: 0 });
      return;
    }
    const packed = packProposals(this.#session, items);
    this.#post({ type: 'input', appliedIndex, packed, firstSeq: first.seq }, [packed]);
  }

  readIndex(): Promise<number> {
    if (this.#worker === null || this.#isStopped) {
      return Promise.reject(new TswarmError('unavailable', 'raft is not running'));
    }
    return this.#reads.add(performance.now());
  }

  setIdentity(identity: RaftIdentity): Promise<void> {
    return this.#ask((id) => ({ type: 'service', id, service: { kind: 'identity', identity } }));
  }

  setPeers(peers: readonly RaftPeer[]): void {
    this.#post({ type: 'peers', peers });
  }

  addLearner(raftId: number): Promise<void> {
    return this.#command({ kind: 'addLearner', raftId });
  }

  promote(raftId: number): Promise<void> {
    return this.#command({ kind: 'promote', raftId });
  }

  removeMember(raftId: number): Promise<void> {
    return this.#command({ kind: 'remove', raftId });
  }

  replaceMember(oldId: number, newId: number): Promise<void> {
    return this.#command({ kind: 'replace', oldId, newId });
  }

  transferLeadership(to?: number): Promise<void> {
    return this.#command({ kind: 'transfer', to: to ?? null });
  }

  setSnapshotSettings(settings: SnapshotSettings): void {
    this.#post({ type: 'settings', settings });
  }

  rotateDataKey(): Promise<void> {
    return this.#ask((id) => ({ type: 'service', id, service: { kind: 'rotateDataKey' } }));
  }

  setUnlockKey(kek: Uint8Array | null): Promise<void> {
    return this.#ask((id) => ({ type: 'service', id, service: { kind: 'setUnlockKey', kek } }));
  }

  onRemoved(callback: () => void): void {
    this.#onRemoved.push(callback);
  }

  onStatusChange(callback: (status: RaftStatus) => void): void {
    this.#onStatus.push(callback);
  }

  #command(command: HostCommand): Promise<void> {
    return this.#ask((id) => ({ type: 'command', id, command }));
  }

  #ask(message: (id: number) => ToThread): Promise<void> {
    if (this.#isStopped) {
      return Promise.reject(new TswarmError('unavailable', 'raft is not running'));
    }
    if (this.#commands.size >= MAX_PENDING_COMMANDS) {
      const text = `${MAX_PENDING_COMMANDS} membership commands are waiting already`;
      return Promise.reject(new TswarmError('resource_exhausted', text, { retryable: true }));
    }
    const id = this.#nextCommand++;
    this.#post(message(id));
    return new Promise((resolve, reject) => {
      this.#commands.set(id, { resolve, reject });
    });
  }

  stop(): Promise<void> {
    if (this.#worker === null || this.#isStopped) return Promise.resolve();
    this.#isStopped = true;
    this.#rejectAll(new TswarmError('unavailable', 'this manager is stopping'));
    this.#post({ type: 'stop' });
    return new Promise((resolve, reject) => {
      this.#stopping = { resolve, reject };
    });
  }

  #post(message: ToThread, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#worker === null) this.#early.push(message);
    else this.#worker.post(message, transfer);
  }

  #receive(message: FromThread): void {
    switch (message.type) {
      case 'turn':
        this.#onTurn(message);
        break;
      case 'answered':
        this.#answer(message.answers);
        break;
      case 'ping':
        this.#post({ type: 'pong' });
        break;
      case 'failed':
        this.#isStopped = true;
        this.#starting?.reject(fromThreadError(message.error));
        this.#starting = null;
        this.#worker?.terminate();
        break;
      case 'fatal':
        this.#fatal(message.error, null);
        break;
      case 'stopped':
        // By itself it would end only when the last of its connections is closed by the other side.
        this.#worker?.terminate();
        break;
    }
  }

  #onTurn(turn: Turn): void {
    for (const note of turn.notes ?? []) this.#deps.log[note.level](note.message, note.values);
    if (turn.restore !== null) {
      // No bytes are the empty state, which is what the state machine begins with.
      const { bytes, index } = turn.restore;
      if (bytes.length > 0) this.#onRestore?.(bytes, index);
      this.#appliedIndex = index;
      if (turn.applied === null) this.#flushSoon(); // The acknowledgement.
    }
    if (turn.applied !== null) this.#apply(turn.applied.packed, turn.applied.appliedIndex);
    if (turn.lost !== null) this.#pending.lose(turn.lost);
    for (const { seqs, error } of turn.refused ?? []) this.#pending.refuse(seqs, error);
    for (const read of turn.reads ?? []) this.#reads.answer(read);
    this.#reads.settle(this.#appliedIndex);
    const { leaderId } = this.#status;
    this.#status = { ...turn.status, appliedIndex: this.#appliedIndex };
    if (leaderId !== this.#status.leaderId && this.#status.leaderId !== null)
      this.#reads.askAgain();
    this.#showRole(turn);
    this.#answer(turn.answers ?? []);
    this.#showStatus();
    if (turn.snapshotWanted) this.#snapshot();
    this.#settleStart(turn);
    if (turn.isRemoved) this.#removed();
  }

  #answer(answers: readonly Answer[]): void {
    for (const { id, error } of answers) {
      const waiting = this.#commands.get(id);
      this.#commands.delete(id);
      if (error === null) waiting?.resolve();
      else waiting?.reject(fromThreadError(error));
    }
  }

  #showStatus(): void {
    const { members, leaderId, role, peerPort, isRecovering } = this.#status;
    const ids = members.map(({ raftId, voter }) => `${raftId}${voter ? 'v' : 'l'}`).join(' ');
    const shown = [ids, leaderId, role, peerPort, isRecovering].join();
    if (shown === this.#shownStatus) return;
    this.#shownStatus = shown;
    for (const callback of this.#onStatus) callback(this.#status);
  }

  #removed(): void {
    const message = 'this manager was removed from the cluster';
    this.#rejectAll(new TswarmError('unavailable', message));
    for (const callback of this.#onRemoved) callback();
  }

  #apply(packed: ArrayBuffer, appliedIndex: number): void {
    const done: [Waiting<Proposed>, Proposed][] = [];
    for (const { index, term, seq, data } of unpackApplied(packed, this.#session)) {
      this.#appliedIndex = index;
      this.#onApply?.({ index, term, data });
      if (seq === null) continue;
      const caller = this.#pending.take(seq);
      if (caller !== undefined) done.push([caller, { index, term }]);
    }
    this.#appliedIndex = appliedIndex;
    for (const [caller, proposed] of done) caller.resolve(proposed);
    if (packed.byteLength > ACKNOWLEDGE_AT_ONCE_BYTES) this.#flushSoon();
    else if (packed.byteLength === 0) this.#flushSoon();
    else this.#acknowledgeLater();
  }

  /**
   * Whoever was answered soon proposes again, and that carries the acknowledgement; by itself it would wake
   * the Raft thread in the very moment in which the answer goes out.
   */
  #acknowledgeLater(): void {
    this.#acknowledging ??= setTimeout(() => {
      this.#acknowledging = null;
      if (this.#appliedIndex > this.#acknowledgedIndex && !this.#isStopped) this.#flushSoon();
    }, ACKNOWLEDGE_DELAY_MS);
  }

  #showRole({ status, termStartIndex }: Turn): void {
    // A leader is shown as one only when it holds everything that was committed before its term.
    const isReady = status.role !== 'leader' || this.#appliedIndex >= termStartIndex;
    const role = isReady ? status.role : 'candidate';
    if (role === this.#shownRole) return;
    const wasLeader = this.#shownRole === 'leader';
    this.#shownRole = role;
    if (wasLeader) {
      this.#pending.lostLeadership(performance.now());
      // Reads can simply be asked again.
      const message = 'leadership was lost';
      this.#reads.rejectAll(new TswarmError('unavailable', message, { retryable: true }));
    }
    for (const callback of this.#onRole) callback(role, this.#status);
  }

  #snapshot(): void {
    const index = this.#appliedIndex;
    const made = this.#provider === null ? new Uint8Array(0) : this.#provider();
    Promise.resolve(made).then(
      (bytes) => this.#post({ type: 'snapshot', index, bytes }, wholeBuffer(bytes)),
      (error: unknown) => {
        this.#deps.log.error('snapshot could not be made', { index, error: String(error) });
        this.#post({ type: 'snapshot', index, bytes: new Uint8Array(0) });
      },
    );
  }

  #settleStart(turn: Turn): void {
    if (this.#starting === null || !turn.isReplayed) return;
    const { members, role } = turn.status;
    const voters = members.filter(({ voter }) => voter);
    const isAlone = voters.length === 1 && voters[0]?.raftId === this.#options.raftId;
    if (isAlone && (role !== 'leader' || this.#shownRole !== 'leader')) return;
    this.#starting.resolve();
    this.#starting = null;
  }

  #sweep(): void {
    const nowMs = performance.now();
    this.#pending.sweep(nowMs);
    this.#reads.sweep(nowMs);
  }

  #rejectAll(error: TswarmError): void {
    this.#outbox = [];
    this.#pending.rejectAll(error);
    this.#reads.rejectAll(error);
    const commands = [...this.#commands.values()];
    this.#commands.clear();
    for (const { reject } of commands) reject(error);
  }

  #fatal(error: ThreadError, cause: Error | null): void {
    this.#isStopped = true;
    const failure = fromThreadError(error);
    this.#rejectAll(failure);
    this.#starting?.reject(failure);
    this.#starting = null;
    const stack = cause?.stack;
    this.#deps.log.error('raft cannot go on', { error: failure.message, stack });
    if (this.#deps.onFatal === undefined) process.exit(EXIT_FATAL);
    this.#deps.onFatal(failure);
  }

  #ended(): void {
    this.#isStopped = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    if (this.#acknowledging !== null) clearTimeout(this.#acknowledging);
    this.#rejectAll(new TswarmError('unavailable', 'raft has stopped'));
    this.#stopping?.resolve();
    this.#stopping = null;
  }
}

function emptyStatus(raftId: number): RaftStatus {
  return {
    raftId,
    role: 'follower',
    term: 0,
    leaderId: null,
    commitIndex: 0,
    appliedIndex: 0,
    firstIndex: 0,
    lastIndex: 0,
    snapshotIndex: 0,
    members: [],
    walSyncs: 0,
    walBytes: 0,
    peerPort: null,
    isRecovering: false,
  };
}

/** A buffer that can be handed over instead of copied; none for a view of a larger one. */
function wholeBuffer(bytes: Uint8Array): ArrayBuffer[] {
  const { buffer } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return isWhole ? [buffer] : [];
}
