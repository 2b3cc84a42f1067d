// What `tswarm service rebalance` moves, how it moves it, and what it leaves alone; each sentence is in a test's name.
import { describe, expect, it } from 'vitest';
import { rebalance } from '#manager/control/rebalance';
import { TaskState, UpdateState } from '#protocol/generated/objects';
import {
  FailureAction,
  Placement,
  ReplicatedMode,
  RestartPolicy,
  ServiceMode,
  type ServiceSpec,
  UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { template } from '../support/objects.ts';
import { exited, TestCluster } from './cluster.ts';

const replicated = (replicas: number): ServiceMode =>
  ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });

/** A service on two nodes; then a third joins, empty. */
function grown(replicas: number, over: Partial<ServiceSpec> = {}): { c: TestCluster; id: string } {
  const c = new TestCluster();
  c.addNode('n1', { zone: 'a' });
  c.addNode('n2', { zone: 'b' });
  const id = c.createService({
    name: 'web',
    mode: replicated(replicas),
    taskTemplate: template({ restartPolicy: RestartPolicy.create({ delay: 0 }) }),
    ...over,
  });
  c.run(12);
  c.addNode('n3', { zone: 'c' });
  c.run(5);
  return { c, id };
}

function ask(c: TestCluster, id: string): number {
  let moving = 0;
  c.write((tx) => {
    const service = tx.get('service', id);
    if (service) moving = rebalance(tx, c.context, service);
  });
  return moving;
}

/** Running tasks on n1, n2, n3. */
const counts = (c: TestCluster, id: string): number[] =>
  ['n1', 'n2', 'n3'].map((node) => c.running(id).filter(({ nodeId }) => nodeId === node).length);

describe('rebalancing', () => {
  it('moves no more than it must, and has nothing to do afterwards', () => {
    const { c, id } = grown(6);
    expect(counts(c, id)).toEqual([3, 3, 0]);
    const before = new Set(c.running(id).map((task) => task.id));
    expect(ask(c, id)).toBe(2);
    c.run(120);
    expect(counts(c, id)).toEqual([2, 2, 2]);
    expect(c.running(id).filter((task) => before.has(task.id))).toHaveLength(4);
    expect(c.store.view.get('service', id)?.updateStatus?.state).toBe(UpdateState.COMPLETED);
    expect(ask(c, id)).toBe(0);
    expect(c.hasMoreToDo).toBe(false);
  });

  it.each([
    ['starts the new ones first, one at a time', undefined, 6],
    ['stops first where the service says so', UpdateOrder.STOP_FIRST, 5],
  ])('%s', (_, order, least) => {
    const updateConfig =
      order === undefined ? {} : { updateConfig: UpdateConfig.create({ order, parallelism: 1 }) };
    const { c, id } = grown(6, updateConfig);
    ask(c, id);
    let fewest = 6;
    let most = 6;
    for (let round = 0; round < 120; round++) {
      c.run(1);
      fewest = Math.min(fewest, c.running(id).length);
      most = Math.max(most, c.running(id).length);
    }
    expect([fewest, most <= 7]).toEqual([least, true]);
    expect(counts(c, id)).toEqual([2, 2, 2]);
  });

  it('keeps to constraints and spread preferences', () => {
    const constraints = ['node.labels.zone != c'];
    const taskTemplate = template({ placement: Placement.create({ constraints }) });
    const { c, id } = grown(6, { taskTemplate });
    expect(ask(c, id)).toBe(0);
    const preferences = [{ spread: { spreadDescriptor: 'node.labels.zone' } }];
    const spread = grown(6, {
      taskTemplate: template({ placement: Placement.create({ preferences }) }),
    });
    spread.c.addNode('n4', { zone: 'c' });
    expect(ask(spread.c, spread.id)).toBe(2);
  });

  it('halts when a moved task fails, and never goes back to another specification', () => {
    const failureAction = FailureAction.ROLLBACK;
    const { c, id } = grown(6, { updateConfig: UpdateConfig.create({ failureAction }) });
    c.updateService(id, (spec) => ({ labels: { ...spec.labels, a: 'b' } }));
    c.run(20);
    const present = c.store.view.get('service', id)?.spec;
    ask(c, id);
    c.rule = (task) =>
      task.nodeId === 'n3' && task.status?.state === TaskState.STARTING ? exited(1) : undefined;
    c.run(60);
    const service = c.store.view.get('service', id);
    expect(service?.updateStatus?.state).toBe(UpdateState.PAUSED);
    expect(service?.spec).toEqual(present);
  });

  it('is refused while an update is under way, and for services that have no choice', () => {
    const { c, id } = grown(6);
    ask(c, id);
    expect(() => ask(c, id)).toThrow('service web: its update has not ended');
    const all = c.createService({ name: 'all', mode: ServiceMode.create({ global: {} }) });
    expect(() => ask(c, all)).toThrow('only replicated services can be rebalanced');
  });
});
