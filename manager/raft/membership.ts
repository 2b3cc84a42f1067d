// How membership changes get into the log and into effect.
// Raft paper §6, thesis §4.1-§4.3: a configuration holds from the moment its entry is appended, and
// is taken back with the entry. Rules for a leader (raft.md §1.6):
// - one change at a time: the active configuration's entry must be committed;
// - only after an entry of the own term is committed (Ongaro 2015: otherwise two leaders can change
//   the same base so that their quorums do not overlap), except when the leader is the only voter,
//   because then no other leader of that base can exist;
// - joint configurations with autoLeave are left as soon as they are committed, by whoever leads;
// - a leader that is no voter any more leads until that is committed, then hands over.
import {
  applyConfChange,
  type Conf,
  formatConf,
  isJoint,
  isMember,
  isVoter,
  sameConf,
} from './conf.ts';
import {
  type ConfChange,
  decodeConfChange,
  encodeConfChange,
  isLeaveJoint,
  LEAVE_JOINT,
  Transition,
} from './conf-change.ts';
import { invariant } from './invariant.ts';
import type { Raft } from './raft.ts';
import { appendEntries, broadcastAppend } from './replication.ts';
import type { LogStorage } from './storage.ts';
import {
  type Entry,
  EntryType,
  MessageType,
  makeMessage,
  NO_NODE,
  type RaftId,
  Role,
} from './types.ts';

/** Rebuilds the configuration history from snapshot and stable log. */
export function loadConfiguration(raft: Raft, storage: LogStorage): void {
  const snapshot = storage.snapshot();
  invariant(snapshot !== null, 'no snapshot metadata at start');
  raft.confHistory.reset(snapshot.index, snapshot.confState);
  const low = Math.max(storage.firstIndex(), snapshot.index + 1);
  const high = storage.lastIndex() + 1;
  if (low < high) {
    const entries = storage.entries(low, high, Number.POSITIVE_INFINITY);
    invariant(entries !== null, 'log entries behind the snapshot are missing', { low, high });
    recordConfigurations(raft, entries);
  }
  activate(raft);
}

/** To be called with every entry that was appended, in order. */
export function configurationsAppended(raft: Raft, entries: readonly Entry[]): void {
  const first = entries[0];
  if (first === undefined) return;
  let changed = raft.confHistory.truncateFrom(first.index);
  if (recordConfigurations(raft, entries)) changed = true;
  if (changed) activate(raft);
}

/** The log was replaced by a snapshot. */
export function configurationRestored(raft: Raft, index: number, conf: Conf): void {
  raft.confHistory.reset(index, conf);
  activate(raft);
}

function recordConfigurations(raft: Raft, entries: readonly Entry[]): boolean {
  let changed = false;
  for (const entry of entries) {
    if (entry.type !== EntryType.confChange) continue;
    const change = decodeConfChange(entry.data);
    // A leader checks before it appends. Whatever else arrives here has no effect, on any member.
    const result = change === null ? null : applyConfChange(raft.confHistory.current, change);
    if (result === null || result.error !== null) {
      raft.note('warn', 'a conf change in the log has no effect', { index: entry.index });
      continue;
    }
    raft.confHistory.push(entry.index, result.conf);
    changed = true;
  }
  return changed;
}

function activate(raft: Raft): void {
  const conf = raft.confHistory.current;
  raft.confHistory.prune(raft.log.firstIndex() - 1);
  if (sameConf(conf, raft.tracker.conf)) return;
  if (raft.role === Role.leader) {
    for (const [id, progress] of raft.tracker.entries()) {
      if (id !== raft.id && !isMember(conf, id)) raft.departing.set(id, progress.match);
    }
  }
  raft.tracker.switchTo(conf, raft.log.lastIndex());
  raft.note('info', 'switched to configuration', { conf: formatConf(conf) });
  const own = raft.tracker.get(raft.id);
  if (own !== undefined && raft.leader !== raft.id) own.maybeUpdate(raft.log.lastIndex());
  if (raft.transferee !== NO_NODE && !isVoter(conf, raft.transferee)) raft.transferee = NO_NODE;
}

/** Why a leader may not append `change` now, or null if it may. */
export function changeRefusal(raft: Raft, change: ConfChange): string | null {
  if (change.transition === Transition.forced) return 'a forced configuration is never proposed';
  const { conf } = raft.tracker;
  const isSoleVoter = raft.tracker.isSingleton() && isVoter(conf, raft.id);
  if (!isSoleVoter && !raft.committedInOwnTerm()) {
    return 'no entry of the current term is committed yet';
  }
  if (raft.confHistory.currentIndex > raft.log.committed) {
    return `the change at index ${raft.confHistory.currentIndex} is not committed yet`;
  }
  if (isJoint(conf) && !isLeaveJoint(change)) return 'the joint configuration must be left first';
  if (!isJoint(conf) && isLeaveJoint(change)) return 'the configuration is not joint';
  return applyConfChange(conf, change).error;
}

/** Follow-up of a leader whose commit mark has moved. */
export function afterCommit(raft: Raft): void {
  if (raft.confHistory.currentIndex > raft.log.committed) return;
  sayGoodbye(raft);
  const { conf } = raft.tracker;
  if (isJoint(conf)) {
    if (!conf.autoLeave || !raft.committedInOwnTerm()) return;
    const data = encodeConfChange(LEAVE_JOINT);
    if (appendEntries(raft, [{ type: EntryType.confChange, data }])) broadcastAppend(raft);
    return;
  }
  if (!isVoter(conf, raft.id)) handOver(raft);
}

/**
 * Removed members are no longer replicated to, so they would never learn of their removal and ask
 * for votes for ever. One last append tells them; if it is lost, pre-vote and stickiness protect
 * us.
 */
function sayGoodbye(raft: Raft): void {
  const commit = raft.confHistory.currentIndex;
  for (const [id, match] of raft.departing) {
    raft.departing.delete(id);
    const logTerm = raft.log.term(match);
    const entries = raft.log.entriesFrom(match + 1, raft.config.maxMessageBytes);
    if (logTerm === null || entries === null || raft.tracker.has(id)) continue;
    raft.send(makeMessage(MessageType.append, id, { index: match, logTerm, entries, commit }));
  }
}

/** Thesis §4.2.2: steps down; §3.10: asks the best successor to stand at once. */
function handOver(raft: Raft): void {
  let best: RaftId = NO_NODE;
  let bestMatch = -1;
  for (const id of raft.tracker.conf.voters) {
    const progress = raft.tracker.get(id);
    if (progress === undefined || !progress.recentActive || progress.match <= bestMatch) continue;
    best = id;
    bestMatch = progress.match;
  }
  raft.note('info', 'steps down: it is no voter any more', { successor: best });
  if (best !== NO_NODE) raft.send(makeMessage(MessageType.timeoutNow, best));
  raft.becomeFollower(raft.term, NO_NODE);
}
