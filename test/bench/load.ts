// `npm run bench:load`: requests lost while a service is updated and scaled 50 times on one node. Open-loop load (RATE, 1000 requests a second, half on new and
// half on kept-alive connections, no retry) on the published port; a reset, a wrong body or no whole answer within a second is lost. The raw logs are kept
// (LOG_FOLDER, a line per request). Beside dockerd 20.10 in Swarm mode, which publishes in host mode: its own balancing needs IPVS, which not every kernel has.
// What differs: in host mode a node has one replica per port, so Swarm has one replica, nothing to scale, and only stop-first updates: its 50 are updates.
// Neither side has a health check; the program listens 100 ms after its start and heeds SIGTERM.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { serverTar } from '../support/rolling/image.ts';
import { NODE, type Result, ROOT, TestNode, until } from '../support/test-node.ts';

const RATE = Number(process.env.RATE ?? '1000');
const ROUNDS = Number(process.env.ROUNDS ?? '50');
/** Only one side: `tswarm` or `swarm`. */
const SIDE = process.env.SIDE ?? '';
/** What the tasks' open connections get at most. Kept-alive ones that are never idle take all of it, at each task that is stopped. */
const DRAIN_LIMIT = process.env.DRAIN_LIMIT ?? '10s';
const LOG_FOLDER = process.env.LOG_FOLDER ?? join(tmpdir(), 'tswarm-bench-load');
const PORT = 28_090;
const LISTEN_AFTER_MS = 100;
const LOST_AFTER_MS = 1000;
const STEP_LIMIT_MS = 300_000;

interface Summary {
  readonly sent: number;
  readonly lost: number;
  readonly rate: number;
  readonly slowestMs: number;
  readonly examples: readonly string[];
}

interface Side {
  readonly name: string;
  /** Flags of `service create` that publish the port. */
  readonly publish: readonly string[];
  readonly replicas: number;
  /** Pid whose network namespace clients are in, or a path to it. */
  readonly netns: string;
  docker(args: readonly string[]): Promise<Result>;
  /** What docker has no words for. */
  readonly settings?: () => Promise<Result>;
}

async function must(result: Promise<Result>): Promise<string> {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

async function settled(side: Side, replicas: number): Promise<void> {
  const format = '{{.Replicas}}';
  const state = '{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}';
  await until(
    async () => {
      const count = await must(side.docker(['service', 'ls', '--format', format]));
      const update = await must(side.docker(['service', 'inspect', 'web', '--format', state]));
      const running = await must(side.docker(['ps', '-q']));
      return (
        count === `${replicas}/${replicas}` &&
        update !== 'updating' &&
        running.split('\n').length === replicas
      );
    },
    STEP_LIMIT_MS,
    () => `${side.name}: does not settle at ${replicas} replicas`,
  );
}

/** One of the changes, by its number: both orders of update, and scaling up and down. */
async function change(side: Side, number: number): Promise<void> {
  const canScale = side.replicas > 1;
  const args = `v${number} ${LISTEN_AFTER_MS}`;
  const kind = canScale ? number % 4 : 0;
  if (kind === 2 || kind === 3) {
    const replicas = kind === 2 ? side.replicas * 2 : side.replicas;
    await must(side.docker(['service', 'scale', '-d', `web=${replicas}`]));
    await settled(side, replicas);
    return;
  }
  const order = kind === 1 ? 'start-first' : 'stop-first';
  const flags = ['--update-order', order, '--args', args];
  await must(side.docker(['service', 'update', '-d', ...flags, 'web']));
  await settled(side, side.replicas);
}

function startLoad(side: Side): { stop(): Promise<Summary> } {
  const script = join(ROOT, 'test/support/rolling/load.ts');
  const log = join(LOG_FOLDER, `${side.name.replaceAll(' ', '-')}.log`);
  const numbers = [PORT, RATE, 24 * 3600, 0.5].map(String);
  const child = spawn(
    'nsenter',
    [`--net=${side.netns}`, NODE, script, '127.0.0.1', ...numbers, log, String(LOST_AFTER_MS)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      return JSON.parse(text) as Summary;
    },
  };
}

async function measure(side: Side, folder: string): Promise<void> {
  const tar = serverTar(folder);
  const entry = 'ENTRYPOINT ["/server"]';
  await must(side.docker(['import', '-c', entry, tar, 'graceful:bench']));
  await must(
    side.docker([
      ...['service', 'create', '-d', '--name', 'web', '--no-resolve-image'],
      ...['--replicas', String(side.replicas), '--update-monitor', '100ms', ...side.publish],
      ...['graceful:bench', 'v0', String(LISTEN_AFTER_MS)],
    ]),
  );
  if (side.settings) await must(side.settings());
  await settled(side, side.replicas);
  const load = startLoad(side);
  for (let number = 1; number <= ROUNDS; number++) {
    await change(side, number);
    process.stderr.write(`${side.name}: ${number} of ${ROUNDS}\r`);
  }
  const { sent, lost, rate, slowestMs, examples } = await load.stop();
  process.stdout.write(`| ${side.name} | ${sent} | ${rate} | ${lost} | ${slowestMs} |\n`);
  for (const example of examples) process.stderr.write(`  lost: ${example}\n`);
}

async function ours(): Promise<void> {
  await using node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:24779', '--advertise-addr', '127.0.0.1']);
  await measure(
    {
      name: 'tswarm',
      publish: ['--publish', `published=${PORT},target=8080`],
      replicas: 3,
      netns: node.netns,
      docker: (args) => node.docker(args),
      settings: () =>
        node.tswarm(['service', 'update', '-d', '--drain-timeout', DRAIN_LIMIT, 'web']),
    },
    node.folder,
  );
}

async function theirs(): Promise<void> {
  await using peer = new PeerDockerd();
  await peer.start();
  await peer.initSwarm();
  await measure(
    {
      name: 'Docker Swarm',
      publish: ['--publish', `published=${PORT},target=8080,mode=host`],
      replicas: 1,
      netns: `/proc/${peer.pid}/ns/net`,
      docker: (args) => peer.docker(args),
    },
    peer.folder,
  );
}

mkdirSync(LOG_FOLDER, { recursive: true });
process.stdout.write(
  `${ROUNDS} changes under load; raw logs in ${LOG_FOLDER}\n` +
    '| side | requests | per second | lost | slowest, ms |\n| --- | --- | --- | --- | --- |\n',
);
if (SIDE !== 'swarm') await ours();
if (SIDE !== 'tswarm') await theirs();
