// Properties of rollouts under random agents, failures, node trouble and changes of leader: never more slots out of service through the update than its
// parallelism (and what failed and was tolerated) allows, in start-first never fewer running than before, no slot doubled at the end, and always an end:
// once faults stop, every service converges or its update says why it does not.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  NodeState,
  NodeStatus,
  type Task,
  TaskState,
  UpdateState,
} from '#protocol/generated/objects';
import {
  FailureAction,
  NodeAvailability,
  NodeSpec,
  ReplicatedMode,
  RestartPolicy,
  ServiceMode,
  UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { Prng } from '../../../support/prng.ts';
import { template } from '../support/objects.ts';
import { exited, SECOND, TestCluster } from './cluster.ts';

const mode = (replicas: number): ServiceMode =>
  ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });
const restartPolicy = RestartPolicy.create({ delay: 1e9 });

const ENDED: ReadonlySet<number> = new Set([
  UpdateState.COMPLETED,
  UpdateState.PAUSED,
  UpdateState.FAILED,
  UpdateState.ROLLBACK_COMPLETED,
  UpdateState.ROLLBACK_PAUSED,
]);

function imageOf(task: Task): string {
  return task.spec?.containerSpec?.image ?? '';
}

describe('rollouts', () => {
  it('keep to parallelism and order, whatever agents and leaders do, and end', () => {
    const config = fc.record({
      replicas: fc.integer({ min: 1, max: 6 }),
      parallelism: fc.integer({ min: 1, max: 3 }),
      order: fc.constantFrom(UpdateOrder.STOP_FIRST, UpdateOrder.START_FIRST),
      delaySeconds: fc.constantFrom(0, 1),
      slow: fc.integer({ min: 0, max: 8 }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(config, ({ replicas, parallelism, order, delaySeconds, slow, seed }) => {
        const prng = new Prng(seed);
        const c = new TestCluster(seed);
        c.addNode('n1');
        c.addNode('n2');
        const updateConfig = UpdateConfig.create({
          parallelism,
          order,
          delay: delaySeconds * 1e9,
          monitor: 1e9,
        });
        const id = c.createService({
          name: 'web',
          mode: mode(replicas),
          taskTemplate: template({ restartPolicy }),
          updateConfig,
        });
        c.run(12);
        expect(c.running(id)).toHaveLength(replicas);
        // Agents take their time: a step is left out now and then.
        c.rule = (task) =>
          prng.below(10) < slow ? { state: task.status?.state ?? TaskState.NEW } : undefined;
        c.updateService(id, () => ({
          taskTemplate: template({ restartPolicy }, { image: 'new' }),
        }));
        for (let round = 0; round < 400; round++) {
          c.run(1);
          if (prng.below(20) === 0) c.changeLeader();
          const running = c.running(id).length;
          const least = order === UpdateOrder.START_FIRST ? replicas : replicas - parallelism;
          expect(running).toBeGreaterThanOrEqual(least);
          const surplus = c.wanted(id).length - replicas;
          expect(surplus).toBeLessThanOrEqual(order === UpdateOrder.START_FIRST ? parallelism : 0);
        }
        c.rule = () => undefined;
        c.run(200);
        expect(c.running(id).map(imageOf)).toEqual(Array(replicas).fill('new'));
        expect(c.store.view.get('service', id)?.updateStatus?.state).toBe(UpdateState.COMPLETED);
      }),
      { numRuns: 60 },
    );
  });

  it('end, with the failure action that was asked for, when new tasks fail', () => {
    const config = fc.record({
      replicas: fc.integer({ min: 1, max: 5 }),
      parallelism: fc.integer({ min: 0, max: 3 }),
      order: fc.constantFrom(UpdateOrder.STOP_FIRST, UpdateOrder.START_FIRST),
      action: fc.constantFrom(FailureAction.PAUSE, FailureAction.CONTINUE, FailureAction.ROLLBACK),
      ratio: fc.constantFrom(0, 0.5, 1),
      failing: fc.integer({ min: 1, max: 10 }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(config, ({ replicas, parallelism, order, action, ratio, failing, seed }) => {
        const prng = new Prng(seed);
        const c = new TestCluster(seed);
        c.addNode('n1');
        const updateConfig = UpdateConfig.create({
          parallelism,
          order,
          failureAction: action,
          maxFailureRatio: ratio,
          monitor: 1e9,
          progressDeadline: 20e9,
        });
        const id = c.createService({
          name: 'web',
          mode: mode(replicas),
          taskTemplate: template({ restartPolicy }),
          updateConfig,
        });
        c.run(12);
        c.rule = (task) => {
          const starts = task.status?.state === TaskState.STARTING;
          return imageOf(task) === 'bad' && starts && prng.below(10) < failing
            ? exited(1)
            : undefined;
        };
        c.updateService(id, () => ({
          taskTemplate: template({ restartPolicy }, { image: 'bad' }),
        }));
        // Longer than every deadline of it and of its rollback.
        for (let round = 0; round < 300; round++) {
          c.run(1, SECOND / 2);
          if (prng.below(20) === 0) c.changeLeader();
        }
        const state = c.store.view.get('service', id)?.updateStatus?.state ?? -1;
        expect(ENDED.has(state)).toBe(true);
        // With start-first the first slot stands still, so that half of few slots may never have failed before the deadline.
        const isBeyond = ratio === 0 || (ratio < 1 && order === UpdateOrder.STOP_FIRST);
        if (failing === 10 && isBeyond) {
          const wanted = {
            [FailureAction.PAUSE]: [UpdateState.PAUSED],
            // start-first keeps the old task for ever beside one that never runs.
            [FailureAction.CONTINUE]: [
              order === UpdateOrder.START_FIRST ? UpdateState.FAILED : UpdateState.COMPLETED,
            ],
            [FailureAction.ROLLBACK]: [UpdateState.ROLLBACK_COMPLETED],
          }[action];
          expect(wanted).toContain(state);
        }
        if (state === UpdateState.ROLLBACK_COMPLETED) {
          expect(c.running(id).map(imageOf)).toEqual(Array(replicas).fill('busybox'));
        }
      }),
      { numRuns: 80 },
    );
  });

  it('converge after node trouble, with no slot doubled', () => {
    const event = fc.record({
      node: fc.integer({ min: 1, max: 3 }),
      what: fc.constantFrom('down', 'up', 'drain', 'active', 'leader', 'scale', 'update', 'fail'),
      replicas: fc.integer({ min: 0, max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 15 }), fc.integer(), (events, seed) => {
        const c = new TestCluster(seed);
        for (const node of ['n1', 'n2', 'n3']) c.addNode(node);
        const id = c.createService({
          name: 'web',
          mode: mode(3),
          taskTemplate: template({ restartPolicy }),
          // A task that fails while it is watched would pause the update, as it should.
          updateConfig: UpdateConfig.create({
            parallelism: 1,
            failureAction: FailureAction.CONTINUE,
          }),
        });
        c.run(10);
        let replicas = 3;
        let version = 0;
        for (const { node, what, replicas: wanted } of events) {
          const name = `n${node}`;
          if (what === 'down' || what === 'up') {
            const state = what === 'down' ? NodeState.DOWN : NodeState.READY;
            c.setNode(name, { status: NodeStatus.create({ state }) });
          } else if (what === 'drain' || what === 'active') {
            const availability =
              what === 'drain' ? NodeAvailability.DRAIN : NodeAvailability.ACTIVE;
            c.setNode(name, { spec: NodeSpec.create({ availability }) });
          } else if (what === 'leader') c.changeLeader();
          else if (what === 'fail') {
            const [task] = c.running(id).filter((one) => one.nodeId === name);
            if (task) c.report(task.id, exited(1));
          } else if (what === 'scale') {
            replicas = wanted;
            c.updateService(id, () => ({ mode: mode(wanted) }));
          } else {
            version += 1;
            const image = `v${version}`;
            c.updateService(id, () => ({ taskTemplate: template({ restartPolicy }, { image }) }));
          }
          for (let round = 0; round < 3; round++) {
            c.settle();
            // Looking at what has changed is as good as looking at everything.
            expect(c.hasMoreToDo).toBe(false);
            c.agents();
            c.nowMicros += 100_000;
          }
        }
        for (const name of ['n1', 'n2', 'n3']) {
          c.setNode(name, {
            status: NodeStatus.create({ state: NodeState.READY }),
            spec: NodeSpec.create({}),
          });
        }
        c.run(300);
        const live = c.tasks(id).filter((task) => task.status?.state === TaskState.RUNNING);
        const slots = live.map((task) => task.slot).sort((a, b) => a - b);
        expect(slots).toHaveLength(replicas);
        expect(new Set(slots).size).toBe(replicas);
        const image = version === 0 ? 'busybox' : `v${version}`;
        expect(live.every((task) => imageOf(task) === image)).toBe(true);
      }),
      { numRuns: 120 },
    );
  });
});
