// `npm run bench:orchestration [REPLICAS…]`: beside dockerd 20.10 in Swarm mode on the same machine, with the same image (a static program that heeds SIGTERM) and
// DOCKER_SERVICE_PREFER_OFFLINE_IMAGE=1, interleaved rounds: create to all running, rolling update of all ten at a time until every task is of the new
// version, scale to zero until no task is left running. Both are asked through the Engine API every 20 ms; both get the same flags.
import { request } from 'node:http';
import { join } from 'node:path';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { serverTar } from '../support/rolling/image.ts';
import { type Result, TestNode } from '../support/test-node.ts';
import { type Figure, figureTable } from './figures.ts';

const ROUNDS = Number(process.env.ROUNDS ?? '3');
const COUNTS = process.argv.slice(2).map(Number);
const POLL_MS = 20;
const LIMIT_MS = 300_000;

interface Side {
  readonly name: string;
  readonly socket: string;
  docker(args: readonly string[]): Promise<Result>;
}

interface Task {
  readonly Status: { readonly State: string };
  readonly DesiredState: string;
  readonly Spec: { readonly ContainerSpec: { readonly Args?: readonly string[] } };
}

function tasks(side: Side): Promise<readonly Task[]> {
  const filters = encodeURIComponent(JSON.stringify({ service: ['many'] }));
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath: side.socket, path: `/v1.40/tasks?filters=${filters}` },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += String(chunk);
        });
        response.on('end', () => resolve(JSON.parse(text) as Task[]));
      },
    );
    call.on('error', reject);
    call.end();
  });
}

/** Milliseconds from `start` until the tasks are as wanted. */
async function timeUntil(
  side: Side,
  start: () => Promise<Result>,
  isDone: (all: readonly Task[]) => boolean,
): Promise<number> {
  const started = performance.now();
  const result = await start();
  if (result.code !== 0) throw new Error(`${side.name}: ${result.stderr}`);
  for (;;) {
    const all = await tasks(side);
    const ms = performance.now() - started;
    if (isDone(all)) return ms;
    if (ms > LIMIT_MS) throw new Error(`${side.name}: not done in ${LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const runs = (task: Task, version: string): boolean =>
  task.Status.State === 'running' &&
  task.DesiredState === 'running' &&
  task.Spec.ContainerSpec.Args?.[0] === version;

async function round(side: Side, count: number): Promise<readonly number[]> {
  const create = await timeUntil(
    side,
    () =>
      side.docker([
        ...['service', 'create', '--detach', '--no-resolve-image', '--name', 'many'],
        ...['--replicas', String(count), '--update-parallelism', '10', 'graceful:bench', 'v0'],
      ]),
    (all) => all.filter((task) => runs(task, 'v0')).length === count,
  );
  const update = await timeUntil(
    side,
    () => side.docker(['service', 'update', '--detach', '--args', 'v1', 'many']),
    (all) => all.filter((task) => runs(task, 'v1')).length === count,
  );
  const scale = await timeUntil(
    side,
    () => side.docker(['service', 'scale', '--detach', 'many=0']),
    (all) => !all.some((task) => task.Status.State === 'running'),
  );
  await side.docker(['service', 'rm', 'many']);
  for (;;) {
    if ((await side.docker(['ps', '-q'])).stdout.trim() === '') break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return [create, update, scale];
}

const WHAT = ['create to all running', 'rolling update, ten at a time', 'scale to zero'];

async function main(): Promise<void> {
  await using node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:24777', '--advertise-addr', '127.0.0.1']);
  await using peer = new PeerDockerd();
  await peer.start();
  await peer.initSwarm();
  const tar = serverTar(node.folder);
  const sides: readonly Side[] = [
    { name: 'tswarm', socket: node.socket, docker: (args) => node.docker(args) },
    { name: 'Docker Swarm', socket: peer.socket, docker: (args) => peer.docker(args) },
  ];
  for (const side of sides) {
    const made = await side.docker([
      'import',
      '-c',
      'ENTRYPOINT ["/server"]',
      tar,
      'graceful:bench',
    ]);
    if (made.code !== 0) throw new Error(`${side.name}: ${made.stderr}`);
  }
  const figures: Figure[] = [];
  for (const count of COUNTS.length > 0 ? COUNTS : [50, 200]) {
    const samples = WHAT.map(() => ({ tswarm: [] as number[], 'Docker Swarm': [] as number[] }));
    for (let number = 1; number <= ROUNDS; number++) {
      for (const side of sides) {
        const times = await round(side, count);
        for (const [index, ms] of times.entries()) {
          samples[index]?.[side.name as 'tswarm' | 'Docker Swarm'].push(ms);
        }
        const text = times.map((ms) => ms.toFixed(0)).join(', ');
        process.stderr.write(`${count} replicas, round ${number}, ${side.name}: ${text} ms\n`);
      }
    }
    for (const [index, what] of WHAT.entries()) {
      figures.push({
        what: `${count} replicas: ${what}`,
        unit: 'ms',
        samples: samples[index] ?? {},
      });
    }
  }
  process.stdout.write(figureTable(figures));
}

if (process.argv[1] === join(import.meta.dirname, 'orchestration.ts')) await main();
