// Goal: services are checked with Swarm's words, and references become ids. Method: the pure functions over a store.
import { describe, expect, it } from 'vitest';
import {
  ConfigSpec,
  EndpointMode,
  EndpointSpec,
  HealthConfig,
  Mount,
  MountType,
  NetworkSpec,
  Placement,
  ResourceRequirements,
  Resources,
  SecretSpec,
  ServiceMode,
  type ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from '#protocol/generated/specs';
import { testCluster } from '../support/cluster-state.ts';
import { attach, template } from '../support/objects.ts';
import { get, make, makeService, port, spec } from './services-kit.ts';

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

describe('what a service asks of its host', () => {
  const refused = (container: Parameters<typeof template>[1], over: Partial<TaskSpec> = {}) =>
    expect(() =>
      makeService(testCluster(), spec('web', { taskTemplate: template(over, container) })),
    );

  it('is checked field by field', () => {
    refused({ ipcMode: 'world' }).toThrow('IpcMode "world" is not supported');
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
});
