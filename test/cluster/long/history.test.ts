// The same as test/cluster/history.test.ts with five managers and for longer; also membership changes under load. `npx vitest run --project cluster-long`.
import { expect, it } from 'vitest';
import { findViolation } from '../../sim/linearizable.ts';
import { RegisterClients } from '../../support/register-clients.ts';
import { labUp, leaderOf, liveManagers, untilNodes } from '../cluster.ts';
import { faultsOver } from '../faults.ts';

const SEED = Number(process.env.SEED ?? 1);
const ROUNDS = Number(process.env.ROUNDS ?? 24);

it.each([3, 5])(
  '%i managers under faults',
  async (count) => {
    await using lab = await labUp({ managers: count, workers: 0 });
    const managers = lab.nodes.map((node) => node.name);
    const clients = new RegisterClients(
      managers.map((name) => lab.paths(name).socket),
      6,
    );
    await clients.prepare();
    clients.start(8);
    const options = { managers, seed: SEED, rounds: ROUNDS, lastsMs: 4_000 };
    const done = await faultsOver(lab, options);
    await untilNodes(lab, 'm1', (rows) => liveManagers(rows).length === count, 60_000);
    const progress = await clients.stop();
    process.stdout.write(`seed ${SEED}: ${done.join(', ')}: ${JSON.stringify(progress)}\n`);
    expect(findViolation(clients.history)).toBeNull();
  },
  900_000,
);

it('a rolling restart of all managers while changes go on', async () => {
  await using lab = await labUp({ managers: 3, workers: 1 });
  const managers = ['m1', 'm2', 'm3'];
  const clients = new RegisterClients(
    managers.map((name) => lab.paths(name).socket),
    4,
  );
  await clients.prepare();
  clients.start(6);
  for (const name of managers) {
    await lab.stop(name);
    await lab.start(name);
    const via = name === 'm1' ? 'm2' : 'm1';
    await untilNodes(lab, via, (rows) => liveManagers(rows).length === 3, 60_000);
  }
  expect(await leaderOf(lab, 'm1')).toBeDefined();
  const progress = await clients.stop();
  process.stdout.write(`rolling restart: ${JSON.stringify(progress)}\n`);
  expect(findViolation(clients.history)).toBeNull();
  // A leader that stops in order hands over: nobody waits for an election.
  expect(progress.gapMs).toBeLessThan(5_000);
}, 240_000);

it('managers are demoted and promoted under load, the leader too', async () => {
  await using lab = await labUp({ managers: 3, workers: 2 });
  const clients = new RegisterClients([lab.paths('m1').socket, lab.paths('m2').socket], 4);
  await clients.prepare();
  clients.start(6);
  for (let round = 0; round < 4; round++) {
    await lab.ok('m1', ['node', 'promote', 'w1', 'w2']);
    await untilNodes(lab, 'm1', (rows) => liveManagers(rows).length === 5, 60_000);
    const leader = (await leaderOf(lab, 'm1')) ?? 'm1';
    if (leader !== 'm1' && leader !== 'm2') await lab.ok('m1', ['node', 'demote', leader]);
    await lab.ok('m1', ['node', 'demote', 'w1', 'w2']);
    await lab.ok('m1', ['node', 'promote', 'm3']);
    await untilNodes(lab, 'm1', (rows) => liveManagers(rows).length === 3, 60_000);
  }
  const progress = await clients.stop();
  process.stdout.write(`membership: ${JSON.stringify(progress)}\n`);
  expect(findViolation(clients.history)).toBeNull();
}, 600_000);
