// Which configuration holds at which index of the log. A configuration takes effect when its entry
// is appended, and is taken back when that entry is truncated (Raft paper §6; thesis §4.1). etcd
// waits until it is applied; raft.md §1.6 says what that costs. The newest entry of this list is
// therefore always the active configuration, and the list is a function of snapshot and log.
import { type Conf, EMPTY_CONF } from './conf.ts';
import { invariant } from './invariant.ts';

interface Step {
  readonly index: number;
  readonly conf: Conf;
}

/** Configurations by the index from which they hold, ascending; never empty. */
export class ConfHistory {
  #steps: Step[] = [{ index: 0, conf: EMPTY_CONF }];

  /** The configuration in effect. */
  get current(): Conf {
    return (this.#steps[this.#steps.length - 1] as Step).conf;
  }

  /** Index of the entry (or snapshot) that brought the configuration in effect. */
  get currentIndex(): number {
    return (this.#steps[this.#steps.length - 1] as Step).index;
  }

  /** Starts anew from a snapshot at `index`. */
  reset(index: number, conf: Conf): void {
    this.#steps = [{ index, conf }];
  }

  push(index: number, conf: Conf): void {
    invariant(index > this.currentIndex, 'configuration appended out of order', {
      index,
      currentIndex: this.currentIndex,
    });
    this.#steps.push({ index, conf });
  }

  /** Takes back all configurations of entries at or after `index`. True if the active one went. */
  truncateFrom(index: number): boolean {
    let changed = false;
    while (this.#steps.length > 1 && this.currentIndex >= index) {
      this.#steps.pop();
      changed = true;
    }
    return changed;
  }

  /** The configuration as of `index`; null if that is older than what is remembered. */
  at(index: number): Conf | null {
    for (let i = this.#steps.length - 1; i >= 0; i--) {
      const step = this.#steps[i] as Step;
      if (step.index <= index) return step.conf;
    }
    return null;
  }

  /** Whether a configuration that is remembered and holds at or before `index` fits `test`. */
  some(index: number, test: (conf: Conf) => boolean): boolean {
    return this.#steps.some((step) => step.index <= index && test(step.conf));
  }

  /** Forgets what only indexes below `index` need. */
  prune(index: number): void {
    while (this.#steps.length > 1 && (this.#steps[1] as Step).index <= index) this.#steps.shift();
  }
}
