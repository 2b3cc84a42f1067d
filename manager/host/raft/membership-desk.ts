// Membership changes and leadership transfers that somebody waits for. Level-triggered: `advance`
// looks at the configuration that is applied and at who leads, and answers when what was asked for
// holds, or cannot be had any more; so a change that was proposed by an earlier attempt counts as
// well. One change and one transfer at a time. The rules for the changes themselves are the core's
// (manager/raft/membership.ts); here is only: not before a learner has caught up, never refused by
// the core for a reason that passes by itself.

import { applyConfChange, type Conf, isJoint, isMember } from '#manager/raft/conf';
import {
  ChangeType,
  type ConfChange,
  type ConfChangeSingle,
  Transition,
} from '#manager/raft/conf-change';
import { changeRefusal } from '#manager/raft/membership';
import { ProgressState } from '#manager/raft/progress';
import type { RawNode } from '#manager/raft/raw-node';
import { NO_NODE, type RaftId, Role } from '#manager/raft/types';
import { CHANGE_TIMEOUT_ELECTIONS, PROMOTE_LAG_ENTRIES_MAX } from './limits.ts';
import { refusalOf, refusedChange, threadError } from './thread-errors.ts';
import type { HostCommand, ThreadError } from './thread-messages.ts';

export interface MembershipDeskDeps {
  readonly node: RawNode;
  readonly electionTicks: number;
  /** Whether the leader has heard from the member within an election timeout. */
  readonly isActive: (id: RaftId) => boolean;
  readonly answer: (id: number, error: ThreadError | null) => void;
}

type ChangeCommand = Exclude<HostCommand, { readonly kind: 'transfer' }>;

interface PendingChange {
  readonly id: number;
  readonly command: ChangeCommand;
  isProposed: boolean;
  ticksLeft: number;
}

interface PendingTransfer {
  /** Null when nobody waits: the host itself gives leadership away. */
  readonly id: number | null;
  readonly to: RaftId;
  /** Whether the caller named the successor. */
  readonly isNamed: boolean;
  ticksLeft: number;
}

export class MembershipDesk {
  readonly #deps: MembershipDeskDeps;
  #change: PendingChange | null = null;
  #transfer: PendingTransfer | null = null;

  constructor(deps: MembershipDeskDeps) {
    this.#deps = deps;
  }

  /** Whether leadership is on its way to another member: proposals should wait. */
  get isTransferring(): boolean {
    return this.#transfer !== null;
  }

  start(id: number, command: HostCommand, applied: Conf): void {
    const { raft } = this.#deps.node;
    if (command.kind === 'transfer') {
      this.#startTransfer(id, command.to);
    } else if (raft.role !== Role.leader) {
      this.#deps.answer(id, refusalOf('no_leader', raft.leader));
    } else if (this.#change !== null) {
      const message = 'another membership change is not finished';
      this.#deps.answer(id, refusedChange(message, 'wait until it is and try again'));
    } else {
      const error = holds(command, applied) ? null : this.#refusal(command);
      if (error !== null) {
        this.#deps.answer(id, error);
        return;
      }
      const ticksLeft = CHANGE_TIMEOUT_ELECTIONS * this.#deps.electionTicks;
      this.#change = { id, command, isProposed: false, ticksLeft };
      this.#advanceChange(applied);
    }
  }

  tick(): void {
    if (this.#change !== null) this.#change.ticksLeft--;
    if (this.#transfer !== null) this.#transfer.ticksLeft--;
  }

  /** To be called in every turn; `applied` is the configuration as of the last applied entry. */
  advance(applied: Conf): void {
    this.#advanceChange(applied);
    this.#advanceTransfer();
  }

  // ---- changes

  /** Why the change cannot be made even when everybody else is quiet. */
  #refusal(command: ChangeCommand): ThreadError | null {
    const { raft } = this.#deps.node;
    const subject = command.kind === 'replace' ? command.newId : command.raftId;
    if (command.kind === 'promote' || command.kind === 'replace') {
      const lag = this.#lagOf(subject);
      if (lag !== null) return lag;
    }
    const { conf } = raft.tracker;
    const { error } = isJoint(conf) ? { error: null } : applyConfChange(conf, changeOf(command));
    if (error === null) return null;
    return refusedChange(
      error === 'removed all voters'
        ? `member ${subject} is the last one with a vote: the cluster would have no managers`
        : `member ${subject}: ${error}`,
    );
  }

  /** Null when the member may get a vote. */
  #lagOf(id: RaftId): ThreadError | null {
    const { raft } = this.#deps.node;
    const progress = raft.tracker.get(id);
    if (progress === undefined) {
      return threadError('not_found', `member ${id} is not in the group`, 'add it first');
    }
    const lag = raft.log.lastIndex() - progress.match;
    const isReplicating = progress.state === ProgressState.replicate && this.#deps.isActive(id);
    if (!progress.isLearner) return null;
    if (isReplicating && lag <= PROMOTE_LAG_ENTRIES_MAX) return null;
    const how = isReplicating ? `is ${lag} entries behind` : 'does not follow the log yet';
    return refusedChange(
      `member ${id} cannot vote yet: it ${how}`,
      'try again when it has caught up',
    );
  }

  #advanceChange(applied: Conf): void {
    const pending = this.#change;
    if (pending === null) return;
    const { raft } = this.#deps.node;
    if (holds(pending.command, applied)) {
      this.#endChange(null);
    } else if (raft.role !== Role.leader) {
      const error = pending.isProposed
        ? threadError(
            'unavailable',
            'leadership was lost before the membership change was confirmed; it may still take effect',
            'look at the members before trying again',
          )
        : refusalOf('no_leader', raft.leader);
      this.#endChange(error);
    } else if (pending.ticksLeft <= 0) {
      const message = 'the membership change was not confirmed in time; it may still take effect';
      const hint = 'check that more than half of the managers are online';
      this.#endChange(threadError('deadline_exceeded', message, hint));
    } else if (!pending.isProposed) {
      this.#propose(pending);
    }
  }

  /** Proposes unless the core would refuse now: a refused change leaves an empty entry behind. */
  #propose(pending: PendingChange): void {
    const { node } = this.#deps;
    const change = changeOf(pending.command);
    if (node.raft.transferee !== NO_NODE || changeRefusal(node.raft, change) !== null) return;
    const refused = node.proposeConfChange(change);
    if (refused === null) pending.isProposed = true;
  }

  #endChange(error: ThreadError | null): void {
    const pending = this.#change;
    this.#change = null;
    if (pending !== null) this.#deps.answer(pending.id, error);
  }

  // ---- transfer

  /** Gives leadership to whoever is fit for it, for a reason of the host's. False if nobody is. */
  giveAway(): boolean {
    if (this.#transfer !== null) return true;
    const to = this.#bestSuccessor();
    if (to === NO_NODE) return false;
    this.#beginTransfer({ id: null, to, isNamed: false, ticksLeft: this.#transferTicks() });
    return true;
  }

  #transferTicks(): number {
    // The core gives up after one election timeout; the new leader then has another to be heard.
    return 3 * this.#deps.electionTicks;
  }

  #startTransfer(id: number, to: number | null): void {
    const { answer, node } = this.#deps;
    const { raft } = node;
    if (raft.role !== Role.leader) {
      answer(id, to === raft.leader && to !== NO_NODE ? null : refusalOf('no_leader', raft.leader));
      return;
    }
    if (to === raft.id) {
      answer(id, null);
      return;
    }
    if (this.#transfer !== null) {
      answer(id, refusedChange('leadership is being handed over already'));
      return;
    }
    const successor = to ?? this.#bestSuccessor();
    const progress = raft.tracker.get(successor);
    if (progress === undefined || progress.isLearner) {
      const message =
        to === null
          ? 'no other manager with a vote can be reached'
          : `member ${to} has no vote in this group`;
      answer(id, refusedChange(message));
      return;
    }
    const ticksLeft = this.#transferTicks();
    this.#beginTransfer({ id, to: successor, isNamed: to !== null, ticksLeft });
  }

  #beginTransfer(transfer: PendingTransfer): void {
    this.#transfer = transfer;
    this.#deps.node.transferLeader(transfer.to);
  }

  #bestSuccessor(): RaftId {
    const { raft } = this.#deps.node;
    let best: RaftId = NO_NODE;
    let bestMatch = -1;
    for (const [id, progress] of raft.tracker.entries()) {
      const isFit = id !== raft.id && !progress.isLearner && this.#deps.isActive(id);
      if (!isFit || progress.match <= bestMatch) continue;
      best = id;
      bestMatch = progress.match;
    }
    return best;
  }

  #advanceTransfer(): void {
    const transfer = this.#transfer;
    if (transfer === null) return;
    const { raft } = this.#deps.node;
    if (raft.role !== Role.leader && raft.leader !== NO_NODE) {
      const isDone = raft.leader === transfer.to || !transfer.isNamed;
      this.#endTransfer(
        isDone
          ? null
          : threadError('unavailable', `member ${raft.leader} was elected instead`, null),
      );
    } else if (raft.role === Role.leader && raft.transferee === NO_NODE) {
      const message = `member ${transfer.to} did not take leadership over in time`;
      this.#endTransfer(threadError('deadline_exceeded', message, 'this manager still leads'));
    } else if (transfer.ticksLeft <= 0) {
      const message = `it is not known yet who leads after the transfer to member ${transfer.to}`;
      this.#endTransfer(threadError('deadline_exceeded', message, null));
    }
  }

  #endTransfer(error: ThreadError | null): void {
    const transfer = this.#transfer;
    this.#transfer = null;
    if (transfer !== null && transfer.id !== null) this.#deps.answer(transfer.id, error);
  }
}

/** Whether what the command asks for is the case. */
function holds(command: ChangeCommand, conf: Conf): boolean {
  switch (command.kind) {
    case 'addLearner':
      return isMember(conf, command.raftId);
    case 'promote':
      return conf.voters.includes(command.raftId) && !isJoint(conf);
    case 'remove':
      return !isMember(conf, command.raftId);
    case 'replace':
      return conf.voters.includes(command.newId) && !isMember(conf, command.oldId);
  }
}

function changeOf(command: ChangeCommand): ConfChange {
  return { transition: Transition.auto, changes: singlesOf(command), context: new Uint8Array(0) };
}

function singlesOf(command: ChangeCommand): ConfChangeSingle[] {
  switch (command.kind) {
    case 'addLearner':
      return [{ type: ChangeType.addLearner, nodeId: command.raftId }];
    case 'promote':
      return [{ type: ChangeType.addVoter, nodeId: command.raftId }];
    case 'remove':
      return [{ type: ChangeType.remove, nodeId: command.raftId }];
    case 'replace':
      // Two changes make it a joint configuration: old and new never count at the same time.
      return [
        { type: ChangeType.remove, nodeId: command.oldId },
        { type: ChangeType.addVoter, nodeId: command.newId },
      ];
  }
}
