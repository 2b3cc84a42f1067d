// Goal: whatever happens to the managers, no acknowledged change is lost and every read is right: the recorded history of clients on all managers is
// linearizable. Method: registers changed by compare-and-swap and read through the public API of real daemons, while managers are killed, paused, cut off.
import { expect, it } from 'vitest';
import { findViolation } from '../sim/linearizable.ts';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { RegisterClients } from '../support/register-clients.ts';
import { labUp, liveManagers, untilNodes } from './cluster.ts';
import { faultsOver } from './faults.ts';

const REGISTERS = 4;
const CLIENTS = 6;

function clientsOf(lab: Lab, managers: readonly string[]): RegisterClients {
  return new RegisterClients(
    managers.map((name) => lab.paths(name).socket),
    REGISTERS,
  );
}

it('three managers, killed, paused and cut off one after the other', async () => {
  await using lab = await labUp({ managers: 3, workers: 0 });
  const managers = ['m1', 'm2', 'm3'];
  const clients = clientsOf(lab, managers);
  await clients.prepare();
  clients.start(CLIENTS);
  const done = await faultsOver(lab, { managers, seed: 1, rounds: 5, lastsMs: 3_000 });
  await untilNodes(lab, 'm1', (rows) => liveManagers(rows).length === 3, 60_000);
  const progress = await clients.stop();
  process.stdout.write(`${done.join(', ')}: ${JSON.stringify(progress)}\n`);
  expect(findViolation(clients.history)).toBeNull();
  expect(progress.swaps).toBeGreaterThan(100);
}, 240_000);

it('all managers at once, as after a power cut', async () => {
  await using lab = await labUp({ managers: 3, workers: 0 });
  const managers = ['m1', 'm2', 'm3'];
  const clients = clientsOf(lab, managers);
  await clients.prepare();
  clients.start(CLIENTS);
  await clients.untilSwapped(30);
  await Promise.all(managers.map((name) => lab.kill(name)));
  await Promise.all(managers.map((name) => lab.start(name)));
  await untilNodes(lab, 'm1', (rows) => liveManagers(rows).length === 3, 60_000);
  await clients.untilSwapped(30);
  await clients.stop();
  expect(findViolation(clients.history)).toBeNull();
}, 240_000);
