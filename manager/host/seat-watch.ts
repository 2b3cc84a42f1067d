// While a manager waits to be let into the group it asks whether it still may. Its seat may have been
// taken back, by a demotion or by a group that was forced to begin anew, before it got the entry that
// makes it a member: then nobody ever calls it, and nothing that it has proves that it was removed
// (greeting.ts); asked, the managers say so, from a state that is up to date. Ends with the vote.
// Refuses to take silence for an answer: a member that others wait for must not give up.
import { messageOf } from '#protocol/errors';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { Log } from '#protocol/world';
import { LEADER_CALL_MS, SEAT_LOOK_MS } from '../limits.ts';
import { askAny } from './join.ts';

export interface SeatWatchDeps {
  readonly nodeId: string;
  readonly raftId: number;
  /** Control addresses of the managers. */
  readonly managers: readonly string[];
  readonly log: Log;
  identity(): TlsIdentity;
  /** The seat is gone; told once. */
  lost(): void;
}

export class SeatWatch {
  readonly #deps: SeatWatchDeps;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(deps: SeatWatchDeps) {
    this.#deps = deps;
    this.#later();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #later(): void {
    this.#timer = setTimeout(() => void this.#look(), SEAT_LOOK_MS).unref();
  }

  async #look(): Promise<void> {
    const isGiven = await this.#ask();
    if (this.#isStopped) return;
    if (isGiven) {
      this.#later();
      return;
    }
    this.stop();
    this.#deps.lost();
  }

  /** Also true while nobody answers. */
  async #ask(): Promise<boolean> {
    const { nodeId, raftId, managers, log, identity } = this.#deps;
    try {
      const { isGiven } = await askAny(log, managers, identity(), (client) =>
        client.seat({ nodeId, raftId }, { timeoutMs: LEADER_CALL_MS }),
      );
      return isGiven;
    } catch (error) {
      log.debug('nobody says whether the seat is still given', { error: messageOf(error) });
      return true;
    }
  }
}
