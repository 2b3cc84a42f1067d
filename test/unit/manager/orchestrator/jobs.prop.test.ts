// Properties of jobs and of services with a task per node, under random outcomes, node trouble, new runs and changes of leader. The twin is a list of
// what was reported: a job's slot that was reported complete is done, and nothing else is. Never more tasks of a job at a time than allowed, none for a
// slot that is done, none of an earlier run for long; once faults stop every slot was done once, and every node has what it should have, once.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  JobStatus,
  NodeState,
  NodeStatus,
  Service,
  type Task,
  TaskState,
} from '#protocol/generated/objects';
import {
  GlobalJobMode,
  GlobalMode,
  NodeAvailability,
  NodeSpec,
  ReplicatedJobMode,
  RestartCondition,
  RestartPolicy,
  ServiceMode,
} from '#protocol/generated/specs';
import { Prng } from '../../../support/prng.ts';
import { template } from '../support/objects.ts';
import { exited, TestCluster } from './cluster.ts';

const NODES = ['n1', 'n2', 'n3'];
const restartPolicy = RestartPolicy.create({ condition: RestartCondition.ON_FAILURE, delay: 1e8 });

const event = fc.record({
  node: fc.integer({ min: 0, max: 2 }),
  what: fc.constantFrom('down', 'up', 'drain', 'pause', 'active', 'leader', 'again'),
});

function createJob(c: TestCluster, mode: ServiceMode): string {
  const id = c.createService({ name: 'job', mode, taskTemplate: template({ restartPolicy }) });
  setIteration(c, id, 0);
  return id;
}

/** As the control API does it. */
function setIteration(c: TestCluster, id: string, index: number): void {
  c.write((tx) => {
    const service = tx.get('service', id);
    const jobStatus = JobStatus.create({ jobIteration: { index } });
    if (service) tx.update('service', Service.create({ ...service, jobStatus }));
  });
}

function trouble(c: TestCluster, { node, what }: { node: number; what: string }): void {
  const name = NODES[node] ?? '';
  if (what === 'leader') c.changeLeader();
  else if (what === 'down' || what === 'up') {
    const state = what === 'down' ? NodeState.DOWN : NodeState.READY;
    c.setNode(name, { status: NodeStatus.create({ state }) });
  } else if (what !== 'again') {
    const availability = {
      drain: NodeAvailability.DRAIN,
      pause: NodeAvailability.PAUSE,
      active: NodeAvailability.ACTIVE,
    }[what];
    c.setNode(name, { spec: NodeSpec.create({ availability: availability ?? 0 }) });
  }
}

function heal(c: TestCluster): void {
  for (const name of NODES) {
    const status = NodeStatus.create({ state: NodeState.READY });
    c.setNode(name, { status, spec: NodeSpec.create({}) });
  }
}

const iterationOf = (task: Task): number => task.jobIteration?.index ?? 0;
const isOpen = (task: Task): boolean => (task.status?.state ?? 0) < TaskState.COMPLETE;

/** Slots of the present run for which a wanted task was reported complete. */
function doneIn(c: TestCluster, id: string, iteration: number): number[] {
  return c
    .wanted(id)
    .filter((task) => iterationOf(task) === iteration && task.status?.state === TaskState.COMPLETE)
    .map(({ slot }) => slot);
}

describe('jobs', () => {
  it('do each of their tasks once, so many at a time, whatever becomes of nodes', {
    timeout: 240_000,
  }, () => {
    const config = fc.record({
      total: fc.integer({ min: 1, max: 6 }),
      concurrent: fc.integer({ min: 1, max: 3 }),
      failing: fc.integer({ min: 0, max: 5 }),
      events: fc.array(event, { maxLength: 12 }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(config, ({ total, concurrent, failing: often, events, seed }) => {
        let failing = often;
        const prng = new Prng(seed);
        const c = new TestCluster(seed);
        for (const name of NODES) c.addNode(name);
        c.rule = (task) => {
          if (task.status?.state !== TaskState.RUNNING) return undefined;
          return prng.below(3) > 0 ? undefined : exited(prng.below(10) < failing ? 1 : 0);
        };
        const replicatedJob = ReplicatedJobMode.create({
          maxConcurrent: concurrent,
          totalCompletions: total,
        });
        const id = createJob(c, ServiceMode.create({ replicatedJob }));
        let iteration = 0;
        const round = (): void => {
          c.pass();
          const wanted = c.wanted(id).filter((task) => iterationOf(task) === iteration);
          expect(wanted.filter(isOpen).length).toBeLessThanOrEqual(concurrent);
          const done = doneIn(c, id, iteration);
          expect(new Set(done).size).toBe(done.length);
          const again = wanted.filter((task) => isOpen(task) && done.includes(task.slot));
          expect(again).toEqual([]);
          expect(c.wanted(id).every((task) => iterationOf(task) === iteration)).toBe(true);
          c.agents();
          c.nowMicros += 100_000;
        };
        for (const one of events) {
          trouble(c, one);
          if (one.what === 'again') setIteration(c, id, ++iteration);
          for (let i = 0; i < 6; i++) round();
        }
        heal(c);
        failing = 0;
        for (let i = 0; i < 150; i++) round();
        const slots = doneIn(c, id, iteration);
        expect(slots.sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i));
      }),
      { numRuns: 12 },
    );
  });

  it('and services of each node are on every node that fits, once', { timeout: 240_000 }, () => {
    const config = fc.record({
      isJob: fc.boolean(),
      events: fc.array(event, { maxLength: 12 }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(config, ({ isJob, events, seed }) => {
        const prng = new Prng(seed);
        const c = new TestCluster(seed);
        for (const name of NODES.slice(0, 2)) c.addNode(name);
        c.rule = (task) =>
          isJob && task.status?.state === TaskState.RUNNING && prng.below(3) === 0
            ? exited(0)
            : undefined;
        const mode = isJob
          ? ServiceMode.create({ globalJob: GlobalJobMode.create() })
          : ServiceMode.create({ global: GlobalMode.create() });
        const id = createJob(c, mode);
        const round = (): void => {
          c.pass();
          const open = c.wanted(id).filter(isOpen);
          expect(new Set(open.map(({ nodeId }) => nodeId)).size).toBe(open.length);
          c.agents();
          c.nowMicros += 100_000;
        };
        for (const one of events) {
          trouble(c, one);
          for (let i = 0; i < 6; i++) round();
        }
        // A node that comes later has its task, too.
        c.addNode('n3');
        heal(c);
        for (let i = 0; i < 60; i++) round();
        const state = isJob ? TaskState.COMPLETE : TaskState.RUNNING;
        const there = c.wanted(id).filter((task) => task.status?.state === state);
        expect(there.map(({ nodeId }) => nodeId).sort()).toEqual(NODES);
      }),
      { numRuns: 12 },
    );
  });
});
