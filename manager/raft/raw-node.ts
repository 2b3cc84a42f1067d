// The face of the core: step, tick, ready, advance. Collects what a host has to do into a Ready.
// Source: etcd-io/raft rawnode.go, asynchronous storage writes since 3.6 (raft.md §1.3). Contract
// with asyncStorageWrites: send `messages` at once; those to APPEND_THREAD and APPLY_THREAD go to
// local queues that keep order and drop nothing; when the work is done (for appends: durable),
// deliver their `responses`. Without it: make entries, hard state and snapshot durable, send the
// messages, apply committedEntries, call advance().

import { type ConfChange, encodeConfChange } from './conf-change.ts';
import type { RaftConfig } from './config.ts';
import { invariant } from './invariant.ts';
import { Raft } from './raft.ts';
import type { ConfState } from './types.ts';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type Entry,
  EntryType,
  type HardState,
  isLocalMessage,
  isLocalThread,
  isResponse,
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

/** Work for the host; every part may be empty. */
export interface Ready {
  /** Null unless role or leader changed. */
  readonly softState: SoftState | null;
  /** Null unless term, vote or commit mark changed. */
  readonly hardState: HardState | null;
  readonly readStates: readonly ReadState[];
  /** To be made durable. */
  readonly entries: readonly Entry[];
  /** To be made durable; replaces the log. */
  readonly snapshot: Snapshot | null;
  /** To be applied to the state machine. */
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** Whether anything must be synced before messages that depend on it go out. */
  readonly mustSync: boolean;
}

export class RawNode {
  readonly raft: Raft;
  readonly #async: boolean;
  #lastSoftState: SoftState;
  #lastHardState: HardState;
  #stepsOnAdvance: Message[] = [];

  constructor(config: RaftConfig) {
    this.raft = new Raft(config);
    this.#async = config.asyncStorageWrites;
    this.#lastSoftState = this.raft.softState();
    this.#lastHardState = this.raft.hardState();
  }

  tick(): void {
    this.raft.tick();
  }

  /** Stands for election now. */
  campaign(): void {
    this.raft.step(makeMessage(MessageType.hup, this.raft.id));
  }

  propose(data: Uint8Array): StepError | null {
    return this.proposeBatch([data]);
  }

  /** Several proposals; all are appended in order, or none is. */
  proposeBatch(batch: readonly Uint8Array[]): StepError | null {
    const type = EntryType.normal;
    const entries = batch.map((data) => ({ term: 0, index: 0, type, data }));
    return this.#proposeEntries(entries);
  }

  proposeConfChange(change: ConfChange): StepError | null {
    const data = encodeConfChange(change);
    return this.#proposeEntries([{ term: 0, index: 0, type: EntryType.confChange, data }]);
  }

  #proposeEntries(entries: readonly Entry[]): StepError | null {
    const { id } = this.raft;
    return this.raft.step(makeMessage(MessageType.propose, id, { from: id, entries }));
  }

  /** Starts a linearizable read; `context` must be fresh for every attempt and not 0. */
  readIndex(context: number): StepError | null {
    const { id } = this.raft;
    return this.raft.step(makeMessage(MessageType.readIndex, id, { from: id, context }));
  }

  transferLeader(to: RaftId): StepError | null {
    return this.raft.step(makeMessage(MessageType.transferLeader, this.raft.id, { from: to }));
  }

  forgetLeader(): void {
    this.raft.step(makeMessage(MessageType.forgetLeader, this.raft.id));
  }

  /** The connection to the leader has ended: it is probably dead. Unless it is heard again, this
   * member asks for pre-votes in `ticks`, long before its election timeout; others grant them only if
   * they do not hear it either. (etcd-io/raft has ForgetLeader for the first half of this.) */
  suspectLeader(ticks: number): void {
    const { raft } = this;
    if (raft.role !== Role.follower || raft.leader === NO_NODE) return;
    this.forgetLeader();
    raft.electionElapsed = Math.max(raft.electionElapsed, raft.randomizedElectionTicks - ticks);
  }

  /** The last message to `id` was not delivered. */
  reportUnreachable(id: RaftId): void {
    this.raft.step(makeMessage(MessageType.unreachable, this.raft.id, { from: id }));
  }

  /** Sending a snapshot to `id` has ended. */
  reportSnapshot(id: RaftId, failed: boolean): void {
    const fields = { from: id, reject: failed };
    this.raft.step(makeMessage(MessageType.snapshotStatus, this.raft.id, fields));
  }

  /** A message from another member, or a response of a local storage thread. */
  step(message: Message): StepError | null {
    if (isLocalMessage(message.type) && !isLocalThread(message.from)) return 'local_message';
    // A member that is no voter any more may stand for election, and hears its own vote.
    const isOwnVote =
      message.from === this.raft.id &&
      (message.type === MessageType.voteResponse || message.type === MessageType.preVoteResponse);
    const isForeign = isResponse(message.type) && !isLocalThread(message.from) && !isOwnVote;
    if (isForeign && !this.raft.tracker.has(message.from)) return 'peer_not_found';
    return this.raft.step(message);
  }

  /**
   * The configuration as of `index`, for a snapshot taken there. Null when a snapshot from the
   * leader has replaced the log in the meantime: a local one is of no use then.
   */
  confStateAt(index: number): ConfState | null {
    return this.raft.confHistory.at(index);
  }

  hasReady(): boolean {
    const { raft } = this;
    return (
      raft.messages.length > 0 ||
      raft.messagesAfterAppend.length > 0 ||
      raft.log.unstable.hasNextEntries() ||
      raft.log.unstable.nextSnapshot() !== null ||
      raft.log.hasNextCommittedEntries(!this.#async) ||
      raft.readStates.length > 0 ||
      !sameSoftState(raft.softState(), this.#lastSoftState) ||
      !sameHardState(raft.hardState(), this.#lastHardState)
    );
  }

  /** Takes the work that is due. The host must do it; asking again gives only newer work. */
  ready(): Ready {
    const { raft } = this;
    invariant(this.#stepsOnAdvance.length === 0, 'ready() before advance()');
    const softState = raft.softState();
    const hardState = raft.hardState();
    const entries = raft.log.unstable.nextEntries();
    const last = this.#lastHardState;
    const ready = {
      softState: sameSoftState(softState, this.#lastSoftState) ? null : softState,
      hardState: sameHardState(hardState, last) ? null : hardState,
      readStates: raft.readStates,
      entries,
      snapshot: raft.log.unstable.nextSnapshot(),
      committedEntries: raft.log.nextCommittedEntries(!this.#async),
      mustSync: entries.length > 0 || hardState.term !== last.term || hardState.vote !== last.vote,
    };
    const messages = this.#async ? this.#withStorageMessages(ready) : this.#withoutOwn(ready);
    this.#accept(ready);
    return { ...ready, messages };
  }

  #withStorageMessages(ready: Omit<Ready, 'messages'>): Message[] {
    const { raft } = this;
    const messages = raft.messages;
    const hasAppend =
      ready.entries.length > 0 ||
      ready.hardState !== null ||
      ready.snapshot !== null ||
      raft.messagesAfterAppend.length > 0;
    if (hasAppend) {
      const acknowledgement = this.#appendAcknowledgement();
      const responses =
        acknowledgement === null
          ? raft.messagesAfterAppend
          : [...raft.messagesAfterAppend, acknowledgement];
      messages.push(
        makeMessage(MessageType.storageAppend, APPEND_THREAD, {
          from: raft.id,
          entries: ready.entries,
          term: ready.hardState?.term ?? 0,
          vote: ready.hardState?.vote ?? NO_NODE,
          commit: ready.hardState?.commit ?? 0,
          snapshot: ready.snapshot,
          responses,
        }),
      );
    }
    if (ready.committedEntries.length > 0) {
      messages.push(
        makeMessage(MessageType.storageApply, APPLY_THREAD, {
          from: raft.id,
          entries: ready.committedEntries,
          responses: [this.#applyAcknowledgement(ready.committedEntries)],
        }),
      );
    }
    return messages;
  }

  /** Tells the core that entries are stable. It names the last entry and the present term, so that
   * one that arrives after the entries were overwritten is recognised (raft.md §1.3, ABA). */
  #appendAcknowledgement(): Message | null {
    const { raft } = this;
    const hasEntries = raft.log.unstable.hasEntries();
    const snapshot = raft.log.unstable.snapshot;
    if (!hasEntries && snapshot === null) return null;
    const last = raft.log.lastId();
    return makeMessage(MessageType.storageAppendResponse, raft.id, {
      from: APPEND_THREAD,
      term: raft.term,
      index: hasEntries ? last.index : 0,
      logTerm: hasEntries ? last.term : 0,
      snapshot: raft.log.unstable.nextSnapshot(),
    });
  }

  #applyAcknowledgement(entries: readonly Entry[]): Message {
    return makeMessage(MessageType.storageApplyResponse, this.raft.id, {
      from: APPLY_THREAD,
      entries,
    });
  }

  #withoutOwn(ready: Omit<Ready, 'messages'>): Message[] {
    const { raft } = this;
    const messages = raft.messages;
    for (const message of raft.messagesAfterAppend) {
      if (message.to === raft.id) this.#stepsOnAdvance.push(message);
      else messages.push(message);
    }
    const acknowledgement = this.#appendAcknowledgement();
    if (acknowledgement !== null) this.#stepsOnAdvance.push(acknowledgement);
    if (ready.committedEntries.length > 0) {
      this.#stepsOnAdvance.push(this.#applyAcknowledgement(ready.committedEntries));
    }
    return messages;
  }

  #accept(ready: Omit<Ready, 'messages'>): void {
    const { raft } = this;
    if (ready.softState !== null) this.#lastSoftState = ready.softState;
    if (ready.hardState !== null) this.#lastHardState = ready.hardState;
    raft.readStates = [];
    raft.messages = [];
    raft.messagesAfterAppend = [];
    raft.log.unstable.acceptInProgress();
    if (ready.committedEntries.length > 0) {
      raft.log.acceptApplying(ready.committedEntries, !this.#async);
    }
  }

  /** Everything of the last Ready is done. Only without asyncStorageWrites. */
  advance(): void {
    invariant(!this.#async, 'advance() with asynchronous storage writes');
    const steps = this.#stepsOnAdvance;
    this.#stepsOnAdvance = [];
    for (const message of steps) this.raft.step(message);
  }
}

function sameSoftState(a: SoftState, b: SoftState): boolean {
  return a.leader === b.leader && a.role === b.role;
}

function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}
