// Rolling updates, dependencies and jobs through the real pass. Goal: never more in progress than allowed, never stuck without a reason.
import { describe, expect, it } from 'vitest';
import { ContainerStatus, HealthState, TaskState, UpdateState } from '#protocol/generated/objects';
import {
  DependencyCondition,
  FailureAction,
  ReplicatedJobMode,
  ReplicatedMode,
  RestartPolicy,
  ServiceDependency,
  ServiceMode,
  UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { template } from '../support/objects.ts';
import { exited, TestCluster } from './cluster.ts';

function replicated(replicas: number): ServiceMode {
  return ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });
}

function newImage(image: string) {
  return () => ({ taskTemplate: template({}, { image }) });
}

describe('rolling update', () => {
  it.each([1, 2, 3])('stop-first never has more than %i slots in progress', (parallelism) => {
    const c = new TestCluster();
    c.addNode('n1');
    const updateConfig = UpdateConfig.create({ parallelism });
    const id = c.createService({
      name: 'web',
      mode: replicated(6),
      taskTemplate: template({}),
      updateConfig,
    });
    c.run(10);
    c.updateService(id, newImage('new'));
    let least = 6;
    for (let round = 0; round < 200; round++) {
      c.run(1);
      least = Math.min(least, c.running(id).length);
    }
    expect(least).toBe(6 - parallelism);
    expect(c.running(id).every((t) => t.spec?.containerSpec?.image === 'new')).toBe(true);
    expect(c.running(id)).toHaveLength(6);
    expect(c.store.view.get('service', id)?.updateStatus?.state).toBe(UpdateState.COMPLETED);
  });

  it('start-first never has fewer running than asked', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const updateConfig = UpdateConfig.create({ parallelism: 1, order: UpdateOrder.START_FIRST });
    const id = c.createService({
      name: 'web',
      mode: replicated(3),
      taskTemplate: template({}),
      updateConfig,
    });
    c.run(10);
    c.updateService(id, newImage('new'));
    for (let round = 0; round < 150; round++) {
      c.run(1);
      expect(c.running(id).length).toBeGreaterThanOrEqual(3);
    }
    expect(c.running(id).map((t) => t.spec?.containerSpec?.image)).toEqual(['new', 'new', 'new']);
  });

  it('pauses when a new task fails, and goes on with the next update', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const restart = { restartPolicy: RestartPolicy.create({ delay: 60e9 }) };
    const id = c.createService({
      name: 'web',
      mode: replicated(3),
      taskTemplate: template(restart),
      updateConfig: UpdateConfig.create({ parallelism: 1 }),
    });
    c.run(10);
    c.rule = (task) =>
      task.spec?.containerSpec?.image === 'bad' && task.status?.state === TaskState.STARTING
        ? exited(1)
        : undefined;
    c.updateService(id, () => ({ taskTemplate: template(restart, { image: 'bad' }) }));
    c.run(60);
    const service = c.store.view.get('service', id);
    expect(service?.updateStatus?.state).toBe(UpdateState.PAUSED);
    expect(service?.updateStatus?.message).toContain('1 of 3 tasks');
    expect(c.running(id)).toHaveLength(2);
    c.updateService(id, newImage('good'));
    c.run(150);
    expect(c.running(id).map((t) => t.spec?.containerSpec?.image)).toEqual([
      'good',
      'good',
      'good',
    ]);
  });

  it('rolls back when told so', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const updateConfig = UpdateConfig.create({
      parallelism: 1,
      failureAction: FailureAction.ROLLBACK,
    });
    const id = c.createService({
      name: 'web',
      mode: replicated(2),
      taskTemplate: template({}),
      updateConfig,
    });
    c.run(10);
    c.rule = (task) =>
      task.spec?.containerSpec?.image === 'bad' && task.status?.state === TaskState.STARTING
        ? exited(1)
        : undefined;
    c.updateService(id, newImage('bad'));
    c.run(200);
    const service = c.store.view.get('service', id);
    expect(service?.updateStatus?.state).toBe(UpdateState.ROLLBACK_COMPLETED);
    expect(c.running(id).map((t) => t.spec?.containerSpec?.image)).toEqual(['busybox', 'busybox']);
  });

  it('goes on under a new leader', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({
      name: 'web',
      mode: replicated(4),
      taskTemplate: template({}),
      updateConfig: UpdateConfig.create({ parallelism: 1 }),
    });
    c.run(10);
    c.updateService(id, newImage('new'));
    for (let round = 0; round < 60; round++) {
      c.run(4);
      c.changeLeader();
    }
    expect(c.running(id).map((t) => t.spec?.containerSpec?.image)).toEqual([
      'new',
      'new',
      'new',
      'new',
    ]);
  });

  it('ends as failed when it cannot progress', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const updateConfig = UpdateConfig.create({ parallelism: 1, progressDeadline: 30e9 });
    const id = c.createService({
      name: 'web',
      mode: replicated(2),
      taskTemplate: template({}),
      updateConfig,
    });
    c.run(10);
    c.rule = (task) =>
      task.spec?.containerSpec?.image === 'slow' && task.status?.state === TaskState.PREPARING
        ? { state: TaskState.PREPARING }
        : undefined;
    c.updateService(id, newImage('slow'));
    c.run(10);
    // A pull that never ends reports nothing new.
    c.rule = (task) => (task.spec?.containerSpec?.image === 'slow' ? undefined : undefined);
    c.agents = () => {};
    c.run(400);
    expect(c.store.view.get('service', id)?.updateStatus?.state).toBe(UpdateState.FAILED);
  });
});

describe('depends_on', () => {
  function pair(condition: DependencyCondition) {
    const c = new TestCluster();
    c.addNode('n1');
    const db = c.createService({ name: 'db', mode: replicated(1), taskTemplate: template({}) });
    const dependsOn = [ServiceDependency.create({ service: 'db', condition, required: true })];
    const web = c.createService({
      name: 'web',
      mode: replicated(2),
      taskTemplate: template({ dependsOn }),
    });
    return { c, db, web };
  }

  it('prepares the tasks and holds them until the dependency is healthy', () => {
    const { c, db, web } = pair(DependencyCondition.HEALTHY);
    c.rule = (task) =>
      task.serviceId === db && task.status?.state === TaskState.STARTING
        ? { state: TaskState.STARTING }
        : undefined;
    c.run(10);
    expect(c.tasks(web).map((t) => t.status?.state)).toEqual([TaskState.READY, TaskState.READY]);
    expect(c.tasks(web)[0]?.waitingFor).toBe('waiting for service db to be healthy');
    const health = ContainerStatus.create({ health: HealthState.HEALTHY });
    c.report(c.tasks(db)[0]?.id ?? '', { state: TaskState.RUNNING, containerStatus: health });
    c.run(5);
    expect(c.running(web)).toHaveLength(2);
    expect(c.running(web)[0]?.waitingFor).toBe('');
  });

  it('with restart: restarts the containers once the dependency was updated', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const db = c.createService({ name: 'db', mode: replicated(1), taskTemplate: template({}) });
    const [restarts, stays] = [true, false].map((restart) => {
      const dependsOn = [ServiceDependency.create({ service: 'db', restart, required: true })];
      const name = restart ? 'web' : 'log';
      return c.createService({ name, mode: replicated(1), taskTemplate: template({ dependsOn }) });
    });
    c.run(12);
    const before = c.running(restarts ?? '')[0];
    c.updateService(db, newImage('new'));
    c.run(20);
    expect(c.store.view.get('service', restarts ?? '')?.restartRequest).toBe(0);
    c.run(60);
    expect(c.store.view.get('service', db)?.updateStatus?.state).toBe(UpdateState.COMPLETED);
    expect(c.running(restarts ?? '')[0]).toMatchObject({ id: before?.id, restartRequest: 1 });
    expect(c.store.view.get('service', stays ?? '')?.restartRequest).toBe(0);
  });

  it('says that a dependency without a healthcheck never gets healthy', () => {
    const { c, web } = pair(DependencyCondition.HEALTHY);
    c.run(10);
    expect(c.tasks(web)[0]?.waitingFor).toBe(
      'dependency failed to start: service db has no healthcheck configured',
    );
  });

  it('waits for completion, and says when it failed', () => {
    const { c, db, web } = pair(DependencyCondition.COMPLETED);
    c.run(10);
    expect(c.tasks(web)[0]?.waitingFor).toBe('waiting for service db to complete');
    c.report(c.tasks(db)[0]?.id ?? '', exited(4));
    c.pass();
    expect(c.wanted(web)[0]?.waitingFor).toContain('service db');
    expect(c.running(web)).toHaveLength(0);
  });
});

describe('jobs', () => {
  it('a replicated job runs to its completions, never more than allowed at once, and retries failures', () => {
    const c = new TestCluster();
    c.addNode('n1');
    let failures = 0;
    c.rule = (task) => {
      if (task.status?.state !== TaskState.RUNNING) return undefined;
      if (task.slot === 2 && failures === 0) {
        failures += 1;
        return exited(1);
      }
      return exited(0);
    };
    const mode = ServiceMode.create({
      replicatedJob: ReplicatedJobMode.create({ maxConcurrent: 2, totalCompletions: 5 }),
    });
    const taskTemplate = template({ restartPolicy: RestartPolicy.create({ delay: 0 }) });
    const id = c.createService({ name: 'job', mode, taskTemplate });
    for (let round = 0; round < 120; round++) {
      c.run(1);
      const live = c.tasks(id).filter((t) => (t.status?.state ?? 0) < TaskState.COMPLETE);
      expect(live.length).toBeLessThanOrEqual(2);
    }
    const done = c.tasks(id).filter((t) => t.status?.state === TaskState.COMPLETE);
    expect(done.map((t) => t.slot).sort()).toEqual([0, 1, 2, 3, 4]);
    expect(failures).toBe(1);
  });
});
