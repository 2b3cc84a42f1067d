// Goal: ports belong to one service, versions guard updates, and only what tasks are made from makes new tasks. Method: the pure functions over a store.
import { describe, expect, it } from 'vitest';
import { removeObject } from '#manager/control/objects';
import { actOnServices } from '#manager/control/services';
import {
  ObjectKind,
  RemoveObjectRequest,
  RolloutAction,
  ServiceActionRequest,
} from '#protocol/generated/control';
import { Endpoint, Task, TaskStatus, UpdateState, UpdateStatus } from '#protocol/generated/objects';
import {
  EndpointSpec,
  IpamConfig,
  IpamOptions,
  NetworkAttachmentConfig,
  NetworkSpec,
  PortProtocol,
  RunState,
  ServiceMode,
  type ServiceSpec,
} from '#protocol/generated/specs';
import { type TestCluster, testCluster } from '../support/cluster-state.ts';
import { attach, template } from '../support/objects.ts';
import { get, HOST, make, makeService, port, spec, update } from './services-kit.ts';

describe('published ports', () => {
  it('in ingress mode belong to one service; the error says to which', () => {
    const c = testCluster();
    const id = makeService(c, spec('a1', { endpointSpec: port(8081) }));
    expect(() => makeService(c, spec('a2', { endpointSpec: port(8081) }))).toThrow(
      `port '8081' is already in use by service 'a1' (${id}) as an ingress port`,
    );
    expect(() => makeService(c, spec('a2', { endpointSpec: port(8081, HOST) }))).toThrow(
      'as an ingress port',
    );
    makeService(c, spec('a3', { endpointSpec: port(8081, { protocol: PortProtocol.UDP }) }));
  });

  it('in host mode may be shared by host mode only', () => {
    const c = testCluster();
    makeService(c, spec('a1', { endpointSpec: port(80, HOST) }));
    makeService(c, spec('a2', { endpointSpec: port(80, HOST) }));
    expect(() => makeService(c, spec('a3', { endpointSpec: port(80) }))).toThrow(
      'as a host-published port',
    );
  });

  it('that the allocator chose count too, but not those that were given up', () => {
    const c = testCluster();
    const id = makeService(c, spec('auto', { endpointSpec: port(0) }));
    c.run((tx) =>
      tx.update('service', {
        ...get(c, id),
        endpoint: Endpoint.create({ ports: port(30_000).ports }),
      }),
    );
    expect(() => makeService(c, spec('b', { endpointSpec: port(30_000) }))).toThrow(
      'already in use',
    );
    update(c, id, spec('auto', { endpointSpec: port(30_001) }));
    makeService(c, spec('b', { endpointSpec: port(30_000) }));
  });
});

describe('updating', () => {
  it('needs the newest version', () => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    expect(() => update(c, id, spec('web', { labels: { a: '1' } }), { version: 1 })).toThrow(
      'update out of sequence',
    );
    update(c, id, spec('web', { labels: { a: '1' } }));
    expect(get(c, id).spec?.labels).toEqual({ a: '1' });
  });

  it('makes a new spec version only when tasks change', () => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    const versionAfter = (next: ServiceSpec): number | undefined => {
      update(c, id, next);
      return get(c, id).specVersion?.index;
    };
    expect(versionAfter(spec('web', { labels: { a: '1' } }))).toBe(1);
    expect(
      versionAfter(spec('web', { mode: ServiceMode.create({ replicated: { replicas: 5 } }) })),
    ).toBe(1);
    expect(versionAfter(spec('web', { endpointSpec: EndpointSpec.create() }))).toBe(1);
    expect(versionAfter(spec('web', { taskTemplate: template({}, { image: 'nginx' }) }))).toBe(2);
    expect(
      versionAfter(
        spec('web', { taskTemplate: template({}, { image: 'nginx' }), endpointSpec: port(80) }),
      ),
    ).toBe(3);
  });

  it('keeps the previous spec, and rolling back swaps the two', () => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    expect(() => update(c, id, undefined, { rollback: true })).toThrow(
      `service ${id} does not have a previous spec`,
    );
    update(c, id, spec('web', { taskTemplate: template({}, { image: 'nginx' }) }));
    update(c, id, undefined, { rollback: true });
    const service = get(c, id);
    expect(service.spec?.taskTemplate?.containerSpec?.image).toBe('busybox');
    expect(service.previousSpec?.taskTemplate?.containerSpec?.image).toBe('nginx');
    expect(service.specVersion?.index).toBe(3);
    expect(service.updateStatus).toMatchObject({
      state: UpdateState.ROLLBACK_STARTED,
      message: 'manually requested rollback',
    });
  });

  it('refuses another name and another mode', () => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    expect(() => update(c, id, spec('other'))).toThrow('renaming services is not supported');
    expect(() => update(c, id, spec('web', { mode: ServiceMode.create({ global: {} }) }))).toThrow(
      'service mode change is not allowed',
    );
  });

  it('by an Engine client keeps extensions that it does not send; by ours it takes them away', () => {
    const c = testCluster();
    const ipam = IpamOptions.create({ config: [IpamConfig.create({ subnet: '10.0.0.0/24' })] });
    const net = make(c, { network: NetworkSpec.create({ name: 'front', ipam }) });
    const networks = [NetworkAttachmentConfig.create({ target: 'front', ipv4Address: '10.0.0.9' })];
    const dependsOn = [{ service: 'db', condition: 1, restart: false, required: true } as const];
    const id = makeService(
      c,
      spec('web', {
        taskTemplate: template({ networks, dependsOn }, { shmSize: 1024, privileged: true }),
        runState: RunState.STOPPED,
      }),
    );
    const plain = (image: string): ServiceSpec =>
      spec('web', { taskTemplate: template({ networks: [attach(net)] }, { image }) });
    update(c, id, plain('nginx'), { keepExtensions: true });
    let now = get(c, id).spec;
    expect(now?.taskTemplate?.containerSpec).toMatchObject({
      image: 'nginx',
      shmSize: 1024,
      privileged: true,
    });
    expect(now?.taskTemplate?.networks[0]?.ipv4Address).toBe('10.0.0.9');
    expect(now?.taskTemplate?.dependsOn).toEqual(dependsOn);
    expect(now?.runState).toBe(RunState.STOPPED);
    update(c, id, plain('redis'));
    now = get(c, id).spec;
    expect(now?.taskTemplate?.containerSpec).toMatchObject({ shmSize: 0, privileged: false });
    expect(now?.taskTemplate?.dependsOn).toEqual([]);
  });

  it('by an Engine client keeps the id of an image with its name only', () => {
    const c = testCluster();
    const imageId = `sha256:${'a'.repeat(64)}`;
    const id = makeService(
      c,
      spec('web', { taskTemplate: template({}, { image: 'nginx', imageId }) }),
    );
    const kept = (image: string): string | undefined => {
      update(c, id, spec('web', { taskTemplate: template({}, { image }) }), {
        keepExtensions: true,
      });
      return get(c, id).spec?.taskTemplate?.containerSpec?.imageId;
    };
    expect(kept('nginx')).toBe(imageId);
    expect(kept('redis')).toBe('');
  });

  it('of a job starts a new iteration', () => {
    const c = testCluster();
    const job = (image: string): ServiceSpec =>
      spec('job', {
        mode: ServiceMode.create({
          replicatedJob: { maxConcurrent: undefined, totalCompletions: 3 },
        }),
        taskTemplate: template({}, { image }),
      });
    const id = makeService(c, job('a'));
    expect(get(c, id).jobStatus?.jobIteration).toEqual({ index: 0 });
    update(c, id, job('b'));
    expect(get(c, id).jobStatus?.jobIteration).toEqual({ index: 1 });
  });
});

describe('acting', () => {
  const act = (c: TestCluster, over: Partial<ServiceActionRequest>): unknown =>
    c.run((tx, context) => actOnServices(tx, context, ServiceActionRequest.create(over)));

  it('stops, starts, restarts and scales without a new spec version or a previous spec', () => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    act(c, { services: [id], setRunState: true, runState: RunState.STOPPED });
    expect(get(c, id).spec?.runState).toBe(RunState.STOPPED);
    act(c, { services: [id], setRunState: true, runState: RunState.RUNNING, replicas: 4 });
    act(c, { services: [id], restart: true });
    act(c, { services: [id], restart: true });
    const service = get(c, id);
    expect(service).toMatchObject({
      restartRequest: 2,
      specVersion: { index: 1 },
      previousSpec: undefined,
    });
    expect(service.spec?.mode?.replicated?.replicas).toBe(4);
  });

  it('restarts some tasks without the others, and all of them after that', () => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    const [one, two] = ['t1', 't2'].map((task) =>
      Task.create({ id: task, serviceId: id, status: TaskStatus.create({ run: 7 }) }),
    );
    c.run((tx) => {
      for (const task of [one, two]) if (task) tx.create('task', task);
    });
    const requests = (): number[] =>
      ['t1', 't2'].map((task) => c.store.view.get('task', task)?.restartRequest ?? -1);
    act(c, { services: [id], restart: true, restartTasks: ['t2'] });
    expect([requests(), get(c, id).restartRequest]).toEqual([[0, 1], 0]);
    expect(c.store.view.get('task', 't2')?.restartAfterRun).toBe(7);
    act(c, { services: [id], restart: true, restartTasks: ['t2', 'of another service'] });
    expect(requests()).toEqual([0, 2]);
    act(c, { services: [id], restart: true });
    expect(get(c, id).restartRequest).toBe(3);
  });

  it('refuses to scale what has no replicas, and unknown services, as a whole', () => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    const all = makeService(c, spec('all', { mode: ServiceMode.create({ global: {} }) }));
    expect(() => act(c, { services: [id, all], replicas: 2 })).toThrow(
      'scale can only be used with replicated mode',
    );
    expect(() => act(c, { services: [id, 'nope'], restart: true })).toThrow(
      'service nope not found',
    );
    expect(get(c, id).restartRequest).toBe(0);
    expect(() => act(c, { services: [] })).toThrow('no service is named');
  });
});

it('removing takes the service away, once', () => {
  const c = testCluster();
  const id = makeService(c, spec('web'));
  const request = RemoveObjectRequest.create({ kind: ObjectKind.SERVICE, id });
  c.run((tx) => removeObject(tx, request, 0));
  expect(() => c.run((tx) => removeObject(tx, request, 0))).toThrow(`service ${id} not found`);
});

describe('revisions', () => {
  const image = (name: string): ServiceSpec =>
    spec('web', { taskTemplate: template({}, { image: name }) });
  const imageOf = (c: TestCluster, id: string): string | undefined =>
    get(c, id).spec?.taskTemplate?.containerSpec?.image;

  it('are kept, the latest ten, and can be gone back to', () => {
    const c = testCluster();
    const id = makeService(c, image('v0'));
    for (let number = 1; number <= 12; number++) update(c, id, image(`v${number}`));
    expect(get(c, id).revision).toBe(12);
    expect(get(c, id).revisions.map((one) => one.revision)).toEqual([
      11, 10, 9, 8, 7, 6, 5, 4, 3, 2,
    ]);
    update(c, id, undefined, { rollback: true, rollbackTo: 4 });
    expect(imageOf(c, id)).toBe('v4');
    expect(get(c, id)).toMatchObject({
      revision: 13,
      updateStatus: { state: UpdateState.ROLLBACK_STARTED },
    });
    update(c, id, undefined, { rollback: true });
    expect(imageOf(c, id)).toBe('v12');
    expect(() => update(c, id, undefined, { rollback: true, rollbackTo: 1 })).toThrow(
      'service web has no revision 1',
    );
  });

  it('are not made by an update to the same', () => {
    const c = testCluster();
    const id = makeService(c, image('v0'));
    update(c, id, image('v0'));
    expect(get(c, id)).toMatchObject({ revision: 0, revisions: [] });
  });

  it('survive a progress report of the update, on replicas too', () => {
    const c = testCluster();
    const id = makeService(c, image('v0'));
    update(c, id, image('v1'));
    const other = testCluster();
    other.store.restore(Buffer.concat([...c.store.snapshot()]), c.store.index);
    const stamp = { nowMicros: 1, newTransactionId: () => 999, author: '', summary: '' };
    const { proposals } = c.store.transact(stamp, (tx) => {
      const service = tx.get('service', id);
      const updateStatus = { ...UPDATING, updated: 1 };
      if (service) tx.update('service', { ...service, updateStatus });
    });
    for (const { bytes } of proposals) {
      expect(bytes.length).toBeLessThan(120);
      c.store.apply(bytes, c.store.index + 1);
      other.store.apply(bytes, other.store.index + 1);
    }
    expect(other.store.view.get('service', id)).toEqual(get(c, id));
    expect(get(c, id)).toMatchObject({
      revisions: [{ revision: 0 }],
      updateStatus: { updated: 1 },
    });
  });
});

const UPDATING = UpdateStatus.create({ state: UpdateState.UPDATING, startedAt: 5 });

describe('pausing an update by hand', () => {
  const steer = (c: TestCluster, id: string, rollout: RolloutAction): unknown =>
    c.run((tx, context) =>
      actOnServices(tx, context, ServiceActionRequest.create({ services: [id], rollout })),
    );
  const stateOf = (c: TestCluster, id: string): UpdateState | undefined =>
    get(c, id).updateStatus?.state;

  it.each([
    [UpdateState.UPDATING, UpdateState.PAUSED],
    [UpdateState.ROLLBACK_STARTED, UpdateState.ROLLBACK_PAUSED],
  ])('state %i becomes %i, and back', (running, paused) => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    c.run((tx) =>
      tx.update('service', { ...get(c, id), updateStatus: { ...UPDATING, state: running } }),
    );
    steer(c, id, RolloutAction.PAUSE);
    expect(stateOf(c, id)).toBe(paused);
    steer(c, id, RolloutAction.RESUME);
    expect(stateOf(c, id)).toBe(running);
  });

  it('is refused when there is nothing to pause or to resume', () => {
    const c = testCluster();
    const id = makeService(c, spec('web'));
    expect(() => steer(c, id, RolloutAction.PAUSE)).toThrow('no update is under way');
    expect(() => steer(c, id, RolloutAction.RESUME)).toThrow('no update is paused');
  });
});
