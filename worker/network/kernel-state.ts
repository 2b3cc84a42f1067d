// Applies the desired rules and names, coalesced: of several requests that wait only the last is computed. What was applied is remembered, so that a
// change costs what changed; when the kernel refuses a change (somebody took the table away), everything is applied anew.
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { UNANSWERED_MS } from './limits.ts';
import type { NetHelper } from './net-helper.ts';
import {
  baseScript,
  diffScript,
  emptyRules,
  type RuleNames,
  type RuleState,
  removeScript,
} from './ruleset.ts';
import {
  type BackendLeft,
  backendsLeft,
  type StaleFlow,
  staleFlows,
  stillAway,
} from './stale-flows.ts';

/** What should be, as of one moment. */
export interface Desired {
  readonly rules: RuleState;
  readonly publishNames: () => Promise<void>;
  /** Opens the host's firewall when it was left as it was so far. */
  readonly wake: () => Promise<void>;
  /** Never fails. */
  readonly applyMesh: () => Promise<void>;
}

export class KernelState {
  readonly #helper: NetHelper;
  readonly #names: RuleNames;
  readonly #log: Log;
  readonly #compute: () => Desired;
  #applied: RuleState | undefined;
  /** What the helper has got last, done or not: it works in order, so whatever it is asked for next finds this in the kernel. */
  #sent: RuleState = emptyRules();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** Grows when what was applied stops being known to be in the kernel. */
  #epoch = 0;
  #forgetting: Promise<void> = Promise.resolve();
  /** Addresses that nobody has any more and whose flows are still known to the kernel. */
  #gone: string[] = [];
  #stopped = false;

  constructor(
    deps: { readonly helper: NetHelper; readonly names: RuleNames; readonly log: Log },
    compute: () => Desired,
  ) {
    this.#helper = deps.helper;
    this.#names = deps.names;
    this.#log = deps.log;
    this.#compute = compute;
  }

  /** Resolves when the state as it is at this call (or later) is in the kernel and in the names file. */
  flush(): Promise<void> {
    if (this.#next) return this.#next;
    const run = async (): Promise<void> => {
      // Also gives the others that change something in this turn the time to do so.
      await this.#running?.catch(() => {});
      this.#next = undefined;
      this.#running = this.#apply();
      await this.#running;
    };
    this.#next = run();
    return this.#next;
  }

  /** As `flush`, but writes everything, whatever is in the kernel. */
  rewrite(): Promise<void> {
    this.#epoch += 1;
    this.#applied = undefined;
    return this.flush();
  }

  /**
   * With the next flush the flows of these addresses are forgotten: soon after it, but before whatever the helper is asked for later. So the next owner
   * of an address never meets them, and nobody waits while the kernel looks through all its flows.
   */
  forgetFlows(addresses: readonly string[]): void {
    this.#gone.push(...addresses);
  }

  /** Resolves when all flows are forgotten that were to be forgotten with flushes that are done. */
  forgotten(): Promise<void> {
    return this.#forgetting;
  }

  /** Removes the table; the next flush writes everything. */
  async remove(): Promise<void> {
    await this.#running?.catch(() => {});
    this.#epoch += 1;
    this.#applied = undefined;
    this.#sent = emptyRules();
    await this.#helper.nft(removeScript(this.#names));
  }

  async #apply(): Promise<void> {
    const { rules, publishNames, applyMesh, wake } = this.#compute();
    const gone = this.#gone;
    this.#gone = [];
    const before = this.#applied;
    const done = await Promise.allSettled([
      this.#applyRules(rules),
      publishNames(),
      applyMesh(),
      wake(),
    ]);
    for (const result of done) {
      if (result.status === 'fulfilled') continue;
      this.#gone.unshift(...gone);
      throw result.reason;
    }
    this.#forgetting = this.#forget(gone, before ? staleFlows(before, rules) : []);
    if (before) this.#forgetUnansweredLater(backendsLeft(before, rules, 'tcp'));
  }

  /** The helper will not be asked by itself any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Not at once: answers to the last connections are on their way. */
  #forgetUnansweredLater(left: readonly BackendLeft[]): void {
    if (left.length === 0) return;
    const timer = setTimeout(() => {
      if (this.#stopped) return;
      const flows = stillAway(left, this.#sent);
      this.#helper.forgetUnanswered(flows).catch((error: unknown) => this.#notForgotten(error));
    }, UNANSWERED_MS);
    timer.unref();
  }

  async #applyRules(rules: RuleState): Promise<void> {
    const before = this.#applied;
    const epoch = this.#epoch;
    this.#sent = rules;
    const remember = (): void => {
      // A rewrite that was asked for meanwhile is still to be done.
      if (this.#epoch === epoch) this.#applied = rules;
    };
    if (before) {
      const script = diffScript(this.#names, before, rules);
      if (script === '') return;
      try {
        await this.#helper.nft(script);
        remember();
        return;
      } catch (error) {
        this.#log.warn('network rules were changed by somebody else, writing all of them', {
          error: messageOf(error),
        });
      }
    }
    this.#applied = undefined;
    await this.#helper.nft(baseScript(this.#names) + diffScript(this.#names, emptyRules(), rules));
    remember();
  }

  /** Failing here harms only UDP clients that keep their port, and the next flush goes on. */
  async #forget(gone: readonly string[], udp: readonly StaleFlow[]): Promise<void> {
    if (gone.length === 0 && udp.length === 0) return;
    try {
      await this.#helper.forgetFlows(gone, udp);
    } catch (error) {
      this.#notForgotten(error);
    }
  }

  #notForgotten(error: unknown): void {
    this.#log.warn('connection tracking still knows flows of removed containers', {
      error: messageOf(error),
    });
  }
}
