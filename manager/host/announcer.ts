// Tells the leader where this manager is reached and what its certificate is: at every start and
// after every change, again and again until the leader has taken it. Nothing waits for it.

import { announceManager } from '#manager/control/membership';
import { hasCode, messageOf } from '#protocol/errors';
import { type AnnounceRequest, MembershipService } from '#protocol/generated/membership';
import type { Log } from '#protocol/world';
import { ANNOUNCE_RETRY_MS } from '../limits.ts';
import type { LeaderAccess } from './leader-access.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface AnnouncerDeps {
  readonly replicated: ReplicatedStore;
  readonly leader: LeaderAccess;
  readonly log: Log;
  /** What is to be told now. */
  describe(): AnnounceRequest;
  /** The leader knows it now. */
  told(): void;
}

export class Announcer {
  readonly #deps: AnnouncerDeps;
  #isStopped = false;
  #isWanted = false;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps;
  }

  /** Tells it; resolves after the first try. */
  announce(): Promise<void> {
    this.#isWanted = true;
    clearTimeout(this.#retry);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#isStopped) {
      this.#isWanted = false;
      if (await this.#try()) continue;
      this.#retry = setTimeout(() => void this.announce(), ANNOUNCE_RETRY_MS);
      return;
    }
  }

  async #try(): Promise<boolean> {
    const { replicated, leader, log, describe } = this.#deps;
    const request = describe();
    try {
      await leader.run(
        undefined,
        MembershipService,
        async () => {
          await replicated.update({ author: request.nodeId, summary: '' }, (tx) =>
            announceManager(tx, request),
          );
          return {};
        },
        (client, options) => client.announce(request, options),
      );
      this.#deps.told();
      return true;
    } catch (error) {
      // A seat that is given up is reported by Raft itself.
      const isLost = hasCode(error, 'failed_precondition');
      log[isLost ? 'warn' : 'debug']('the leader was not told', { error: messageOf(error) });
      return false;
    }
  }
}
