// A node's network in a namespace of its own: attach and detach one container after another, 100 at a time, and among many services and containers; the
// time from the worker's change to the first answer with it is in the names. Run as root: node --conditions=source test/bench/network.ts [containers] [services]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, nodeClock, nodeRandom } from '#protocol/transport/node-world';
import { createNetworkService } from '#worker/network/network-service';
import type { DesiredNetworkState } from '#worker/network/types';
import { program } from '../native/programs.ts';
import { container, NODE_ID, network, service } from '../support/network-lab/objects.ts';
import { median } from './figures.ts';

const APART = 'TSWARM_BENCH_APART';

if (process.env[APART] !== '1') {
  const again = ['-nm', process.execPath, '--conditions=source', import.meta.filename];
  const { status } = spawnSync('unshare', [...again, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [APART]: '1' },
  });
  process.exit(status ?? 1);
}

const [containers = 300, services = 300] = process.argv.slice(2).map(Number);
const NETWORKS = 20;
const folder = mkdtempSync(join(tmpdir(), 'tswarm-bench-net-'));
const net = await createNetworkService(
  {
    dataDir: join(folder, 'data'),
    runDir: join(folder, 'run'),
    nativeDir: join(program('tswarm-net'), '..'),
    nodeTag: 'bench',
    meshPort: 0,
    meshAddress: '',
  },
  {
    clock: nodeClock,
    random: nodeRandom,
    log: createLog({ level: 'warn', format: 'text' }),
    events: { emit: () => {} },
    containers: {
      resolve: () => undefined,
      setAttachment: async () => {},
      removeAttachment: async () => {},
      reattached: () => {},
      usersOf: () => [],
    },
  },
);
const { manager } = net;
const nothing: DesiredNetworkState = { nodeId: NODE_ID, networks: [], endpoints: [], peers: [] };

function id(n: number): string {
  return n.toString(16).padStart(64, '0');
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function show(what: string, values: readonly number[]): void {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(2);
  const p50 = median(values).toFixed(2);
  process.stdout.write(`${what}: median ${p50} ms, p90 ${at(0.9)}, p99 ${at(0.99)}\n`);
}

async function oneByOne(what: string, count: number, on: (n: number) => string): Promise<void> {
  const attach: number[] = [];
  const detach: number[] = [];
  for (let n = 0; n < count; n++) {
    const request = container({ [on(n)]: address(n) }, { names: [`c${n}`] });
    attach.push(await timed(() => manager.attach(id(n), request)));
  }
  for (let n = 0; n < count; n++) detach.push(await timed(() => manager.detach(id(n))));
  show(`${what}, attach`, attach);
  show(`${what}, detach`, detach);
}

/** No interface of a container is left. */
async function allGone(): Promise<void> {
  while (readdirSync('/proc/sys/net/ipv4/conf').some((name) => /^tbench/.test(name))) {
    await sleep(2);
  }
}

/** On cluster networks the managers choose. */
function address(n: number): string[] {
  return isScaled ? [`10.${n % NETWORKS}.0.${10 + Math.floor(n / NETWORKS)}`] : [];
}
let isScaled = false;

await manager.restore([], nothing);
// The first one starts the responder.
await manager.attach(id(0), container({ bridge: [] }));
await manager.detach(id(0));
await oneByOne('one by one', 200, () => 'bridge');
const together: number[] = [];
for (let round = 0; round < 5; round++) {
  const all = Array.from({ length: 100 }, (_, n) => n);
  together.push(
    await timed(() =>
      Promise.all(all.map((n) => manager.attach(id(n), container({ bridge: [] })))),
    ),
  );
  await Promise.all(all.map((n) => manager.detach(id(n))));
}
show('100 at a time, attach all', together);

isScaled = true;
const networks = Array.from({ length: NETWORKS }, (_, n) => network(`n${n}`, [`10.${n}.0.0/16`]));
const endpoints = Array.from({ length: services }, (_, n) => {
  const on = `n${n % NETWORKS}`;
  const base = `10.${n % NETWORKS}`;
  const tasks = Array.from({ length: 5 }, (_unused, k) => [
    `t${n}-${k}`,
    { [on]: `${base}.${k + 1}.${n % 250}` },
  ]);
  return service({
    name: `s${n}`,
    vips: { [on]: `${base}.200.${n % 250}` },
    tasks: Object.fromEntries(tasks),
    elsewhere: tasks.map(([task]) => String(task)),
  });
});
const all: DesiredNetworkState = { nodeId: NODE_ID, networks, endpoints, peers: [] };
process.stdout.write(
  `${services} services of 5 tasks: ${(await timed(() => manager.setState(all))).toFixed(1)} ms\n`,
);
const fewer = { ...all, endpoints: endpoints.slice(1) };
process.stdout.write(
  `one service less: ${(await timed(() => manager.setState(fewer))).toFixed(1)} ms\n`,
);
await oneByOne(`among ${services} services`, containers, (n) => `n${n % NETWORKS}`);
// In turns, in another order each time: none, one and two networks. The kernel takes a namespace with interfaces away in the background, holding the lock that
// attaching needs, so each begins when the one before is gone.
const on: readonly (readonly string[])[] = [[], ['n0'], ['n0', 'n1']];
const took: number[][] = on.map(() => []);
for (let n = 0; n < 200; n++) {
  for (let turn = 0; turn < on.length; turn++) {
    const index = (n + turn) % on.length;
    const ids = on[index] ?? [];
    const at = Object.fromEntries(ids.map((one) => [one, [`10.${one.slice(1)}.240.${n}`]]));
    await allGone();
    took[index]?.push(await timed(() => manager.attach(id(n), container(at))));
    await manager.detach(id(n));
  }
}
for (const [index, ids] of on.entries())
  show(`on ${ids.length} networks, attach`, took[index] ?? []);
const status = (pid: number): string =>
  /VmRSS:\s+(\d+ kB)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
const responder = Number.parseInt(readFileSync(join(folder, 'run/names/names.pid'), 'utf8'), 10);
const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
for (const pid of [...children.map(Number), responder])
  process.stdout.write(`${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}: ${status(pid)}\n`);
await net.removeAll();
await net.stop();
rmSync(folder, { recursive: true });
