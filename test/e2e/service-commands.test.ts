// tswarm service create, update, rollback, as a person uses them: each flag by what it does to the container, the task or the rollout; exit codes; what is said
// while it goes on. One real node.
// Longer than others because all commands are tried on one running cluster.
import { readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { TestNode, until } from '../support/test-node.ts';

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start(['--generic-resources', 'GPU=g1,GPU=g2,SSD=3']);
  const flags = ['--listen-addr', '127.0.0.1:24773', '--advertise-addr', '127.0.0.1'];
  expect((await node.tswarm(['init', ...flags])).stderr).toBe('');
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const service = (...args: string[]) => node.tswarm(['service', ...args], { timeoutMs: 60_000 });

interface Inspected {
  readonly Spec: object;
  readonly UpdateStatus?: { readonly State: string };
}

async function inspect(name: string): Promise<Inspected> {
  const out = await service('inspect', name);
  return (JSON.parse(out.stdout) as [Inspected])[0];
}

/** Runs a command in the service's container. */
async function inside(name: string, ...command: string[]): Promise<string> {
  const ids = await node.docker([
    'ps',
    '-q',
    '--filter',
    `label=com.docker.swarm.service.name=${name}`,
  ]);
  const [id = ''] = ids.stdout.split('\n');
  const result = await node.docker(['exec', id, ...command]);
  return result.stdout.trim();
}

/** `docker inspect` of the service's container. */
async function container(name: string): Promise<object> {
  const label = `label=com.docker.swarm.service.name=${name}`;
  const ids = await node.docker(['ps', '-q', '--filter', label]);
  const [id = ''] = ids.stdout.split('\n');
  return (JSON.parse((await node.docker(['inspect', id])).stdout) as [object])[0];
}

const SLEEP = ['busybox:test', 'sleep', '1000'];

describe('service create', () => {
  const SHOWN_INSIDE = 'waits, says what runs, and the container is as the flags say';
  flagTest(
    'tswarm service create',
    [
      '--name',
      '--hostname',
      '--user',
      '--workdir',
      '--env',
      '--env-file',
      '--label',
      '--container-label',
      '--mount',
      '--read-only',
      '--init',
      '--limit-memory',
      '--limit-pids',
      '--ulimit',
      '--shm-size',
      '--cap-drop',
      '--sysctl',
      '--host',
      '--dns',
      '--dns-search',
      '--dns-option',
      '--stop-grace-period',
      '--stop-signal',
      '--cpuset-cpus',
      '--tty',
      '--oom-score-adj',
      '--group',
      '--cap-add',
      '--limit-cpu',
      '--security-opt',
    ],
    SHOWN_INSIDE,
    async () => {
      const envFile = join(node.folder, 'env');
      writeFileSync(envFile, '# comment\nFROM_FILE=yes\n');
      const made = await service(
        'create',
        ...['--name', 'full', '--hostname', 'box', '--user', 'nobody', '--workdir', '/tmp'],
        ...['-e', 'A=1', '--env-file', envFile, '-l', 'tier=web', '--container-label', 'c=d'],
        ...['--mount', 'type=tmpfs,target=/scratch,tmpfs-size=1m', '--read-only', '--init'],
        ...['--limit-memory', '64m', '--limit-pids', '50', '--ulimit', 'nofile=512:1024'],
        ...['--shm-size', '8m', '--cap-drop', 'chown', '--sysctl', 'net.ipv4.ip_forward=0'],
        ...['--host', 'db:10.9.8.7', '--dns', '10.9.9.9', '--stop-grace-period', '300ms'],
        ...['--dns-search', 'corp.test', '--dns-option', 'ndots:3', '--stop-signal', 'SIGINT'],
        ...['--cpuset-cpus', '0', '--tty', '--oom-score-adj', '200', '--group', '4242'],
        ...['--cap-add', 'net_admin', '--limit-cpu', '0.5', '--security-opt', 'no-new-privileges'],
        ...SLEEP,
      );
      expect(made.stderr).toContain('1/1 running');
      expect(made.code).toBe(0);
      expect(made.stdout).toMatch(/^[0-9a-z]{25}\n$/);
      expect(await inside('full', 'hostname')).toBe('box');
      expect(await inside('full', 'id', '-u')).toBe('65534');
      expect(await inside('full', 'pwd')).toBe('/tmp');
      const env = await inside('full', 'env');
      expect(env).toContain('A=1');
      expect(env).toContain('FROM_FILE=yes');
      expect(await inside('full', 'sh', '-c', 'df -k /scratch | tail -1')).toMatch(/ 1024 /);
      expect(await inside('full', 'sh', '-c', 'df -k /dev/shm | tail -1')).toMatch(/ 8192 /);
      expect(await inside('full', 'sh', '-c', 'touch /x 2>&1')).toContain('Read-only');
      expect(await inside('full', 'sh', '-c', 'ulimit -Sn; ulimit -Hn')).toBe('512\n1024');
      expect(await inside('full', 'cat', '/etc/hosts')).toMatch(/10\.9\.8\.7\s+db/);
      const resolv = await inside('full', 'cat', '/etc/resolv.conf');
      expect(resolv).toContain('corp.test');
      expect(resolv).toContain('ndots:3');
      const status = await inside('full', 'cat', '/proc/1/status');
      expect(status).toMatch(/^Groups:.*\b4242\b/m);
      expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
      const caps = BigInt(`0x${/^CapBnd:\s*(\S+)/m.exec(status)?.[1]}`);
      expect([caps & 1n, (caps >> 12n) & 1n]).toEqual([0n, 1n]);
      expect(await inside('full', 'cat', '/proc/1/oom_score_adj')).toBe('200');
      expect(await container('full')).toMatchObject({
        Config: {
          Tty: true,
          StopSignal: 'SIGINT',
          Labels: { c: 'd' },
        },
        HostConfig: {
          Init: true,
          NanoCpus: 5e8,
          Memory: 2 ** 26,
          PidsLimit: 50,
          Dns: ['10.9.9.9'],
        },
      });
      expect(await inside('full', 'grep', 'Cpus_allowed_list', '/proc/self/status')).toMatch(
        /:\s*0$/,
      );
      expect(await inspect('full')).toMatchObject({
        Spec: { Labels: { tier: 'web' }, Mode: { Replicated: { Replicas: 1 } } },
      });
    },
  );

  const HOST = 'the container has what the flags say of its host';
  flagTest(
    'tswarm service create',
    ['--device', '--privileged', '--pid', '--ipc', '--uts', '--cgroup-parent', '--userns'],
    HOST,
    async () => {
      const quick = ['--stop-grace-period', '100ms'];
      const device = await service(
        'create',
        ...['--name', 'dev', '--device', '/dev/full:/dev/mine:r', ...quick, ...SLEEP],
      );
      expect(device.code).toBe(0);
      expect(await inside('dev', 'sh', '-c', '[ -c /dev/mine ] && echo device')).toBe('device');
      const made = await service(
        'create',
        ...['--name', 'open', '--privileged', '--pid', 'host', '--ipc', 'host', '--uts', 'host'],
        ...['--userns', 'host', '--cgroup-parent', '/tswarm-test-parent', ...quick, ...SLEEP],
      );
      expect(made.code).toBe(0);
      const caps = (text: string): bigint => BigInt(`0x${/CapEff:\s*([0-9a-f]+)/.exec(text)?.[1]}`);
      const [plain, all] = [
        caps(await inside('dev', 'cat', '/proc/self/status')),
        caps(await inside('open', 'cat', '/proc/self/status')),
      ];
      expect(all & plain).toBe(plain);
      expect(all).toBeGreaterThan(plain);
      for (const kind of ['pid', 'ipc', 'uts']) {
        const link = `/proc/self/ns/${kind}`;
        expect(await inside('open', 'readlink', link)).toBe(readlinkSync(link));
        expect(await inside('dev', 'readlink', link)).not.toBe(readlinkSync(link));
      }
      expect(await inside('open', 'cat', '/proc/self/cgroup')).toContain('tswarm-test-parent');
    },
  );

  flagTest(
    'tswarm service create',
    ['--generic-resource', '--quiet', '--detach'],
    'named and counted things of the node, which the container is told',
    async () => {
      const asks = ['--generic-resource', 'GPU=1', '--generic-resource', 'SSD=2'];
      const made = await service('create', '-q', '--name', 'gpu', ...asks, ...SLEEP);
      expect(made.code).toBe(0);
      const env = await inside('gpu', 'env');
      expect(env).toContain('DOCKER_RESOURCE_GPU=g1');
      expect(env).toContain('DOCKER_RESOURCE_SSD=2');
      const second = ['--generic-resource', 'GPU=2', '-d', ...SLEEP];
      expect((await service('create', '--name', 'gpus', ...second)).code).toBe(0);
      const why = async (): Promise<string> => (await node.tswarm(['why', 'gpus'])).stdout;
      await until(async () => (await why()).includes('GPU=2 asked, not free'), 10_000);
      expect((await service('rm', 'gpu')).code).toBe(0);
      await until(async () => (await why()).includes('as it should'), 30_000);
      expect(await inside('gpus', 'env')).toContain('DOCKER_RESOURCE_GPU=g1,g2');
    },
  );

  flagTest(
    'tswarm service create',
    ['--mode', '--replicas', '--max-concurrent'],
    'a job runs to its completions',
    async () => {
      const made = await service(
        'create',
        ...[
          '--name',
          'job',
          '--mode',
          'replicated-job',
          '--replicas',
          '3',
          '--max-concurrent',
          '2',
        ],
        ...['busybox:test', 'sh', '-c', 'sleep 0.2'],
      );
      expect(made.code).toBe(0);
      const listed = await service('ls', '--filter', 'name=job', '--format', '{{.Replicas}}');
      expect(listed.stdout).toContain('(3/3 completed)');
      const slots = await node.docker(['service', 'ps', 'job', '--format', '{{.Name}}']);
      expect(slots.stdout).toContain('job.1');
      expect(slots.stdout).not.toContain('job.3');
    },
  );

  it.each([
    [['--limit-cpu', 'many', ...SLEEP], '--limit-cpu: "many" is not a number of cpus'],
    [['--mode', 'global', '--replicas', '2', ...SLEEP], '--replicas: replicas can only be used'],
    [['--mount', 'type=bind,source=/tmp', ...SLEEP], '--mount: target is required'],
    [['--restart-delay', '5', ...SLEEP], '--restart-delay: missing unit in duration'],
    [['--constraint', 'zone==a', ...SLEEP], 'unknown key "zone"'],
    [['--network', 'nowhere', ...SLEEP], 'network nowhere not found'],
    [['--secret', 'nothing', ...SLEEP], 'secret nothing not found'],
    [['--publish', '80:x', ...SLEEP], '--publish: "80:x" is not a port'],
    [['--wrong', ...SLEEP], "unknown option '--wrong'"],
  ])('refuses %j', async (args, words) => {
    const made = await service('create', '-d', '--name', 'bad', ...args);
    expect(made.stderr).toContain(words);
    expect(made.code).toBeGreaterThan(0);
  });
});

describe('service scale', () => {
  it('waits, and says per task what it waits for', async () => {
    await service('create', '-q', '--name', 'some', '--stop-grace-period', '100ms', ...SLEEP);
    const up = await service('scale', 'some=3');
    expect(up.stdout).toBe('some scaled to 3\n');
    expect(up.stderr).toMatch(/Task some\.2 +running/);
    expect(up.stderr).toContain('Service some  3/3 running');
    expect(up.code).toBe(0);
    const down = await service('scale', 'some=0');
    expect(down.stderr).toContain('Service some  0/0 running');
    expect(down.code).toBe(0);
  });
});

describe('service update', () => {
  flagTest(
    'tswarm service update',
    ['--env-rm', '--env-add', '--update-parallelism', '--update-monitor'],
    'follows the rollout',
    async () => {
      await service(
        'create',
        '-q',
        '--name',
        'web',
        '--replicas',
        '2',
        '-e',
        'A=1',
        '-e',
        'B=2',
        ...SLEEP,
      );
      const updated = await service(
        'update',
        ...['--env-rm', 'A', '--env-add', 'C=3', '--label-add', 'x=y', '--update-parallelism', '2'],
        ...['--update-monitor', '200ms', 'web'],
      );
      expect(updated.code).toBe(0);
      expect(updated.stderr).toContain('2 of 2 updated');
      const spec = await inspect('web');
      expect(spec).toMatchObject({
        Spec: {
          Labels: { x: 'y' },
          TaskTemplate: { ContainerSpec: { Env: ['B=2', 'C=3'] } },
          UpdateConfig: { Parallelism: 2, Monitor: 200e6 },
        },
        UpdateStatus: { State: 'completed' },
      });
      expect(await inside('web', 'env')).toContain('C=3');
    },
  );

  flagTest(
    'tswarm service rollback',
    ['--to', '--list'],
    'after an update that failed, with its reason',
    async () => {
      const bad = await service(
        'update',
        '--args',
        'sh -c "exit 3"',
        '--restart-delay',
        '1s',
        'web',
      );
      expect(bad.code).toBe(1);
      expect(bad.stderr).toContain('service web: paused: update paused due to failure');
      expect(bad.stderr).toContain('tswarm why web');
      const list = await service('rollback', '--list', 'web');
      expect(list.stdout).toMatch(/^REVISION +REPLACED +IMAGE +COMMAND +REPLICAS\n2 +\(present\)/);
      const back = await service('rollback', '--to', '0', 'web');
      expect(back.code).toBe(0);
      expect(await inside('web', 'env')).toContain('A=1');
      const unknown = await service('rollback', '--to', '77', 'web');
      expect(unknown.stderr).toContain('service web has no revision 77');
    },
  );

  flagTest(
    'tswarm service update',
    ['--pause', '--resume', '--force', '--update-delay', '--detach'],
    'halted and resumed by hand',
    async () => {
      const slow = ['--update-delay', '2s', '--update-parallelism', '1', '--force'];
      expect((await service('update', '-d', ...slow, 'web')).code).toBe(0);
      await until(async () => (await inspect('web')).UpdateStatus?.State === 'updating', 5000);
      expect((await service('update', '--pause', 'web')).code).toBe(0);
      expect(await inspect('web')).toMatchObject({
        UpdateStatus: { State: 'paused', Message: 'paused by hand' },
      });
      const resumed = await service('update', '--resume', 'web');
      expect(resumed.code).toBe(0);
      expect(await inspect('web')).toMatchObject({ UpdateStatus: { State: 'completed' } });
      const again = await service('update', '--pause', 'web');
      expect(again.stderr).toContain('no update is under way');
    },
  );

  flagTest(
    'tswarm service update',
    ['--publish-add', '--publish-rm', '--network-add', '--network-rm', '--replicas'],
    'the endpoint and the number of tasks',
    async () => {
      expect((await node.docker(['network', 'create', '-d', 'overlay', 'side'])).stderr).toBe('');
      const updated = await service(
        'update',
        ...['--publish-add', '28990:80', '--network-add', 'side', '--replicas', '1', 'web'],
      );
      expect(updated.code).toBe(0);
      const spec = await inspect('web');
      expect(spec).toMatchObject({
        Spec: { Mode: { Replicated: { Replicas: 1 } } },
        Endpoint: { Ports: [{ PublishedPort: 28990, TargetPort: 80 }] },
      });
      const back = await service('update', '--publish-rm', '80', '--network-rm', 'side', 'web');
      expect(back.code).toBe(0);
      const after = JSON.stringify(await inspect('web'));
      expect(after).not.toContain('28990:');
      expect((await inspect('web')).Spec).not.toHaveProperty('TaskTemplate.Networks.0');
    },
  );
});

describe('a service on the network of its node', () => {
  it('is made with either client', async () => {
    const quick = ['--stop-grace-period', '100ms', '--network', 'host'];
    expect((await service('create', '-q', '--name', 'near', ...quick, ...SLEEP)).code).toBe(0);
    const docker = ['service', 'create', '-d', '--no-resolve-image', '--name', 'near2', ...quick];
    expect((await node.docker([...docker, ...SLEEP])).stderr).toBe('');
    for (const name of ['near', 'near2']) {
      await until(async () => (await inside(name, 'hostname')) !== '', 15_000);
      expect(await container(name)).toMatchObject({ HostConfig: { NetworkMode: 'host' } });
    }
  });
});

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
        ...['--cgroup-parent', '/tswarm-test-parent', '--cpuset-cpus', '0', '--group-add', '77'],
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
          CgroupParent: '/tswarm-test-parent',
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
        '77',
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

  flagTest(
    'tswarm service create',
    [
      '--secret',
      '--config',
      '--network',
      '--publish',
      '--constraint',
      '--placement-pref',
      '--entrypoint',
      '--no-healthcheck',
      '--no-resolve-image',
      '--with-registry-auth',
    ],
    'files, networks, ports and places',
    async () => {
      const made = async (...args: string[]): Promise<void> => {
        expect((await node.docker(args)).stderr).toBe('');
      };
      const file = join(node.folder, 'word');
      writeFileSync(file, 'hush');
      await made('secret', 'create', 'word', file);
      await made('config', 'create', 'conf', file);
      await made('network', 'create', '-d', 'overlay', 'filenet');
      const create = await service(
        'create',
        ...[
          '-q',
          '--name',
          'files',
          '--secret',
          'word',
          '--config',
          'source=conf,target=/etc/conf',
        ],
        ...[
          '--network',
          'name=filenet,alias=nick',
          '--publish',
          'published=28991,target=80,mode=host',
        ],
        ...['--constraint', 'node.role == manager', '--placement-pref', 'spread=node.labels.zone'],
        ...[
          '--entrypoint',
          'sh -c',
          '--no-healthcheck',
          '--no-resolve-image',
          '--with-registry-auth',
        ],
        ...['--stop-grace-period', '100ms', 'busybox:test', 'sleep 1000'],
      );
      expect([create.stderr, create.code]).toEqual(['', 0]);
      expect(await inside('files', 'cat', '/run/secrets/word', '/etc/conf')).toBe('hushhush');
      expect(await inside('files', 'nslookup', 'nick')).toContain('Address');
      const listeners = await node.docker([
        'ps',
        '--filter',
        'name=files',
        '--format',
        '{{.Ports}}',
      ]);
      expect(listeners.stdout).toContain('28991->80/tcp');
      const removed = ['--secret-rm', 'word', '--config-rm', 'conf'];
      expect((await service('update', '-q', ...removed, 'files')).code).toBe(0);
      expect(
        await inside('files', 'sh', '-c', 'ls /run/secrets/word /etc/conf 2>&1'),
      ).not.toContain('hush');
    },
  );

  flagTest(
    'tswarm service update',
    ['--secret-add', '--secret-rm', '--config-add', '--config-rm'],
    'files come and go',
    async () => {
      const back = ['--secret-add', 'source=word,target=new', '--config-add', 'conf'];
      expect((await service('update', '-q', ...back, 'files')).code).toBe(0);
      expect(await inside('files', 'cat', '/run/secrets/new', '/conf')).toBe('hushhush');
      const gone = ['--secret-rm', 'word', '--config-rm', 'conf'];
      expect((await service('update', '-q', ...gone, 'files')).code).toBe(0);
      expect((await inspect('files')).Spec).not.toHaveProperty(
        'TaskTemplate.ContainerSpec.Secrets.0',
      );
    },
  );

  flagTest('tswarm service create', ['--credential-spec'], 'is refused', async () => {
    const made = await service('create', '--credential-spec', 'file://x', ...SLEEP);
    expect(made.stderr).toContain('--credential-spec: it only means something on Windows');
  });

  flagTest(
    'tswarm service update',
    ['--credential-spec', '--max-concurrent'],
    'are refused where they mean nothing',
    async () => {
      const credential = await service('update', '--credential-spec', 'file://x', 'files');
      expect(credential.stderr).toContain('it only means something on Windows');
      const concurrent = await service('update', '--max-concurrent', '2', 'files');
      expect(concurrent.stderr).toContain(
        '--max-concurrent: can only be used with replicated-job mode',
      );
    },
  );

  flagTest(
    'tswarm service rollback',
    ['--detach', '--quiet'],
    'say nothing, or do not wait',
    async () => {
      const quiet = await service('rollback', '-q', 'files');
      expect([quiet.stderr, quiet.code]).toEqual(['', 0]);
      const detached = await service('rollback', '-d', 'files');
      expect([detached.stdout, detached.code]).toEqual(['files\n', 0]);
    },
  );
});

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

flagTest(
  'tswarm service logs',
  ['--no-resolve', '--no-trunc'],
  'ids instead of names, whole',
  async () => {
    const say = ['busybox:test', 'sh', '-c', 'echo said; sleep 1000'];
    const quick = ['--stop-grace-period', '100ms'];
    expect((await service('create', '-q', '--name', 'talk', ...quick, ...say)).code).toBe(0);
    const spec = JSON.parse((await service('inspect', 'talk')).stdout) as [{ ID: string }];
    const logs = await service('logs', '--no-resolve', '--no-trunc', 'talk');
    expect(logs.stdout).toMatch(
      new RegExp(`^${spec[0].ID}\\.1\\.[0-9a-z]{25}@[0-9a-z]{25} +\\| said\\n$`),
    );
  },
);
