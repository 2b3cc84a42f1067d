// Goal: a manager whose disk takes seconds for a write costs the cluster neither a write nor its pace: it gives leadership away, and is in step again when its disk is well.
// Method: clients on all managers change registers all the time; the kernel slows down the writes of the one that leads.
import { expect, it } from 'vitest';
import { findViolation } from '../../sim/linearizable.ts';
import { RegisterClients } from '../../support/register-clients.ts';
import { until } from '../../support/test-node.ts';
import { labUp, leaderOf, liveManagers, untilNodes } from '../cluster.ts';

const SLOW_MS = 2_000;
const CLIENTS = 6;

it('a leader with a slow disk hands over, and nothing acknowledged is lost', async () => {
  await using lab = await labUp({ managers: 3, workers: 0 });
  const managers = lab.nodes.map(({ name }) => name);
  const sockets = managers.map((name) => lab.paths(name).socket);
  const clients = new RegisterClients(sockets, CLIENTS);
  await clients.prepare();
  clients.start(CLIENTS);
  const leader = (await leaderOf(lab, 'm1')) ?? 'm1';
  lab.slow(leader, SLOW_MS);
  expect(lab.hasSlowDisk(leader)).toBe(true);
  const other = managers.find((name) => name !== leader) ?? '';
  let now: string | undefined;
  await until(
    async () => {
      now = await leaderOf(lab, other);
      return now !== undefined && now !== leader;
    },
    120_000,
    () => `${now} leads\n${lab.log(leader).slice(-3000)}`,
  );
  const before = swapsOf(clients);
  await until(() => swapsOf(clients) > before + CLIENTS * 5, 120_000);
  lab.heal();
  expect(lab.hasSlowDisk(leader)).toBe(false);
  await untilNodes(lab, leader, (rows) => liveManagers(rows).length === 3, 60_000);
  const progress = await clients.stop();
  process.stdout.write(`slow disk: ${JSON.stringify(progress)}\n`);
  expect(findViolation(clients.history)).toBeNull();
}, 600_000);

/** Changes that were acknowledged. */
function swapsOf({ history }: RegisterClients): number {
  return history.filter(({ kind, outcome }) => kind === 'swap' && outcome === 'ok').length;
}
