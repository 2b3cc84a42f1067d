// tswarm service create, update, rollback, as a person uses them: what they do to the task or the rollout; exit codes; what is said while it goes on; files, networks and
// places. One real node. What each flag says in the specification: service-flags.test.ts.
// Longer than 500 lines because one real node, which takes seconds to start, serves all of its tests.
import { readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { ServiceNode, SLEEP } from '../support/service-node.ts';
import { until } from '../support/test-node.ts';

let node: ServiceNode;

beforeAll(async () => {
  node = new ServiceNode();
  await node.up(24773);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

/** The program does not heed SIGTERM, and nobody is connected to it. */
const BRIEF = ['--stop-grace-period', '100ms', '--drain-timeout', '0s'];

const service = (...args: string[]) => node.service(...args);
const inspect = (name: string) => node.inspect(name);
const inside = (name: string, ...command: string[]) => node.insideService(name, ...command);
const container = (name: string) => node.container(name);

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
        ...['--userns', 'host', '--cgroup-parent', '/tswarm-test-commands', ...quick, ...SLEEP],
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
      expect(await inside('open', 'cat', '/proc/self/cgroup')).toContain('tswarm-test-commands');
    },
  );

  flagTest(
    'tswarm service create',
    ['--generic-resource', '--quiet', '--detach'],
    'named and counted things of the node, which the container is told',
    async () => {
      const asks = ['--generic-resource', 'GPU=1', '--generic-resource', 'SSD=2'];
      const made = await service('create', '-q', '--name', 'gpu', ...asks, ...BRIEF, ...SLEEP);
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

  it('says what is wrong with a flag before any registry is asked', async () => {
    const made = await service('create', '--replicas', 'three', '127.0.0.1:1/none:1');
    expect([made.stderr, made.code]).toEqual([
      'Error: --replicas: "three" is not a whole number from 0\n',
      1,
    ]);
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
        ...BRIEF,
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

describe('an update of the image', () => {
  it('runs the image that is named, also one that was made here', async () => {
    // A container's changes as an image of their own, which no registry has.
    const made = await node.docker(['create', '--name', 'seed', 'busybox:test']);
    expect(made.stderr).toBe('');
    expect((await node.docker(['commit', '-c', 'ENV IS=second', 'seed', 'second:1'])).code).toBe(0);
    const quick = ['--update-monitor', '100ms', '--stop-grace-period', '100ms'];
    expect((await service('create', '-q', '--name', 'image', ...quick, ...SLEEP)).code).toBe(0);
    const updated = await service('update', '-q', '--image', 'second:1', 'image');
    expect([updated.stderr, updated.code]).toEqual(['', 0]);
    expect(await inside('image', 'sh', '-c', 'echo $IS')).toBe('second');
    await service('rm', 'image');
  });
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

describe('files, networks and places', () => {
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
        ...BRIEF,
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
        ...['--stop-grace-period', '100ms', 'busybox:test', 'busybox httpd -p 80; sleep 1000'],
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

  flagTest(
    'tswarm service rebalance',
    ['--detach', '--quiet'],
    'has nothing to do on one node',
    async () => {
      const done = await service('rebalance', '-q', '--detach', '--quiet', 'files');
      expect([done.stdout, done.stderr, done.code]).toEqual(['files is balanced\n', '', 0]);
      expect((await service('rebalance', 'nosuch')).stderr).toContain('nosuch not found');
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
