// The leader's side of replication: appending, choosing what to send to whom, moving the commit
// mark. Raft paper §5.3, §5.4.2; flow control after etcd-io/raft (raft.md §1.2).
import { invariant } from './invariant.ts';
import { configurationsAppended } from './membership.ts';
import { type Progress, ProgressState } from './progress.ts';
import type { Raft } from './raft.ts';
import { payloadBytes } from './storage.ts';
import { type Entry, type EntryType, MessageType, makeMessage, type RaftId } from './types.ts';

/** A proposal that has no place in the log yet. */
export interface NewEntry {
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** Appends to the leader's log. False if too much is uncommitted already; nothing changed then. */
export function appendEntries(raft: Raft, proposals: readonly NewEntry[]): boolean {
  let bytes = 0;
  for (const { data } of proposals) bytes += data.length;
  // Empty entries always pass: a leader's first entry, and leaving a joint configuration.
  const { maxUncommittedBytes } = raft.config;
  if (raft.uncommittedBytes > 0 && bytes > 0) {
    if (raft.uncommittedBytes + bytes > maxUncommittedBytes) return false;
  }
  raft.uncommittedBytes += bytes;
  const lastIndex = raft.log.lastIndex();
  const entries: Entry[] = proposals.map(({ type, data }, i) => ({
    term: raft.term,
    index: lastIndex + 1 + i,
    type,
    data,
  }));
  raft.log.append(entries);
  configurationsAppended(raft, entries);
  // The own acknowledgement is a message like any other, delivered after the own sync (etcd
  // #14370).
  const index = lastIndex + entries.length;
  raft.send(makeMessage(MessageType.appendResponse, raft.id, { index }));
  return true;
}

/** Sends appends to everybody else. */
export function broadcastAppend(raft: Raft): void {
  for (const [id] of raft.tracker.entries()) if (id !== raft.id) sendAppend(raft, id);
}

/** Sends what `to` needs next, or an empty append that carries the commit mark. */
export function sendAppend(raft: Raft, to: RaftId): void {
  maybeSendAppend(raft, to, true);
}

/** Sends one append if flow control allows. Returns whether something was sent. */
export function maybeSendAppend(raft: Raft, to: RaftId, sendIfEmpty: boolean): boolean {
  const progress = raft.tracker.get(to);
  if (progress === undefined || progress.isPaused()) return false;
  const index = progress.next - 1;
  const logTerm = raft.log.term(index);
  if (logTerm === null) return maybeSendSnapshot(raft, to, progress);
  // With a full window only an empty append goes out: if all messages in flight were lost, the
  // answer to it brings the stream back to life (etcd-io/raft PR 31, replicate_pause).
  const isFull = progress.state === ProgressState.replicate && progress.inflights.isFull();
  const entries = isFull ? [] : raft.log.entriesFrom(progress.next, raft.config.maxMessageBytes);
  if (entries === null) return maybeSendSnapshot(raft, to, progress);
  if (entries.length === 0 && !sendIfEmpty) return false;
  const commit = raft.log.committed;
  raft.send(makeMessage(MessageType.append, to, { index, logTerm, entries, commit }));
  progress.sentEntries(entries.length, payloadBytes(entries));
  progress.sentCommit = commit;
  return true;
}

function maybeSendSnapshot(raft: Raft, to: RaftId, progress: Progress): boolean {
  if (!progress.recentActive) {
    raft.note('debug', 'sends no snapshot to an inactive member', { to });
    return false;
  }
  const snapshot = raft.log.snapshot();
  if (snapshot === null) {
    raft.note('debug', 'no snapshot can be had right now', { to });
    return false;
  }
  invariant(snapshot.index > 0, 'the log is compacted but there is no snapshot', { to });
  progress.becomeSnapshot(snapshot.index);
  raft.send(makeMessage(MessageType.snapshot, to, { snapshot }));
  raft.note('debug', 'sends a snapshot', { to, index: snapshot.index, term: snapshot.term });
  return true;
}

/** Heartbeats to everybody else; `round` is the read round that they confirm, or 0. */
export function broadcastHeartbeat(raft: Raft, round: number): void {
  for (const [id, progress] of raft.tracker.entries()) {
    if (id === raft.id) continue;
    // Never a commit mark beyond what is known to match: the member may lack the entries.
    const commit = Math.min(progress.match, raft.log.committed);
    raft.send(makeMessage(MessageType.heartbeat, id, { commit, context: round }));
    progress.sentCommit = commit;
  }
}

/** Moves the commit mark to what a quorum holds, if that is an entry of the own term (§5.4.2). */
export function maybeCommit(raft: Raft): boolean {
  const index = raft.tracker.committed();
  if (index <= raft.log.committed || !Number.isFinite(index)) return false;
  if (raft.log.term(index) !== raft.term) return false;
  raft.log.commitTo(index);
  return true;
}
