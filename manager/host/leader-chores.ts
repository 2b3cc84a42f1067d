// What a leader sees to besides tasks: that the Raft group follows the nodes' roles
// (manager/control/membership decides each step), that the nodes show who leads and who is
// reachable, and that a root rotation ends. One loop, one step after the other; nothing is
// remembered between two rounds, so that another leader goes on where this one stopped.
import { withoutExpired } from '#manager/ca/removed';
import { endRotation } from '#manager/ca/rotation';
import { type MembershipStep, membershipSteps, refreshManagers } from '#manager/control/membership';
import { hasCode, messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { CHORES_BUSY_MS, CHORES_MS } from '../limits.ts';
import { Wakeups } from './pacing.ts';
import type { RaftNode } from './raft/raft-node.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface LeaderChoresDeps {
  readonly replicated: ReplicatedStore;
  readonly raft: RaftNode;
  readonly log: Log;
  nowMicros(): number;
}

export class LeaderChores {
  readonly #deps: LeaderChoresDeps;
  readonly #wakeups: Wakeups = new Wakeups();
  #stop: AbortController | undefined;

  constructor(deps: LeaderChoresDeps) {
    this.#deps = deps;
  }

  /** This manager leads now. */
  start(): void {
    if (this.#stop) return;
    const stop = new AbortController();
    this.#stop = stop;
    const unsubscribe = this.#deps.replicated.store.subscribe((entry) => {
      const concernsUs =
        entry === 'reset' ||
        entry.changes.some(({ kind }) => kind === 'node' || kind === 'cluster');
      if (concernsUs) this.#wakeups.wake();
    });
    void this.#loop(stop.signal).finally(unsubscribe);
  }

  /** It no longer leads. */
  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  /** Raft's members have changed. */
  statusChanged(): void {
    this.#wakeups.wake();
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const seen = this.#wakeups.count;
      let isBusy = true;
      try {
        isBusy = await this.#round(signal);
      } catch (error) {
        const isUsual = hasCode(error, 'no_leader') || hasCode(error, 'unavailable');
        const { log } = this.#deps;
        if (isUsual) log.debug('chores wait', { error: messageOf(error) });
        else log.warn('a chore of the leader failed', { error: messageOf(error) });
        await pause(CHORES_BUSY_MS, signal);
      }
      await this.#wait(signal, seen, isBusy ? CHORES_BUSY_MS : CHORES_MS);
    }
  }

  /** Whether something is still to be done soon. */
  async #round(signal: AbortSignal): Promise<boolean> {
    const { replicated, raft, nowMicros } = this.#deps;
    const { members, raftId } = raft.status();
    await replicated.update({ author: 'role-manager', summary: '' }, (tx) =>
      refreshManagers(tx, raftId, members),
    );
    const cluster = replicated.view.cluster();
    if (cluster.rootCa?.rootRotation) {
      await replicated.update({ author: 'ca', summary: '' }, (tx, context) =>
        endRotation(tx, context.newId),
      );
    }
    if (withoutExpired(cluster, nowMicros()) !== cluster) {
      await replicated.update({ author: 'ca', summary: '' }, (tx, context) =>
        tx.update('cluster', withoutExpired(tx.cluster(), context.nowMicros)),
      );
    }
    if (signal.aborted) return false;
    const steps = membershipSteps(replicated.view, raft.status().members, raftId);
    for (const step of steps) if (await this.#take(step)) return true;
    return steps.length > 0;
  }

  /** Whether the step was taken; false when it has to wait. */
  async #take(step: MembershipStep): Promise<boolean> {
    const { raft, log } = this.#deps;
    try {
      if (step.kind === 'add') await raft.addLearner(step.raftId);
      else if (step.kind === 'promote') await raft.promote(step.raftId);
      else if (step.kind === 'replace') await raft.replaceMember(step.oldId, step.raftId);
      else if (step.kind === 'remove') await raft.removeMember(step.raftId);
      else await raft.transferLeadership();
      log.info('the group of managers changed', { step: step.kind, raftId: step.raftId });
      return true;
    } catch (error) {
      if (!hasCode(error, 'failed_precondition')) throw error;
      log.debug('a change of the group waits', { step: step.kind, why: messageOf(error) });
      return false;
    }
  }

  async #wait(signal: AbortSignal, seen: number, timeoutMs: number): Promise<void> {
    const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    await this.#wakeups.wait(over, seen);
  }
}

function pause(timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
  });
}
