// Recovery from a quorum that is lost for good: one member keeps its log and goes on alone. What it
// has is declared committed, also entries that never had a majority, and behind it comes a forced
// configuration with this member only, in a new term and a new epoch (manager/raft/conf.ts). Members
// of the old group that come back are told to be removed (greeting.ts); they join anew, as other
// members. Same idea as etcd's --force-new-cluster; there, old members can still be dialled
// (SwarmKit #603, #2670).
import { applyConfChange, type Conf, isJoint, memberIds } from '#manager/raft/conf';
import {
  ChangeType,
  decodeConfChange,
  encodeConfChange,
  Transition,
} from '#manager/raft/conf-change';
import { EMPTY_CONF_STATE, type Entry, EntryType, type HardState } from '#manager/raft/types';
import type { WalContents } from '#manager/wal/recovery';

/** What has to be appended, and the hard state to go with it. */
export interface ForcedEntry {
  readonly entry: Entry;
  readonly hardState: HardState;
}

/** The entry that leaves `raftId` as the only member; null if that is what it is. */
export function forcedEntry(contents: WalContents, raftId: number): ForcedEntry | null {
  const conf = lastConf(contents);
  const isAlone = !isJoint(conf) && memberIds(conf).join() === String(raftId);
  if (isAlone) return null;
  const last = contents.entries[contents.entries.length - 1] ?? contents.base;
  const term = Math.max(contents.hardState.term, last.term) + 1;
  const index = last.index + 1;
  const data = encodeConfChange({
    transition: Transition.forced,
    changes: [{ type: ChangeType.addVoter, nodeId: raftId }],
    context: new Uint8Array(0),
  });
  return {
    entry: { term, index, type: EntryType.confChange, data },
    hardState: { term, vote: raftId, commit: index },
  };
}

/** The configuration at the end of the log. */
export function lastConf({ mark, entries }: WalContents): Conf {
  let conf: Conf = mark?.meta.confState ?? EMPTY_CONF_STATE;
  for (const entry of entries) {
    if (entry.type !== EntryType.confChange || entry.index <= (mark?.meta.index ?? 0)) continue;
    const change = decodeConfChange(entry.data);
    conf = (change === null ? null : applyConfChange(conf, change).conf) ?? conf;
  }
  return conf;
}
