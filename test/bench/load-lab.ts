// `npm run bench:load-lab`: requests lost on a cluster of three hosts while a service is updated and scaled in turns, one host is drained and taken back, and
// the leading manager is killed. Open-loop load as in load.ts (RATE, 1000 requests a second, half on new and half on kept-alive connections, no retry) on the
// published port of one host, which is not the leader; a reset, a wrong body or no whole answer within a second is lost. It runs for SECONDS (170).
// Replicas are on all hosts, so two of three requests go through the encrypted mesh. Hosts are network namespaces on one machine.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leaderOf, newLab } from '../cluster/cluster.ts';
import { serverTar } from '../support/rolling/image.ts';
import { NODE, ROOT, until } from '../support/test-node.ts';

const RATE = Number(process.env.RATE ?? '1000');
const SECONDS = Number(process.env.SECONDS ?? '170');
const REPLICAS = Number(process.env.REPLICAS ?? '3');
const LOG_FOLDER = process.env.LOG_FOLDER ?? join(tmpdir(), 'tswarm-bench-load');
const PORT = 28_091;
const LOST_AFTER_MS = 1000;
const WAIT = { timeoutMs: 60_000 };
const NODES = ['m1', 'm2', 'm3'];
const DRAINED = 'm3';

interface Summary {
  readonly sent: number;
  readonly lost: number;
  readonly rate: number;
  readonly slowestMs: number;
  readonly examples: readonly string[];
}

await using lab = newLab();
await lab.up({ managers: 3, workers: 0 });
const tar = serverTar(lab.folder);
for (const name of NODES) {
  await lab.ok(name, ['image', 'import', tar, 'graceful:bench', '-c', 'ENTRYPOINT ["/server"]']);
}
const leader = (await leaderOf(lab, 'm1')) ?? 'm1';
/** Who is called, and by whom all is commanded: it goes on being there. */
const door = NODES.find((name) => name !== leader && name !== DRAINED) ?? 'm1';
await lab.ok(door, [
  ...['service', 'create', '-q', '--name', 'web', '--replicas', String(REPLICAS)],
  ...['--no-resolve-image', '--update-monitor', '100ms', '--drain-timeout', '2s'],
  ...['-p', `${PORT}:8080`, 'graceful:bench', 'v0', '100'],
]);
// 500 new connections a second to one address: without this the client runs out of ports after half a minute, and spends its time looking for one.
const client = "net.ipv4.tcp_tw_reuse=1 net.ipv4.ip_local_port_range='10240 65535'";
await lab.exec(door, ['sh', '-c', `sysctl -qw ${client}`]);
const url = `http://${lab.node(door).address}:${PORT}/`;
let inRow = 0;
await until(
  async () => {
    const { code } = await lab.exec(door, ['curl', '-sf', '-m', '1', '-o', '/dev/null', url]);
    inRow = code === 0 ? inRow + 1 : 0;
    return inRow >= 30;
  },
  60_000,
  () => 'the service does not answer',
);

function startLoad(): { stop(): Promise<Summary> } {
  mkdirSync(LOG_FOLDER, { recursive: true });
  const numbers = [PORT, RATE, 24 * 3600, 0.5].map(String);
  const script = join(ROOT, 'test/support/rolling/load.ts');
  const to = [lab.node(door).address, ...numbers, join(LOG_FOLDER, 'lab.log')];
  const args = [...lab.enter(door), '--', NODE, script, ...to, String(LOST_AFTER_MS)];
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // Also when a change fails.
  process.once('exit', () => child.kill('SIGKILL'));
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      return JSON.parse(text) as Summary;
    },
  };
}

const done: Record<string, number> = {};
const note = (what: string): void => {
  done[what] = (done[what] ?? 0) + 1;
  process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${what}\n`);
};

async function change(number: number): Promise<void> {
  if (number % 4 >= 2) {
    const replicas = number % 4 === 2 ? REPLICAS * 2 : REPLICAS;
    note(`scaled to ${replicas}`);
    await lab.ok(door, ['service', 'scale', `web=${replicas}`], WAIT);
    return;
  }
  const order = number % 4 === 1 ? 'start-first' : 'stop-first';
  note(`updated ${order}`);
  const flags = ['--update-order', order, '--args', `v${number} 100`];
  await lab.ok(door, ['service', 'update', '-q', ...flags, 'web'], WAIT);
}

const load = startLoad();
const end = performance.now() + SECONDS * 1000;
for (let number = 1; performance.now() < end; number++) {
  await change(number);
  if (number === 5) {
    note('drained');
    await lab.ok(door, ['node', 'update', '--availability', 'drain', DRAINED], WAIT);
  }
  if (number === 8) await lab.ok(door, ['node', 'update', '--availability', 'active', DRAINED]);
  if (number === 10) {
    note('leader killed');
    await lab.kill((await leaderOf(lab, door)) ?? leader);
    await until(async () => (await leaderOf(lab, door)) !== undefined, 30_000);
  }
  if (number === 14) {
    for (const name of NODES) if (lab.state(name) === 'stopped') await lab.start(name);
  }
}
const { sent, rate, lost, slowestMs, examples } = await load.stop();
process.stdout.write(
  `${JSON.stringify(done)}\n${sent} requests, ${rate}/s, ${lost} lost, slowest ${slowestMs} ms\n`,
);
for (const example of examples) process.stdout.write(`  lost: ${example}\n`);
