// Goal: damage to anything but the very last write is reported with its place, never cut away; a
// foreign, newer or undecryptable log is refused; a repaired log can be written and read again.
// Method: a log of known batches on a fake disk, one change per test.
import { describe, expect, it } from 'vitest';
import { EntryType } from '#manager/raft/types';
import { BLOCK_BYTES, SEGMENT_HEADER_BYTES } from '#manager/wal/limits';
import { openWal, type Wal } from '#manager/wal/wal';
import { Prng } from '#test/support/prng';
import { FakeDisk } from '#test/support/wal/fake-disk';
import {
  IDENTITY,
  KEYS,
  open,
  openWhole,
  SEGMENT_BYTES,
  WatchedCrypto,
} from '#test/support/wal/harness';

const FIRST = 'wal-00000000000001.seg';

function append(wal: Wal, index: number, term = 3): void {
  const data = new Uint8Array(100).fill(index);
  const entries = [{ term, index, type: EntryType.normal, data }];
  const hardState = { term, vote: 2, commit: index - 1 };
  wal.append({ hardState, entries, mark: null }, (error) => expect(error).toBeNull());
}

/** A log of `count` batches of one entry each, all in one block. */
function logOf(count: number, isClosed = false): FakeDisk {
  const disk = new FakeDisk();
  disk.isInstant = true;
  const { wal } = openWhole(disk, new WatchedCrypto());
  wal.begin([], (error) => expect(error).toBeNull());
  for (let index = 1; index <= count; index++) append(wal, index);
  if (isClosed) wal.close((error) => expect(error).toBeNull());
  return disk;
}

const frameAt = (n: number): number => SEGMENT_HEADER_BYTES + (n - 1) * BLOCK_BYTES;

describe('segments', () => {
  it('with nothing but what a snapshot of the leader has replaced go, also after a restart', () => {
    for (const restarts of [false, true]) {
      const disk = logOf(9);
      const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [] };
      const base = { index: 4, term: 3 };
      const meta = { ...base, confState: { ...confState, autoLeave: false, epoch: 0 } };
      const ok = (error: Error | null): void => expect(error).toBeNull();
      let { wal } = openWhole(disk, new WatchedCrypto());
      wal.begin([], ok);
      append(wal, 10);
      // Ours up to 10 is of another branch.
      const hardState = { term: 4, vote: 0, commit: 4 };
      wal.append(
        { hardState, entries: [], mark: { meta, hasFile: true, base, replacesLog: true } },
        ok,
      );
      if (restarts) {
        wal = openWhole(disk, new WatchedCrypto()).wal;
        wal.begin([], ok);
      } else wal.beginNextSegment(ok);
      append(wal, 5, 4);
      const later = { index: 5, term: 4 };
      const mark = { meta: { ...meta, ...later }, hasFile: true, base: later, replacesLog: false };
      wal.append({ hardState: { ...hardState, commit: 5 }, entries: [], mark }, ok);
      expect(wal.olderSegments, restarts ? 'after a restart' : 'at once').toBe(0);
    }
  });
});

describe('damage', () => {
  it('in the middle is reported with segment, offset and what is behind it', () => {
    for (const offset of [0, 10, 30, 62, 64, 100, 190]) {
      const disk = logOf(9);
      disk.damage(FIRST, frameAt(4) + offset, 3);
      const opened = open(disk, new WatchedCrypto());
      expect(opened.state).toBe('damaged');
      if (opened.state !== 'damaged') return;
      expect(opened.contents.damage).toMatchObject({
        segment: FIRST,
        offsetBytes: frameAt(4),
        lastGoodIndex: 3,
        highestIndexSeen: 9,
      });
      expect(opened.contents.hardState).toMatchObject({ term: 3, vote: 2 });
    }
  });

  it('of one header copy by a header that belongs elsewhere does no harm', () => {
    const disk = logOf(3);
    const { wal } = openWhole(disk, new WatchedCrypto());
    wal.begin([], (error) => expect(error).toBeNull());
    append(wal, 4);
    const misplaced = disk.read(FIRST, 0, BLOCK_BYTES);
    disk.open('wal-00000000000002.seg').write(0, misplaced, (error) => expect(error).toBeNull());
    const { contents } = openWhole(disk, new WatchedCrypto());
    expect(contents.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
  });

  it('of the last write cannot be told from a torn one, unless the log was closed', () => {
    const torn = logOf(5);
    torn.damage(FIRST, frameAt(5) + 70, 0);
    const { contents } = openWhole(torn, new WatchedCrypto());
    expect(contents.entries.length).toBe(4);
    expect(contents.tornBytes).toBe(BLOCK_BYTES);
    const closed = logOf(5, true);
    closed.damage(FIRST, frameAt(5) + 70, 0);
    expect(open(closed, new WatchedCrypto()).state).toBe('damaged');
  });

  it('of one header copy does no harm, of both it is reported', () => {
    const disk = logOf(3);
    disk.damage(FIRST, 20, 1);
    expect(openWhole(disk, new WatchedCrypto()).contents.entries.length).toBe(3);
    disk.damage(FIRST, BLOCK_BYTES + 20, 1);
    const opened = open(disk, new WatchedCrypto());
    expect(opened.state).toBe('damaged');
    if (opened.state === 'damaged') {
      expect(opened.contents.damage?.reason).toContain('header');
      expect(opened.contents.damage?.highestIndexSeen).toBe(3);
    }
  });

  it('to padding has no effect', () => {
    const disk = logOf(3);
    disk.damage(FIRST, frameAt(2) + BLOCK_BYTES - 1, 5);
    expect(openWhole(disk, new WatchedCrypto()).contents.entries.length).toBe(3);
  });

  it('every single bit of every frame but the last is noticed', () => {
    const prng = new Prng(4);
    for (let i = 0; i < 300; i++) {
      const disk = logOf(4);
      const frame = 1 + prng.below(3);
      const usedBytes = 64 + 13 + 100 + 16;
      disk.damage(FIRST, frameAt(frame) + prng.below(usedBytes), prng.below(8));
      expect(open(disk, new WatchedCrypto()).state).toBe('damaged');
    }
  });

  it('a frame copied over another one, with a valid checksum, is not accepted', () => {
    const disk = logOf(6);
    const frame = disk.read(FIRST, frameAt(2), BLOCK_BYTES);
    disk.open(FIRST).write(frameAt(4), frame, () => {});
    expect(open(disk, new WatchedCrypto()).state).toBe('damaged');
  });

  it('a segment that is gone from the middle is noticed', () => {
    const disk = logOf(40);
    const segments = [...disk.list()].sort();
    expect(segments.length).toBeGreaterThan(3);
    disk.remove([segments[1] as string]);
    const opened = open(disk, new WatchedCrypto());
    expect(opened.state).toBe('damaged');
    if (opened.state === 'damaged') {
      expect(opened.contents.damage?.highestIndexSeen).toBe(40);
      expect(opened.contents.entries).toEqual([]);
    }
  });

  it('does not take for committed what the lost frames may have overwritten', () => {
    const disk = logOf(6);
    const { wal } = openWhole(disk, new WatchedCrypto());
    wal.begin([], (error) => expect(error).toBeNull());
    // A new leader's entries take the place of 5 and 6, and are committed.
    const entry = (index: number, term: number) => {
      const entries = [{ term, index, type: EntryType.normal, data: new Uint8Array(50) }];
      wal.append({ hardState: { term, vote: 0, commit: index }, entries, mark: null }, () => {});
    };
    for (const index of [5, 6, 7, 8]) entry(index, 4);
    disk.damage('wal-00000000000002.seg', frameAt(1) + 5, 3);
    const opened = open(disk, new WatchedCrypto(), true);
    if (opened.state !== 'ok') throw new Error(opened.state);
    const { entries, hardState, recoverUpTo } = opened.contents;
    expect(entries.map(({ term }) => term)).toEqual([3, 3, 3, 3, 3, 3]);
    expect(hardState).toEqual({ term: 4, vote: 0, commit: 5 });
    expect(recoverUpTo).toBe(8);
  });

  it('knows how long the log was when only a vote, or a new segment, follows the lost frame', () => {
    const voted = logOf(5);
    const { wal } = openWhole(voted, new WatchedCrypto());
    wal.begin([], (error) => expect(error).toBeNull());
    append(wal, 6);
    const hardState = { term: 9, vote: 1, commit: 2 };
    wal.append({ hardState, entries: [], mark: null }, (error) => expect(error).toBeNull());
    voted.damage('wal-00000000000002.seg', frameAt(1) + 5, 3);
    const begun = logOf(6);
    const next = openWhole(begun, new WatchedCrypto()).wal;
    next.begin([], (error) => expect(error).toBeNull());
    begun.damage(FIRST, frameAt(6) + 5, 3);
    for (const disk of [voted, begun]) {
      const opened = open(disk, new WatchedCrypto(), true);
      if (opened.state !== 'ok') throw new Error(opened.state);
      expect(opened.contents.entries.length).toBe(5);
      expect(opened.contents.recoverUpTo).toBe(6);
    }
  });

  it('the first segment gone without a snapshot is noticed', () => {
    const disk = logOf(40);
    disk.remove([FIRST]);
    expect(open(disk, new WatchedCrypto()).state).toBe('damaged');
  });
});

describe('going on behind damage', () => {
  it('keeps vote and what was acknowledged once, over further restarts', () => {
    const disk = logOf(40);
    disk.damage(FIRST, frameAt(4) + 5, 3);
    const opened = open(disk, new WatchedCrypto(), true);
    expect(opened.state).toBe('ok');
    if (opened.state !== 'ok') return;
    expect(opened.contents.recoverUpTo).toBe(40);
    expect(opened.contents.entries.length).toBe(3);
    opened.wal.begin(opened.contents.void, (error) => expect(error).toBeNull());
    const again = openWhole(disk, new WatchedCrypto());
    expect(again.contents.recoverUpTo).toBe(40);
    expect(again.contents.hardState).toMatchObject({ term: 3, vote: 2 });
    expect(again.contents.entries.map(({ index }) => index)).toEqual([1, 2, 3]);
    again.wal.begin(again.contents.void, () => {});
    append(again.wal, 4);
    append(again.wal, 5, 4);
    const third = openWhole(disk, new WatchedCrypto());
    expect(third.contents.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5]);
    expect(third.contents.recoverUpTo).toBe(40);
    // Terms that came since do not count: who leads in one was elected without this member.
    expect(third.contents).toMatchObject({ recoverTerm: 3, hardState: { term: 4 } });
    third.wal.recovered();
    third.wal.begin(third.contents.void, () => {});
    const { recoverUpTo, recoverTerm } = openWhole(disk, new WatchedCrypto()).contents;
    expect([recoverUpTo, recoverTerm]).toEqual([0, 0]);
  });
});

describe('refusal', () => {
  it('of a log of another member, another cluster, or without its key', () => {
    const disk = logOf(2);
    const crypto = new WatchedCrypto();
    const options = { segmentBytes: SEGMENT_BYTES, acceptDamage: false };
    const other = { ...options, identity: { ...IDENTITY, raftId: 6 } };
    expect(openWal(other, { disk, crypto, keys: KEYS })).toMatchObject({
      state: 'refused',
      refusal: { reason: 'foreign' },
    });
    const keys = { currentId: 'ff11223344556677', key: () => null };
    const own = { ...options, identity: IDENTITY };
    expect(openWal(own, { disk, crypto, keys })).toMatchObject({
      state: 'refused',
      refusal: { reason: 'key_unknown' },
    });
  });

  it('with a wrong key of the same id, nothing is authentic', () => {
    const disk = logOf(3);
    const wrong = new Uint8Array(32).fill(8);
    const keys = { currentId: KEYS.currentId, key: () => wrong };
    const options = { identity: IDENTITY, segmentBytes: SEGMENT_BYTES, acceptDamage: false };
    const opened = openWal(options, { disk, crypto: new WatchedCrypto(), keys });
    expect(opened.state).toBe('damaged');
  });

  it('of everything after a failed write', () => {
    const disk = logOf(0);
    const { wal, contents } = openWhole(disk, new WatchedCrypto());
    wal.begin(contents.void, () => {});
    const failure = new Error('EIO');
    disk.failNext(failure);
    const seen: (Error | null)[] = [];
    const hardState = { term: 1, vote: 1, commit: 0 };
    wal.append({ hardState, entries: [], mark: null }, (error) => seen.push(error));
    wal.append({ hardState, entries: [], mark: null }, (error) => seen.push(error));
    expect(seen).toEqual([failure, failure]);
  });
});
