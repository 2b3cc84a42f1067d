// Goal: reads that wait on the main thread are confirmed by answers to their own attempts alone, whatever an earlier life of the process has left on its way.
import { describe, expect, it } from 'vitest';
import { PendingReads } from '#manager/host/raft/pending-reads';
import { decodeMessages, encodeMessages } from '#manager/raft/codec';
import { MessageType, makeMessage } from '#manager/raft/types';

const NOW_MS = 0;

/** Reads of one life, and the numbers that they were asked under. */
function lifeOf(...session: readonly number[]): { reads: PendingReads; asked: number[] } {
  const asked: number[] = [];
  const reads = new PendingReads(new Uint8Array(session), (context) => asked.push(context));
  return { reads, asked };
}

describe('a read that waits', () => {
  it('is settled when the index that was confirmed is applied, not before', async () => {
    const { reads, asked } = lifeOf(0, 0, 0, 1, 5, 6, 7, 8);
    const read = reads.add(NOW_MS);
    let isSettled = false;
    void read.then(() => {
      isSettled = true;
    });
    reads.answer({ context: asked[0] ?? 0, index: 7, error: null });
    reads.settle(6);
    await Promise.resolve();
    expect(isSettled).toBe(false);
    reads.settle(8);
    expect(await read).toBe(7);
  });

  it('is not confirmed by the answer to a read of an earlier life', async () => {
    const before = lifeOf(1, 2, 3, 4, 0, 0, 0, 0);
    const after = lifeOf(1, 2, 3, 5, 0, 0, 0, 0);
    for (let i = 0; i < 1000; i++) {
      before.reads.add(NOW_MS).catch(() => {});
      after.reads.add(NOW_MS).catch(() => {});
    }
    expect(before.asked.filter((context) => after.asked.includes(context))).toEqual([]);
    const read = after.reads.add(NOW_MS);
    for (const context of before.asked) after.reads.answer({ context, index: 3, error: null });
    after.reads.settle(100);
    after.reads.answer({ context: after.asked.at(-1) ?? 0, index: 50, error: null });
    after.reads.settle(100);
    expect(await read).toBe(50);
  });

  it('is asked under a number that crosses the wire whole, also of the last session there can be', () => {
    const { reads, asked } = lifeOf(255, 255, 255, 255, 255, 255, 255, 255);
    reads.add(NOW_MS).catch(() => {});
    const context = asked[0] ?? 0;
    const message = makeMessage(MessageType.readIndex, 2, { from: 1, context });
    expect(decodeMessages(encodeMessages([message]))).toEqual([message]);
  });

  it('is asked again under a number of its own when the leader changes', async () => {
    const { reads, asked } = lifeOf(0, 0, 0, 1, 0, 0, 0, 0);
    const read = reads.add(NOW_MS);
    reads.askAgain();
    expect(new Set(asked).size).toBe(2);
    reads.answer({ context: asked[0] ?? 0, index: 1, error: null });
    reads.settle(100);
    reads.answer({ context: asked[1] ?? 0, index: 2, error: null });
    reads.settle(100);
    expect(await read).toBe(2);
  });
});
