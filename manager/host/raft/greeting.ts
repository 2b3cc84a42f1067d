// What a member says of itself when it calls another one, and what the other makes of it: may it be
// heard, or is it out of the group for good? Removed members are not replicated to any more, so this
// is how one that missed its farewell learns of it. A removal is only claimed when it is proved: the
// caller was a member as of its commit mark, and by a configuration committed here at or behind that
// mark it is not; ids are never used again. Epochs (conf.epoch) tell a group that was forced to begin
// anew from what is left of the old one: both may have committed at the same index, so they never
// exchange messages. But a member that has joined since gets the log from before that, too, and is of
// the older epoch until it has the rest: the others know it as a member, which nobody of the old group is.
import { type Conf, EMPTY_CONF, isMember } from '#manager/raft/conf';
import type { Raft } from '#manager/raft/raft';
import type { RaftId } from '#manager/raft/types';

export interface Greeting {
  readonly epoch: number;
  /** Up to here the caller knows the log to be committed. */
  readonly commit: number;
  /** By the configuration at `commit` the caller is a member. */
  readonly isMember: boolean;
  /** By the caller's configuration in effect whoever is called is one. */
  readonly namesCallee: boolean;
}

/** heard: go on; removed: the caller is out; outdated: this member is of an older epoch than the
 * caller, whose word it is not to be heard on. */
export type Judgement = 'heard' | 'removed' | 'outdated';

function committedConf(raft: Raft): Conf {
  return raft.confHistory.at(raft.log.committed) ?? EMPTY_CONF;
}

/** What `raft` says of itself to member `to`. */
export function greetingOf(raft: Raft, to: RaftId): Greeting {
  const conf = committedConf(raft);
  return {
    epoch: conf.epoch,
    commit: raft.log.committed,
    isMember: isMember(conf, raft.id),
    namesCallee: isMember(raft.confHistory.current, to),
  };
}

export function judge(raft: Raft, from: RaftId, greeting: Greeting): Judgement {
  const conf = committedConf(raft);
  // With nothing committed there is nothing to judge by, and nothing that could be hurt.
  if (raft.log.committed === 0 || greeting.commit === 0) return 'heard';
  if (greeting.epoch < conf.epoch) {
    return isMember(raft.confHistory.current, from) ? 'heard' : 'removed';
  }
  if (greeting.epoch > conf.epoch) return greeting.namesCallee ? 'heard' : 'outdated';
  const isProved = greeting.isMember && raft.log.committed >= greeting.commit;
  return isProved && !isMember(conf, from) ? 'removed' : 'heard';
}
