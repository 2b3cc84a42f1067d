// Goal: managers that come back at other addresses are found: two of three at once by the third, and after a restore on another host by the workers, which keep
// their identity and their containers. A copy of a manager's disk is refused while the manager lives, and a removed node gets nothing from the others.
// Method: a lab whose hosts get other addresses, a backup, and hosts that are switched off for good.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inNetns } from '../../support/cluster-lab/kernel.ts';
import type { Lab } from '../../support/cluster-lab/lab.ts';
import { until } from '../../support/test-node.ts';
import { labUp, liveManagers, moveHost, nodesOf, rowOf, untilNodes } from '../cluster.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await labUp({ managers: 3, workers: 2 });
});
afterAll(() => lab?.down());

const move = (name: string, last: number): string => moveHost(lab, name, last);

async function errorOf(name: string): Promise<string> {
  return (await lab.ok(name, ['info', '--format', '{{.Swarm.Error}}'])).trim();
}

/** The containers of this node: ids, as Docker lists them. */
async function containersOf(name: string): Promise<readonly string[]> {
  const list = await lab.api<{ readonly Id: string }[]>(name, '/containers/json');
  return list.map(({ Id }) => Id).sort();
}

describe('two of three managers at other addresses', () => {
  it('are found by the third, and all know where they are', async () => {
    for (const name of ['m1', 'm2']) await lab.stop(name);
    const [first, second] = [move('m1', 61), move('m2', 62)];
    // The address of m1 was given at init: the daemon is told of the new one. That of m2 was found.
    await Promise.all([lab.start('m1', ['--advertise-addr', first]), lab.start('m2')]);
    await untilNodes(lab, 'm3', (rows) => liveManagers(rows).length === 3, 60_000);
    for (const [name, address] of [
      ['m1', first],
      ['m2', second],
    ] as const) {
      const inspect = ['node', 'inspect', name, '--format', '{{.ManagerStatus.Addr}}'];
      await until(async () => (await lab.ok('m3', inspect)).trim() === `${address}:2377`, 30_000);
      await lab.ok(name, ['node', 'update', '--label-add', `from=${name}`, 'w1']);
    }
    await untilNodes(lab, 'm1', (rows) => rows.every(({ Status }) => Status === 'Ready'));
  });

  it('and one that moves while it runs tells the others', async () => {
    const address = move('m2', 72);
    const inspect = ['node', 'inspect', 'm2', '--format', '{{.ManagerStatus.Addr}}'];
    await until(
      async () => (await lab.tswarm('m3', inspect)).stdout.trim() === `${address}:2377`,
      90_000,
      () => lab.log('m2').slice(-2000),
    );
    await untilNodes(lab, 'm3', (rows) => liveManagers(rows).length === 3, 60_000);
  });
});

describe('a copy of a manager’s disk', () => {
  it('is refused while the manager lives, in words; the manager notices nothing', async () => {
    lab.addHost('copy');
    await lab.stop('m3');
    const [from, to] = [lab.paths('m3').dataRoot, lab.paths('copy').dataRoot];
    for (const name of ['node.json', 'identity', 'manager'])
      cpSync(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true });
    rmSync(join(to, 'manager/raft/raft.lock'), { force: true });
    await lab.start('m3');
    await untilNodes(lab, 'm1', (rows) => liveManagers(rows).length === 3, 60_000);
    await lab.exec('copy', ['chown', '-R', `--reference=${from}/manager`, `${to}/manager`]);
    await lab.start('copy');
    await until(
      async () => (await errorOf('copy')).includes('two hosts have the same identity'),
      60_000,
      () => lab.log('copy').slice(-3000),
    );
    expect(lab.log('copy')).toMatch(/speaks for manager .* already/);
    const rows = await nodesOf(lab, 'm1');
    expect(liveManagers(rows)).toEqual(['m1', 'm2', 'm3']);
    const inspect = ['node', 'inspect', 'm3', '--format', '{{.ManagerStatus.Addr}}'];
    expect((await lab.ok('m1', inspect)).trim()).toBe(`${lab.node('m3').address}:2377`);
    await lab.powerOff('copy');
  });
});

describe('a restore on another host', () => {
  const backup = (): string => join(lab.folder, 'cluster.backup');
  let before: readonly string[] = [];
  let ids: readonly string[] = [];

  it('is found by the workers, which go on with what they run', async () => {
    await lab.importBusybox(['w1', 'w2']);
    const flags = ['--mode', 'global', '--constraint', 'node.role==worker', '--name', 'stays'];
    await lab.ok('m1', ['service', 'create', '-d', ...flags, 'busybox:test', 'sleep', '100000']);
    await until(
      async () =>
        (await containersOf('w1')).length === 1 && (await containersOf('w2')).length === 1,
      60_000,
    );
    before = await containersOf('w1');
    const rows = await nodesOf(lab, 'm1');
    ids = ['w1', 'w2'].map((name) => rowOf(rows, name).ID);
    await lab.ok('m1', ['backup', backup()]);
    for (const name of ['m1', 'm2', 'm3']) await lab.powerOff(name);
    // w2 cannot be called.
    const rules =
      'add table inet nocall; add chain inet nocall in { type filter hook input priority 0; }; add rule inet nocall in tcp dport 7473 drop';
    inNetns(lab.paths('w2').netns, 'nft', [rules]);
    lab.addHost('r1');
    await lab.start('r1');
    await lab.ok('r1', ['restore', '--advertise-addr', lab.node('r1').address, backup()]);
    const after = await untilNodes(
      lab,
      'r1',
      (found) => rowOf(found, 'w1').Status === 'Ready',
      90_000,
    );
    expect(rowOf(after, 'w1').ID).toBe(ids[0]);
    expect(await containersOf('w1')).toEqual(before);
  });

  it('and by one that cannot be called, when it is told by `join`', async () => {
    // As the backup has it, it is up, until it has not been heard of for a while.
    await untilNodes(lab, 'r1', (rows) => rowOf(rows, 'w2').Status === 'Down', 60_000);
    const running = await containersOf('w2');
    await lab.join('w2', await lab.token('r1', 'worker'), 'r1');
    const rows = await untilNodes(lab, 'r1', (found) => rowOf(found, 'w2').Status === 'Ready');
    expect(rowOf(rows, 'w2').ID).toBe(ids[1]);
    expect(await containersOf('w2')).toEqual(running);
    const again = await lab.tswarm('w2', [
      'join',
      '--token',
      await lab.token('r1', 'worker'),
      `${lab.node('r1').address}:2377`,
    ]);
    expect([again.code, again.stderr]).toEqual([
      1,
      expect.stringContaining('already in a cluster'),
    ]);
  });
});
