// Configuration scripts: `simple`, `enter-joint`, `leave-joint`, with changes such as `v1 l4 r5 u2`
// as input. Prints the configuration and each member's progress; `next` tells at which command a
// member was added.
import {
  type Conf,
  EMPTY_CONF,
  enterJoint,
  formatConf,
  leaveJoint,
  simpleChange,
} from '#manager/raft/conf';
import { parseChanges } from '#manager/raft/conf-change';
import { Tracker } from '#manager/raft/tracker';
import { describeProgress } from './describe.ts';
import type { ScriptBlock } from './parse.ts';

const LIMITS = { maxCount: 10, maxBytes: 0 };

export class ConfChangeEnv {
  #conf: Conf = EMPTY_CONF;
  readonly #tracker = new Tracker(LIMITS);
  #commands = 0;

  /** The result of a configuration command; null for another command. */
  run(block: ScriptBlock): string | null {
    const result = this.#apply(block);
    if (result === null) return null;
    const lastIndex = this.#commands++;
    if (result.error !== null) return result.error;
    this.#conf = result.conf;
    this.#tracker.switchTo(result.conf, lastIndex);
    const lines = [...this.#tracker.entries()].map(
      ([id, progress]) => `${id}: ${describeProgress(progress)}`,
    );
    return [formatConf(result.conf), ...lines].join('\n');
  }

  #apply({ command, args, input }: ScriptBlock): ReturnType<typeof leaveJoint> | null {
    const changes = parseChanges(input) ?? [];
    if (command === 'simple') return simpleChange(this.#conf, changes);
    if (command === 'leave-joint') return leaveJoint(this.#conf);
    if (command !== 'enter-joint') return null;
    const autoLeave = args.find(({ key }) => key === 'autoleave')?.values[0] === 'true';
    return enterJoint(this.#conf, changes, autoLeave);
  }
}
