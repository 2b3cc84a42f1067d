// Goal: the rules of the host's parts, each by itself: who is told to be removed, which proposals are
// said to be lost, when a leader is unfit, what a queue drops, how a snapshot is read in pieces.
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ApplyingPages } from '#manager/host/raft/applying-pages';
import { type Greeting, greetingOf, judge } from '#manager/host/raft/greeting';
import { LeaderHealth } from '#manager/host/raft/leader-health';
import {
  COMMIT_NOTICE_DELAY_MS,
  HAND_OVER_PAUSE_MS,
  MAIN_SILENT_MS,
  SLOW_DISK_WINDOW_MS,
} from '#manager/host/raft/limits';
import { NODE_WAL_CRYPTO } from '#manager/host/raft/node-crypto';
import { type MessageStream, PeerLink } from '#manager/host/raft/peer-link';
import { PeerView } from '#manager/host/raft/peer-view';
import { ProposalLedger } from '#manager/host/raft/proposal-ledger';
import { decodeMessages } from '#manager/raft/codec';
import { applyConfChange, EMPTY_CONF } from '#manager/raft/conf';
import {
  ChangeType,
  decodeConfChange,
  encodeConfChange,
  Transition,
} from '#manager/raft/conf-change';
import { ConfHistory } from '#manager/raft/conf-history';
import type { Raft } from '#manager/raft/raft';
import { type Entry, type Message, MessageType, makeMessage } from '#manager/raft/types';
import {
  readSnapshotFile,
  SNAPSHOT_HEADER_MAX_BYTES,
  SnapshotReader,
  SnapshotWriter,
} from '#manager/wal/snapshot-file';
import { type PeerFrame, PeerHello } from '#protocol/generated/raft';
import { KEYS } from '#test/support/wal/harness';

/** A core of which only log mark and configurations matter. */
function coreWith(
  committed: number,
  steps: readonly (readonly [number, readonly number[], number?])[],
): Raft {
  const confHistory = new ConfHistory();
  const [[index, voters, epoch = 0] = [0, []], ...rest] = steps;
  confHistory.reset(index, { ...EMPTY_CONF, voters, epoch });
  for (const [at, ids, era = 0] of rest) {
    confHistory.push(at, { ...EMPTY_CONF, voters: ids, epoch: era });
  }
  return { confHistory, log: { committed } } as unknown as Raft;
}

function withId(core: Raft, id: number): Raft {
  return { ...core, id } as unknown as Raft;
}

function said(epoch: number, commit: number, isMember: boolean, namesCallee = false): Greeting {
  return { epoch, commit, isMember, namesCallee };
}

describe('a greeting', () => {
  const core = coreWith(50, [
    [1, [1, 2, 3]],
    [30, [1, 2]],
  ]);

  it('proves a removal only from behind the caller’s own mark', () => {
    expect(judge(core, 3, said(0, 20, true))).toBe('removed');
    expect(judge(core, 2, said(0, 20, true))).toBe('heard');
    // It may have been added after what is known here.
    expect(judge(core, 4, said(0, 70, true))).toBe('heard');
    // It joins: its log does not name it yet.
    expect(judge(core, 5, said(0, 20, false))).toBe('heard');
    expect(judge(core, 5, said(0, 0, false))).toBe('heard');
  });

  it('does not take a change that is not committed for a removal', () => {
    const early = coreWith(29, [
      [1, [1, 2, 3]],
      [30, [1, 2]],
    ]);
    expect(judge(early, 3, said(0, 20, true))).toBe('heard');
  });

  it('of another epoch is never heard', () => {
    const forced = coreWith(60, [
      [1, [1, 2, 3]],
      [55, [1], 1],
    ]);
    expect(judge(forced, 2, said(0, 90, true))).toBe('removed');
    expect(judge(core, 1, said(1, 60, true))).toBe('outdated');
    expect(judge(coreWith(0, [[0, []]]), 1, said(1, 60, true))).toBe('heard');
  });
});

describe('a member that joins a group that was forced to begin anew', () => {
  const forced = coreWith(60, [
    [1, [1, 2, 3]],
    [55, [1], 1],
    [58, [1, 4], 1],
  ]);

  it('is heard while it has only the log from before that', () => {
    expect(judge(forced, 4, said(0, 40, false))).toBe('heard');
    expect(judge(forced, 2, said(0, 40, true))).toBe('removed');
  });

  it('hears those who name it, and nobody else', () => {
    const joining = coreWith(40, [[1, [1, 2, 3]]]);
    expect(judge(joining, 1, greetingOf(withId(forced, 1), 4))).toBe('heard');
    expect(judge(joining, 1, greetingOf(withId(forced, 1), 2))).toBe('outdated');
  });
});

describe('a forced configuration', () => {
  it('leaves one voter, whatever was before, in a new epoch, and survives its bytes', () => {
    const change = {
      transition: Transition.forced,
      changes: [{ type: ChangeType.addVoter, nodeId: 2 }],
      context: new Uint8Array(0),
    };
    const joint = {
      ...EMPTY_CONF,
      voters: [1, 2, 3],
      votersOutgoing: [3, 4],
      learners: [9],
      epoch: 4,
    };
    const decoded = decodeConfChange(encodeConfChange(change));
    expect(decoded).toEqual(change);
    expect(applyConfChange(joint, change).conf).toEqual({ ...EMPTY_CONF, voters: [2], epoch: 5 });
  });
});

describe('the ledger of proposals', () => {
  it('says what is lost once an entry of a later term is applied, and not before', () => {
    const ledger = new ProposalLedger();
    ledger.accepted(3, 10);
    ledger.accepted(3, 12);
    expect(ledger.appliedTerm(2)).toBeNull();
    expect(ledger.appliedTerm(3)).toBeNull();
    ledger.accepted(5, 20);
    expect(ledger.appliedTerm(5)).toEqual({ upToSeq: 12, isCertain: true });
    expect(ledger.appliedTerm(5)).toBeNull();
    expect(ledger.appliedTerm(6)).toEqual({ upToSeq: 20, isCertain: true });
    ledger.accepted(7, 21);
    expect(ledger.replaced()).toEqual({ upToSeq: 21, isCertain: false });
    expect(ledger.replaced()).toBeNull();
  });
});

describe('a leader’s health', () => {
  function leader(): { health: LeaderHealth; pass: (ms: number) => void } {
    let now = 1_000_000;
    const health = new LeaderHealth(() => now, 1_000);
    return {
      health,
      pass: (ms) => {
        now += ms;
      },
    };
  }

  it('a write that hangs, a disk that is slow, a main thread that is silent', () => {
    const { health, pass } = leader();
    expect(health.reasonToHandOver(999)).toBeNull();
    expect(health.reasonToHandOver(1_001)).toContain('stalled');
    for (let i = 0; i < 100; i++) {
      health.wrote(i < 2 ? 300 : 1);
      pass(SLOW_DISK_WINDOW_MS / 99);
    }
    health.wrote(1);
    expect(health.reasonToHandOver(0)).toContain('slow');
    health.handedOver();
    expect(health.reasonToHandOver(2_000)).toBeNull();
    pass(HAND_OVER_PAUSE_MS + 1);
    expect(health.reasonToHandOver(0)).toBeNull();
    health.mainAnswered();
    pass(MAIN_SILENT_MS + 1);
    expect(health.reasonToHandOver(0)).toContain('main thread');
  });

  it('a full disk, as often as it leads; but not back and forth all the time', () => {
    const { health, pass } = leader();
    health.isDiskFull = true;
    expect(health.reasonToHandOver(0)).toContain('full');
    health.handedOver();
    expect(health.reasonToHandOver(0)).toBeNull();
    pass(HAND_OVER_PAUSE_MS + 1);
    expect(health.reasonToHandOver(0)).toContain('full');
    health.isDiskFull = false;
    expect(health.reasonToHandOver(0)).toBeNull();
  });

  it('one slow write in a hundred is nothing', () => {
    const { health, pass } = leader();
    for (let i = 0; i < 200; i++) {
      health.wrote(i % 150 === 75 ? 300 : 1);
      pass(SLOW_DISK_WINDOW_MS / 150);
    }
    expect(health.reasonToHandOver(0)).toBeNull();
  });
});

describe('the view of the others', () => {
  it('measures the way there and back on heartbeats, one at a time', () => {
    let now = 0;
    const view = new PeerView(() => now, 1_000);
    const beat = [makeMessage(MessageType.heartbeat, 2)];
    const answer = [makeMessage(MessageType.heartbeatResponse, 1, { from: 2 })];
    expect(view.isActive(2)).toBe(false);
    view.sent(2, beat);
    now = 5;
    view.sent(2, beat);
    now = 8;
    view.heard(2, answer);
    expect(view.rttMs(2)).toBe(8);
    now = 900;
    expect(view.isActive(2)).toBe(true);
    now = 1_100;
    expect(view.isActive(2)).toBe(false);
    view.keep(new Set([3]));
    expect(view.silentMs(2)).toBeNull();
  });
});

describe('a link without a connection', () => {
  it('keeps votes, drops the oldest appends, and says so', () => {
    let lost = 0;
    const link = new PeerLink(
      { raftId: 2, nodeId: 'n', addr: 'a:1' },
      {
        hello: () => {
          throw new Error('nobody is there');
        },
        open: (): { stream: MessageStream; close: () => void } | null => null,
        unreachable: () => {
          lost++;
        },
        removed: () => {},
        note: () => {},
        random: () => 0,
      },
    );
    const data = new Uint8Array(512 * 1024);
    const append = (index: number): Message =>
      makeMessage(MessageType.append, 2, { entries: [{ term: 1, index, type: 0, data }] });
    link.send([makeMessage(MessageType.vote, 2, { term: 3 })]);
    for (let i = 1; i <= 100; i++) link.send([append(i)]);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(20);
    link.close();
  });
});

describe('a link with a connection', () => {
  /** A stream that keeps what is written to it. */
  class FakeStream extends EventEmitter {
    readonly frames: Message[][] = [];
    isEnded = false;

    write({ hello, messages }: PeerFrame): boolean {
      if (hello === undefined) this.frames.push(decodeMessages(messages) ?? []);
      return true;
    }

    end(): void {
      this.isEnded = true;
    }

    cancel(): void {
      this.isEnded = true;
    }
  }

  function connected(): { link: PeerLink; streams: FakeStream[] } {
    const streams: FakeStream[] = [];
    const link = new PeerLink(
      { raftId: 2, nodeId: 'n', addr: 'a:1' },
      {
        hello: () => PeerHello.create({}),
        open: () => {
          const stream = new FakeStream();
          streams.push(stream);
          return { stream: stream as unknown as MessageStream, close: () => {} };
        },
        unreachable: () => {},
        removed: () => {},
        note: () => {},
        random: () => 0,
      },
    );
    return { link, streams };
  }

  const entry = (index: number): Entry => ({ term: 1, index, type: 0, data: new Uint8Array(9) });
  const append = (index: number): Message =>
    makeMessage(MessageType.append, 2, { index: index - 1, entries: [entry(index)] });
  const notice = (commit: number): Message => makeMessage(MessageType.append, 2, { commit });
  const turn = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const indexes = (frame: Message[] | undefined): (number | string)[] =>
    (frame ?? []).map(({ entries, commit }) => entries[0]?.index ?? `commit ${commit}`);

  it('sends a turn as one frame; commit notices wait for an append, but not for long', async () => {
    const { link, streams } = connected();
    const [stream] = streams as [FakeStream];
    link.send([append(1)]);
    await turn(0);
    expect(stream.frames).toEqual([]); // Not accepted yet.
    stream.emit('data', { accepted: true });
    await turn(0);
    link.send([append(2)]);
    link.send([makeMessage(MessageType.heartbeat, 2)]);
    await turn(0);
    expect(stream.frames.map((frame) => frame.length)).toEqual([1, 2]);
    link.send([notice(2)]);
    link.send([append(3)]);
    await turn(0);
    expect(indexes(stream.frames[2])).toEqual([3]);
    link.send([notice(3)]);
    await turn(COMMIT_NOTICE_DELAY_MS + 30);
    expect(indexes(stream.frames[3])).toEqual(['commit 3']);
    link.send([notice(4)]);
    link.close();
    expect(indexes(stream.frames[4])).toEqual(['commit 4']);
    expect(stream.isEnded).toBe(true);
  });

  it('moves to a new stream only when that is accepted', async () => {
    const { link, streams } = connected();
    streams[0]?.emit('data', { accepted: true });
    link.renew();
    link.send([append(1)]);
    await turn(0);
    const state = (): unknown => streams.map(({ frames, isEnded }) => [frames.length, isEnded]);
    expect(state()).toEqual([
      [1, false],
      [0, false],
    ]);
    streams[1]?.emit('data', { accepted: true });
    link.send([append(2)]);
    await turn(0);
    expect(state()).toEqual([
      [1, true],
      [1, false],
    ]);
    link.close();
  });
});

describe('a snapshot in pieces', () => {
  const identity = { clusterId: 'c', raftId: 1 };
  const meta = { index: 9, term: 2, confState: { ...EMPTY_CONF, voters: [1] } };

  function fileOf(plain: Uint8Array): Uint8Array {
    const deps = { crypto: NODE_WAL_CRYPTO, keys: KEYS };
    const writer = new SnapshotWriter({ identity, meta, plain }, deps);
    const parts = [writer.header];
    for (let chunk = writer.nextChunk(); chunk !== null; chunk = writer.nextChunk())
      parts.push(chunk);
    return Buffer.concat(parts);
  }

  it('is the same as in one, from any piece on, and a changed bit is noticed', () => {
    const plain = new Uint8Array(700_000).map((_, i) => i % 251);
    const file = fileOf(plain);
    const input = { identity, crypto: NODE_WAL_CRYPTO, keys: KEYS };
    expect(readSnapshotFile(file, input).plain).toEqual(plain);
    const reader = SnapshotReader.open(
      file.subarray(0, SNAPSHOT_HEADER_MAX_BYTES),
      file.length,
      input,
    ) as SnapshotReader;
    const pieces = Array.from({ length: reader.chunkCount }, (_, i) => {
      const { offset, length } = reader.place(i);
      return reader.chunk(i, file.subarray(offset, offset + length));
    });
    expect(pieces).toHaveLength(3);
    expect(Buffer.concat(pieces.map((piece) => piece?.part ?? new Uint8Array(0)))).toEqual(
      Buffer.from(plain),
    );
    expect(pieces.map((piece) => piece?.digest !== null)).toEqual([false, false, true]);
    expect(pieces[2]?.digest).toEqual(NODE_WAL_CRYPTO.sha256(plain));
    const { offset, length } = reader.place(1);
    const bad = file.slice(offset, offset + length);
    bad[7] = (bad[7] ?? 0) ^ 1;
    expect(reader.chunk(1, bad)).toBeNull();
    expect(reader.chunk(0, file.subarray(offset, offset + length))).toBeNull();
    expect(SnapshotReader.open(file, file.length - 1, input)).toContain('length');
    expect(
      SnapshotReader.open(file, file.length, { ...input, identity: { clusterId: 'x', raftId: 1 } }),
    ).toContain('belongs to');
  });
});

describe('pages at the main thread', () => {
  const pagesTo = (...indexes: readonly number[]): ApplyingPages => {
    const pages = new ApplyingPages();
    for (const lastIndex of indexes) {
      pages.add({
        lastIndex,
        response: makeMessage(MessageType.appendResponse, 1, { index: lastIndex }),
      });
    }
    return pages;
  };
  const answered = (pages: ApplyingPages, index: number): number[] => {
    const taken: number[] = [];
    pages.applied(index, (response) => taken.push(response.index));
    return taken;
  };

  it('are answered once, in order, when their last entry is applied', () => {
    const pages = pagesTo(3, 5, 9);
    expect(answered(pages, 2)).toEqual([]);
    expect(answered(pages, 6)).toEqual([3, 5]);
    expect(answered(pages, 6)).toEqual([]);
    expect(answered(pages, 9)).toEqual([9]);
  });

  it('are not answered when a snapshot stands in their place', () => {
    const pages = pagesTo(3, 5, 9);
    pages.replaced(5);
    expect(answered(pages, 20)).toEqual([9]);
  });
});
