// Goal: the rules beyond the paper: flow control, pre-vote, stickiness, reads, transfers, limits,
// recovery of lost log. Method: one core, messages in, messages and state out; each test names its
// source.
import { describe, expect, it } from 'vitest';
import { encodeConfChange, Transition } from '#manager/raft/conf-change';
import { RAFT_DEFAULTS } from '#manager/raft/config';
import { ProgressState } from '#manager/raft/progress';
import { RawNode } from '#manager/raft/raw-node';
import { MemoryStorage } from '#manager/raft/storage';
import { EntryType, MessageType, makeMessage, NO_NODE, Role } from '#manager/raft/types';
import {
  acknowledgeAll,
  elect,
  entry,
  makeRaft,
  propose,
  take,
  takeForeign,
} from '#test/support/raft-unit';

function leader(options: Parameters<typeof makeRaft>[0] = {}): ReturnType<typeof makeRaft> {
  const raft = makeRaft(options);
  elect(raft);
  acknowledgeAll(raft);
  takeForeign(raft);
  return raft;
}

describe('flow control (etcd-io/raft tracker)', () => {
  it('a full window by count or by bytes sends empty appends only; answers open it', () => {
    for (const config of [{ maxInflightMessages: 2 }, { maxInflightBytes: 20 }]) {
      const raft = leader({ config });
      for (let i = 0; i < 5; i++) propose(raft, 'ten bytes!');
      const sent = takeForeign(raft).filter(({ to }) => to === 2);
      expect(sent.length).toBe(2);
      const response = { from: 2, term: raft.term };
      raft.step(makeMessage(MessageType.heartbeatResponse, 1, response));
      const probe = takeForeign(raft).filter(({ to }) => to === 2);
      expect(probe.map(({ entries }) => entries.length)).toEqual([0]);
      raft.step(makeMessage(MessageType.appendResponse, 1, { ...response, index: 3 }));
      const more = takeForeign(raft).filter(({ to, entries }) => to === 2 && entries.length > 0);
      expect(more.length).toBeGreaterThan(0);
    }
  });

  it('the byte count starts anew with the state (etcd PR 54)', () => {
    const raft = leader({ config: { maxInflightBytes: 20 } });
    for (let i = 0; i < 4; i++) propose(raft, 'ten bytes!');
    raft.step(makeMessage(MessageType.unreachable, 1, { from: 2 }));
    const progress = raft.tracker.get(2);
    expect(progress?.state).toBe(ProgressState.probe);
    expect(progress?.inflights.bytes).toBe(0);
  });

  it('a snapshot that overtakes pages under way leaves room for the next ones', () => {
    const config = { maxCommittedBytesPerReady: 1 };
    const { log } = makeRaft({ terms: [1, 1, 1, 1], commit: 4, config });
    log.acceptApplying(log.nextCommittedEntries(false), false);
    expect(log.hasNextCommittedEntries(false)).toBe(false);
    // The state as of entry 2 has replaced the state machine; nobody answers for entry 1 any more.
    log.appliedTo(2, 0);
    expect(log.nextCommittedEntries(false).map(({ index }) => index)).toEqual([3]);
  });

  it('an append message stays within its size, but carries at least one entry', () => {
    const raft = makeRaft({
      terms: Array.from({ length: 30 }, () => 1),
      config: { maxMessageBytes: 50 },
    });
    elect(raft);
    takeForeign(raft);
    raft.step(
      makeMessage(MessageType.appendResponse, 1, {
        from: 2,
        term: raft.term,
        index: 30,
        reject: true,
        rejectHint: 0,
      }),
    );
    const [append] = takeForeign(raft).filter(({ to }) => to === 2);
    expect(append?.entries.length).toBe(3);
  });

  it('a member that lags behind the log gets a snapshot only if it is active', () => {
    const storage = new MemoryStorage();
    const confState = {
      voters: [1, 2],
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
      epoch: 0,
    };
    storage.applySnapshot({ index: 10, term: 1, confState, data: new Uint8Array(0) });
    storage.setHardState({ term: 1, vote: 0, commit: 10 });
    const node = new RawNode({
      ...RAFT_DEFAULTS,
      id: 1,
      storage,
      applied: 10,
      preVote: false,
      checkQuorum: false,
      random: () => 0,
      note: () => {},
    });
    const { raft } = node;
    elect(raft);
    takeForeign(raft);
    const progress = raft.tracker.get(2);
    if (progress !== undefined) progress.recentActive = false;
    raft.step(
      makeMessage(MessageType.appendResponse, 1, {
        from: 2,
        term: raft.term,
        index: 10,
        reject: true,
        rejectHint: 3,
        logTerm: 1,
      }),
    );
    const sent = takeForeign(raft);
    expect(sent.map(({ type }) => type)).toEqual([MessageType.snapshot]);
    node.reportSnapshot(2, true);
    expect(progress).toMatchObject({ state: ProgressState.probe, pendingSnapshot: 0 });
    expect(progress?.next).toBe((progress?.match ?? 0) + 1);
  });
});

describe('limits', () => {
  it('proposals beyond the uncommitted limit are refused, and taken again once applied', () => {
    const raft = leader({ config: { maxUncommittedBytes: 25 } });
    expect(propose(raft, 'ten bytes!')).toBeNull();
    expect(propose(raft, 'ten bytes!')).toBeNull();
    expect(propose(raft, 'ten bytes!')).toBe('uncommitted_limit');
    acknowledgeAll(raft);
    const entries = raft.log.nextCommittedEntries(true);
    raft.step(makeMessage(MessageType.storageApplyResponse, 1, { entries }));
    expect(raft.uncommittedBytes).toBe(0);
    expect(propose(raft, 'ten bytes!')).toBeNull();
  });

  it('one proposal above the limit passes when nothing else waits', () => {
    const raft = leader({ config: { maxUncommittedBytes: 5 } });
    expect(propose(raft, 'ten bytes!')).toBeNull();
    expect(propose(raft, 'x')).toBe('uncommitted_limit');
  });

  it('a proposal above its own limit is refused', () => {
    const raft = leader({ config: { maxProposalBytes: 9 } });
    expect(propose(raft, 'ten bytes!')).toBe('too_large');
  });
});

describe('stickiness and pre-vote (thesis §4.2.3, §9.6)', () => {
  it('a follower that hears its leader ignores vote requests, except forced ones', () => {
    const raft = makeRaft({ config: { checkQuorum: true } });
    raft.step(makeMessage(MessageType.heartbeat, 1, { from: 2, term: 1 }));
    take(raft);
    const request = { from: 3, term: 5, index: 9, logTerm: 1 };
    raft.step(makeMessage(MessageType.vote, 1, request));
    raft.step(makeMessage(MessageType.preVote, 1, request));
    expect(take(raft)).toEqual([]);
    expect(raft.term).toBe(1);
    raft.step(makeMessage(MessageType.vote, 1, { ...request, force: true }));
    expect(take(raft)[0]).toMatchObject({ type: MessageType.voteResponse, reject: false });
  });

  it('a pre-vote changes neither term nor vote of anybody', () => {
    const raft = makeRaft({ config: { preVote: true } });
    raft.step(makeMessage(MessageType.hup, 1));
    expect(raft).toMatchObject({ role: Role.preCandidate, term: 0, vote: NO_NODE });
    const other = makeRaft({ id: 2 });
    for (const message of take(raft)) if (message.to === 2) other.step(message);
    expect(take(other)[0]).toMatchObject({ type: MessageType.preVoteResponse, term: 1 });
    expect(other).toMatchObject({ term: 0, vote: NO_NODE });
  });

  it('stale leaders and pre-candidates are told of the higher term (etcd #8501, #8243)', () => {
    const raft = makeRaft({ term: 5, config: { preVote: true, checkQuorum: true } });
    raft.step(makeMessage(MessageType.heartbeat, 1, { from: 2, term: 3 }));
    raft.step(makeMessage(MessageType.preVote, 1, { from: 3, term: 4 }));
    expect(take(raft).map(({ to, term, type }) => [to, term, type])).toEqual([
      [2, 5, MessageType.appendResponse],
      [3, 5, MessageType.preVoteResponse],
    ]);
  });

  it('late answers to the pre-vote do not count for the election', () => {
    const raft = makeRaft({ voters: [1, 2, 3, 4, 5], config: { preVote: true } });
    raft.step(makeMessage(MessageType.hup, 1));
    takeForeign(raft);
    for (const from of [2, 3]) {
      raft.step(makeMessage(MessageType.preVoteResponse, 1, { from, term: 1 }));
    }
    takeForeign(raft);
    expect(raft.role).toBe(Role.candidate);
    for (const from of [4, 5]) {
      raft.step(makeMessage(MessageType.preVoteResponse, 1, { from, term: 1 }));
    }
    expect(raft.role).toBe(Role.candidate);
  });
});

describe('reads (thesis §6.4)', () => {
  it('an acknowledgement of an earlier round does not confirm a later one (etcd #20418)', () => {
    const raft = leader();
    const read = (context: number): void => {
      raft.step(makeMessage(MessageType.readIndex, 1, { from: 1, context }));
    };
    read(70);
    const [first] = takeForeign(raft).filter(({ type }) => type === MessageType.heartbeat);
    read(71);
    takeForeign(raft);
    const answer = { from: 2, term: raft.term, context: first?.context ?? 0 };
    raft.step(makeMessage(MessageType.heartbeatResponse, 1, answer));
    expect(raft.readStates.map(({ context }) => context)).toEqual([70]);
    const later = { ...answer, context: (first?.context ?? 0) + 1 };
    raft.step(makeMessage(MessageType.heartbeatResponse, 1, later));
    expect(raft.readStates.map(({ context }) => context)).toEqual([70, 71]);
  });

  it('waits for the first commit of the term, with one member too (etcd #7331)', () => {
    for (const voters of [[1], [1, 2, 3]]) {
      const raft = makeRaft({ voters, terms: [1, 1], term: 1 });
      raft.step(makeMessage(MessageType.hup, 1));
      for (const message of take(raft)) if (message.to === 1) raft.step(message);
      for (const from of voters.filter((id) => id !== 1)) {
        raft.step(makeMessage(MessageType.voteResponse, 1, { from, term: raft.term }));
      }
      expect(raft.role).toBe(Role.leader);
      raft.step(makeMessage(MessageType.readIndex, 1, { from: 1, context: 9 }));
      expect(raft.readStates).toEqual([]);
      acknowledgeAll(raft);
      const beats = takeForeign(raft).filter(({ type }) => type === MessageType.heartbeat);
      for (const { to, context } of beats) {
        const fields = { from: to, term: raft.term, context };
        raft.step(makeMessage(MessageType.heartbeatResponse, 1, fields));
      }
      expect(raft.readStates).toEqual([{ index: 3, context: 9 }]);
    }
  });

  it('a follower passes a read on and gives the answer back', () => {
    const raft = makeRaft();
    raft.step(makeMessage(MessageType.heartbeat, 1, { from: 2, term: 1 }));
    take(raft);
    raft.step(makeMessage(MessageType.readIndex, 1, { from: 1, context: 5 }));
    expect(take(raft)[0]).toMatchObject({ to: 2, from: 1, context: 5, term: 0 });
    const answer = { from: 2, term: 1, index: 4, context: 5 };
    raft.step(makeMessage(MessageType.readIndexResponse, 1, answer));
    expect(raft.readStates).toEqual([{ index: 4, context: 5 }]);
  });
});

describe('transfer (thesis §3.10)', () => {
  it('is given up after an election timeout, and proposals are taken again', () => {
    const raft = leader();
    propose(raft, 'x');
    takeForeign(raft);
    raft.step(makeMessage(MessageType.transferLeader, 1, { from: 2 }));
    expect(propose(raft, 'y')).toBe('proposal_dropped');
    for (let i = 0; i < raft.config.electionTicks; i++) raft.tick();
    expect(raft.transferee).toBe(NO_NODE);
    expect(propose(raft, 'y')).toBeNull();
  });

  it('goes to no learner, nobody unknown, not to itself', () => {
    const raft = leader({ learners: [4] });
    for (const from of [4, 9, 1]) {
      raft.step(makeMessage(MessageType.transferLeader, 1, { from }));
    }
    expect(raft.transferee).toBe(NO_NODE);
    expect(takeForeign(raft)).toEqual([]);
  });

  it('works although pre-vote is on (dragonboat 1c7ebd3)', () => {
    const raft = makeRaft({ config: { preVote: true, checkQuorum: true } });
    raft.step(makeMessage(MessageType.heartbeat, 1, { from: 2, term: 1 }));
    take(raft);
    raft.step(makeMessage(MessageType.timeoutNow, 1, { from: 2, term: 1 }));
    expect(raft.role).toBe(Role.candidate);
    const requests = take(raft).filter(({ type }) => type === MessageType.vote);
    expect(requests.map(({ force }) => force)).toEqual([true, true]);
  });
});

describe('membership', () => {
  const change = (nodeId: number): ReturnType<typeof encodeConfChange> =>
    encodeConfChange({
      transition: Transition.auto,
      changes: [{ type: 0, nodeId }],
      context: new Uint8Array(0),
    });

  it('no change before an entry of the own term is committed (Ongaro 2015)', () => {
    const raft = makeRaft({ terms: [1], term: 1 });
    elect(raft);
    takeForeign(raft);
    const entries = [{ term: 0, index: 0, type: EntryType.confChange, data: change(4) }];
    const message = makeMessage(MessageType.propose, 1, { from: 1, entries });
    expect(raft.step(message)).toBe('conf_change_refused');
    acknowledgeAll(raft);
    expect(raft.step(message)).toBeNull();
    expect(raft.tracker.conf.voters).toEqual([1, 2, 3, 4]);
    expect(raft.step(message)).toBe('conf_change_refused');
  });

  it('bytes that are no change have no effect, on any member', () => {
    const raft = makeRaft();
    const junk = { ...entry(1, 1, 'junk'), type: EntryType.confChange };
    raft.step(makeMessage(MessageType.append, 1, { from: 2, term: 1, entries: [junk], commit: 1 }));
    expect(raft.log.committed).toBe(1);
    expect(raft.tracker.conf.voters).toEqual([1, 2, 3]);
  });

  it('learners and strangers do not stand for election', () => {
    for (const voters of [[2, 3], []]) {
      const raft = makeRaft({ voters, learners: voters.length > 0 ? [1] : [] });
      raft.step(makeMessage(MessageType.hup, 1));
      for (let i = 0; i < 50; i++) raft.tick();
      expect(raft.role).toBe(Role.follower);
    }
  });
});

describe('lost log (raft.md §2.2)', () => {
  it('who lost acknowledged entries neither votes nor stands until they are back', () => {
    const raft = makeRaft({ terms: [1, 1], term: 1, config: { recoverUpTo: 5, recoverTerm: 1 } });
    raft.step(makeMessage(MessageType.hup, 1));
    raft.step(makeMessage(MessageType.vote, 1, { from: 2, term: 2, index: 9, logTerm: 1 }));
    expect(raft.role).toBe(Role.follower);
    expect(take(raft)).toEqual([]);
    const entries = [3, 4, 5].map((index) => entry(1, index));
    const append = { from: 3, term: 2, index: 2, logTerm: 1, entries, commit: 5 };
    raft.step(makeMessage(MessageType.append, 1, append));
    expect(raft.isRecovering()).toBe(false);
    take(raft);
    raft.step(makeMessage(MessageType.vote, 1, { from: 2, term: 3, index: 9, logTerm: 2 }));
    expect(take(raft)[0]).toMatchObject({ reject: false });
  });

  it('an entry of a later term than it had seen makes it whole as well: that leader lacks nothing', () => {
    const raft = makeRaft({ terms: [1, 1], term: 3, config: { recoverUpTo: 50, recoverTerm: 3 } });
    const sent = { from: 3, logTerm: 1, index: 2, entries: [entry(3, 3)], commit: 3 };
    raft.step(makeMessage(MessageType.append, 1, { ...sent, term: 3 }));
    expect(raft.isRecovering()).toBe(true); // That leader may have been elected with its vote.
    const later = { from: 2, logTerm: 3, index: 3, entries: [entry(4, 4)] };
    raft.step(makeMessage(MessageType.append, 1, { ...later, term: 4, commit: 3 }));
    expect(raft.isRecovering()).toBe(true);
    raft.step(makeMessage(MessageType.append, 1, { ...later, term: 4, commit: 4 }));
    expect(raft.isRecovering()).toBe(false);
  });

  it('the leader goes back further when what was left there is of an older branch', () => {
    const raft = leader();
    for (const text of ['a', 'b', 'c']) propose(raft, text);
    acknowledgeAll(raft);
    takeForeign(raft);
    const { term } = raft;
    const lost = { from: 2, term, reject: true, force: true };
    // It has entries up to 3, the last ones of an earlier term than ours at that place.
    raft.step(makeMessage(MessageType.appendResponse, 1, { ...lost, index: 4, rejectHint: 3 }));
    expect(raft.tracker.get(2)?.match).toBe(3);
    expect(takeForeign(raft).filter(({ to }) => to === 2)[0]).toMatchObject({ index: 3 });
    raft.step(makeMessage(MessageType.appendResponse, 1, { ...lost, index: 3, rejectHint: 3 }));
    expect(raft.tracker.get(2)?.match).toBe(2);
    expect(takeForeign(raft).filter(({ to }) => to === 2)[0]).toMatchObject({ index: 2 });
  });

  it('the leader believes it, and sends again what it thought was there', () => {
    const raft = leader();
    for (const text of ['a', 'b', 'c']) propose(raft, text);
    acknowledgeAll(raft);
    takeForeign(raft);
    expect(raft.tracker.get(2)?.match).toBe(4);
    propose(raft, 'd');
    takeForeign(raft);
    const refusal = { from: 2, term: raft.term, index: 4, reject: true, rejectHint: 1, logTerm: 1 };
    raft.step(makeMessage(MessageType.appendResponse, 1, refusal));
    expect(raft.tracker.get(2)?.match).toBe(4);
    raft.step(makeMessage(MessageType.appendResponse, 1, { ...refusal, force: true }));
    expect(raft.tracker.get(2)?.match).toBe(1);
    const [append] = takeForeign(raft).filter(({ to }) => to === 2);
    expect(append).toMatchObject({ index: 1 });
    expect(append?.entries.map(({ index }) => index)).toEqual([2, 3, 4, 5]);
  });
});
