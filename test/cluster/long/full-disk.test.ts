// Goal: a manager whose disk fills up says so, gives leadership away, costs the cluster no write, loses nothing, and is back by itself when there is room again.
// Method: three managers; the data root of the first is a small file system of its own, which is filled up in two steps: to below the low-water mark, and to the
// last byte while more is written than its log has room for.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../support/cluster-lab/kernel.ts';
import type { Lab } from '../../support/cluster-lab/lab.ts';
import { until } from '../../support/test-node.ts';
import { leaderOf, liveManagers, newLab, untilNodes } from '../cluster.ts';

const MANAGERS = ['m1', 'm2', 'm3'];
const CONFIGS = 64;
const CONFIG_BYTES = 900_000;

let lab: Lab;
let filler = '';

/** Takes all of m1's disk but this much. */
function fill(leaveMib: number): void {
  const free = Number(must('stat', ['-f', '-c', '%a', lab.paths('m1').dataRoot]).trim());
  const blockBytes = Number(must('stat', ['-f', '-c', '%S', lab.paths('m1').dataRoot]).trim());
  const bytes = free * blockBytes - leaveMib * 1024 * 1024;
  filler = join(lab.paths('m1').dataRoot, 'filler');
  must('dd', [
    'if=/dev/zero',
    `of=${filler}`,
    'oflag=append',
    'conv=notrunc',
    'bs=4096',
    `count=${Math.ceil(bytes / 4096)}`,
    'status=none',
  ]);
}

async function createConfig(via: string, number: number): Promise<string> {
  const body = join(lab.folder, 'config.json');
  const Data = Buffer.alloc(CONFIG_BYTES, number % 256).toString('base64');
  writeFileSync(body, JSON.stringify({ Name: `c${number}`, Data }));
  const { socket } = lab.paths(via);
  const args = ['-s', '-m', '30', '--unix-socket', socket, '-H', 'Content-Type: application/json'];
  const { stdout } = await lab.exec(via, [
    'curl',
    ...args,
    '-d',
    `@${body}`,
    'http://node/configs/create',
  ]);
  return stdout;
}

async function configOf(via: string, name: string): Promise<{ Spec?: { Name: string } }> {
  return lab.api<{ Spec?: { Name: string } }>(via, `/configs/${name}`).catch(() => ({}));
}

beforeAll(async () => {
  lab = newLab();
  await lab.makeNetwork();
  for (const name of MANAGERS) lab.addHost(name);
  must('mount', ['-t', 'tmpfs', '-o', 'size=300m,mode=755', 'tmpfs', lab.paths('m1').dataRoot]);
  await Promise.all(MANAGERS.map((name) => lab.start(name)));
  await lab.initCluster('m1');
  const token = await lab.token('m1', 'manager');
  for (const name of ['m2', 'm3']) await lab.join(name, token, 'm1');
  await untilNodes(lab, 'm2', (rows) => liveManagers(rows).length === 3);
});
afterAll(() => lab?.down());

describe('a manager on a full disk', () => {
  it('gives leadership away with a clear line, and changes go on through it', async () => {
    expect(await leaderOf(lab, 'm2')).toBe('m1');
    fill(40);
    await until(async () => ![undefined, 'm1'].includes(await leaderOf(lab, 'm2')), 30_000);
    expect(lab.log('m1')).toContain('the disk is nearly full: this manager takes no changes');
    await lab.ok('m1', ['node', 'update', '--label-add', 'disk=low', 'm2']);
    expect(liveManagers(await untilNodes(lab, 'm2', () => true))).toEqual(MANAGERS);
  });

  it('holds nobody up when not a byte is left', async () => {
    fill(0);
    for (let number = 0; number < CONFIGS; number++) {
      expect(await createConfig('m2', number)).toContain('"ID"');
    }
    let info = '';
    await until(
      async () => {
        const { stdout, stderr } = await lab.tswarm('m1', ['info'], { timeoutMs: 20_000 });
        info = stdout + stderr;
        return info.includes('is full: the log cannot be continued');
      },
      60_000,
      () => `${info}\n${lab.log('m1').slice(-2000)}`,
    );
  });

  it('is back by itself, with everything, when there is room again', async () => {
    rmSync(filler);
    await untilNodes(lab, 'm2', (rows) => liveManagers(rows).length === 3, 90_000);
    for (const number of [0, CONFIGS / 2, CONFIGS - 1]) {
      const name = `c${number}`;
      await until(
        async () => (await configOf('m1', name)).Spec?.Name === name,
        60_000,
        () => `${name} is not on m1`,
      );
    }
    expect(lab.log('m1')).toMatch(/manager is down reason="writing the log failed: ENOSPC/);
    expect(lab.log('m1')).not.toContain('bug');
  });
});
