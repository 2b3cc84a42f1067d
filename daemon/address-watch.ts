// Keeps the address that this node advertises in step with the host's (advertised.ts): at start, and whenever the worker's network says that the host may have
// another one (worker/network/host-watch.ts), because a lease may change at any time. What it means for the manager on this node is the controller's business.
import type { Log } from '#protocol/world';
import { advertisedNow, ownInterfaces } from './advertised.ts';
import type { Membership } from './membership.ts';
import type { NodeRecord } from './node-file.ts';

export interface AddressWatchDeps {
  readonly member: Membership;
  readonly log: Log;
  /** The node is just joining, leaving or the like: it chooses addresses itself. */
  isBusy(): boolean;
  /** The address is another one since the start; written down already. */
  moved(record: NodeRecord): Promise<void>;
}

export class AddressWatch {
  /** The daemon's setting, '' = none. */
  readonly #flag: string;
  readonly #deps: AddressWatchDeps;

  constructor(flag: string, deps: AddressWatchDeps) {
    this.#flag = flag;
    this.#deps = deps;
  }

  /** The record with the address that this host has now. */
  async follow(record: NodeRecord): Promise<NodeRecord> {
    const moved = advertisedNow(record, this.#flag, ownInterfaces);
    if (!moved) return record;
    const { member, log } = this.#deps;
    log.warn('this host has another address', {
      before: record.advertiseAddr,
      now: moved.advertiseAddr,
    });
    const placed = { ...record, ...moved };
    await member.setRecord(placed);
    return placed;
  }

  /** Follows the host, and says so, when it has another address. */
  look(): void {
    const { member, isBusy, moved } = this.#deps;
    if (isBusy()) return;
    member.later(async () => {
      const { record } = member;
      const placed = record && (await this.follow(record));
      if (placed && placed !== record) await moved(placed);
    });
  }
}
