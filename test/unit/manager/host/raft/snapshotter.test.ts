// Goal: snapshots of the leader's and local ones do not get into each other's way while the disk is
// slow. Method: a real core, a snapshot store whose writes end when the test says so. Both cases were
// found by the simulator.
import { describe, expect, it } from 'vitest';
import { Snapshotter } from '#manager/host/raft/snapshotter';
import { RAFT_DEFAULTS } from '#manager/raft/config';
import { RawNode } from '#manager/raft/raw-node';
import { MemoryStorage } from '#manager/raft/storage';
import {
  APPEND_THREAD,
  EMPTY_CONF_STATE,
  EntryType,
  type Message,
  MessageType,
  makeMessage,
} from '#manager/raft/types';
import type { SnapshotMark } from '#manager/wal/frame';

const NO_DATA = new Uint8Array(0);
const confState = { ...EMPTY_CONF_STATE, voters: [1, 2, 3] };

function setUp() {
  const entries = Array.from({ length: 30 }, (_, i) => ({
    term: 2,
    index: 2 + i,
    type: EntryType.normal,
    data: NO_DATA,
  }));
  const storage = MemoryStorage.restore({
    hardState: { term: 2, vote: 0, commit: 31 },
    snapshot: { index: 1, term: 1, confState, data: NO_DATA },
    base: { index: 1, term: 1 },
    entries,
  });
  const config = { ...RAFT_DEFAULTS, id: 2, storage, applied: 31, random: () => 0 };
  const node = new RawNode({ ...config, note: () => {} });
  const writes: (() => void)[] = [];
  const marks: SnapshotMark[] = [];
  const snapshotter = new Snapshotter(
    { everyEntries: 5, trailingEntries: 3 },
    {
      node,
      storage,
      snapshots: {
        write: () => new Promise((resolve) => writes.push(resolve)),
        read: () => NO_DATA,
        keyIdOf: async () => null,
        removeExcept: () => {},
        removeOlder: () => {},
      },
      everyBytes: 1e9,
      enqueueMark: (mark) => marks.push(mark),
      note: () => {},
      wake: () => {},
    },
  );
  const settle = async (): Promise<void> => {
    for (const done of writes.splice(0)) done();
    await new Promise((resolve) => setImmediate(resolve));
  };
  /** The host's part: the core decides, what it takes goes to the append thread. */
  const receive = async (index: number): Promise<void> => {
    const data = Uint8Array.of(index);
    const snapshot = { index, term: 2, confState, data };
    const message = makeMessage(MessageType.snapshot, 2, { from: 1, term: 2, snapshot });
    const received = snapshotter.receive(message, (stored: Message) => node.step(stored));
    writes.pop()?.();
    await received;
    const { messages } = node.ready();
    expect(messages.some(({ to }) => to === APPEND_THREAD)).toBe(true);
  };
  return { node, storage, snapshotter, marks, settle, receive };
}

function markOf(index: number): SnapshotMark {
  const base = { index, term: 2 };
  return { meta: { ...base, confState }, hasFile: true, base, replacesLog: true };
}

describe('a snapshot from the leader', () => {
  it('is still at hand when a newer one was taken before it was durable', async () => {
    const { snapshotter, receive } = setUp();
    await receive(41);
    await receive(52);
    await receive(63);
    for (const index of [41, 52, 63]) {
      expect(snapshotter.hasFile(index)).toBe(true);
      expect(snapshotter.marked(markOf(index))?.bytes).toEqual(Uint8Array.of(index));
    }
  });

  it('overtakes a local one that ends before it is durable', async () => {
    const { snapshotter, marks, settle, receive } = setUp();
    snapshotter.applied(30, 0);
    snapshotter.wantIfDue();
    snapshotter.store(31, Uint8Array.of(1));
    await receive(41);
    await settle(); // Only now the own file is written.
    expect(marks).toEqual([]);
  });

  it('does not hinder a local one that has ended before it came', async () => {
    const { snapshotter, marks, settle } = setUp();
    snapshotter.applied(30, 0);
    snapshotter.wantIfDue();
    snapshotter.store(31, Uint8Array.of(1));
    await settle();
    expect(marks.map(({ meta, base }) => [meta.index, base.index])).toEqual([[31, 28]]);
  });
});

describe('a local snapshot of a large state', () => {
  const asks = (snapshotter: Snapshotter, entries: number, bytes: number): boolean => {
    snapshotter.applied(entries, bytes);
    snapshotter.wantIfDue();
    return snapshotter.takeWish();
  };
  const write = async (
    { snapshotter, settle }: ReturnType<typeof setUp>,
    bytes: number,
  ): Promise<void> => {
    expect(asks(snapshotter, 5, 10)).toBe(true);
    snapshotter.store(31, new Uint8Array(bytes));
    await settle();
    snapshotter.marked({ ...markOf(31), replacesLog: false });
  };

  it('waits until the log is as large as it', async () => {
    const parts = setUp();
    await write(parts, 6 * 1024 * 1024);
    expect(asks(parts.snapshotter, 5, 2 * 1024 * 1024)).toBe(false);
    expect(asks(parts.snapshotter, 5, 4 * 1024 * 1024)).toBe(true);
  });

  it('but not for more than five intervals, and not when it is small', async () => {
    const large = setUp();
    await write(large, 6 * 1024 * 1024);
    expect(asks(large.snapshotter, 24, 10)).toBe(false);
    expect(asks(large.snapshotter, 1, 10)).toBe(true);
    const small = setUp();
    await write(small, 4 * 1024 * 1024);
    expect(asks(small.snapshotter, 5, 10)).toBe(true);
  });
});
