// Goal: a node that is killed in the middle of joining as a manager ends up as one or as none, by itself, and never leaves the cluster without a leader: between its
// promotion to a voter and its own note of it, its vote is the one that the first manager waits for. Method: kill -9 of daemon and manager at moments from a
// seed, again and again, against a cluster of one manager.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { Prng } from '../support/prng.ts';
import { until } from '../support/test-node.ts';
import { labUp, liveManagers, nodesOf, untilNodes } from './cluster.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const random = new Prng(Number(process.env.SEED ?? 1));

let lab: Lab;
let token = '';
beforeAll(async () => {
  lab = await labUp({ managers: 1, workers: 0 });
  token = await lab.token('m1', 'manager');
  lab.addHost('x1');
  await lab.start('x1');
});
afterAll(() => lab?.down());

async function stateOf(name: string): Promise<string> {
  const format = '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}';
  return (await lab.ok(name, ['info', '--format', format])).trim();
}

it.each(Array.from({ length: ROUNDS }, (_, round) => round))('kill %i', async () => {
  const afterMs = 300 + random.below(3_500);
  const address = lab.node('m1').address;
  const joining = lab.tswarm('x1', ['join', '--token', token, address]);
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  await lab.kill('x1');
  await joining;
  await lab.start('x1');
  let state = '';
  await until(
    async () => {
      state = await stateOf('x1');
      return state === 'active true' || state === 'inactive false';
    },
    60_000,
    () => `killed after ${afterMs} ms: ${state}\n${lab.log('x1').slice(-3000)}`,
  );
  if (state === 'active true') {
    await untilNodes(lab, 'm1', (rows) => liveManagers(rows).length === 2);
    await lab.ok('x1', ['leave', '--force']);
  }
  await untilNodes(lab, 'm1', (rows) => liveManagers(rows).join() === 'm1');
  // A node object without a node, when the kill came before the certificate was on its disk.
  for (const row of await nodesOf(lab, 'm1')) {
    if (row.Hostname !== 'x1') continue;
    await lab.tswarm('m1', ['node', 'demote', row.ID]);
    await until(
      async () => (await lab.tswarm('m1', ['node', 'rm', '--force', row.ID])).code === 0,
      30_000,
    );
  }
  expect((await nodesOf(lab, 'm1')).map((row) => row.Hostname)).toEqual(['m1']);
});
