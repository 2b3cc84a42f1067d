// The flags of service create and update as changes of a specification: docker's notations, what is added, replaced and removed, and what is refused by name.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyFlags, REPEATED_FLAGS, SCALAR_FLAGS } from '#cli/tswarm/service/spec-flags';
import { LIST_FLAGS } from '#cli/tswarm/service/spec-lists';
import { mount, network, ports, words } from '#cli/tswarm/service/values';
import { allFlags } from '../../support/flag-tests.ts';

function applied(options: Record<string, unknown>, spec: Record<string, unknown> = {}): unknown {
  const copy = structuredClone(spec);
  applyFlags(copy, options);
  return copy;
}

const container = (fields: object): object => ({ TaskTemplate: { ContainerSpec: fields } });

describe('single values', () => {
  it.each([
    [{ limitCpu: '0.5' }, { TaskTemplate: { Resources: { Limits: { NanoCPUs: 5e8 } } } }],
    [
      { reserveMemory: '64m' },
      { TaskTemplate: { Resources: { Reservations: { MemoryBytes: 2 ** 26 } } } },
    ],
    [{ memorySwap: '-1' }, { TaskTemplate: { Resources: { SwapBytes: -1 } } }],
    [{ restartDelay: '1m30s' }, { TaskTemplate: { RestartPolicy: { Delay: 90e9 } } }],
    [{ readOnly: true }, container({ ReadOnly: true })],
    [{ readOnly: 'false' }, container({ ReadOnly: false })],
    [{ healthCmd: 'curl -f x' }, container({ Healthcheck: { Test: ['CMD-SHELL', 'curl -f x'] } })],
    [{ healthcheck: false }, container({ Healthcheck: { Test: ['NONE'] } })],
    [{ entrypoint: 'sh -c "a b"' }, container({ Command: ['sh', '-c', 'a b'] })],
    [{ shmSize: '1g', ipc: 'host' }, container({ ShmSize: 2 ** 30, IpcMode: 'host' })],
    [{ drainTimeout: '0s' }, { DrainTimeout: 0 }],
    [
      { updateOrder: 'start-first' },
      {
        UpdateConfig: {
          Parallelism: 1,
          FailureAction: 'pause',
          Monitor: 5e9,
          Order: 'start-first',
        },
      },
    ],
  ])('%j', (options, expected) => {
    expect(applied(options)).toEqual(expected);
  });

  it.each([
    [{ limitCpu: '-1' }, '--limit-cpu: "-1" is not a number of cpus'],
    [{ limitMemory: '5 apples' }, '--limit-memory:'],
    [{ restartDelay: '-5s' }, '--restart-delay: must not be negative'],
    [{ restartCondition: 'sometimes' }, '--restart-condition: "sometimes" is unknown'],
    [{ updateMaxFailureRatio: '2' }, '--update-max-failure-ratio: "2" is not between 0 and 1'],
    [{ rollbackFailureAction: 'rollback' }, '--rollback-failure-action: "rollback" is unknown'],
    [{ limitPids: '1.5' }, '--limit-pids: "1.5" is not a whole number from 0'],
    [{ healthcheck: false, healthInterval: '1s' }, '--no-healthcheck: conflicts with'],
    [{ credentialSpec: 'x' }, '--credential-spec: it only means something on Windows'],
    [{ securityOpt: ['label=type:x'] }, '--security-opt: "label=type:x" is not supported'],
    [{ genericResource: ['GPU'] }, '--generic-resource: "GPU" is not KIND=VALUE'],
    [{ ulimit: ['nofile'] }, '--ulimit: "nofile" is not a limit'],
    [{ placementPref: ['pack=x'] }, '--placement-pref: "pack=x" is not supported'],
  ])('%j is refused', (options, message) => {
    expect(() => applied(options)).toThrow(message);
  });
});

describe('lists', () => {
  it('replaces what has the same key, adds the rest and removes what is named', () => {
    const before = container({
      Env: ['A=1', 'B=2'],
      Mounts: [{ Type: 'volume', Source: 'old', Target: '/data' }],
      Labels: { a: '1', b: '2' },
    });
    const options = {
      envAdd: ['B=3', 'C=4'],
      envRm: ['A'],
      mountAdd: ['type=volume,source=new,target=/data'],
      containerLabelAdd: ['c=3'],
      containerLabelRm: ['a', 'never'],
    };
    expect(applied(options, before as Record<string, unknown>)).toEqual(
      container({
        Env: ['B=3', 'C=4'],
        Mounts: [{ Type: 'volume', Source: 'new', Target: '/data' }],
        Labels: { b: '2', c: '3' },
      }),
    );
  });

  it('removes ports by target, constraints whatever their spaces, networks, hosts and resources', () => {
    const spec = {
      EndpointSpec: { Ports: [...ports('8080:80'), ...ports('53:53/udp')] },
      TaskTemplate: {
        Placement: { Constraints: ['node.role == manager'] },
        Networks: [{ Target: 'n1' }, { Target: 'n2' }],
        ContainerSpec: { Hosts: ['10.0.0.1 db'] },
        Resources: {
          Reservations: { GenericResources: [{ DiscreteResourceSpec: { Kind: 'GPU', Value: 2 } }] },
        },
      },
    };
    const options = {
      publishRm: ['8080:80', '53/udp'],
      constraintRm: ['node.role==manager'],
      networkRm: ['n1'],
      hostRm: ['db:10.0.0.1'],
      genericResourceRm: ['GPU'],
    };
    expect(applied(options, spec)).toMatchObject({
      EndpointSpec: { Ports: [] },
      TaskTemplate: {
        Placement: { Constraints: [] },
        Networks: [{ Target: 'n2' }],
        ContainerSpec: { Hosts: [] },
        Resources: { Reservations: { GenericResources: [] } },
      },
    });
  });

  it('keeps added and dropped capabilities apart', () => {
    const before = container({ CapabilityAdd: ['CAP_NET_ADMIN'], CapabilityDrop: ['CAP_CHOWN'] });
    const options = { capAdd: ['chown'], capDrop: ['NET_ADMIN', 'all'] };
    expect(applied(options, before as Record<string, unknown>)).toEqual(
      container({ CapabilityAdd: ['CAP_CHOWN'], CapabilityDrop: ['ALL', 'CAP_NET_ADMIN'] }),
    );
  });

  it('has no flag twice', () => {
    const all = [...SCALAR_FLAGS.map(({ flag }) => flag), ...LIST_FLAGS, ...REPEATED_FLAGS];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('notations', () => {
  it.each([
    ['80', [{ Protocol: 'tcp', TargetPort: 80, PublishMode: 'ingress' }]],
    [
      '127.0.0.1:53:5353/udp',
      [
        {
          Protocol: 'udp',
          TargetPort: 5353,
          PublishedPort: 53,
          PublishMode: 'ingress',
          HostIP: '127.0.0.1',
        },
      ],
    ],
    [
      'published=8080,target=80,mode=host',
      [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'host' }],
    ],
  ])('port %s', (text, expected) => {
    expect(ports(text)).toEqual(expected);
  });

  it('port ranges are as long on both sides', () => {
    expect(ports('8000-8002:80-82').map((port) => [port.PublishedPort, port.TargetPort])).toEqual([
      [8000, 80],
      [8001, 81],
      [8002, 82],
    ]);
    expect(() => ports('8000-8002:80-81')).toThrow('differ in length');
  });

  it('mounts with their options, and quoted fields', () => {
    expect(
      mount(
        'mount',
        'type=volume,src=d,dst=/d,ro,volume-driver=local,"volume-opt=o=a,b",volume-label=x=y',
      ),
    ).toEqual({
      Type: 'volume',
      Source: 'd',
      Target: '/d',
      ReadOnly: true,
      VolumeOptions: { DriverConfig: { Name: 'local', Options: { o: 'a,b' } }, Labels: { x: 'y' } },
    });
    expect(() => mount('mount', 'type=bind,src=/a,dst=/b,tmpfs-size=1m')).toThrow(
      "cannot mix 'tmpfs-*'",
    );
    expect(() => mount('mount', 'type=bind,colour=red,dst=/b')).toThrow("unexpected key 'colour'");
  });

  it('networks with aliases and addresses', () => {
    expect(network('network', 'name=front,alias=a,alias=b,ip=10.0.0.9')).toEqual({
      Target: 'front',
      Aliases: ['a', 'b'],
      IPv4Address: '10.0.0.9',
    });
  });

  it.each([
    ['a  b', ['a', 'b']],
    [`sh -c 'echo "x y"'`, ['sh', '-c', 'echo "x y"']],
    ['a\\ b ""', ['a b', '']],
    ['"a\\"b"', ['a"b']],
  ])('words of %s', (text, expected) => {
    expect(words('args', text)).toEqual(expected);
  });

  it('refuses a quote that is not closed', () => {
    expect(() => words('args', 'sh -c "x')).toThrow('is not closed');
  });
});

describe('docker’s flags', () => {
  const BOTH =
    'cap-add cap-drop credential-spec endpoint-mode entrypoint health-cmd health-interval health-retries health-start-interval health-start-period health-timeout hostname init isolation limit-cpu limit-memory limit-pids log-driver log-opt memory-swap memory-swappiness no-healthcheck oom-score-adj read-only replicas-max-per-node reserve-cpu reserve-memory restart-condition restart-delay restart-max-attempts restart-window rollback-delay rollback-failure-action rollback-max-failure-ratio rollback-monitor rollback-order rollback-parallelism stop-grace-period stop-signal tty update-delay update-failure-action update-max-failure-ratio update-monitor update-order update-parallelism user workdir max-concurrent replicas detach quiet no-resolve-image with-registry-auth';
  const LISTS =
    'config constraint container-label dns dns-option dns-search env generic-resource group host label mount network placement-pref publish secret sysctl ulimit';
  const split = (text: string): string[] => text.split(' ');
  it.each([
    ['create', [...split(`${BOTH} ${LISTS}`), 'env-file', 'mode', 'name']],
    [
      'update',
      [
        ...split(`${BOTH} args force image rollback`),
        ...split(LISTS).flatMap((flag) => [`${flag}-add`, `${flag}-rm`]),
      ],
    ],
    ['ls', split('filter format quiet')],
    ['ps', split('filter format no-resolve no-trunc quiet')],
    ['logs', split('details follow no-resolve no-task-ids no-trunc raw since tail timestamps')],
    ['inspect', split('format pretty')],
    ['rollback', split('detach quiet')],
    ['scale', split('detach')],
  ])('of service %s are all there', (command, flags) => {
    const own = new Set(allFlags());
    expect(flags.filter((flag) => !own.has(`tswarm service ${command} --${flag}`))).toEqual([]);
  });
});

describe('what only looks like a conflict, and files', () => {
  it('a health check that the service had can be switched off', () => {
    const had = container({ Healthcheck: { Test: ['CMD', 'x'], Interval: 1 } }) as Record<
      string,
      unknown
    >;
    expect(applied({ healthcheck: false }, had)).toEqual(
      container({ Healthcheck: { Test: ['NONE'] } }),
    );
    expect(() => applied({ healthcheck: false, healthRetries: '2' })).toThrow(
      '--no-healthcheck: conflicts',
    );
  });

  it('a seccomp profile is read where the command runs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tswarm-flags-'));
    try {
      const file = join(folder, 'profile.json');
      writeFileSync(file, '{"defaultAction":"SCMP_ACT_ALLOW"}');
      const Profile = Buffer.from('{"defaultAction":"SCMP_ACT_ALLOW"}').toString('base64');
      const Privileges = { Seccomp: { Mode: 'custom', Profile } };
      expect(applied({ securityOpt: [`seccomp=${file}`] })).toEqual(container({ Privileges }));
      writeFileSync(file, 'x');
      expect(() => applied({ securityOpt: [`seccomp=${file}`] })).toThrow('is not JSON');
      expect(() => applied({ securityOpt: ['seccomp=/nosuch'] })).toThrow('cannot be read');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
