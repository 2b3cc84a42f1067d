// Goal: tables of tasks read from what is now to what was, as docker's do. Method: the order alone, over made-up tasks.
import { describe, expect, it } from 'vitest';
import { inTableOrder } from '#cli/tswarm/service/service';

const names = new Map([
  ['s1', 'api'],
  ['s2', 'agent'],
]);
const task = (
  ID: string,
  ServiceID: string,
  at: { readonly Slot?: number; readonly NodeID: string; readonly CreatedAt: string },
): Record<string, unknown> => ({ ID, ServiceID, ...at });

describe('tasks in a table', () => {
  it('stand by service and slot, the newest first wherever it runs', () => {
    const tasks = [
      task('old', 's1', { Slot: 1, NodeID: 'n1', CreatedAt: '2026-01-01T00:00:01Z' }),
      task('new', 's1', { Slot: 1, NodeID: 'n2', CreatedAt: '2026-01-01T00:00:03Z' }),
      task('never placed', 's1', { Slot: 1, NodeID: '', CreatedAt: '2026-01-01T00:00:02Z' }),
      task('second', 's1', { Slot: 2, NodeID: 'n1', CreatedAt: '2026-01-01T00:00:01Z' }),
    ];
    const order = inTableOrder(tasks, names).map(({ ID }) => ID);
    expect(order).toEqual(['new', 'never placed', 'old', 'second']);
  });

  it('of a global service stand by node', () => {
    const tasks = [
      task('on n2', 's2', { NodeID: 'n2', CreatedAt: '2026-01-01T00:00:03Z' }),
      task('before, on n1', 's2', { NodeID: 'n1', CreatedAt: '2026-01-01T00:00:01Z' }),
      task('on n1', 's2', { NodeID: 'n1', CreatedAt: '2026-01-01T00:00:02Z' }),
    ];
    const order = inTableOrder(tasks, names).map(({ ID }) => ID);
    expect(order).toEqual(['on n1', 'before, on n1', 'on n2']);
  });
});
