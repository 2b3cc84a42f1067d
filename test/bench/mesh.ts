// The network across hosts: containers of two hosts over the encrypted mesh beside the bare Ethernet between the same hosts; and connections to a virtual
// address while the node has 10, 1,000 and 10,000 services. Hosts are network namespaces of their own; needs root, iperf3, nginx and wrk.
// Run: node --conditions=source test/bench/mesh.ts [SECONDS]
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshPeer, type ServiceEndpoints } from '#protocol/generated/dispatcher';
import { type Agent, NetworkLab, SharedWorld } from '../support/network-lab/lab.ts';
import { container, network, service } from '../support/network-lab/objects.ts';
import { median } from './figures.ts';

const [seconds = 4] = process.argv.slice(2).map(Number);
const FRONT = network('front', ['10.85.0.0/16']);
const APP = service({
  name: 'app',
  vips: { front: '10.85.250.1' },
  tasks: { t0: { front: '10.85.0.11' }, t1: { front: '10.85.0.12' } },
  nodes: { t0: 'n0', t1: 'n1' },
});
/** A virtual address with the one task on the other host. */
const WEB = service({
  name: 'web',
  vips: { front: '10.85.250.2' },
  tasks: { t1: { front: '10.85.0.12' } },
  nodes: { t1: 'n1' },
});

const world = new SharedWorld();
const labs: NetworkLab[] = [];
const children: ChildProcess[] = [];
const at: string[] = [];
const agents: Agent[] = [];

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Runs in the background; killed at the end. */
function start(lab: NetworkLab, netns: string, command: readonly string[]): void {
  const inner = netns === '' ? [] : ['nsenter', `--net=${netns}`, '--'];
  const args = ['-t', String(lab.nodePid), '-n', '-m', '--', ...inner, ...command];
  children.push(spawn('nsenter', args, { stdio: 'ignore' }));
}

function run(lab: NetworkLab, netns: string, command: readonly string[]): string {
  const inner = netns === '' ? [] : ['nsenter', `--net=${netns}`, '--'];
  const args = ['-t', String(lab.nodePid), '-n', '-m', '--', ...inner, ...command];
  return execFileSync('nsenter', args, { encoding: 'utf8' });
}

function gigabits(lab: NetworkLab, netns: string, to: string, streams: number): string {
  const flags = ['-c', to, '-t', String(seconds), '-P', String(streams), '-J'];
  const text = run(lab, netns, ['iperf3', ...flags]);
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return (end.sum_received.bits_per_second / 1e9).toFixed(2);
}

async function roundTrip(agent: Agent, host: string, port: number): Promise<string> {
  await agent.ask('tcp', { host, port, keep: 'rtt' });
  const times: number[] = [];
  for (let i = 0; i < 400; i++) {
    const started = performance.now();
    await agent.ask('talk', { key: 'rtt', text: 'x' });
    times.push((performance.now() - started) * 1000);
  }
  return median(times.slice(50)).toFixed(0);
}

function stateOf(index: number, keys: readonly string[], more: readonly ServiceEndpoints[]) {
  return {
    nodeId: `n${index}`,
    networks: [FRONT],
    endpoints: [APP, WEB, ...more],
    peers: [0, 1]
      .filter((other) => other !== index)
      .map((other) =>
        MeshPeer.create({
          nodeId: `n${other}`,
          wireguardKey: keys[other] ?? '',
          addr: labs[other]?.address ?? '',
          port: 51820,
        }),
      ),
  };
}

/** Services that only fill the maps, as on a large cluster. */
function others(count: number): ServiceEndpoints[] {
  return Array.from({ length: count }, (_, n) =>
    service({
      name: `o${n}`,
      vips: { front: `10.85.${100 + Math.floor(n / 250)}.${n % 250}` },
      tasks: { [`o${n}`]: { front: `10.85.${50 + Math.floor(n / 250)}.${n % 250}` } },
      nodes: { [`o${n}`]: 'n1' },
    }),
  );
}

async function main(): Promise<void> {
  await world.start();
  const keys: string[] = [];
  for (const number of [0, 1]) {
    const lab = new NetworkLab(`bm${number}`, { world: { world, number: 11 + number } });
    labs.push(lab);
    await lab.start();
    await lab.restore();
    keys.push((await lab.call<{ wireguardKey: string }>('mesh')).wireguardKey);
  }
  for (const [index, lab] of labs.entries()) {
    await lab.call('setState', stateOf(index, keys, []));
    const request = container({ front: [`10.85.0.1${1 + index}`] }, { taskId: `t${index}` });
    const { netnsPath } = await lab.attach(`c${index}`, request);
    at.push(netnsPath);
    agents.push(lab.agent(netnsPath));
  }
  const [one, two] = labs;
  const [caller] = agents;
  if (!one || !two || !caller) throw new Error('no hosts');
  start(two, at[1] ?? '', ['iperf3', '-s']);
  start(two, '', ['iperf3', '-s', '-p', '5301', '-B', two.address]);
  await agents[1]?.serve(90, 'there', '0.0.0.0');
  const bare = two.agent('');
  await bare.serve(91, 'bare', '0.0.0.0');
  const bareCaller = one.agent('');
  await sleep(500);
  const raw = (streams: number): string => {
    const flags = ['-c', two.address, '-p', '5301', '-t', String(seconds), '-J'];
    const text = run(one, '', ['iperf3', ...flags, '-P', String(streams)]);
    const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
    return (end.sum_received.bits_per_second / 1e9).toFixed(2);
  };
  for (const streams of [1, 8]) {
    const mesh = gigabits(one, at[0] ?? '', '10.85.0.12', streams);
    say(`${streams} TCP streams: bare Ethernet ${raw(streams)} Gbit/s, mesh ${mesh} Gbit/s`);
  }
  const bareTime = await roundTrip(bareCaller, two.address, 91);
  say(
    `request and answer: bare ${bareTime} µs, mesh ${await roundTrip(caller, '10.85.0.12', 90)} µs`,
  );
  await virtualAddresses(keys, one, two);
}

async function virtualAddresses(
  keys: readonly string[],
  one: NetworkLab,
  two: NetworkLab,
): Promise<void> {
  const folder = join(two.folder, 'nginx');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log /dev/null; worker_processes 1;
     events {} http { access_log off; server { listen 80; location / { return 200 "ok\\n"; } } }`,
  );
  start(two, at[1] ?? '', ['nginx', '-p', folder, '-c', join(folder, 'nginx.conf')]);
  await sleep(500);
  const best = new Map<number, { rate: number; text: string }>();
  // In turns, and the best of each: one number after the other says as much about what else the machine does.
  for (const count of [10, 1000, 10_000, 10, 1000, 10_000, 10, 1000, 10_000]) {
    const started = performance.now();
    await one.call('setState', stateOf(0, keys, others(count)));
    const took = performance.now() - started;
    const flags = ['-t', '1', '-c', '16', '-d', `${seconds}s`, '--latency'];
    const text = run(one, at[0] ?? '', [
      'wrk',
      ...flags,
      '-H',
      'Connection: close',
      'http://10.85.250.2/',
    ]);
    const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? '0');
    const p50 = /50%\s+(\d\S*)/.exec(text)?.[1] ?? '?';
    const p99 = /99%\s+(\d\S*)/.exec(text)?.[1] ?? '?';
    const line = `${rate} connections/s to a virtual address, p50 ${p50}, p99 ${p99}`;
    say(`${count} services: ${line}; told in ${took.toFixed(0)} ms`);
    if (rate > (best.get(count)?.rate ?? 0)) best.set(count, { rate, text: line });
  }
  for (const [count, { text }] of best) say(`best with ${count} services: ${text}`);
}

try {
  await main();
} finally {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(labs.map((lab) => lab.destroy()));
  world.end();
}
process.exit(0);
