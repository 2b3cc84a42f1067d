// Goal: however many nodes want a blob at the same moment, one of them goes to the registry, all get it, no node gives to more than it may, and nobody waits for one
// that is gone. Method: the tracker with a clock of its own, driven by nodes that do what it says.
import { expect, it } from 'vitest';
import { BlobTracker } from '#manager/host/blob-tracker';
import { BLOB_LEASE_MS, BLOB_TAKERS_MAX } from '#manager/limits';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function asks(tracker: BlobTracker, nodeId: string, nowMs: number, more: object = {}): string {
  const source = tracker.find(
    {
      digest: DIGEST,
      nodeId,
      failed: new Set(),
      isNodesOnly: false,
      canGive: () => true,
      ...more,
    },
    nowMs,
  );
  return source.type === 'node' ? source.nodeId : source.type;
}

it('lets one go to the registry, and spreads what it has like a tree', () => {
  const tracker = new BlobTracker();
  const nodes = Array.from({ length: 100 }, (_, i) => `n${i}`);
  const sources = new Map<string, string>();
  let registry = 0;
  let rounds = 0;
  for (let left = nodes; left.length > 0; rounds += 1) {
    const nowMs = rounds * 1000;
    const begun = left.filter((node) => {
      const source = asks(tracker, node, nowMs);
      if (source === 'wait') return false;
      sources.set(node, source);
      if (source === 'registry') registry += 1;
      return true;
    });
    for (const holder of nodes) {
      const takers = begun.filter((node) => sources.get(node) === holder).length;
      expect(takers).toBeLessThanOrEqual(BLOB_TAKERS_MAX);
    }
    for (const node of begun) tracker.settle(DIGEST, node, true);
    left = left.filter((node) => !begun.includes(node));
  }
  expect(registry).toBe(1);
  // 1, 3, 9, 27, 81, 100.
  expect(rounds).toBe(6);
});

it('gives the registry to the next one when the first fails, or is not heard of', () => {
  const tracker = new BlobTracker();
  expect(asks(tracker, 'a', 0)).toBe('registry');
  expect(asks(tracker, 'b', 1)).toBe('wait');
  tracker.settle(DIGEST, 'a', false);
  expect(asks(tracker, 'b', 2)).toBe('registry');
  tracker.goesOn(DIGEST, 'b', BLOB_LEASE_MS);
  expect(asks(tracker, 'c', BLOB_LEASE_MS + 10)).toBe('wait');
  expect(asks(tracker, 'c', 2 * BLOB_LEASE_MS + 10)).toBe('registry');
});

it('sends nobody to itself, to a node that failed, that is down, or that has it no more', () => {
  const tracker = new BlobTracker();
  tracker.report('a', new Set([DIGEST]));
  expect(asks(tracker, 'a', 0)).toBe('registry');
  tracker.settle(DIGEST, 'a', true);
  expect(asks(tracker, 'b', 0)).toBe('a');
  expect(asks(tracker, 'b', 0, { failed: new Set(['a']) })).toBe('registry');
  tracker.settle(DIGEST, 'b', false);
  expect(asks(tracker, 'b', 0, { canGive: () => false })).toBe('registry');
  tracker.settle(DIGEST, 'b', false);
  tracker.report('a', new Set());
  expect(asks(tracker, 'b', 0)).toBe('registry');
});

it('says at once that nobody has what only nodes can have, and waits while one is getting it', () => {
  const tracker = new BlobTracker();
  expect(asks(tracker, 'a', 0, { isNodesOnly: true })).toBe('none');
  expect(asks(tracker, 'b', 0)).toBe('registry');
  expect(asks(tracker, 'a', 0, { isNodesOnly: true })).toBe('wait');
  tracker.settle(DIGEST, 'b', true);
  expect(asks(tracker, 'a', 0, { isNodesOnly: true })).toBe('b');
});

it('does not count those that were forgotten', () => {
  const tracker = new BlobTracker();
  tracker.report('a', new Set([DIGEST]));
  for (let i = 0; i < BLOB_TAKERS_MAX; i += 1) expect(asks(tracker, `t${i}`, 0)).toBe('a');
  expect(asks(tracker, 'x', 0)).toBe('wait');
  tracker.forget('t0');
  expect(asks(tracker, 'x', 0)).toBe('a');
  expect(asks(tracker, 'y', BLOB_LEASE_MS)).toBe('a');
  tracker.forget('a');
  expect(asks(tracker, 'z', BLOB_LEASE_MS)).toBe('registry');
});
