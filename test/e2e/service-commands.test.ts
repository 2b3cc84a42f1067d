// tswarm service create, update, rollback, as a person uses them: each flag by what it does to the container, the task or the rollout; exit codes; what is said
// while it goes on. One real node.
import { readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

const SLEEP = ['busybox:test', 'sleep', '1000'];

describe('service create', () => {
  it('waits, says what runs, and sets what the flags say in the container', async () => {
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
      ...['--cpuset-cpus', '0', '--uts', '', ...SLEEP],
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
    expect(await inside('full', 'cat', '/etc/resolv.conf')).toBeTruthy();
    expect(await inside('full', 'grep', 'Cpus_allowed_list', '/proc/self/status')).toMatch(
      /:\s*0$/,
    );
    expect(await inspect('full')).toMatchObject({
      Spec: { Labels: { tier: 'web' }, Mode: { Replicated: { Replicas: 1 } } },
    });
  });

  it('takes privileged, devices, host namespaces and a cgroup parent', async () => {
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
      ...['--cgroup-parent', '/tswarm-test-parent', ...quick, ...SLEEP],
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
  });

  it('reserves named and counted things of the node, which the container is told', async () => {
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
  });

  it('runs a job to its completions', async () => {
    const made = await service(
      'create',
      ...['--name', 'job', '--mode', 'replicated-job', '--replicas', '3', '--max-concurrent', '2'],
      ...['busybox:test', 'sh', '-c', 'sleep 0.2'],
    );
    expect(made.code).toBe(0);
    const listed = await service('ls', '--filter', 'name=job', '--format', '{{.Replicas}}');
    expect(listed.stdout).toContain('(3/3 completed)');
    const slots = await node.docker(['service', 'ps', 'job', '--format', '{{.Name}}']);
    expect(slots.stdout).toContain('job.1');
    expect(slots.stdout).not.toContain('job.3');
  });

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
  it('changes what is named, adds and removes, and follows the rollout', async () => {
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
  });

  it('fails with the reason when the update does, and rolls back to a revision', async () => {
    const bad = await service('update', '--args', 'sh -c "exit 3"', '--restart-delay', '1s', 'web');
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
  });

  it('is halted and goes on by hand', async () => {
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
  });

  it('changes ports, networks and replicas', async () => {
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
  });
});
