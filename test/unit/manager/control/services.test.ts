// Goal: services are checked with Swarm's words, references become ids, versions guard updates, and
// only what tasks are made from makes new tasks. Method: the pure functions over a store.
import { describe, expect, it } from 'vitest';
import { createObject, removeObject, updateObject } from '#manager/control/objects';
import { actOnServices } from '#manager/control/services';
import {
  CreateObjectRequest,
  ObjectKind,
  RemoveObjectRequest,
  RolloutAction,
  ServiceActionRequest,
  SpecUnion,
  UpdateObjectRequest,
} from '#protocol/generated/control';
import {
  Endpoint,
  type Service,
  Task,
  UpdateState,
  UpdateStatus,
} from '#protocol/generated/objects';
import {
  ConfigSpec,
  EndpointMode,
  EndpointSpec,
  HealthConfig,
  Mount,
  MountType,
  NetworkAttachmentConfig,
  NetworkSpec,
  Placement,
  PortConfig,
  PortProtocol,
  PublishMode,
  ResourceRequirements,
  Resources,
  RunState,
  SecretSpec,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from '#protocol/generated/specs';
import { type TestCluster, testCluster } from '../support/cluster-state.ts';
import { attach, template } from '../support/objects.ts';
import { testWorld } from '../support/world.ts';

const spec = (name: string, over: Partial<ServiceSpec> = {}): ServiceSpec =>
  ServiceSpec.create({ name, taskTemplate: template({}), ...over });

function make(c: TestCluster, specs: Partial<SpecUnion>): string {
  const request = CreateObjectRequest.create({ spec: SpecUnion.create(specs) });
  return c.run((tx, context) => createObject(tx, context, request)).id;
}

const makeService = (c: TestCluster, service: ServiceSpec): string => make(c, { service });
const get = (c: TestCluster, id: string): Service => c.store.view.get('service', id) as Service;

function update(
  c: TestCluster,
  id: string,
  service: ServiceSpec | undefined,
  over: Partial<UpdateObjectRequest> = {},
): void {
  const version = get(c, id).meta?.version?.index ?? 0;
  const request = UpdateObjectRequest.create({
    kind: ObjectKind.SERVICE,
    id,
    version,
    spec: SpecUnion.create({ service }),
    ...over,
  });
  c.run((tx, context) => updateObject(tx, context, request, testWorld()));
}

const port = (publishedPort: number, over: Partial<PortConfig> = {}): EndpointSpec =>
  EndpointSpec.create({ ports: [PortConfig.create({ publishedPort, targetPort: 80, ...over })] });
const HOST = { publishMode: PublishMode.HOST };

describe('creating', () => {
  it('fills defaults and resolves names to ids', () => {
    const c = testCluster();
    const net = make(c, { network: NetworkSpec.create({ name: 'front' }) });
    const secret = make(c, { secret: SecretSpec.create({ name: 'pw', data: Buffer.from('x') }) });
    const config = make(c, { config: ConfigSpec.create({ name: 'conf', data: Buffer.from('x') }) });
    const id = makeService(
      c,
      spec('web', {
        taskTemplate: template(
          { networks: [attach('front')] },
          {
            secrets: [{ secretId: '', secretName: 'pw', file: undefined }],
            configs: [{ configId: config, configName: 'conf', file: undefined }],
          },
        ),
      }),
    );
    const service = get(c, id);
    const container = service.spec?.taskTemplate?.containerSpec;
    expect(service.spec?.mode?.replicated?.replicas).toBe(1);
    expect(service.specVersion).toEqual({ index: 1 });
    expect(service.spec?.taskTemplate?.networks[0]?.target).toBe(net);
    expect(container?.secrets[0]).toEqual({
      secretId: secret,
      secretName: 'pw',
      file: { name: 'pw', uid: '0', gid: '0', mode: 0o444 },
    });
    expect(container?.configs[0]?.file?.name).toBe('/conf');
  });

  it('keeps node-local networks by name, alone', () => {
    const c = testCluster();
    const id = makeService(
      c,
      spec('web', { taskTemplate: template({ networks: [attach('host')] }) }),
    );
    expect(get(c, id).spec?.taskTemplate?.networks[0]?.target).toBe('host');
    make(c, { network: NetworkSpec.create({ name: 'front' }) });
    expect(() =>
      makeService(
        c,
        spec('w2', { taskTemplate: template({ networks: [attach('host'), attach('front')] }) }),
      ),
    ).toThrow('must be the only network');
  });

  const refused: [string, Partial<ServiceSpec>, string, string][] = [
    ['no name', { name: '' }, 'invalid_argument', 'meta: name must be provided'],
    [
      'a bad name',
      { name: 'a b' },
      'invalid_argument',
      'name must be valid as a DNS name component',
    ],
    [
      'a long name',
      { name: 'a'.repeat(64) },
      'invalid_argument',
      'name must be 63 characters or fewer',
    ],
    [
      'no template',
      { taskTemplate: undefined },
      'invalid_argument',
      'TaskSpec: missing in service spec',
    ],
    [
      'no container',
      { taskTemplate: TaskSpec.create() },
      'invalid_argument',
      'ContainerSpec: missing in service spec',
    ],
    [
      'no image',
      { taskTemplate: template({}, { image: '' }) },
      'invalid_argument',
      'ContainerSpec: image reference must be provided',
    ],
    [
      'a bad image',
      { taskTemplate: template({}, { image: 'A B' }) },
      'invalid_argument',
      'ContainerSpec: "A B" is not a valid repository/tag',
    ],
    [
      'an upper-case repository',
      { taskTemplate: template({}, { image: 'Web' }) },
      'invalid_argument',
      'is not a valid repository/tag',
    ],
    [
      'two mounts in one place',
      {
        taskTemplate: template(
          {},
          {
            mounts: [
              Mount.create({ type: MountType.VOLUME, source: 'a', target: '/x' }),
              Mount.create({ type: MountType.VOLUME, source: 'b', target: '/x/' }),
            ],
          },
        ),
      },
      'invalid_argument',
      'ContainerSpec: duplicate mount point: /x/',
    ],
    [
      'a relative bind',
      {
        taskTemplate: template(
          {},
          { mounts: [Mount.create({ type: MountType.BIND, source: './a', target: '/x' })] },
        ),
      },
      'invalid_argument',
      'invalid bind mount source, must be an absolute path: "./a"',
    ],
    [
      'a cluster volume',
      {
        taskTemplate: template(
          {},
          { mounts: [Mount.create({ type: MountType.CLUSTER, source: 'a', target: '/x' })] },
        ),
      },
      'invalid_argument',
      'not supported for services',
    ],
    [
      'a short health interval',
      { taskTemplate: template({}, { healthcheck: HealthConfig.create({ interval: 1000 }) }) },
      'invalid_argument',
      'ContainerSpec: Interval in HealthConfig cannot be less than 1ms',
    ],
    [
      'little memory',
      { taskTemplate: template({ resources: { limits: { memoryBytes: 1024 } } as never }) },
      'invalid_argument',
      'invalid memory value 1024: Must be at least 4MiB',
    ],
    [
      'little cpu',
      {
        taskTemplate: template({
          resources: { limits: { nanoCpus: 1000, memoryBytes: 0, pids: 0 } } as never,
        }),
      },
      'invalid_argument',
      'Must be at least 0.001',
    ],
    [
      'a bad constraint',
      {
        taskTemplate: template({
          placement: Placement.create({ constraints: ['node.nope == x'] }),
        }),
      },
      'invalid_argument',
      'constraint "node.nope == x"',
    ],
    [
      'a dependency on itself',
      {
        taskTemplate: template({
          dependsOn: [{ service: 'web', condition: 0, restart: false, required: true }],
        }),
      },
      'invalid_argument',
      'service web depends on itself',
    ],
    [
      'an unknown network',
      { taskTemplate: template({ networks: [attach('nope')] }) },
      'not_found',
      'network nope not found',
    ],
    [
      'an unknown secret',
      {
        taskTemplate: template(
          {},
          { secrets: [{ secretId: '', secretName: 'nope', file: undefined }] },
        ),
      },
      'invalid_argument',
      'secret not found: nope',
    ],
    [
      'ingress with dnsrr',
      { endpointSpec: EndpointSpec.create({ mode: EndpointMode.DNSRR, ports: port(80).ports }) },
      'invalid_argument',
      "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
    ],
    [
      'one port twice',
      {
        endpointSpec: EndpointSpec.create({
          ports: [...port(80).ports, ...port(80, { targetPort: 81 }).ports],
        }),
      },
      'invalid_argument',
      'EndpointSpec: duplicate published ports provided',
    ],
    [
      'sctp',
      { endpointSpec: port(80, { protocol: PortProtocol.SCTP }) },
      'invalid_argument',
      'sctp is not supported',
    ],
    [
      'two modes',
      { mode: ServiceMode.create({ replicated: { replicas: 1 }, global: {} }) },
      'invalid_argument',
      'must specify only one service mode',
    ],
    [
      'negative replicas',
      { mode: ServiceMode.create({ replicated: { replicas: -1 } }) },
      'invalid_argument',
      '-1 is negative',
    ],
    [
      'an update of a job',
      { mode: ServiceMode.create({ globalJob: {} }), updateConfig: UpdateConfig.create() },
      'invalid_argument',
      'update config is not allowed for jobs',
    ],
    [
      'a wrong ratio',
      { updateConfig: UpdateConfig.create({ maxFailureRatio: 2 }) },
      'invalid_argument',
      'TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1',
    ],
    [
      'a label without a name',
      { labels: { '': 'x' } },
      'invalid_argument',
      'a label has an empty name',
    ],
  ];
  it.each(refused)('refuses %s', (_what, over, code, message) => {
    const c = testCluster();
    let error: unknown;
    try {
      makeService(c, spec('web', over));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect([...c.store.view.list('service')]).toEqual([]);
  });

  it.each([
    'busybox',
    'busybox:1.36',
    'reg.example.com:5000/a/b:v1',
    `a@sha256:${'0'.repeat(64)}`,
    'localhost/x',
    '0'.repeat(64),
    'a__b/c-d.e',
  ])('takes the image %s', (image) => {
    makeService(testCluster(), spec('web', { taskTemplate: template({}, { image }) }));
  });

  it('refuses a name in use with Swarm’s text', () => {
    const c = testCluster();
    makeService(c, spec('web'));
    expect(() => makeService(c, spec('web'))).toThrow(
      'name conflicts with an existing object: service web already exists',
    );
  });

  it('refuses two secrets for one file', () => {
    const c = testCluster();
    for (const name of ['a', 'b'])
      make(c, { secret: SecretSpec.create({ name, data: Buffer.from('x') }) });
    const file = { name: 't', uid: '0', gid: '0', mode: 0o400 };
    const secrets = ['a', 'b'].map((secretName) => ({ secretId: '', secretName, file }));
    expect(() => makeService(c, spec('web', { taskTemplate: template({}, { secrets }) }))).toThrow(
      "secret references 'a' and 'b' have a conflicting target: 't'",
    );
  });
});

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
    const net = make(c, { network: NetworkSpec.create({ name: 'front' }) });
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
  const act = (c: TestCluster, over: Partial<ServiceActionRequest>): void =>
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
    const [one, two] = ['t1', 't2'].map((task) => Task.create({ id: task, serviceId: id }));
    c.run((tx) => {
      for (const task of [one, two]) if (task) tx.create('task', task);
    });
    const requests = (): number[] =>
      ['t1', 't2'].map((task) => c.store.view.get('task', task)?.restartRequest ?? -1);
    act(c, { services: [id], restart: true, restartTasks: ['t2'] });
    expect([requests(), get(c, id).restartRequest]).toEqual([[0, 1], 0]);
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
  c.run((tx) => removeObject(tx, request));
  expect(() => c.run((tx) => removeObject(tx, request))).toThrow(`service ${id} not found`);
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
  const steer = (c: TestCluster, id: string, rollout: RolloutAction): void =>
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

describe('what a service asks of its host', () => {
  const refused = (container: Parameters<typeof template>[1], over: Partial<TaskSpec> = {}) =>
    expect(() =>
      makeService(testCluster(), spec('web', { taskTemplate: template(over, container) })),
    );

  it('is checked field by field', () => {
    refused({ ipcMode: 'container:x' }).toThrow('IpcMode "container:x" is not supported');
    refused({ pidMode: 'private' }).toThrow('PidMode "private" is not supported');
    const device = { pathOnHost: 'fuse', pathInContainer: '', cgroupPermissions: 'rw' };
    refused({ devices: [device] }).toThrow('paths must be absolute');
    refused({ deviceCgroupRules: ['x'] }).toThrow('invalid device cgroup rule format');
    const resources = ResourceRequirements.create({ cpusetCpus: '0-x' });
    refused({}, { resources }).toThrow('invalid cpu set "0-x"');
    const twice = ['1', '2'].map((value) => ({
      namedResourceSpec: undefined,
      discreteResourceSpec: { kind: 'GPU', value: Number(value) },
    }));
    const reservations = Resources.create({ genericResources: twice });
    refused({}, { resources: ResourceRequirements.create({ reservations }) }).toThrow(
      'generic resource "GPU" is asked for twice',
    );
  });

  it('gives an address to one replica only, also when it is scaled', () => {
    const c = testCluster();
    const net = make(c, { network: NetworkSpec.create({ name: 'front' }) });
    const networks = [NetworkAttachmentConfig.create({ target: net, ipv4Address: '10.0.1.9' })];
    const replicas = (count: number) => ServiceMode.create({ replicated: { replicas: count } });
    const fixed = (count: number) =>
      spec('web', { taskTemplate: template({ networks }), mode: replicas(count) });
    expect(() => makeService(c, fixed(2))).toThrow('address 10.0.1.9 can only be given to');
    const id = makeService(c, fixed(1));
    const scale = ServiceActionRequest.create({ services: [id], replicas: 3 });
    expect(() => c.run((tx, context) => actOnServices(tx, context, scale))).toThrow('10.0.1.9');
  });
});
