// Goal: addresses that were asked for, and networks that running containers are connected to, are right after the leader was killed and after a node was cut off, for
// IPv4 and IPv6; nobody gets an address twice meanwhile, and without a manager it is said why nothing is connected. Method: a lab, one attachable network, containers
// of `docker run` on two workers, and pings from one to the other.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../support/cluster-lab/lab.ts';
import { until } from '../../support/test-node.ts';
import { labUp, leaderOf, liveManagers, untilNodes } from '../cluster.ts';

const FIXED = ['10.60.0.50', 'fd00:60::50'] as const;
const LATE = ['10.60.0.60', 'fd00:60::60'] as const;
const WAIT = { timeoutMs: 60_000 };

let lab: Lab;

const docker = (node: string, ...args: readonly string[]) =>
  lab.exec(node, ['docker', ...args], WAIT);

async function ok(node: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await docker(node, ...args);
  expect([code, stderr], `${node}: docker ${args.join(' ')}`).toEqual([0, '']);
  return stdout.trim();
}

const pair = ([v4, v6]: readonly [string, string]): readonly string[] => ['--ip', v4, '--ip6', v6];

async function addressesOf(node: string, name: string): Promise<string> {
  const { front } = JSON.parse(
    await ok(node, 'inspect', '-f', '{{json .NetworkSettings.Networks}}', name),
  ) as Readonly<Record<string, { IPAddress: string; GlobalIPv6Address: string }>>;
  return front ? `${front.IPAddress} ${front.GlobalIPv6Address}` : '';
}

async function untilPings(node: string, from: string, ...to: readonly string[]): Promise<void> {
  for (const one of to) {
    const kind = one.includes(':') ? '-6' : '-4';
    await until(
      async () => (await docker(node, 'exec', from, 'ping', kind, '-c1', '-W2', one)).code === 0,
      30_000,
      () => `${from} on ${node} does not reach ${one}`,
    );
  }
}

beforeAll(async () => {
  lab = await labUp({ managers: 3, workers: 2 });
  await lab.importBusybox(['w1', 'w2']);
  const subnets = ['--ipv6', '--subnet', '10.60.0.0/24', '--subnet', 'fd00:60::/64'];
  await ok('m1', 'network', 'create', '-d', 'overlay', '--attachable', ...subnets, 'front');
  const on = ['--network', 'front', ...pair(FIXED)];
  await ok('w1', 'run', '-d', '--name', 'fixed', ...on, 'busybox:test', 'sleep', '100000');
  await ok('w2', 'run', '-d', '--name', 'late', 'busybox:test', 'sleep', '100000');
});
afterAll(() => lab?.down());

describe('addresses that were asked for', () => {
  it('are had after the leader was killed, by a container that runs already, too', async () => {
    const leader = (await leaderOf(lab, 'm1')) ?? 'm1';
    await lab.kill(leader);
    await ok('w2', 'network', 'connect', ...pair(LATE), 'front', 'late');
    expect(await addressesOf('w2', 'late')).toBe(LATE.join(' '));
    expect(await addressesOf('w1', 'fixed')).toBe(FIXED.join(' '));
    await untilPings('w2', 'late', ...FIXED, 'fixed');
    await untilPings('w1', 'fixed', ...LATE, 'late');
    await lab.start(leader);
    await untilNodes(lab, 'm1', (rows) => liveManagers(rows).length === 3, 60_000);
  });

  it('are nobody else’s, whoever leads', async () => {
    for (const [flag, address] of [
      ['--ip', FIXED[0]],
      ['--ip6', FIXED[1]],
    ] as const) {
      const run = ['run', '--rm', '--network', 'front', flag, address, 'busybox:test', 'true'];
      const { code, stderr } = await docker('w2', ...run);
      expect([code, stderr]).toEqual([
        125,
        expect.stringContaining(`address ${address} of network front is in use by container fixed`),
      ]);
    }
  });

  it('outlive a cut: nothing is connected without a manager, and all is right when it is over', async () => {
    await ok('w2', 'run', '-d', '--name', 'third', 'busybox:test', 'sleep', '100000');
    for (const manager of ['m1', 'm2', 'm3']) lab.partition('w2', manager);
    await untilNodes(
      lab,
      'm1',
      (rows) => rows.some(({ Hostname, Status }) => Hostname === 'w2' && Status === 'Down'),
      60_000,
    );
    // What there is goes on; the two workers still hear each other.
    await untilPings('w2', 'late', ...FIXED);
    const { code, stderr } = await docker('w2', 'network', 'connect', 'front', 'third');
    expect(code).toBe(1);
    expect(stderr).toMatch(/manager/);
    // A container of the node that is gone keeps its address: it may run there.
    const taken = ['run', '--rm', '--network', 'front', '--ip', LATE[0], 'busybox:test', 'true'];
    expect((await docker('w1', ...taken)).stderr).toMatch(/in use|Down|down/);
    lab.heal();
    await untilNodes(
      lab,
      'm1',
      (rows) => rows.some(({ Hostname, Status }) => Hostname === 'w2' && Status === 'Ready'),
      60_000,
    );
    await until(
      async () => (await docker('w2', 'network', 'connect', 'front', 'third')).code === 0,
      30_000,
    );
    expect(await addressesOf('w2', 'late')).toBe(LATE.join(' '));
    await untilPings('w1', 'fixed', ...LATE, 'late', 'third');
    await untilPings('w2', 'third', ...FIXED, 'fixed', ...LATE);
  });

  it('are free again when the container is disconnected, and given to the next that asks', async () => {
    await ok('w2', 'network', 'disconnect', 'front', 'late');
    expect(await addressesOf('w2', 'late')).toBe('');
    const on = ['--network', 'front', ...pair(LATE)];
    await until(async () => {
      const run = ['run', '-d', '--name', 'next', ...on, 'busybox:test', 'sleep', '100000'];
      const { code } = await docker('w1', ...run);
      if (code !== 0) await docker('w1', 'rm', '-f', 'next');
      return code === 0;
    }, 30_000);
    await untilPings('w2', 'third', ...LATE, 'next');
  });
});
