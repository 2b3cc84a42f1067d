// No request is lost while a service is updated, scaled and its containers replaced: real daemon, real containers, open-loop load on the published port, on
// new and on kept-alive connections. The bench `npm run bench:load` does the same longer and beside Docker Swarm.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HEALTH_FLAGS, importServer } from '../support/rolling/image.ts';
import { NODE, ROOT, TestNode, until } from '../support/test-node.ts';

let node: TestNode;
const PORT = 28_080;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  const flags = ['--listen-addr', '127.0.0.1:24771', '--advertise-addr', '127.0.0.1'];
  expect((await node.tswarm(['init', ...flags])).stderr).toBe('');
  await importServer(node, 'graceful:test');
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

interface Summary {
  readonly sent: number;
  readonly lost: number;
  readonly versions: Readonly<Record<string, number>>;
  readonly examples: readonly string[];
}

function startLoad(rate: number): {
  readonly child: ChildProcess;
  readonly summary: Promise<Summary>;
} {
  const script = join(ROOT, 'test/support/rolling/load.ts');
  const log = join(node.folder, 'load.log');
  const args = [
    `--net=${node.netns}`,
    NODE,
    script,
    '127.0.0.1',
    `${PORT}`,
    `${rate}`,
    '300',
    '0.5',
    log,
    // Late answers are a matter of the machine, which may have other things to do; what is never answered is lost.
    '60000',
  ];
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const summary = new Promise<Summary>((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += String(chunk);
    });
    child.on('exit', () => {
      if (text === '') reject(new Error('no summary'));
      else resolve(JSON.parse(text) as Summary);
    });
  });
  return { child, summary };
}

async function updateState(): Promise<string> {
  const out = await node.docker([
    'service',
    'inspect',
    'web',
    '--format',
    '{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}',
  ]);
  return out.stdout.trim();
}

async function replicas(): Promise<string> {
  return (await node.docker(['service', 'ls', '--format', '{{.Replicas}}'])).stdout.trim();
}

describe('a service under load', () => {
  it('loses no request in updates in either order and in scaling up and down', async () => {
    const network = await node.docker(['network', 'create', '-d', 'overlay', 'front']);
    expect(network.stderr).toBe('');
    const created = await node.tswarm([
      ...['service', 'create', '-d', '--name', 'web', '--replicas', '3', '--no-resolve-image'],
      ...['--network', 'front', '-p', `${PORT}:8080`, '--update-monitor', '100ms'],
      // Kept-alive connections that are never idle would be waited for to the end of it.
      ...['--drain-timeout', '500ms'],
      ...HEALTH_FLAGS,
      ...['graceful:test', 'v0'],
    ]);
    expect(created.stderr).toBe('');
    await until(async () => (await replicas()) === '3/3', 60_000);
    const get = () => node.inside('curl', ['-s', '-m', '1', `http://127.0.0.1:${PORT}/`]);
    await until(async () => (await get()).stdout.startsWith('v0'), 30_000);
    const { child, summary } = startLoad(200);
    for (const [args, order, ...more] of [
      ['v1', 'stop-first'],
      // Without a check a task is waited for until it listens, which takes this one a while.
      ['v2 300', 'start-first', '--no-healthcheck'],
      ['v3 300', 'stop-first'],
    ] as const) {
      const flags = ['--update-order', order, '--args', args, ...more];
      const updated = await node.docker(['service', 'update', '-d', ...flags, 'web']);
      expect(updated.stderr).toBe('');
      await until(async () => (await updateState()) === 'completed', 90_000, updateStateText);
    }
    await node.docker(['service', 'scale', '-d', 'web=6']);
    await until(async () => (await replicas()) === '6/6', 60_000);
    await node.docker(['service', 'scale', '-d', 'web=2']);
    await until(
      async () => (await node.docker(['ps', '-q'])).stdout.trim().split('\n').length === 2,
      60_000,
    );
    child.kill('SIGTERM');
    const result = await summary;
    expect(result.examples).toEqual([]);
    expect(result.lost).toBe(0);
    expect(result.sent).toBeGreaterThan(1000);
    // On a slow machine the load begins after the first tasks were replaced.
    expect(Object.keys(result.versions)).toEqual(expect.arrayContaining(['v2', 'v3']));
  }, 400_000);
});

function updateStateText(): string {
  return `the update does not end:\n${node.log()}`;
}
