// Goal: services on several hosts: replicas spread, move when a host dies or is drained, go on when all managers are away, come under control again. Method:
// real daemons and containers in a lab; where a task runs is asked of the cluster, that it runs of the host's own processes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { processes } from '../support/cluster-lab/state.ts';
import { until } from '../support/test-node.ts';
import { labUp, untilNodes } from './cluster.ts';

const NODES = ['m1', 'm2', 'm3', 'w1', 'w2'];
const REPLICAS = 10;

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

describe('a service of ten replicas on five hosts', () => {
  it('has two on each, and they are there', async () => {
    const found = await running(REPLICAS);
    for (const name of NODES) {
      expect([name, found.filter((host) => host === name).length]).toEqual([name, 2]);
      expect([name, containersOf(name)]).toEqual([name, 2]);
    }
  });

  it('goes on while all managers are away, and is under control again afterwards', async () => {
    for (const name of ['m1', 'm2', 'm3']) await lab.kill(name);
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    for (const name of NODES) expect([name, containersOf(name)]).toEqual([name, 2]);
    const sleep = ['sh', '-c', 'for p in $(docker ps -q); do docker exec $p true || exit 1; done'];
    expect((await lab.exec('w1', sleep)).code).toBe(0);
    await Promise.all(['m1', 'm2', 'm3'].map((name) => lab.start(name)));
    await untilNodes(lab, 'm1', (rows) => rows.every((row) => row.Status === 'Ready'), 60_000);
    await running(REPLICAS);
    // The same containers: nothing was started anew.
    for (const name of NODES) expect([name, containersOf(name)]).toEqual([name, 2]);
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
});
