// Goal: services on several hosts: replicas spread, move when a host dies or is drained, go on when all managers are away, come under control again. Method:
// real daemons and containers in a lab; where a task runs is asked of the cluster, that it runs of the host's own processes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { processes } from '../support/cluster-lab/state.ts';
import { until } from '../support/test-node.ts';
import { labUp, rowOf, untilNodes } from './cluster.ts';

const NODES = ['m1', 'm2', 'm3', 'w1', 'w2'];
const REPLICAS = 10;

/** The database needs two seconds until it is healthy, each time that it starts. */
const DEPENDING = `
name: pair
services:
  db:
    image: busybox:test
    stop_grace_period: 100ms
    command: [sh, -c, "rm -f /ready; sleep 2; touch /ready; exec sleep 1000"]
    healthcheck: {test: [CMD, test, -f, /ready], interval: 200ms, retries: 50}
    deploy: {placement: {constraints: [node.hostname==w1]}, restart_policy: {delay: 100ms}}
  web:
    image: busybox:test
    stop_grace_period: 100ms
    command: [sleep, "1000"]
    depends_on: {db: {condition: service_healthy}}
    deploy: {placement: {constraints: [node.hostname==w2]}, restart_policy: {delay: 100ms}}
`;

/** The page comes from `site`, whose network is `door`'s. */
const SHARING = `
name: sharing
services:
  door:
    image: busybox:test
    init: true
    command: [sleep, "1000"]
    restart: always
    stop_grace_period: 100ms
  site:
    image: busybox:test
    init: true
    network_mode: service:door
    command: [sh, -c, "mkdir /www && echo page >/www/index.html; exec httpd -f -p 8000 -h /www"]
    stop_grace_period: 100ms
    deploy: {placement: {constraints: [node.hostname==w2]}}
`;

let lab: Lab;
beforeAll(async () => {
  lab = await labUp({ managers: 3, workers: 2 });
  await lab.importBusybox(NODES);
  const image = ['busybox:test', 'httpd', '-f', '-p', '8080'];
  const service = ['service', 'create', '-d', '--name', 'web', '--replicas', String(REPLICAS)];
  const made = await lab.exec('m1', ['docker', ...service, ...image]);
  if (made.code !== 0) throw new Error(made.stderr);
  await running(REPLICAS);
});
afterAll(() => lab?.down());

/** Hosts of the tasks that run. */
async function hosts(via = 'm1'): Promise<readonly string[]> {
  const args = ['service', 'ps', '--filter', 'desired-state=running', '--json', 'web'];
  const text = await lab.ok(via, args, { timeoutMs: 20_000 });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { Node: string; CurrentState: string })
    .filter((task) => task.CurrentState.startsWith('Running'))
    .map((task) => task.Node);
}

async function running(
  count: number,
  condition: (found: readonly string[]) => boolean = () => true,
  via = 'm1',
): Promise<readonly string[]> {
  let found: readonly string[] = [];
  await until(
    async () => {
      found = await hosts(via).catch(() => []);
      return found.length === count && condition(found);
    },
    60_000,
    () => `running on ${found.join(' ')}`,
  );
  return found;
}

/** Shims of containers on a node: one each. */
function containersOf(name: string): number {
  const { folder } = lab.paths(name);
  return processes().filter(
    ({ command }) => command.includes('tswarm-shim') && command.includes(`${folder}/`),
  ).length;
}

/** Pids of a service's containers on a host, from that host's own daemon: there need not be a manager. */
async function pidsOf(host: string, service: string): Promise<readonly string[]> {
  const label = `label=com.docker.swarm.service.name=${service}`;
  const list = `docker ps -q --filter ${label} | xargs -r docker inspect -f '{{.State.Pid}}'`;
  const { stdout } = await lab.exec(host, ['sh', '-c', list]);
  return stdout.split('\n').filter((line) => line !== '' && line !== '0');
}

interface TaskSeen {
  readonly ID: string;
  readonly CreatedAt: string;
  readonly Status: { readonly State: string; readonly RunningSince?: string };
}

async function tasksOf(service: string): Promise<readonly TaskSeen[]> {
  const filters = encodeURIComponent(JSON.stringify({ service: [service] }));
  return lab.api<TaskSeen[]>('m1', `/tasks?filters=${filters}`);
}

async function taskIds(service: string): Promise<readonly string[]> {
  return (await tasksOf(service)).map(({ ID }) => ID).sort();
}

async function newest(service: string): Promise<TaskSeen> {
  const tasks = [...(await tasksOf(service))];
  tasks.sort((a, b) => Date.parse(b.CreatedAt) - Date.parse(a.CreatedAt));
  const [task] = tasks;
  if (!task) throw new Error(`${service} has no task`);
  return task;
}

const isRunning = ({ Status }: TaskSeen): boolean => Status.State === 'running';
const since = ({ Status }: TaskSeen): number => Date.parse(Status.RunningSince ?? '');

describe('a service of ten replicas on five hosts', () => {
  it('has two on each, and they are there', async () => {
    const found = await running(REPLICAS);
    for (const name of NODES) {
      expect([name, found.filter((host) => host === name).length]).toEqual([name, 2]);
      expect([name, containersOf(name)]).toEqual([name, 2]);
    }
  });

  it('goes on while all managers are away, and is under control again afterwards', async () => {
    const before = await taskIds('web');
    for (const name of ['m1', 'm2', 'm3']) await lab.kill(name);
    // What ends meanwhile is started again by its own host, after the service's restart delay.
    const [pid] = await pidsOf('w1', 'web');
    expect((await lab.exec('w1', ['kill', '-9', pid ?? ''])).code).toBe(0);
    await until(async () => !(await pidsOf('w1', 'web')).includes(pid ?? ''), 10_000);
    await until(async () => (await pidsOf('w1', 'web')).length === 2, 30_000);
    for (const name of NODES) expect([name, containersOf(name)]).toEqual([name, 2]);
    const sleep = ['sh', '-c', 'for p in $(docker ps -q); do docker exec $p true || exit 1; done'];
    expect((await lab.exec('w1', sleep)).code).toBe(0);
    await Promise.all(['m1', 'm2', 'm3'].map((name) => lab.start(name)));
    await untilNodes(lab, 'm1', (rows) => rows.every((row) => row.Status === 'Ready'), 60_000);
    await running(REPLICAS);
    // The same containers: nothing was started anew, nothing is there twice.
    for (const name of NODES) expect([name, containersOf(name)]).toEqual([name, 2]);
    expect(await taskIds('web')).toEqual(before);
  });

  it('starts what depends on a service of another host after that one, also after both have failed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tswarm-depends-'));
    writeFileSync(join(folder, 'compose.yaml'), DEPENDING);
    const compose = ['tcompose', '-f', join(folder, 'compose.yaml')];
    const up = await lab.exec('m1', [...compose, 'up', '-d', '--wait'], { timeoutMs: 60_000 });
    expect([up.code, up.stderr.includes('Error')]).toEqual([0, false]);
    const [db, web] = [await newest('pair_db'), await newest('pair_web')];
    expect(since(web)).toBeGreaterThanOrEqual(since(db));
    for (const [host, name] of [
      ['w1', 'pair_db'],
      ['w2', 'pair_web'],
    ] as const) {
      const pids = await pidsOf(host, name);
      expect((await lab.exec(host, ['kill', '-9', ...pids])).code).toBe(0);
    }
    let said = '';
    await until(
      async () => {
        said = await lab.ok('m1', ['why', 'pair_web']);
        return said.includes('waiting for service pair_db to be healthy');
      },
      20_000,
      () => said,
    );
    const both = async () => Promise.all([newest('pair_db'), newest('pair_web')]);
    await until(async () => {
      const now = await both();
      return now.every((task, i) => task.ID !== [db, web][i]?.ID && isRunning(task));
    }, 60_000);
    const [dbAgain, webAgain] = await both();
    expect(since(webAgain)).toBeGreaterThanOrEqual(since(dbAgain));
    await lab.exec('m1', [...compose, 'down'], { timeoutMs: 60_000 });
    rmSync(folder, { recursive: true });
  });

  it('shares the network of another service: on its host, and again after that one was started again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tswarm-sharing-'));
    writeFileSync(join(folder, 'compose.yaml'), SHARING);
    const compose = ['tcompose', '-f', join(folder, 'compose.yaml')];
    const up = await lab.exec('m1', [...compose, 'up', '-d'], { timeoutMs: 60_000 });
    expect([up.code, up.stderr.includes('Error')]).toEqual([0, false]);
    expect(await pidsOf('w2', 'sharing_door')).not.toEqual([]);
    let said = '';
    const answers = async (): Promise<boolean> => {
      const [pid = ''] = await pidsOf('w2', 'sharing_door');
      const get = ['nsenter', '-t', pid, '-n', 'wget', '-T', '2', '-qO-', 'http://127.0.0.1:8000/'];
      const { stdout, stderr } = await lab.exec('w2', get);
      said = `${stdout}${stderr}`;
      return stdout.trim() === 'page';
    };
    await until(answers, 30_000, () => said);
    const [door] = await pidsOf('w2', 'sharing_door');
    expect((await lab.exec('w2', ['kill', '-9', door ?? ''])).code).toBe(0);
    await until(async () => !(await pidsOf('w2', 'sharing_door')).includes(door ?? ''), 10_000);
    await until(answers, 30_000, () => said);
    await lab.exec('m1', [...compose, 'down'], { timeoutMs: 60_000 });
    rmSync(folder, { recursive: true });
  });

  it('leaves a node that is drained, and comes back to none by itself', async () => {
    await lab.ok('m2', ['node', 'update', '--availability', 'drain', 'w1']);
    await running(REPLICAS, (found) => !found.includes('w1'));
    await until(
      () => containersOf('w1') === 0,
      30_000,
      () => `${containersOf('w1')} left`,
    );
    await lab.ok('m2', ['node', 'update', '--availability', 'active', 'w1']);
    expect(await hosts()).not.toContain('w1');
  });

  it('has all its replicas again soon after a host has died', async () => {
    await lab.powerOff('w2');
    const started = performance.now();
    await running(REPLICAS, (found) => !found.includes('w2'));
    expect(performance.now() - started).toBeLessThan(20_000);
    process.stdout.write(`moved after ${Math.round(performance.now() - started)} ms\n`);
  });

  it('keeps its containers on a worker when most managers are lost and one goes on alone', async () => {
    const more = REPLICAS + 4;
    await lab.ok('m1', ['service', 'scale', '--detach', `web=${more}`]);
    await running(more, (found) => found.includes('w1'));
    const before = await pidsOf('w1', 'web');
    expect(before.length).toBeGreaterThan(0);
    for (const name of ['m2', 'm3']) await lab.powerOff(name);
    await lab.ok('m1', ['init', '--force-new-cluster'], { timeoutMs: 60_000 });
    await untilNodes(lab, 'm1', (rows) => rowOf(rows, 'w1').Status === 'Ready', 60_000);
    expect(await pidsOf('w1', 'web')).toEqual(before);
    // What was on the lost hosts comes to those that are left, without anybody's doing.
    await running(more, (found) => found.every((host) => ['m1', 'w1'].includes(host)));
    const now = await pidsOf('w1', 'web');
    expect(before.filter((pid) => !now.includes(pid))).toEqual([]);
  });
});
