// Goal: no report overtakes another, nor the rules that have to be there first. Method: promises in the test's hand.
import { describe, expect, it } from 'vitest';
import { TaskStatus } from '#protocol/generated/objects';
import { OrderedReports } from '#worker/ordered-reports';

function reports(): { readonly sent: string[]; readonly reports: OrderedReports } {
  const sent: string[] = [];
  return { sent, reports: new OrderedReports((taskId) => sent.push(taskId)) };
}

describe('reports', () => {
  it('leave at once while no rule is on its way', () => {
    const { sent, reports: all } = reports();
    all.add('a', TaskStatus.create());
    expect(sent).toEqual(['a']);
  });

  it('wait for all rules, also those that could not be written, and keep their order', async () => {
    const { sent, reports: all } = reports();
    const first = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    all.holdUntil(first.promise);
    all.add('a', TaskStatus.create());
    all.holdUntil(second.promise);
    all.add('b', TaskStatus.create());
    first.resolve();
    await first.promise;
    expect(sent).toEqual([]);
    second.reject(new Error('refused'));
    await all.applied();
    expect(sent).toEqual(['a', 'b']);
    all.add('c', TaskStatus.create());
    expect(sent).toEqual(['a', 'b', 'c']);
  });
});
