// Goal: a manager that sends false Raft messages ends no other one's process and puts nothing into
// their logs that cannot be read back. Method: three hosts over real cores and WAL code, of which one
// alters its messages and invents more, by chance from a seed; beside it the rules one by one, each
// with a message that breaks the core without them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PEER_MESSAGES } from '#manager/host/raft/peer-protocol';
import { problemOf } from '#manager/host/raft/peer-screen';
import { MAX_PROPOSAL_BYTES, MAX_RAFT_NUMBER } from '#manager/raft/limits';
import type { Raft } from '#manager/raft/raft';
import { EntryType, type Message, MessageType, makeMessage } from '#manager/raft/types';
import { Prng } from '#test/support/prng';
import { HostCluster } from '#test/support/raft-host/host-cluster';
import { makeRaft } from '#test/support/raft-unit';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-raft-screen-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TYPES = [...PEER_MESSAGES];
const HOSTILE = 3;

function oneOf<T>(prng: Prng, values: readonly T[]): T {
  return values[prng.below(values.length)] as T;
}

/** Around what is real, and far from it. */
function number(prng: Prng, real: number): number {
  const far = [0, 1, 2 ** 31, 2 ** 52, 2 ** 52 + 5, MAX_RAFT_NUMBER];
  const near = Math.min(MAX_RAFT_NUMBER, Math.max(0, real + prng.below(7) - 3));
  return prng.chance(0.7) ? near : oneOf(prng, far);
}

function data(prng: Prng): Uint8Array {
  const bytes = new Uint8Array(prng.chance(0.01) ? MAX_PROPOSAL_BYTES + 1 : prng.below(40));
  for (let i = 0; i < Math.min(bytes.length, 40); i++) bytes[i] = prng.below(256);
  return bytes;
}

/** Some fields of a message are others. */
function altered(prng: Prng, message: Message): Message {
  const change = (real: number): number => (prng.chance(0.3) ? number(prng, real) : real);
  const index = change(message.index);
  const entries = Array.from({ length: prng.below(4) }, (_, i) => ({
    index: index + 1 + i,
    term: Math.max(1, number(prng, message.term)),
    type: oneOf(prng, [EntryType.normal, EntryType.confChange]),
    data: data(prng),
  }));
  return makeMessage(prng.chance(0.3) ? oneOf(prng, TYPES) : message.type, message.to, {
    from: HOSTILE,
    term: change(message.term),
    index,
    logTerm: change(message.logTerm),
    commit: change(message.commit),
    rejectHint: change(message.rejectHint),
    context: change(message.context),
    reject: prng.chance(0.2) ? !message.reject : message.reject,
    force: prng.chance(0.2),
    entries: prng.chance(0.5) ? entries : message.entries,
  });
}

function invented(prng: Prng, to: number, raft: Raft): Message {
  const last = raft.log.lastIndex();
  const fields = { from: HOSTILE, term: raft.term, index: last, logTerm: raft.log.term(last) ?? 0 };
  const real = makeMessage(oneOf(prng, TYPES), to, { ...fields, commit: raft.log.committed });
  return altered(prng, real);
}

describe('a hostile member', () => {
  it('ends nobody, and what it has put into their logs can be read again', () => {
    let sent = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const prng = new Prng(seed);
      const cluster = new HostCluster(prng, folder, {
        screen: problemOf,
        tamper: (message, from) =>
          from === HOSTILE && prng.chance(0.5) ? altered(prng, message) : message,
      });
      for (let step = 0; step < 1_500; step++) {
        cluster.step(0);
        const member = cluster.members[prng.below(2)];
        if (member?.host && prng.chance(0.05)) {
          const message = invented(prng, member.id, member.host.core.raft);
          cluster.send(member.id, [message], HOSTILE);
          sent++;
        }
        // Opening the log again reads every frame.
        if (member?.host && prng.chance(0.004)) {
          cluster.crash(member);
          cluster.boot(member);
        }
      }
      for (const { fatal } of cluster.members) expect(fatal, `seed ${seed}`).toBeNull();
    }
    expect(sent).toBeGreaterThan(1_000);
  });
});

describe('a message is dropped', () => {
  const follower = (): Raft => makeRaft({ terms: [1, 1, 2], term: 2, commit: 2 });
  const from = 2;
  const heartbeat = { from, term: 2 };
  const entry = { term: 2, index: 4, type: EntryType.normal, data: new Uint8Array(20) };
  const after = { from, term: 2, index: 3, logTerm: 2 };

  it.each<[string, MessageType, Partial<Message>]>([
    ['a commit mark behind the end', MessageType.heartbeat, { ...heartbeat, commit: 4 }],
    [
      'an entry of a later term',
      MessageType.append,
      { ...after, entries: [{ ...entry, term: 3 }] },
    ],
    ['terms that fall', MessageType.append, { ...after, entries: [{ ...entry, term: 1 }] }],
    [
      'an entry that no segment takes',
      MessageType.append,
      { ...after, entries: [{ ...entry, data: new Uint8Array(MAX_PROPOSAL_BYTES + 1) }] },
    ],
    [
      'an entry that no proposal made',
      MessageType.append,
      { ...after, entries: [{ ...entry, data: new Uint8Array(15) }] },
    ],
    ['no term', MessageType.append, { ...after, term: 0 }],
    ['a term that leaves no room above', MessageType.vote, { from, term: 2 ** 53 - 3 }],
    ['a read at a follower', MessageType.readIndex, { from, context: 1 }],
    [
      'an answer that is not the leader’s',
      MessageType.readIndexResponse,
      { ...heartbeat, index: 9 },
    ],
  ])('%s', (_, type, fields) => {
    const raft = follower();
    expect(problemOf(raft, makeMessage(type, 1, fields))).not.toBeNull();
  });

  it('an acknowledgement of what the leader does not have', () => {
    const leader = follower();
    leader.becomeCandidate();
    leader.becomeLeader();
    const { term } = leader;
    const last = leader.log.lastIndex();
    const answer = (index: number): Message =>
      makeMessage(MessageType.appendResponse, 1, { from, term, index });
    expect(problemOf(leader, answer(last + 1))).not.toBeNull();
    expect(problemOf(leader, answer(last))).toBeNull();
  });

  it('but not what correct members say', () => {
    const raft = follower();
    raft.becomeFollower(2, from);
    for (const [type, fields] of [
      [MessageType.heartbeat, { ...heartbeat, commit: 3 }],
      [MessageType.append, { ...after, entries: [entry], commit: 2 ** 40 }],
      [MessageType.append, { from, term: 3, index: 9, logTerm: 3 }],
      [MessageType.readIndexResponse, { ...heartbeat, index: 9 }],
      [MessageType.vote, { from, term: 9, index: 100, logTerm: 8 }],
    ] as const) {
      expect(problemOf(raft, makeMessage(type, 1, fields))).toBeNull();
    }
  });
});
