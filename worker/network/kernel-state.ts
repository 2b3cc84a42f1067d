// Applies the desired rules and names, coalesced: of several requests that wait only the last is computed. What was applied is remembered, so that a
// change costs what changed; when the kernel refuses a change (somebody took the table away), everything is applied anew.
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import type { JsonLineProcess } from '../json-line-process.ts';
import { baseScript, diffScript, emptyRules, type RuleNames, type RuleState } from './ruleset.ts';

export class KernelState {
  readonly #helper: JsonLineProcess;
  readonly #names: RuleNames;
  readonly #log: Log;
  readonly #compute: () => { rules: RuleState; publish: () => Promise<void> };
  #applied: RuleState | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(
    deps: { readonly helper: JsonLineProcess; readonly names: RuleNames; readonly log: Log },
    compute: () => { rules: RuleState; publish: () => Promise<void> },
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
      await this.#running?.catch(() => {});
      this.#next = undefined;
      this.#running = this.#apply();
      await this.#running;
    };
    this.#next = run();
    return this.#next;
  }

  /** Forgets what was applied: the next flush writes everything. */
  invalidate(): void {
    this.#applied = undefined;
  }

  async #apply(): Promise<void> {
    const { rules, publish } = this.#compute();
    await Promise.all([this.#applyRules(rules), publish()]);
  }

  async #applyRules(rules: RuleState): Promise<void> {
    if (this.#applied) {
      const script = diffScript(this.#names, this.#applied, rules);
      if (script === '') return;
      try {
        await this.#helper.demand({ op: 'nft', script });
        this.#applied = rules;
        return;
      } catch (error) {
        this.#log.warn('network rules were changed by somebody else, writing all of them', {
          error: messageOf(error),
        });
      }
    }
    this.#applied = undefined;
    const script = baseScript(this.#names) + diffScript(this.#names, emptyRules(), rules);
    await this.#helper.demand({ op: 'nft', script });
    this.#applied = rules;
  }
}
