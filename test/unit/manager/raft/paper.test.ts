// Goal: the rules of the Raft paper (Ongaro, Ousterhout: In Search of an Understandable Consensus
// Algorithm, extended version), section by section; each test names the section it checks.
// Method: one core, messages in, messages and state out.
import { describe, expect, it } from 'vitest';
import { type Message, MessageType, makeMessage, NO_NODE, Role } from '#manager/raft/types';
import {
  acknowledgeAll,
  elect,
  entry,
  makeRaft,
  propose,
  take,
  takeForeign,
  termsOf,
} from '#test/support/raft-unit';

function ticksUntil(raft: ReturnType<typeof makeRaft>, isDone: () => boolean): number {
  for (let ticks = 1; ticks < 100; ticks++) {
    raft.tick();
    if (isDone()) return ticks;
  }
  return -1;
}

describe('5.1 terms', () => {
  it.each([Role.follower, Role.candidate, Role.leader])(
    'role %i: a larger term is adopted and makes a follower',
    (role) => {
      const raft = makeRaft();
      if (role === Role.candidate) raft.step(makeMessage(MessageType.hup, 1));
      if (role === Role.leader) elect(raft);
      raft.step(makeMessage(MessageType.append, 1, { from: 2, term: 7 }));
      expect(raft).toMatchObject({ term: 7, role: Role.follower, leader: 2 });
    },
  );

  it('a request with a stale term is not acted upon', () => {
    const raft = makeRaft({ term: 3 });
    const entries = [entry(2, 1)];
    raft.step(makeMessage(MessageType.append, 1, { from: 2, term: 2, entries, commit: 1 }));
    expect(raft.log.lastIndex()).toBe(0);
    expect(raft.leader).toBe(NO_NODE);
  });
});

describe('5.2 leader election', () => {
  it('a member starts as follower', () => {
    expect(makeRaft().role).toBe(Role.follower);
  });

  it('a leader sends heartbeats to all others at its interval', () => {
    const raft = makeRaft();
    elect(raft);
    takeForeign(raft);
    raft.tick();
    const beats = take(raft).filter(({ type }) => type === MessageType.heartbeat);
    expect(beats.map(({ to }) => to)).toEqual([2, 3]);
  });

  it.each([Role.follower, Role.candidate])(
    'role %i: without word from a leader it starts an election, votes for itself, asks all',
    (role) => {
      const raft = makeRaft();
      if (role === Role.candidate) raft.step(makeMessage(MessageType.hup, 1));
      const { term } = raft;
      take(raft);
      ticksUntil(raft, () => raft.term > term);
      expect(raft).toMatchObject({ term: term + 1, role: Role.candidate, vote: 1 });
      const requests = take(raft).filter(({ type }) => type === MessageType.vote);
      expect(requests.map(({ to }) => to)).toEqual([2, 3]);
    },
  );

  it.each([
    [1, [], Role.leader],
    [3, [2], Role.leader],
    [3, [], Role.candidate],
    [4, [2, 3], Role.leader],
    [4, [2], Role.candidate],
    [5, [2, 3], Role.leader],
    [5, [2], Role.candidate],
    [6, [2, 3, 4], Role.leader],
    [6, [2, 3], Role.candidate],
  ] as const)('%i voters, votes of %j: role %i', (size, granting, role) => {
    const raft = makeRaft({ voters: Array.from({ length: size }, (_, i) => i + 1) });
    raft.step(makeMessage(MessageType.hup, 1));
    takeForeign(raft);
    for (const from of granting) {
      raft.step(makeMessage(MessageType.voteResponse, 1, { from, term: raft.term }));
    }
    expect(raft.role).toBe(role);
  });

  it('a majority of refusals ends the candidacy', () => {
    const raft = makeRaft();
    raft.step(makeMessage(MessageType.hup, 1));
    takeForeign(raft);
    for (const from of [2, 3]) {
      const fields = { from, term: raft.term, reject: true };
      raft.step(makeMessage(MessageType.voteResponse, 1, fields));
    }
    expect(raft.role).toBe(Role.follower);
  });

  it('votes at most once per term, first come first served, also after a restart', () => {
    const raft = makeRaft();
    raft.step(makeMessage(MessageType.vote, 1, { from: 2, term: 1 }));
    raft.step(makeMessage(MessageType.vote, 1, { from: 3, term: 1 }));
    raft.step(makeMessage(MessageType.vote, 1, { from: 2, term: 1 }));
    expect(take(raft).map(({ to, reject }) => [to, reject])).toEqual([
      [2, false],
      [3, true],
      [2, false],
    ]);
    const restarted = makeRaft({ term: 1, vote: 2 });
    restarted.step(makeMessage(MessageType.vote, 1, { from: 3, term: 1 }));
    expect(take(restarted)[0]).toMatchObject({ reject: true });
  });

  it('a candidate that hears the leader of its term, or a later one, follows it', () => {
    for (const term of [1, 2]) {
      const raft = makeRaft();
      raft.step(makeMessage(MessageType.hup, 1));
      raft.step(makeMessage(MessageType.append, 1, { from: 2, term }));
      expect(raft).toMatchObject({ role: Role.follower, term, leader: 2 });
    }
  });

  it('election timeouts are spread over [T, 2T), so that most elections have one candidate', () => {
    let state = 1;
    const random = (): number => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647;
    };
    const seen = new Set<number>();
    for (let i = 0; i < 500; i++) {
      const raft = makeRaft({ config: { random } });
      seen.add(ticksUntil(raft, () => raft.role === Role.candidate));
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    let collisions = 0;
    for (let round = 0; round < 500; round++) {
      const group = [1, 2, 3, 4, 5].map((id) => makeRaft({ id, config: { random } }));
      const first = group.map((raft) => raft.randomizedElectionTicks).sort((a, b) => a - b);
      if (first[0] === first[1]) collisions++;
    }
    expect(collisions / 500).toBeLessThan(0.5);
  });
});

describe('5.3 log replication', () => {
  it('a proposal is appended and sent with the entry before it', () => {
    const raft = makeRaft();
    elect(raft);
    acknowledgeAll(raft);
    takeForeign(raft);
    propose(raft, 'x');
    expect(raft.log.lastIndex()).toBe(2);
    expect(raft.log.committed).toBe(1);
    const appends = takeForeign(raft);
    expect(appends.map(({ to }) => to)).toEqual([2, 3]);
    for (const append of appends) {
      expect(append).toMatchObject({ type: MessageType.append, index: 1, logTerm: 1, commit: 1 });
      expect(append.entries.map(({ term, index }) => [term, index])).toEqual([[1, 2]]);
    }
  });

  it.each([
    [1, [], true],
    [3, [], false],
    [3, [2], true],
    [4, [2], false],
    [4, [2, 3], true],
    [5, [2], false],
    [5, [2, 3], true],
    [7, [2, 3], false],
    [7, [2, 3, 4], true],
  ] as const)('%i voters, acknowledged by %j: committed %s', (size, acknowledging, committed) => {
    const raft = makeRaft({ voters: Array.from({ length: size }, (_, i) => i + 1) });
    elect(raft);
    acknowledgeAll(raft);
    takeForeign(raft);
    propose(raft, 'x');
    const index = raft.log.lastIndex();
    takeForeign(raft);
    for (const from of acknowledging) {
      const fields = { from, term: raft.term, index };
      raft.step(makeMessage(MessageType.appendResponse, 1, fields));
    }
    expect(raft.log.committed >= index).toBe(committed);
  });

  it.each([[[]], [[1]], [[1, 2]], [[1, 1, 2]]])(
    'committing an entry commits what came before it (terms %j)',
    (terms: number[]) => {
      const raft = makeRaft({ terms, term: 2 });
      elect(raft);
      acknowledgeAll(raft);
      expect(raft.log.committed).toBe(terms.length + 1);
    },
  );

  it('the commit mark goes with the next message, and followers apply in order', () => {
    const raft = makeRaft();
    const entries = [entry(1, 1, 'a'), entry(1, 2, 'b')];
    raft.step(makeMessage(MessageType.append, 1, { from: 2, term: 1, entries, commit: 1 }));
    expect(raft.log.committed).toBe(1);
    raft.step(
      makeMessage(MessageType.append, 1, { from: 2, term: 1, index: 2, logTerm: 1, commit: 2 }),
    );
    expect(raft.log.nextCommittedEntries(true).map(({ index }) => index)).toEqual([1, 2]);
  });

  it('a follower never commits beyond what the message has proved to match', () => {
    // A tail of an old term that the leader does not have, and a commit mark behind it.
    const raft = makeRaft({ terms: [1, 1, 1, 1], term: 2 });
    const fields = { from: 2, term: 2, index: 2, logTerm: 1, commit: 4 };
    raft.step(makeMessage(MessageType.append, 1, fields));
    expect(raft.log.committed).toBe(2);
  });

  it.each([
    // Follower's log, message's (index, term), and what is answered: index, rejected, hint, hint
    // term.
    [[1, 2], 0, 0, [0, false, 0, 0]],
    [[1, 2], 1, 1, [1, false, 0, 0]],
    [[1, 2], 2, 2, [2, false, 0, 0]],
    [[1, 2], 1, 2, [1, true, 1, 1]],
    [[1, 2], 2, 3, [2, true, 2, 2]],
    [[1, 2], 3, 3, [3, true, 2, 2]],
    [[1, 4, 4, 4], 3, 3, [3, true, 1, 1]],
    [[1, 2, 2, 2], 9, 5, [9, true, 4, 2]],
  ] as const)('log %j, append after %i/%i: %j', (terms, index, logTerm, answer) => {
    const raft = makeRaft({ terms, term: 5 });
    raft.step(makeMessage(MessageType.append, 1, { from: 2, term: 5, index, logTerm }));
    const [response] = take(raft) as [Message];
    const { reject, rejectHint } = response;
    expect([response.index, reject, rejectHint, response.logTerm]).toEqual(answer);
  });

  it.each([
    [2, 2, [3], [1, 2, 3]],
    [1, 1, [3, 4], [1, 3, 4]],
    [0, 0, [1], [1, 2]],
    [0, 0, [3], [3]],
  ] as const)(
    'after %i/%i, entries of terms %j: the log becomes %j',
    (index, logTerm, add, want) => {
      const raft = makeRaft({ terms: [1, 2], term: 4 });
      const entries = add.map((term, i) => entry(term, index + 1 + i));
      raft.step(makeMessage(MessageType.append, 1, { from: 2, term: 4, index, logTerm, entries }));
      expect(termsOf(raft)).toEqual(want);
    },
  );

  it('figure 7: whatever a follower has, the leader makes it equal to its own log', () => {
    const leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const followers = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 1, 4],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 1, 4, 4, 4, 4],
      [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for (const terms of followers) {
      const leader = makeRaft({ terms: leaderTerms, term: 7, commit: 3 });
      const follower = makeRaft({ id: 2, terms, term: 7, commit: 3 });
      elect(leader);
      let trips = 0;
      for (let messages = takeForeign(leader); messages.length > 0 && trips < 30; trips++) {
        for (const message of messages) if (message.to === 2) follower.step(message);
        for (const answer of take(follower)) leader.step(answer);
        messages = takeForeign(leader);
      }
      expect(termsOf(follower)).toEqual([...leaderTerms, 8]);
      // Whole terms are skipped: far fewer round trips than entries.
      expect(trips).toBeLessThanOrEqual(6);
    }
  });
});

describe('5.4 safety', () => {
  it.each([
    // Own log, candidate's last (index, term), granted.
    [[1], 1, 1, true],
    [[1], 2, 1, true],
    [[1], 1, 2, true],
    [[1, 1], 1, 1, false],
    [[2], 2, 1, false],
    [[2, 2], 5, 1, false],
    [[1, 1, 1], 1, 2, true],
  ] as const)('own terms %j, candidate at %i/%i: vote %s', (terms, index, logTerm, granted) => {
    const raft = makeRaft({ terms });
    raft.step(makeMessage(MessageType.vote, 1, { from: 2, term: 3, index, logTerm }));
    expect(take(raft)[0]?.reject).toBe(!granted);
  });

  it('a vote request tells the index and term of the last entry', () => {
    const raft = makeRaft({ terms: [1, 2, 2] });
    raft.step(makeMessage(MessageType.hup, 1));
    const requests = take(raft).filter(({ type }) => type === MessageType.vote);
    for (const request of requests)
      expect(request).toMatchObject({ index: 3, logTerm: 2, term: 3 });
  });

  it('5.4.2: only entries of the own term are committed by counting', () => {
    for (const [index, committed] of [
      [1, 0],
      [2, 0],
      [3, 3],
    ] as const) {
      const raft = makeRaft({ terms: [1, 2], term: 2 });
      elect(raft);
      takeForeign(raft);
      raft.step(makeMessage(MessageType.appendResponse, 1, { from: 2, term: raft.term, index }));
      expect(raft.log.committed).toBe(committed);
    }
  });
});

describe('8 client interaction', () => {
  it('a new leader appends an empty entry of its term at once', () => {
    const raft = makeRaft({ terms: [1] });
    elect(raft);
    expect(termsOf(raft)).toEqual([1, 2]);
    const [append] = takeForeign(raft).filter(({ type }) => type === MessageType.append);
    expect(append?.entries.map(({ data }) => data.length)).toEqual([0]);
  });
});
