// Each flag of tswarm service create and update by what the specification and the container are afterwards; credentials for a registry; what inspect shows. One real
// node.
// Longer than 500 lines because one real node, which takes seconds to start, serves all of its tests.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { HTPASSWD } from '../support/registry.ts';
import { ServiceNode, SLEEP } from '../support/service-node.ts';
import { until } from '../support/test-node.ts';

let node: ServiceNode;

beforeAll(async () => {
  node = new ServiceNode();
  await node.up(24774);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const service = (...args: string[]) => node.service(...args);
const inspect = (name: string) => node.inspect(name);
const inside = (name: string, ...command: string[]) => node.insideService(name, ...command);
const container = (name: string) => node.container(name);

describe('what a specification says', () => {
  const POLICY = [
    ...[
      '--restart-condition',
      'on-failure',
      '--restart-delay',
      '3s',
      '--restart-max-attempts',
      '4',
    ],
    ...['--restart-window', '1m', '--update-parallelism', '2', '--update-delay', '1s'],
    ...[
      '--update-monitor',
      '4s',
      '--update-max-failure-ratio',
      '0.25',
      '--update-order',
      'start-first',
    ],
    ...['--update-failure-action', 'rollback', '--update-progress-deadline', '2m'],
    ...['--rollback-parallelism', '3', '--rollback-delay', '2s', '--rollback-monitor', '6s'],
    ...['--rollback-max-failure-ratio', '0.5', '--rollback-failure-action', 'continue'],
    ...['--rollback-order', 'start-first', '--rollback-progress-deadline', '3m'],
    ...['--replicas-max-per-node', '5', '--endpoint-mode', 'dnsrr', '--log-driver', 'json-file'],
    ...['--log-opt', 'max-size=1m', '--reserve-cpu', '0.1', '--reserve-memory', '8m'],
    ...['--memory-swap', '16m', '--memory-swappiness', '10', '--drain-timeout', '700ms'],
    ...['--health-cmd', 'true', '--health-interval', '500ms', '--health-timeout', '2s'],
    ...['--health-retries', '7', '--health-start-period', '1s', '--health-start-interval', '200ms'],
    ...['--limit-memory', '64m', '--stop-grace-period', '100ms', '--isolation', 'default'],
  ];
  const EXPECTED = {
    TaskTemplate: {
      RestartPolicy: { Condition: 'on-failure', Delay: 3e9, MaxAttempts: 4, Window: 60e9 },
      Placement: { MaxReplicas: 5 },
      LogDriver: { Name: 'json-file', Options: { 'max-size': '1m' } },
      Resources: {
        Reservations: { NanoCPUs: 1e8, MemoryBytes: 2 ** 23 },
        SwapBytes: 2 ** 24,
        MemorySwappiness: 10,
      },
      ContainerSpec: {
        Healthcheck: {
          Test: ['CMD-SHELL', 'true'],
          Interval: 5e8,
          Timeout: 2e9,
          Retries: 7,
          StartPeriod: 1e9,
          StartInterval: 2e8,
        },
        Isolation: 'default',
      },
    },
    UpdateConfig: {
      Parallelism: 2,
      Delay: 1e9,
      Monitor: 4e9,
      MaxFailureRatio: 0.25,
      Order: 'start-first',
      FailureAction: 'rollback',
      ProgressDeadline: 120e9,
    },
    RollbackConfig: {
      Parallelism: 3,
      Delay: 2e9,
      Monitor: 6e9,
      MaxFailureRatio: 0.5,
      Order: 'start-first',
      FailureAction: 'continue',
      ProgressDeadline: 180e9,
    },
    EndpointSpec: { Mode: 'dnsrr' },
    DrainTimeout: 7e8,
  };

  flagTest(
    'tswarm service create',
    [
      '--restart-condition',
      '--restart-delay',
      '--restart-max-attempts',
      '--restart-window',
      '--update-parallelism',
      '--update-delay',
      '--update-monitor',
      '--update-max-failure-ratio',
      '--update-order',
      '--update-failure-action',
      '--update-progress-deadline',
      '--rollback-parallelism',
      '--rollback-delay',
      '--rollback-monitor',
      '--rollback-max-failure-ratio',
      '--rollback-failure-action',
      '--rollback-order',
      '--rollback-progress-deadline',
      '--replicas-max-per-node',
      '--endpoint-mode',
      '--log-driver',
      '--log-opt',
      '--reserve-cpu',
      '--reserve-memory',
      '--memory-swap',
      '--memory-swappiness',
      '--drain-timeout',
      '--health-cmd',
      '--health-interval',
      '--health-timeout',
      '--health-retries',
      '--health-start-period',
      '--health-start-interval',
      '--isolation',
    ],
    'reach the service and its container',
    async () => {
      expect((await service('create', '-q', '--name', 'policy', ...POLICY, ...SLEEP)).stderr).toBe(
        '',
      );
      expect((await inspect('policy')).Spec).toMatchObject(EXPECTED);
      expect(await container('policy')).toMatchObject({
        State: { Health: { Status: 'healthy' } },
        HostConfig: {
          LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
          MemoryReservation: 2 ** 23,
          MemorySwap: 2 ** 26 + 2 ** 24,
          MemorySwappiness: 10,
        },
      });
    },
  );

  flagTest(
    'tswarm service update',
    [
      '--restart-condition',
      '--restart-delay',
      '--restart-max-attempts',
      '--restart-window',
      '--update-max-failure-ratio',
      '--update-order',
      '--update-failure-action',
      '--update-progress-deadline',
      '--rollback-parallelism',
      '--rollback-delay',
      '--rollback-monitor',
      '--rollback-max-failure-ratio',
      '--rollback-failure-action',
      '--rollback-order',
      '--rollback-progress-deadline',
      '--replicas-max-per-node',
      '--endpoint-mode',
      '--log-driver',
      '--log-opt',
      '--reserve-cpu',
      '--reserve-memory',
      '--memory-swap',
      '--memory-swappiness',
      '--drain-timeout',
      '--health-cmd',
      '--health-interval',
      '--health-timeout',
      '--health-retries',
      '--health-start-period',
      '--health-start-interval',
      '--limit-memory',
      '--isolation',
      '--stop-grace-period',
    ],
    'change it',
    async () => {
      expect(
        (await service('create', '-q', '--name', 'plain', '--stop-grace-period', '1s', ...SLEEP))
          .code,
      ).toBe(0);
      expect((await service('update', '-d', ...POLICY, 'plain')).stderr).toBe('');
      expect((await inspect('plain')).Spec).toMatchObject(EXPECTED);
      const health = async (): Promise<string> => JSON.stringify(await container('plain'));
      await until(async () => (await health()).includes('"Status":"healthy"'), 20_000);
    },
  );

  flagTest(
    'tswarm service update',
    [
      '--hostname',
      '--user',
      '--workdir',
      '--stop-signal',
      '--init',
      '--tty',
      '--read-only',
      '--oom-score-adj',
      '--entrypoint',
      '--no-healthcheck',
      '--limit-cpu',
      '--limit-pids',
      '--privileged',
      '--shm-size',
      '--ipc',
      '--pid',
      '--uts',
      '--userns',
      '--cgroup-parent',
      '--cpuset-cpus',
      '--group-add',
      '--dns-add',
      '--dns-option-add',
      '--dns-search-add',
      '--constraint-add',
      '--placement-pref-add',
      '--mount-add',
      '--host-add',
      '--ulimit-add',
      '--device-add',
      '--generic-resource-add',
      '--label-add',
      '--container-label-add',
      '--sysctl-add',
      '--cap-add',
      '--cap-drop',
      '--security-opt',
      '--image',
      '--args',
      '--no-resolve-image',
      '--with-registry-auth',
      '--quiet',
    ],
    'change the container',
    async () => {
      const flags = [
        ...[
          '--hostname',
          'other',
          '--user',
          '1000',
          '--workdir',
          '/bin',
          '--stop-signal',
          'SIGQUIT',
        ],
        ...[
          '--init',
          '--tty',
          '--read-only',
          '--oom-score-adj',
          '100',
          '--entrypoint',
          '/bin/sh -c',
        ],
        ...['--no-healthcheck', '--limit-cpu', '0.4', '--limit-pids', '40', '--privileged=false'],
        ...[
          '--shm-size',
          '4m',
          '--ipc',
          'private',
          '--pid',
          'host',
          '--uts',
          '',
          '--userns',
          'host',
        ],
        ...['--cgroup-parent', '/tswarm-test-flags', '--cpuset-cpus', '0', '--group-add', '77'],
        ...['--dns-add', '10.9.9.8', '--dns-option-add', 'ndots:2', '--dns-search-add', 'a.test'],
        ...[
          '--constraint-add',
          'node.role==manager',
          '--placement-pref-add',
          'spread=node.labels.z',
        ],
        ...[
          '--mount-add',
          'type=tmpfs,target=/m',
          '--host-add',
          'h:10.1.1.1',
          '--ulimit-add',
          'nofile=99',
        ],
        ...[
          '--device-add',
          '/dev/full:/dev/d',
          '--generic-resource-add',
          'SSD=1',
          '--label-add',
          'l=1',
        ],
        ...['--container-label-add', 'cl=1', '--sysctl-add', 'net.ipv4.ip_forward=0'],
        ...['--cap-add', 'net_raw', '--cap-drop', 'kill', '--security-opt', 'no-new-privileges'],
        ...['--image', 'busybox:test', '--args', '"sleep 999"', '--no-resolve-image'],
        ...['--with-registry-auth', '--stop-grace-period', '100ms', '--update-monitor', '100ms'],
      ];
      const quick = ['--stop-grace-period', '100ms'];
      expect((await service('create', '-q', '--name', 'box', ...quick, ...SLEEP)).code).toBe(0);
      const updated = await service('update', '-q', ...flags, 'box');
      expect([updated.stderr, updated.code]).toEqual(['', 0]);
      expect(await container('box')).toMatchObject({
        Path: '/bin/sh',
        Args: ['-c', 'sleep 999'],
        Config: {
          Hostname: 'other',
          User: '1000',
          WorkingDir: '/bin',
          StopSignal: 'SIGQUIT',
          Tty: true,
        },
        HostConfig: {
          Init: true,
          ReadonlyRootfs: true,
          OomScoreAdj: 100,
          NanoCpus: 4e8,
          PidsLimit: 40,
          ShmSize: 2 ** 22,
          PidMode: 'host',
          CpusetCpus: '0',
          GroupAdd: ['77'],
          Dns: ['10.9.9.8'],
          DnsOptions: ['ndots:2'],
          DnsSearch: ['a.test'],
          ExtraHosts: ['h:10.1.1.1'],
          CapAdd: ['CAP_NET_RAW'],
          CapDrop: ['CAP_KILL'],
          CgroupParent: '/tswarm-test-flags',
        },
      });
      expect((await inspect('box')).Spec).toMatchObject({
        Labels: { l: '1' },
        TaskTemplate: {
          Placement: { Constraints: ['node.role==manager'] },
          ContainerSpec: { Healthcheck: { Test: ['NONE'] }, Labels: { cl: '1' } },
        },
      });
    },
  );

  flagTest(
    'tswarm service update',
    [
      '--group-rm',
      '--dns-rm',
      '--dns-option-rm',
      '--dns-search-rm',
      '--constraint-rm',
      '--placement-pref-rm',
      '--mount-rm',
      '--host-rm',
      '--ulimit-rm',
      '--device-rm',
      '--generic-resource-rm',
      '--label-rm',
      '--container-label-rm',
      '--sysctl-rm',
      '--rollback',
    ],
    'take away again',
    async () => {
      const flags = [
        ...['--group-rm', '77', '--dns-rm', '10.9.9.8', '--dns-option-rm', 'ndots:2'],
        ...['--dns-search-rm', 'a.test', '--constraint-rm', 'node.role==manager'],
        ...[
          '--placement-pref-rm',
          'spread=node.labels.z',
          '--mount-rm',
          '/m',
          '--host-rm',
          'h:10.1.1.1',
        ],
        ...['--ulimit-rm', 'nofile', '--device-rm', '/dev/d', '--generic-resource-rm', 'SSD'],
        ...['--label-rm', 'l', '--container-label-rm', 'cl', '--sysctl-rm', 'net.ipv4.ip_forward'],
      ];
      const updated = await service('update', '-q', ...flags, 'box');
      expect([updated.stderr, updated.code]).toEqual(['', 0]);
      const text = JSON.stringify((await inspect('box')).Spec);
      for (const gone of [
        '"77"',
        '10.9.9.8',
        'ndots',
        'a.test',
        'node.role',
        'spread',
        '/m"',
        '10.1.1.1',
        'nofile',
        '/dev/d',
        'SSD',
        '"l"',
        '"cl"',
        'ip_forward',
      ]) {
        expect([gone, text.includes(gone)]).toEqual([gone, false]);
      }
      expect((await service('update', '-q', '--rollback', 'box')).code).toBe(0);
      expect(JSON.stringify((await inspect('box')).Spec)).toContain('10.9.9.8');
    },
  );
});

flagTest(
  'tswarm service create',
  ['--session-affinity', '--prefer-same-node'],
  'which task a client gets; not where the client chooses',
  async () => {
    const flags = ['-d', '--name', 'chosen', '--session-affinity', 'source', '--prefer-same-node'];
    const refused = await service('create', '--endpoint-mode', 'dnsrr', ...flags, ...SLEEP);
    expect(refused.stderr).toContain("can't be used with dnsrr mode");
    expect((await service('create', ...flags, ...SLEEP)).code).toBe(0);
    const [{ Spec }] = JSON.parse((await service('inspect', 'chosen')).stdout);
    expect(Spec.EndpointSpec).toEqual({
      ...{ Mode: 'vip', SessionAffinity: 'source', PreferSameNode: true },
    });
    const text = (await service('inspect', '--pretty', 'chosen')).stdout;
    expect(text).toContain('Affinity:\tsource\nSame node:\tpreferred\n');
    expect((await service('rm', 'chosen')).code).toBe(0);
  },
);

flagTest('tswarm service inspect', ['--pretty'], 'one service as people read it', async () => {
  const flags = ['--update-parallelism', '2', '--update-delay', '1s', '--update-monitor', '4s'];
  const more = ['--update-failure-action', 'rollback', '--drain-timeout', '700ms'];
  const made = await service('create', '-d', '--name', 'shown', ...flags, ...more, ...SLEEP);
  expect(made.code).toBe(0);
  const text = (await service('inspect', '--pretty', 'shown')).stdout;
  expect(text).toMatch(/^ID:\t\t[0-9a-z]{25}\nName:\t\tshown\n/);
  expect(text).toContain(
    'UpdateConfig:\n Parallelism:\t2\n Delay:\t\t1s\n On failure:\trollback\n',
  );
  expect(text).toContain(' Monitoring Period: 4s\n');
  expect(text).toContain('Drain timeout:\t700ms\n');
  const both = await service('inspect', '--pretty', '--format', 'json', 'shown');
  expect(both.code).toBe(1);
});

/** A build that begins with an image which asks for a password, by docker and by tswarm; then its cache is pruned. */
async function buildsOnIt(image: string, env: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(node.folder, 'on-private');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'Dockerfile'),
    `FROM ${image}\nRUN head -c 100000 /dev/zero > /file\n`,
  );
  const stranger = { DOCKER_CONFIG: folder };
  const refused = await node.tswarm(['image', 'build', '-t', 'mine:1', folder], { env: stranger });
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/access denied/)]);
  expect((await node.docker(['build', '-t', 'mine:1', folder], { env })).code).toBe(0);
  await node.docker(['rmi', '-f', 'mine:1', image]);
  expect((await node.docker(['builder', 'prune', '-f'])).stdout).toMatch(/space:\s+100\.\dkB/);
  const again = await node.tswarm(['image', 'build', '-t', 'mine:1', folder], { env });
  expect([again.stderr, again.code]).toEqual(['', 0]);
  expect(again.stdout).not.toContain('Using cache');
  await node.docker(['rmi', '-f', 'mine:1', image]);
}

/** Whether a file below the folder holds the text. */
function isBelow(folder: string, text: string): boolean {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return files.some(
    (file) => file.isFile() && readFileSync(join(file.parentPath, file.name)).includes(text),
  );
}

describe('an image that asks for a password', () => {
  flagTest(
    'tswarm service create',
    ['--with-registry-auth'],
    'gives the node the credentials, and shows them to nobody',
    async () => {
      await using registry = await registryInside(node, { htpasswd: HTPASSWD });
      const env = { DOCKER_CONFIG: join(node.folder, 'docker') };
      const image = `${registry.host}/private:1`;
      const docker = async (...args: string[]): Promise<void> => {
        const done = await node.docker(args, { env });
        expect([done.code, done.stderr]).toEqual([0, expect.any(String)]);
      };
      await docker('login', '-u', 'user', '-p', 'secret', registry.host);
      await docker('tag', 'busybox:test', image);
      await docker('push', '-q', image);
      await docker('rmi', image);
      const create = (name: string, ...flags: string[]) =>
        node.tswarm(['service', 'create', '-d', '--name', name, ...flags, image, 'sleep', '1000'], {
          env,
        });
      expect((await create('stranger', '--no-resolve-image')).code).toBe(0);
      await until(async () => {
        const ps = await service('ps', '--no-trunc', 'stranger');
        return /Rejected.*(unauthorized|no basic auth|authentication)/i.test(ps.stdout);
      }, 20_000);
      await buildsOnIt(image, env);
      expect((await create('friend', '--with-registry-auth')).stderr).toBe('');
      await until(async () => (await inside('friend', 'echo', 'here')) === 'here', 20_000);
      // Another specification without credentials keeps those of before.
      await docker('rmi', '-f', image);
      expect((await service('update', '-q', '--env-add', 'A=1', 'friend')).stderr).toBe('');
      expect(await inside('friend', 'sh', '-c', 'echo $A')).toBe('1');
      for (const kind of ['services', 'tasks']) {
        const shown = await node.inside('curl', [
          '-s',
          '--unix-socket',
          node.socket,
          `http://n/${kind}`,
        ]);
        expect(shown.stdout).toContain('/private:1');
        expect(shown.stdout).not.toContain('"secret"');
      }
      expect(isBelow(join(node.dataRoot, 'agent'), '"password":"secret"')).toBe(false);
      expect((await service('rm', 'stranger', 'friend')).code).toBe(0);
    },
  );
});
