// Puts right what somebody else changed in the kernel: deleted rules, a removed route, an interface set down or taken away, forwarding switched off.
// Told by the network helper's events, which say when to look and never what to do: it looks at everything of ours and makes it as it should be.
// A fight is not won by speed: the first repair is at once, further ones wait.
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import type { AttachmentRecord, HelperInterface } from './attachment.ts';
import type { Forwarding } from './forwarding.ts';
import { CHANGE_SETTLE_MS, LOOK_PERIOD_MS } from './limits.ts';
import type { ChangedPart, Inspection, NetHelper } from './net-helper.ts';
import type { RuleNames } from './ruleset.ts';

export interface KernelCheckDeps {
  readonly helper: NetHelper;
  readonly names: RuleNames;
  readonly forwarding: Forwarding;
  readonly log: Log;
  readonly monotonicMs: () => number;
  /** Writes all rules anew. */
  readonly rewriteRules: () => Promise<void>;
  /** Sees to it that the host's own firewall does not cut off containers. */
  readonly openFirewall: () => Promise<void>;
  /** Makes the mesh as it should be. */
  readonly repairMesh: () => Promise<void>;
  /** Attachments that are complete and not being changed. Their interfaces are the same object as long as they are the same. */
  readonly settled: () => readonly AttachmentRecord[];
}

export class KernelCheck {
  readonly #deps: KernelCheckDeps;
  readonly #pending = new Set<ChangedPart>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #lastMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(deps: KernelCheckDeps) {
    this.#deps = deps;
  }

  /** Somebody changed this part. */
  changed(part: ChangedPart): void {
    this.#pending.add(part);
    if (this.#timer !== undefined || this.#stopped) return;
    const waitMs = Math.max(
      CHANGE_SETTLE_MS,
      this.#lastMs + LOOK_PERIOD_MS - this.#deps.monotonicMs(),
    );
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.check().catch((error: unknown) => {
        this.#deps.log.error('network cannot be repaired', { error: messageOf(error) });
      });
    }, waitMs);
    this.#timer.unref();
  }

  /** Looks at everything and repairs it; of the rules only those that were changed. */
  check(): Promise<void> {
    this.#running = this.#running.catch(() => {}).then(() => this.#look());
    return this.#running;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { helper, names, log } = this.#deps;
    const parts = [...this.#pending];
    this.#pending.clear();
    this.#lastMs = this.#deps.monotonicMs();
    if (parts.includes('rules')) {
      log.warn('network rules were changed by somebody else, writing all of them');
      await this.#deps.rewriteRules();
    }
    if (parts.includes('firewall')) await this.#deps.openFirewall();
    const before = new Set(this.#deps.settled().map((record) => record.interfaces));
    const found = await helper.inspect(names.links);
    const isWhole = wholeness(found);
    if (parts.includes('links') || parts.includes('routes')) await this.#deps.repairMesh();
    await this.#deps.forwarding.repair(found.forwarding);
    for (const record of this.#deps.settled()) {
      // One that began to change meanwhile looks after itself.
      if (!before.has(record.interfaces)) continue;
      const wrong = record.interfaces.filter((itf) => !isWhole(itf));
      if (wrong.length === 0) continue;
      const links = wrong.map(({ host }) => host).join(' ');
      log.warn('interfaces of a container were changed, making them again', {
        container: record.containerId,
        links,
      });
      await this.#repair(record, wrong);
    }
  }

  async #repair(record: AttachmentRecord, interfaces: readonly HelperInterface[]): Promise<void> {
    const { helper, names, log } = this.#deps;
    try {
      const { netnsPath } = record.result;
      await helper.repair({ netns: netnsPath, dns: names.dns, interfaces });
    } catch (error) {
      // Its namespace may be gone with the container; the others must not suffer.
      log.warn('interfaces of a container cannot be made again', {
        container: record.containerId,
        error: messageOf(error),
      });
    }
  }
}

/** Tells whether the host's end of an interface is as it should be. Pure. */
export function wholeness(found: Inspection): (itf: HelperInterface) => boolean {
  const up = new Set(found.links.filter((link) => link.up).map((link) => link.name));
  const routes = new Set(found.routes.map((route) => `${route.link} ${route.to}`));
  return ({ host, v4, v6 }) =>
    up.has(host) &&
    [v4, v6].every(
      (family) => family === undefined || routes.has(`${host} ${canonical(family.address)}`),
    );
}

/** IPv6 addresses have many spellings; the helper uses the kernel's. */
function canonical(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
}
