// tswarmd as a process: what it refuses to start with, and that nothing is lost when it, or its manager, is killed, stopped, or interrupted while it joins
// or leaves. Seen through the stock docker client and through the processes themselves.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE, ROOT, TestNode, until } from '../support/test-node.ts';

const MAIN = join(ROOT, 'dist/daemon/main.js');
const INIT = ['swarm', 'init', '--listen-addr', '127.0.0.1:23772', '--advertise-addr', '127.0.0.1'];

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      try {
        const stat = readFileSync(`/proc/${candidate}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

function managerOf(node: TestNode): number {
  const found = childrenOf(node.pid).find((pid) =>
    /tswarm-manager|manager\/main/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')),
  );
  if (found === undefined) throw new Error(`no manager process:\n${node.log()}`);
  return found;
}

describe('tswarmd refuses to start', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tswarm-refuse-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const start = (args: readonly string[]): { status: number | null; stderr: string } =>
    spawnSync(NODE, [MAIN, ...args], { encoding: 'utf8', timeout: 20_000 });

  it('with a wrong flag: usage, exit code 2', () => {
    const result = start(['--data-rot', '/x']);
    expect(result.status).toBe(2);
    expect(result.stderr).toMatch(/^tswarmd: .*--data-rot.*\n$/);
  });

  it('without root: one sentence, exit code 1', () => {
    // Not root, but able to read a checkout below /root.
    const read = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
    const result = spawnSync(
      'setpriv',
      ['--reuid=65534', '--clear-groups', ...read, NODE, MAIN, '--data-root', folder],
      { encoding: 'utf8' },
    );
    expect([result.status, result.stderr]).toEqual([
      1,
      'tswarmd: tswarmd must run as root. Start it with sudo, or through systemd.\n',
    ]);
  });

  it('without the native programs: says which and how to get them', () => {
    const result = start(['--data-root', folder, '--native-dir', folder]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(`${folder}/tswarm-runtime is not there`);
  });

  it('prints its settings', () => {
    const result = spawnSync(NODE, [MAIN, '--print-config', '--labels', 'a=b,c'], {
      encoding: 'utf8',
      env: { ...process.env, TSWARM_RUN_ROOT: '/elsewhere' },
    });
    expect(JSON.parse(result.stdout)).toMatchObject({
      runRoot: '/elsewhere',
      labels: ['a=b', 'c'],
    });
  });
});

describe('tswarmd on one node', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = new TestNode();
    await node.start(['--labels', 'disk=ssd', '--insecure-registries', 'registry.example:5000']);
    await node.importBusybox();
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
  });

  it('keeps a second daemon off its data root and names the first', () => {
    const result = spawnSync(
      NODE,
      [MAIN, '--data-root', node.dataRoot, '--run-root', node.runRoot],
      {
        encoding: 'utf8',
        timeout: 20_000,
      },
    );
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(`tswarmd ${node.pid} uses it`);
  });

  it('shows its labels and registries', async () => {
    const info = JSON.parse((await node.curl('/info')).stdout) as {
      Labels: string[];
      RegistryConfig: { IndexConfigs: Record<string, unknown> };
    };
    expect(info.Labels).toEqual(['disk=ssd']);
    expect(Object.keys(info.RegistryConfig.IndexConfigs)).toContain('registry.example:5000');
  });

  it('says who has the port when a cluster cannot be made, and leaves nothing of the attempt', async () => {
    const holder = await listenInside(node, 23_772);
    try {
      const result = await node.docker(INIT);
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(
        new RegExp(`port 23772 is taken by node \\(pid ${holder.pid}\\)`),
      );
    } finally {
      holder.kill('SIGKILL');
    }
    expect(existsSync(join(node.dataRoot, 'node.json'))).toBe(false);
    expect(existsSync(join(node.dataRoot, 'manager'))).toBe(false);
  });

  it('makes a cluster, runs a service, and shows both to the stock client', async () => {
    expect((await node.docker(INIT)).stderr).toBe('');
    const nodes = await node.docker([
      'node',
      'ls',
      '--format',
      '{{.Self}} {{.Status}} {{.ManagerStatus}}',
    ]);
    expect(nodes.stdout).toBe('true Ready Leader\n');
    const created = await node.docker([
      ...['service', 'create', '--detach', '--no-resolve-image', '--name', 'kept'],
      ...['busybox:test', 'sh', '-c', 'echo begun; exec sleep 100000'],
    ]);
    expect(created.code).toBe(0);
    await until(
      async () => (await replicas(node, 'kept')) === '1/1',
      20_000,
      () => node.log(),
    );
    const logs = await node.docker(['service', 'logs', 'kept']);
    expect(logs.stdout).toMatch(/^kept\.1\.\w+@\S+ +\| begun\n$/);
    expect((await node.docker(INIT)).stderr).toContain('already part of a swarm');
  });

  it('adopts what runs after kill -9 of the daemon; no task is replaced', async () => {
    const before = await containerPids(node);
    await node.stop('SIGKILL');
    await node.start();
    await until(
      async () => (await replicas(node, 'kept')) === '1/1',
      30_000,
      () => node.log(),
    );
    expect(await containerPids(node)).toEqual(before);
    const tasks = await node.docker(['service', 'ps', 'kept', '-q']);
    expect(tasks.stdout.trim().split('\n')).toHaveLength(1);
  });

  it('leaves containers running when it is stopped', async () => {
    const before = await containerPids(node);
    await node.stop('SIGTERM');
    for (const pid of before) expect(existsSync(`/proc/${pid}`)).toBe(true);
    expect(existsSync(node.socket)).toBe(false);
    await node.start();
    await until(
      async () => (await replicas(node, 'kept')) === '1/1',
      30_000,
      () => node.log(),
    );
    expect(await containerPids(node)).toEqual(before);
  });

  it('starts the manager again when it dies, with its state, and takes changes', async () => {
    const first = managerOf(node);
    const [container] = await containerPids(node);
    process.kill(first, 'SIGKILL');
    await until(() => childrenOf(node.pid).some((pid) => pid !== first), 20_000);
    const scale = async (): Promise<number> =>
      (await node.docker(['service', 'scale', '--detach', 'kept=2'])).code;
    await until(
      async () => (await scale()) === 0,
      30_000,
      () => node.log(),
    );
    await until(
      async () => (await replicas(node, 'kept')) === '2/2',
      30_000,
      () => node.log(),
    );
    expect(managerOf(node)).not.toBe(first);
    // Neither the manager's death nor the scaling has touched the first replica.
    expect(await containerPids(node)).toContain(container);
  });

  it('comes back by itself after a reboot', async () => {
    await node.stop('SIGKILL');
    loseEverythingInMemory(node);
    await node.start();
    await until(
      async () => (await replicas(node, 'kept')) === '2/2',
      60_000,
      () => node.log(),
    );
    expect((await node.docker(['node', 'ls', '--format', '{{.Status}}'])).stdout).toBe('Ready\n');
    for (const pid of await containerPids(node)) expect(existsSync(`/proc/${pid}`)).toBe(true);
  });

  it('goes on following logs and watching a stack while the manager is away', async () => {
    const follower = spawn('docker', [
      '-H',
      `unix://${node.socket}`,
      'service',
      'logs',
      '-f',
      'kept',
    ]);
    const watcher = spawn('curl', [
      '-sN',
      '--unix-socket',
      node.socket,
      'http://n/tswarm/v1/stacks/w/watch',
    ]);
    let log = '';
    let lines = '';
    follower.stdout.on('data', (chunk) => {
      log += chunk;
    });
    watcher.stdout.on('data', (chunk) => {
      lines += chunk;
    });
    await until(() => log.includes('begun') && lines.includes('snapshot'), 10_000);
    process.kill(managerOf(node), 'SIGKILL');
    const body = JSON.stringify({
      Name: 'w',
      Labels: {},
      Networks: [{ Name: 'w_net', Labels: {} }],
    });
    const deploy = async (): Promise<string> =>
      (
        await node.curl('/tswarm/v1/stacks/w/deploy', [
          ...['-X', 'POST', '-H', 'Content-Type: application/json', '-d', body],
        ])
      ).stdout;
    await until(
      async () => (await deploy()).includes('"changes"'),
      30_000,
      () => node.log(),
    );
    await until(
      () => lines.includes('"kind":"network"'),
      10_000,
      () => lines,
    );
    const count = log.split('begun').length;
    expect((await node.docker(['service', 'scale', '--detach', 'kept=3'])).code).toBe(0);
    await until(
      () => log.split('begun').length > count,
      20_000,
      () => log,
    );
    follower.kill();
    watcher.kill();
    await node.curl('/tswarm/v1/stacks/w', ['-X', 'DELETE']);
  });

  it('waits in little memory and next to no time', async () => {
    // Not straight after work: what a busy moment needed is given back after a while.
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    const ticks = (): number => {
      const stat = readFileSync(`/proc/${node.pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(fields[11]) + Number(fields[12]);
    };
    const before = ticks();
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    // A hundred ticks a second.
    const cpuPercent = (ticks() - before) / 10;
    const status = readFileSync(`/proc/${node.pid}/status`, 'utf8');
    const residentMb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    process.stdout.write(`tswarmd idle: ${residentMb.toFixed(0)} MB, ${cpuPercent.toFixed(2)} %\n`);
    expect(residentMb).toBeLessThan(110);
    expect(cpuPercent).toBeLessThan(1);
  });

  it('is in one state or the other after kill -9 in the middle of leave and init', async () => {
    for (let round = 0; round < 6; round++) {
      const inCluster = (await swarmState(node)) === 'active';
      const command = inCluster ? ['swarm', 'leave', '--force'] : INIT;
      const running = node.docker(command, { timeoutMs: 30_000 });
      await new Promise((resolve) => setTimeout(resolve, round * 90));
      await node.stop('SIGKILL');
      await running;
      await node.start();
      await until(
        async () => (await swarmState(node)) !== 'pending',
        30_000,
        () => node.log(),
      );
      if ((await swarmState(node)) === 'active') {
        const created = await node.docker([
          'service',
          'create',
          '-d',
          '--no-resolve-image',
          'busybox:test',
          'sleep',
          '9',
        ]);
        expect(created.stderr).toBe('');
      }
    }
    if ((await swarmState(node)) === 'inactive') expect((await node.docker(INIT)).code).toBe(0);
  });

  it('makes the embedded cluster on another port when the usual one is taken', async () => {
    await node.docker(['swarm', 'leave', '--force']);
    const holder = await listenInside(node, 2377);
    try {
      const made = await node.curl('/tswarm/v1/cluster/init', [
        ...[
          '-X',
          'POST',
          '-H',
          'Content-Type: application/json',
          '-d',
          '{"embedded":true}',
          '-m',
          '30',
        ],
      ]);
      const info = JSON.parse(made.stdout) as { state: string; controlAddr: string };
      expect(info.state).toBe('active');
      expect(info.controlAddr).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(info.controlAddr).not.toBe('127.0.0.1:2377');
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it('removes all of the cluster when it leaves', async () => {
    expect((await node.docker(['swarm', 'leave', '--force'])).code).toBe(0);
    expect(await swarmState(node)).toBe('inactive');
    expect((await node.docker(['ps', '-aq'])).stdout).toBe('');
    expect(node.leftovers().filter((line) => /shim|merged|overlay/.test(line))).toEqual([]);
    for (const name of ['node.json', 'manager', 'identity']) {
      expect(existsSync(join(node.dataRoot, name))).toBe(false);
    }
    expect((await node.docker(['service', 'ls'])).stderr).toContain('not a swarm manager');
  });
});

/** What a power cut takes away: all processes of the node, its mounts, its run root. */
function loseEverythingInMemory(node: TestNode): void {
  for (const pid of node.processes()) {
    const state = /--state (\S+)/.exec(
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '),
    );
    const container = state && join(state[1] ?? '', 'container.pid');
    if (container && existsSync(container)) {
      spawnSync('kill', ['-9', readFileSync(container, 'utf8').split(' ')[0] ?? '']);
    }
    spawnSync('kill', ['-9', String(pid)]);
  }
  for (const line of node
    .leftovers()
    .filter((text) => text.startsWith('mount '))
    .reverse()) {
    spawnSync('umount', ['-l', line.slice('mount '.length)]);
  }
  rmSync(node.runRoot, { recursive: true, force: true });
}

async function replicas(node: TestNode, service: string): Promise<string> {
  const list = await node.docker(['service', 'ls', '--format', '{{.Name}} {{.Replicas}}']);
  return new RegExp(`^${service} (.*)$`, 'm').exec(list.stdout)?.[1] ?? '';
}

async function swarmState(node: TestNode): Promise<string> {
  return (await node.docker(['info', '-f', '{{.Swarm.LocalNodeState}}'])).stdout.trim();
}

/** Process ids of all running containers, sorted. */
async function containerPids(node: TestNode): Promise<number[]> {
  const ids = (await node.docker(['ps', '-q'])).stdout.trim().split('\n').filter(Boolean);
  if (ids.length === 0) return [];
  const shown = await node.docker(['inspect', '-f', '{{.State.Pid}}', ...ids]);
  return shown.stdout
    .trim()
    .split('\n')
    .map(Number)
    .sort((a, b) => a - b);
}

/** A process that listens on a port in the node's network namespace. */
async function listenInside(node: TestNode, port: number): Promise<ChildProcess> {
  const program = `require('net').createServer().listen(${port}, '127.0.0.1', () => console.log('up'))`;
  const child = spawn('nsenter', [`--net=${node.netns}`, NODE, '-e', program]);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}
