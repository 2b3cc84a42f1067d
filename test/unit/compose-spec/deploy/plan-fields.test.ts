// Goal: differences are shown under the names of the compose file, none is left out, and what only follows from another is not shown beside it. Method: pairs of
// specifications as Engine JSON, made from messages.
import { describe, expect, it } from 'vitest';
import { LABEL } from '#compose-spec/deploy/names';
import { changedFields, IMAGE_CONTENT } from '#compose-spec/deploy/plan-fields';
import { toEngineJson } from '#protocol/engine-json';
import {
  ContainerSpec,
  DependencyCondition,
  EndpointSpec,
  GlobalMode,
  Mount,
  MountType,
  NetworkAttachmentConfig,
  NetworkSpec,
  PortConfig,
  ReplicatedMode,
  ResourceRequirements,
  Resources,
  ServiceDependency,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from '#protocol/generated/specs';

interface Parts {
  readonly container?: Partial<ContainerSpec>;
  readonly task?: Partial<TaskSpec>;
  readonly service?: Partial<ServiceSpec>;
}

function spec({ container, task, service }: Parts) {
  return toEngineJson(
    ServiceSpec,
    ServiceSpec.create({
      name: 'shop_web',
      taskTemplate: TaskSpec.create({
        containerSpec: ContainerSpec.create({ image: 'nginx', ...container }),
        ...task,
      }),
      ...service,
    }),
  );
}

/** `field: before > after` */
function lines(before: Parts, after: Parts): string[] {
  return changedFields('service', spec(before), spec(after)).map(
    ({ field, before: a = '', after: b = '' }) => `${field}: ${a} > ${b}`,
  );
}

describe('the fields of a service', () => {
  it.each<readonly [string, Parts, Parts, readonly string[]]>([
    ['image', {}, { container: { image: 'nginx:2' } }, ['image: nginx > nginx:2']],
    [
      'variables by name',
      { container: { env: ['A=1', 'B=x=y', 'C=3'] } },
      { container: { env: ['C=3', 'B=z', 'D='] } },
      ['environment.A: 1 > ', 'environment.B: x=y > z', 'environment.D:  > '],
    ],
    [
      'mounts by target',
      {
        container: {
          mounts: [Mount.create({ type: MountType.VOLUME, source: 'a', target: '/data' })],
        },
      },
      {
        container: {
          mounts: [
            Mount.create({ type: MountType.VOLUME, source: 'b', target: '/data', readOnly: true }),
          ],
        },
      },
      ['volumes./data: volume a > volume b ro'],
    ],
    [
      'replicas',
      {
        service: {
          mode: ServiceMode.create({ replicated: ReplicatedMode.create({ replicas: 2 }) }),
        },
      },
      {
        service: {
          mode: ServiceMode.create({ replicated: ReplicatedMode.create({ replicas: 5 }) }),
        },
      },
      ['deploy.replicas: 2 > 5'],
    ],
    [
      'mode',
      {
        service: {
          mode: ServiceMode.create({ replicated: ReplicatedMode.create({ replicas: 2 }) }),
        },
      },
      { service: { mode: ServiceMode.create({ global: GlobalMode.create() }) } },
      ['deploy.mode:  > global', 'deploy.replicas: 2 > '],
    ],
    [
      'units',
      { container: { stopGracePeriod: 10e9, shmSize: 64 * 2 ** 20 } },
      { container: { stopGracePeriod: 500e6, shmSize: 1000 } },
      ['shm_size: 64m > 1000', 'stop_grace_period: 10s > 500ms'],
    ],
    [
      'limits',
      {},
      {
        task: {
          resources: ResourceRequirements.create({
            limits: Resources.create({ nanoCpus: 5e8, memoryBytes: 2 ** 30 }),
          }),
        },
      },
      ['deploy.resources.limits.cpus:  > 0.5', 'deploy.resources.limits.memory:  > 1g'],
    ],
    [
      'ports by container port',
      {
        service: {
          endpointSpec: EndpointSpec.create({
            ports: [PortConfig.create({ targetPort: 80, publishedPort: 8080 })],
          }),
        },
      },
      {
        service: {
          endpointSpec: EndpointSpec.create({
            ports: [PortConfig.create({ targetPort: 80, publishedPort: 81, publishMode: 1 })],
          }),
        },
      },
      ['ports.80/tcp: published at 8080 > published at 81 of the host'],
    ],
    [
      'networks',
      { task: { networks: [NetworkAttachmentConfig.create({ target: 'a', aliases: ['web'] })] } },
      {
        task: {
          networks: [NetworkAttachmentConfig.create({ target: 'b', ipv4Address: '1.2.3.4' })],
        },
      },
      [
        'networks.a: attached as web > ',
        'networks.b:  > attached as itself',
        'networks.b.ipv4_address:  > 1.2.3.4',
      ],
    ],
    [
      'dependencies',
      { task: { dependsOn: [ServiceDependency.create({ service: 'db', required: true })] } },
      {
        task: {
          dependsOn: [
            ServiceDependency.create({
              service: 'db',
              condition: DependencyCondition.COMPLETED,
              required: true,
            }),
          ],
        },
      },
      ['depends_on.db.condition: service_started > service_completed_successfully'],
    ],
    [
      'update order',
      { service: { updateConfig: UpdateConfig.create({ order: 0, delay: 1e9 }) } },
      { service: { updateConfig: UpdateConfig.create({ order: 1, delay: 90e9 }) } },
      [
        'deploy.update_config.delay: 1s > 90s',
        'deploy.update_config.order: stop-first > start-first',
      ],
    ],
    [
      'an image rebuilt under its name',
      { container: { labels: { [LABEL.image]: 'sha256:1' } } },
      { container: { labels: { [LABEL.image]: 'sha256:2' } } },
      [`${IMAGE_CONTENT}: 1 > 2`],
    ],
  ])('%s', (_what, before, after, expected) => {
    expect(lines(before, after)).toEqual(expected);
  });

  it('leave out what only follows from another, but never the only difference', () => {
    const hash = (value: string) => ({ labels: { [LABEL.configHash]: value } });
    expect(lines({ container: hash('a') }, { container: { ...hash('b'), hostname: 'h' } })).toEqual(
      ['hostname:  > h'],
    );
    expect(lines({ container: hash('a') }, { container: hash('b') })).toHaveLength(1);
  });

  it('that have no name here keep their own', () => {
    const before = { TaskTemplate: { SomeThing: { NewField: 1 } } };
    const after = { TaskTemplate: { SomeThing: { NewField: 2 } }, OtherNew: ['x'] };
    expect(changedFields('service', before, after)).toEqual([
      { field: 'other_new', after: '[x]' },
      { field: 'some_thing.new_field', before: '1', after: '2' },
    ]);
  });

  it('of the same thing are none', () => {
    expect(lines({}, {})).toEqual([]);
  });
});

it('the fields of a network have the compose file’s names', () => {
  const net = (over: Partial<NetworkSpec>) =>
    toEngineJson(NetworkSpec, NetworkSpec.create({ name: 'n', ...over }));
  const changes = changedFields(
    'network',
    net({ labels: { a: '1' } }),
    net({ internal: true, ipv6Enabled: true }),
  );
  expect(changes).toEqual([
    { field: 'enable_ipv6', after: 'true' },
    { field: 'internal', after: 'true' },
    { field: 'labels.a', before: '1' },
  ]);
});
