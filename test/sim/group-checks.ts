// The rules of Raft, checked after every event of a member (raft.md §3): one leader per term, one
// vote per term across crashes, log matching, leaders hold what is committed, what is committed is
// on the disks of a quorum, the same entries are applied everywhere, marks never go back, nothing
// is said to peers before it is durable, configurations overlap, snapshots of one index are equal.
// Works on what members show from outside (core, messages, durable log), and never changes them.
import type { RawNode } from '#manager/raft/raw-node';
import {
  type ConfState,
  type Entry,
  EntryType,
  type Message,
  MessageType,
  Role,
} from '#manager/raft/types';
import type { DurableLog } from './durable-log.ts';
import { check, SimFailure } from './failure.ts';
import { digest } from './sim-crypto.ts';

/** One running incarnation of a member, as the checks see it. */
export interface CheckedMember {
  readonly id: number;
  readonly core: RawNode;
  readonly durable: DurableLog;
  /** Its disk has lost log at some time: it cannot be held to what it once said. */
  readonly hasRotted: boolean;
}

interface Committed {
  readonly term: number;
  readonly hash: number;
  /** For the state machine. */
  readonly hasData: boolean;
  /** Term of the leader that was first seen to have it committed. */
  readonly inTerm: number;
}

interface KnownEntry {
  readonly term: number;
  readonly previousTerm: number;
  readonly hash: number;
}

/** What was last seen of a member. */
interface Seen {
  role: Role;
  term: number;
  committed: number;
  lastIndex: number;
  lastTerm: number;
  /** terms[i] is the term of the entry at baseIndex + i */
  baseIndex: number;
  terms: number[];
  confIndex: number;
}

export class GroupChecks {
  /** By index; sparse before the first entry. */
  readonly #committed: (Committed | undefined)[] = [];
  readonly #leaders = new Map<number, number>();
  /** `<member> <term>` → whom it has voted for */
  readonly #votes = new Map<string, number>();
  /** By index: all entries that were ever seen there. */
  readonly #known: KnownEntry[][] = [];
  readonly #applied: (number | undefined)[] = [];
  readonly #snapshots = new Map<number, number>();
  readonly #states: (number | undefined)[] = [];
  readonly #seen = new Map<number, Seen>();
  highestCommitted = 0;
  /** The same, of what state machines get to see. */
  highestWithData = 0;
  elections = 0;
  /** The group was forced to begin anew, and what it began with lacked something that had been committed. */
  hasLost = false;
  confChanges = 0;

  /**
   * The rules for a group that begins anew with what one member has: all of that counts as committed from now on, whatever it was before. Terms and votes are counted anew: nobody
   * of the old group is heard any more.
   */
  static forced(
    before: GroupChecks,
    log: { readonly baseIndex: number; readonly entries: readonly Entry[] },
  ): GroupChecks {
    const checks = new GroupChecks();
    checks.durableOf = before.durableOf;
    checks.elections = before.elections;
    checks.confChanges = before.confChanges;
    let agreed = log.baseIndex;
    for (let index = 0; index <= agreed; index++) checks.#declare(index, before.#committed[index]);
    for (const entry of log.entries) {
      const { index, term } = entry;
      const hash = hashOf(entry);
      const known = before.#committed[index];
      // Without a gap: the term that the group was forced into may be one that the others were in, too.
      if (agreed === index - 1 && known?.term === term && known.hash === hash) agreed = index;
      checks.#declare(index, { term, hash, hasData: hasData(entry), inTerm: term });
    }
    for (let index = 0; index <= agreed; index++) {
      checks.#applied[index] = before.#applied[index];
      checks.#states[index] = before.#states[index];
      const snapshot = before.#snapshots.get(index);
      if (snapshot !== undefined) checks.#snapshots.set(index, snapshot);
    }
    checks.hasLost = before.highestCommitted > agreed;
    return checks;
  }

  #declare(index: number, committed: Committed | undefined): void {
    if (committed === undefined) return;
    this.#committed[index] = committed;
    this.highestCommitted = Math.max(this.highestCommitted, index);
    if (committed.hasData) this.highestWithData = Math.max(this.highestWithData, index);
  }

  /** A member was started anew; its volatile state is gone. */
  started(id: number): void {
    this.#seen.delete(id);
  }

  /** To be called after each event of the member's Raft thread. */
  afterEvent(member: CheckedMember): void {
    const { raft } = member.core;
    const seen = this.#seenOf(member);
    const wasLeader = seen.role === Role.leader && seen.term === raft.term;
    if (raft.term !== seen.term || raft.role !== seen.role) this.#newRole(member, seen);
    this.#followLog(member, seen);
    this.#followConfiguration(member, seen);
    if (raft.log.committed !== seen.committed) this.#followCommit(member, seen, wasLeader);
    check(raft.log.applied <= raft.log.committed, 'only committed entries are applied', () => ({
      member: member.id,
      applied: raft.log.applied,
      committed: raft.log.committed,
    }));
    if (raft.role !== Role.leader) return;
    for (const [id, progress] of raft.tracker.entries()) {
      check(progress.next > progress.match, 'next is beyond match', () => ({
        leader: member.id,
        member: id,
        next: progress.next,
        match: progress.match,
      }));
    }
  }

  #seenOf(member: CheckedMember): Seen {
    const known = this.#seen.get(member.id);
    if (known !== undefined) return known;
    const { raft } = member.core;
    const { log } = raft;
    const baseIndex = log.firstIndex() - 1;
    const terms: number[] = [];
    for (let index = baseIndex; index <= log.lastIndex(); index++) terms.push(log.term(index) ?? 0);
    const seen: Seen = {
      role: Role.follower,
      term: raft.term,
      committed: log.committed,
      lastIndex: log.lastIndex(),
      lastTerm: log.term(log.lastIndex()) ?? 0,
      baseIndex,
      terms,
      confIndex: raft.confHistory.currentIndex,
    };
    this.#seen.set(member.id, seen);
    this.#learnEntries(member, log.firstIndex());
    return seen;
  }

  #newRole(member: CheckedMember, seen: Seen): void {
    const { raft } = member.core;
    check(raft.term >= seen.term, 'terms never go back', () => ({
      member: member.id,
      before: seen.term,
      now: raft.term,
    }));
    const wasLeader = seen.role === Role.leader && seen.term === raft.term;
    if (raft.role === Role.leader && !wasLeader) this.#newLeader(member);
    seen.role = raft.role;
    seen.term = raft.term;
  }

  #newLeader(member: CheckedMember): void {
    const { raft } = member.core;
    this.elections++;
    const other = this.#leaders.get(raft.term);
    check(other === undefined || other === member.id, 'a term has one leader', () => ({
      term: raft.term,
      leaders: [other, member.id],
    }));
    this.#leaders.set(raft.term, member.id);
    const { term, vote } = member.durable;
    check(term === raft.term && vote === member.id, 'a leader’s own vote is durable', () => ({
      leader: member.id,
      term: raft.term,
      durable: { term, vote },
    }));
    // A member that is being removed may still be needed, until its removal is committed.
    const committedConf = raft.confHistory.at(raft.log.committed);
    const isVoter = [raft.tracker.conf, committedConf].some(
      (conf) => conf?.voters.includes(member.id) || conf?.votersOutgoing.includes(member.id),
    );
    check(isVoter, 'only a voter leads', () => ({
      leader: member.id,
      term: raft.term,
      conf: raft.tracker.conf,
    }));
    for (let index = raft.log.firstIndex(); index <= this.highestCommitted; index++) {
      const committed = this.#committed[index];
      if (committed === undefined || committed.inTerm >= raft.term) continue;
      check(raft.log.term(index) === committed.term, 'a leader has what was committed', () => ({
        leader: member.id,
        term: raft.term,
        index,
        committedTerm: committed.term,
        itsTerm: raft.log.term(index),
        itsLast: raft.log.lastIndex(),
      }));
    }
  }

  /** Brings the picture of the log up to date and checks what is new. */
  #followLog(member: CheckedMember, seen: Seen): void {
    const { raft } = member.core;
    const { log } = raft;
    const lastIndex = log.lastIndex();
    const lastTerm = log.term(lastIndex) ?? 0;
    if (lastIndex === seen.lastIndex && lastTerm === seen.lastTerm) return;
    const firstIndex = log.firstIndex();
    // The last place where the picture is still right.
    let same = Math.min(lastIndex, seen.lastIndex);
    while (same >= firstIndex && log.term(same) !== seen.terms[same - seen.baseIndex]) same--;
    if (same < seen.lastIndex) this.#checkTruncation(member, seen, same);
    if (same < firstIndex - 1 || same < seen.baseIndex) {
      seen.baseIndex = firstIndex - 1;
      seen.terms = [log.term(firstIndex - 1) ?? 0];
      same = firstIndex - 1;
    }
    seen.terms.length = same - seen.baseIndex + 1;
    for (let index = same + 1; index <= lastIndex; index++) seen.terms.push(log.term(index) ?? 0);
    seen.lastIndex = lastIndex;
    seen.lastTerm = lastTerm;
    this.#learnEntries(member, same + 1);
  }

  #checkTruncation(member: CheckedMember, seen: Seen, same: number): void {
    const { raft } = member.core;
    const values = (): Record<string, unknown> => ({
      member: member.id,
      term: raft.term,
      keeps: same,
      had: seen.lastIndex,
      committed: seen.committed,
    });
    const isLeader = raft.role === Role.leader && seen.role === Role.leader;
    check(!isLeader, 'a leader only appends to its log', values);
    const keepsCommitted = same >= seen.committed || raft.log.firstIndex() - 1 >= seen.committed;
    check(keepsCommitted, 'committed entries stay in the log', values);
    // They are the leader's own, and a leader only appends.
    const isOfTerm = seen.lastTerm === raft.term && raft.log.firstIndex() - 1 < seen.lastIndex;
    check(!isOfTerm, 'entries of the present term stay in the log', values);
  }

  #learnEntries(member: CheckedMember, from: number): void {
    const { log } = member.core.raft;
    if (from > log.lastIndex()) return;
    const entries = log.slice(from, log.lastIndex() + 1, Number.POSITIVE_INFINITY);
    let previousTerm = log.term(from - 1) ?? 0;
    for (const entry of entries) {
      this.#learnEntry(member, entry, previousTerm);
      previousTerm = entry.term;
    }
  }

  #learnEntry(member: CheckedMember, entry: Entry, previousTerm: number): void {
    const { index, term } = entry;
    const hash = hashOf(entry);
    let list = this.#known[index];
    if (list === undefined) {
      list = [];
      this.#known[index] = list;
    }
    const known = list.find((other) => other.term === term);
    if (known === undefined) {
      list.push({ term, previousTerm, hash });
      return;
    }
    const isEqual = known.hash === hash && known.previousTerm === previousTerm;
    check(isEqual, 'entries of one index and term are equal, and so are those before', () => ({
      member: member.id,
      index,
      term,
      known,
      now: { term, previousTerm, hash },
    }));
  }

  #followCommit(member: CheckedMember, seen: Seen, wasLeader: boolean): void {
    const { raft } = member.core;
    const { committed } = raft.log;
    const values = (): Record<string, unknown> => ({
      member: member.id,
      before: seen.committed,
      now: committed,
      last: raft.log.lastIndex(),
    });
    check(committed >= seen.committed, 'the commit mark never goes back', values);
    check(committed <= raft.log.lastIndex(), 'the commit mark is within the log', values);
    const from = Math.max(seen.committed + 1, raft.log.firstIndex());
    seen.committed = committed;
    if (from > committed) return;
    const entries = raft.log.slice(from, committed + 1, Number.POSITIVE_INFINITY);
    for (const entry of entries) this.#commitEntry(member, entry);
    const isLeader = wasLeader && raft.role === Role.leader;
    if (isLeader) this.#checkQuorumHolds(member, committed);
  }

  #commitEntry(member: CheckedMember, entry: Entry): void {
    const { index, term } = entry;
    const hash = hashOf(entry);
    const known = this.#committed[index];
    if (known === undefined) {
      const inTerm = member.core.raft.term;
      this.#declare(index, { term, hash, hasData: hasData(entry), inTerm });
      if (entry.type === EntryType.confChange) this.confChanges++;
      return;
    }
    check(known.term === term && known.hash === hash, 'an index is committed once', () => ({
      member: member.id,
      index,
      known,
      now: { term, hash },
    }));
  }

  /** Set by the owner: the disks, by member. */
  durableOf: (id: number) => { log: DurableLog; hasRotted: boolean } | null = () => null;

  #checkQuorumHolds(leader: CheckedMember, index: number): void {
    const { raft } = leader.core;
    const term = raft.log.term(index) ?? 0;
    const { conf } = raft.tracker;
    const values = (): Record<string, unknown> => ({ leader: leader.id, index, term, conf });
    check(term === raft.term, 'a leader commits by an entry of its own term', values);
    for (const half of [conf.voters, conf.votersOutgoing]) {
      if (half.length === 0) continue;
      const holders = half.filter((id) => {
        const disk = this.durableOf(id);
        return disk !== null && (disk.hasRotted || disk.log.covers(index, term));
      });
      check(
        holders.length > half.length / 2,
        'what is committed is on the disks of a quorum',
        () => ({ ...values(), holders }),
      );
    }
  }

  #followConfiguration(member: CheckedMember, seen: Seen): void {
    const { raft } = member.core;
    const { currentIndex } = raft.confHistory;
    if (currentIndex === seen.confIndex) return;
    const before = seen.confIndex;
    seen.confIndex = currentIndex;
    if (currentIndex <= before) return;
    const older = raft.confHistory.at(currentIndex - 1);
    const newer = raft.confHistory.current;
    if (older === null || older.voters.length === 0 || older.epoch < newer.epoch) return;
    check(quorumsOverlap(older, newer), 'quorums of neighbouring configurations overlap', () => ({
      member: member.id,
      index: currentIndex,
      older,
      newer,
    }));
    if (raft.role !== Role.leader) return;
    const isAlone = older.voters.length === 1 && older.votersOutgoing.length === 0;
    const ownTerm = raft.log.term(raft.log.committed) === raft.term;
    check(isAlone || ownTerm, 'a leader commits in its term before it changes the members', () => ({
      leader: member.id,
      term: raft.term,
      index: currentIndex,
      committed: raft.log.committed,
    }));
    check(before <= raft.log.committed, 'one configuration change at a time', () => ({
      leader: member.id,
      indexes: [before, currentIndex],
      committed: raft.log.committed,
    }));
  }

  /** A message leaves the member. */
  sent(member: CheckedMember, message: Message): void {
    const { type, reject, term, to } = message;
    const { durable } = member;
    const values = (): Record<string, unknown> => ({
      member: member.id,
      message: { type, to, term, index: message.index },
      durable: { term: durable.term, vote: durable.vote, last: durable.lastIndex },
    });
    if (type === MessageType.voteResponse && !reject) {
      const key = `${member.id} ${term}`;
      const before = this.#votes.get(key);
      const isFirst = before === undefined || before === to;
      check(isFirst, 'a member votes once in a term', () => ({ ...values(), before }));
      this.#votes.set(key, to);
      const isDurable = durable.term > term || (durable.term === term && durable.vote === to);
      check(isDurable, 'a vote is durable before it is given', values);
    } else if (type === MessageType.appendResponse && !reject) {
      check(durable.term >= term, 'a term is durable before it is answered in', values);
      // In a later term the same write may have replaced what is acknowledged: as if it had been
      // durable in between.
      const isDurable = durable.term > term || durable.lastIndex >= message.index;
      check(isDurable, 'entries are durable before they count', values);
    }
  }

  /** The state machine of `id` goes from one index to another, by an entry or by a snapshot. */
  order(id: number, before: number, now: number, by: 'entry' | 'snapshot'): void {
    const values = (): Record<string, unknown> => ({ member: id, before, now, by });
    check(now > before, 'entries are applied in order and once', values);
    if (by === 'snapshot') return;
    for (let index = before + 1; index < now; index++) {
      const isSkipped = this.#committed[index]?.hasData === true;
      check(!isSkipped, 'no entry is left out', () => ({ ...values(), index }));
    }
  }

  /** An entry reaches the state machine of `id`. */
  applied(id: number, index: number, data: Uint8Array): void {
    const hash = digest(data, 7);
    const known = this.#applied[index];
    check(known === undefined || known === hash, 'members apply the same entries', () => ({
      member: id,
      index,
    }));
    this.#applied[index] = hash;
    check(this.#committed[index] !== undefined, 'what is applied is committed', () => ({
      member: id,
      index,
    }));
  }

  /** A read was answered as of `index`; when it began, `committed` was committed. */
  readAt(id: number, committed: number, index: number): void {
    check(index >= committed, 'a read is as new as what was committed when it began', () => ({
      member: id,
      committed,
      index,
    }));
  }

  /** What the state machine of `id` holds after the entry at `index`. */
  state(id: number, index: number, text: string): void {
    const hash = digest(Buffer.from(text), 11);
    const known = this.#states[index];
    check(
      known === undefined || known === hash,
      'the state at an index is the same everywhere',
      () => ({
        member: id,
        index,
      }),
    );
    this.#states[index] = hash;
  }

  /** The state of `id` after all entries up to `index`, as a snapshot. */
  snapshot(id: number, index: number, bytes: Uint8Array): void {
    const hash = digest(bytes, 9);
    const known = this.#snapshots.get(index);
    if (known !== undefined && known !== hash) {
      throw new SimFailure('snapshots of one index are equal', { member: id, index });
    }
    this.#snapshots.set(index, hash);
  }
}

function hasData({ type, data }: Entry): boolean {
  return type === EntryType.normal && data.length > 0;
}

function hashOf(entry: Entry): number {
  return digest(entry.data, entry.type + 1);
}

/** Whether each quorum of `a` shares a member with each quorum of `b`, by trying them all. */
function quorumsOverlap(a: ConfState, b: ConfState): boolean {
  const ids = [...new Set([...a.voters, ...a.votersOutgoing, ...b.voters, ...b.votersOutgoing])];
  const all = (1 << ids.length) - 1;
  // Two quorums that share nobody: one within `set`, the other within its complement.
  for (let set = 0; set <= all; set++) {
    const inside = (id: number): boolean => ((set >> ids.indexOf(id)) & 1) === 1;
    if (isQuorum(a, inside) && isQuorum(b, (id) => !inside(id))) return false;
  }
  return true;
}

function isQuorum(conf: ConfState, has: (id: number) => boolean): boolean {
  return [conf.voters, conf.votersOutgoing].every(
    (half) => half.length === 0 || half.filter(has).length > half.length / 2,
  );
}
