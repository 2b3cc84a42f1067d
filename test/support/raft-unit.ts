// One core under a microscope: made in any state, stepped by hand, its messages taken as they come.
import { RAFT_DEFAULTS, type RaftConfig } from '#manager/raft/config';
import { Raft } from '#manager/raft/raft';
import { MemoryStorage } from '#manager/raft/storage';
import {
  type Entry,
  EntryType,
  type Message,
  MessageType,
  makeMessage,
  type RaftId,
  Role,
} from '#manager/raft/types';

export interface UnitOptions {
  readonly id?: RaftId;
  readonly voters?: readonly RaftId[];
  readonly learners?: readonly RaftId[];
  /** Terms of the entries 1, 2, … in the stable log. */
  readonly terms?: readonly number[];
  readonly term?: number;
  readonly vote?: RaftId;
  readonly commit?: number;
  readonly config?: Partial<RaftConfig>;
}

/** A core without pre-vote and check-quorum, so that the paper's plain rules show. */
export function makeRaft(options: UnitOptions = {}): Raft {
  const terms = options.terms ?? [];
  const none: readonly RaftId[] = [];
  const storage = MemoryStorage.restore({
    hardState: {
      term: options.term ?? terms[terms.length - 1] ?? 0,
      vote: options.vote ?? 0,
      commit: options.commit ?? 0,
    },
    snapshot: {
      index: 0,
      term: 0,
      confState: {
        voters: options.voters ?? [1, 2, 3],
        votersOutgoing: none,
        learners: options.learners ?? none,
        learnersNext: none,
        autoLeave: false,
        epoch: 0,
      },
      data: new Uint8Array(0),
    },
    base: { index: 0, term: 0 },
    entries: terms.map((term, i) => entry(term, i + 1)),
  });
  return new Raft({
    ...RAFT_DEFAULTS,
    preVote: false,
    checkQuorum: false,
    disableProposalForwarding: false,
    id: options.id ?? 1,
    storage,
    random: () => 0.5,
    note: () => {},
    ...options.config,
  });
}

export function entry(term: number, index: number, text = ''): Entry {
  return { term, index, type: EntryType.normal, data: new TextEncoder().encode(text) };
}

/** Everything that wants out, in order; what waits for the disk is taken as durable. */
export function take(raft: Raft): Message[] {
  const messages = [...raft.messages, ...raft.messagesAfterAppend];
  raft.messages = [];
  raft.messagesAfterAppend = [];
  return messages;
}

/** Messages to others only; own acknowledgements are delivered on the way. */
export function takeForeign(raft: Raft): Message[] {
  const result: Message[] = [];
  for (let messages = take(raft); messages.length > 0; messages = take(raft)) {
    for (const message of messages) {
      if (message.to === raft.id) raft.step(message);
      else result.push(message);
    }
  }
  return result;
}

/** Makes `raft` candidate and lets everybody vote for it. */
export function elect(raft: Raft): void {
  raft.step(makeMessage(MessageType.hup, raft.id));
  takeForeign(raft);
  for (const id of raft.tracker.conf.voters) {
    if (id === raft.id || raft.role === Role.leader) continue;
    raft.step(makeMessage(MessageType.voteResponse, raft.id, { from: id, term: raft.term }));
  }
}

/** Every other voter acknowledges the whole log. */
export function acknowledgeAll(raft: Raft): void {
  takeForeign(raft);
  const index = raft.log.lastIndex();
  for (const id of raft.tracker.conf.voters) {
    if (id === raft.id) continue;
    const fields = { from: id, term: raft.term, index };
    raft.step(makeMessage(MessageType.appendResponse, raft.id, fields));
  }
}

export function propose(raft: Raft, text: string): ReturnType<Raft['step']> {
  const entries = [entry(0, 0, text)];
  return raft.step(makeMessage(MessageType.propose, raft.id, { from: raft.id, entries }));
}

/** Terms of all entries in the log. */
export function termsOf(raft: Raft): number[] {
  const terms: number[] = [];
  for (let i = raft.log.firstIndex(); i <= raft.log.lastIndex(); i++) {
    terms.push(raft.log.term(i) ?? -1);
  }
  return terms;
}
