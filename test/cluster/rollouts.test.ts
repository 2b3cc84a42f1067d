// Goal: no request is lost on a cluster while a service is updated, moved off a drained host and scaled: every host stops sending to a task before the task is
// stopped, wherever it runs. Method: a real cluster of three hosts (lab), open-loop load on one host's published port, tasks on all of them.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { HEALTH_FLAGS, serverTar } from '../support/rolling/image.ts';
import { NODE, ROOT, until } from '../support/test-node.ts';
import { labUp } from './cluster.ts';

const NODES = ['m1', 'w1', 'w2'];
const PORT = 8081;
let lab: Lab;

beforeAll(async () => {
  lab = await labUp({ managers: 1, workers: 2 });
  const tar = serverTar(lab.folder);
  const flags = ['-c', 'ENTRYPOINT ["/server"]'];
  for (const name of NODES) await lab.ok(name, ['image', 'import', tar, 'graceful:test', ...flags]);
});
afterAll(() => lab?.down());

interface Summary {
  readonly sent: number;
  readonly lost: number;
  readonly slowestMs: number;
  readonly versions: Readonly<Record<string, number>>;
  readonly examples: readonly string[];
}

function startLoad(rate: number): { stop(): Promise<Summary> } {
  const address = lab.node('m1').address;
  const script = join(ROOT, 'test/support/rolling/load.ts');
  const log = join(lab.folder, 'load.log');
  const args = [NODE, script, address, String(PORT), String(rate), '600', '0.5', log];
  const child = spawn('nsenter', [...lab.enter('m1'), '--', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    async stop() {
      child.kill('SIGTERM');
      await ended;
      return JSON.parse(text) as Summary;
    },
  };
}

async function rows(): Promise<readonly { Node: string; CurrentState: string }[]> {
  const args = ['service', 'ps', '--filter', 'desired-state=running', '--json', 'web'];
  const text = await lab.ok('m1', args, { timeoutMs: 20_000 });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { Node: string; CurrentState: string });
}

it('loses no request in updates, a drained host and scaling', async () => {
  await lab.ok('m1', [
    ...['service', 'create', '-q', '--name', 'web', '--replicas', '3', '--no-resolve-image'],
    ...['--replicas-max-per-node', '2', '--update-monitor', '200ms', '--drain-timeout', '2s'],
    ...HEALTH_FLAGS,
    ...['-p', `${PORT}:8080`, 'graceful:test', 'v0'],
  ]);
  expect(new Set((await rows()).map((row) => row.Node)).size).toBe(3);
  const url = `http://${lab.node('m1').address}:${PORT}/`;
  // All backends, from the first packets of the mesh on: what is measured are the changes, not the start.
  let inRow = 0;
  const answers = async (): Promise<boolean> => {
    const answer = await lab.exec('m1', ['curl', '-s', '-m', '2', url]);
    inRow = answer.stdout.startsWith('v0') ? inRow + 1 : 0;
    return inRow >= 30;
  };
  await until(answers, 60_000, () => `only ${inRow} answers in a row from the published port`);
  const load = startLoad(100);
  const update = ['service', 'update', '-q', 'web'];
  const wait = { timeoutMs: 120_000 };
  await lab.ok('m1', [...update, '--update-order', 'stop-first', '--args', 'v1'], wait);
  await lab.ok('m1', [...update, '--update-order', 'start-first', '--args', 'v2'], wait);
  await lab.ok('m1', ['node', 'update', '--availability', 'drain', 'w1']);
  await until(
    async () => {
      const found = await rows();
      const running = found.filter((row) => row.CurrentState.startsWith('Running'));
      return running.length === 3 && running.every((row) => row.Node !== 'w1');
    },
    60_000,
    () => 'w1 is not left',
  );
  await lab.ok('m1', ['service', 'scale', 'web=4'], wait);
  await lab.ok('m1', ['service', 'scale', 'web=1'], wait);
  const result = await load.stop();
  expect([result.sent, result.lost, result.examples]).toEqual([result.sent, 0, []]);
  expect(result.sent).toBeGreaterThan(500);
  // On a slow machine the load begins after the first tasks were replaced.
  expect(Object.keys(result.versions)).toEqual(expect.arrayContaining(['v1', 'v2']));
  process.stdout.write(`${result.sent} requests, slowest ${result.slowestMs} ms\n`);
});
