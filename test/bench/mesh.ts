// The network across hosts: containers of two hosts over the encrypted mesh beside the bare Ethernet between the same hosts; and connections to a virtual
// address while the node has 10, 1,000 and 10,000 services. Hosts are network namespaces of their own; needs root, iperf3, nginx and wrk.
// Beside them a network in clear of either kind, and Docker's overlay between two dockerds (Debian's 20.10, swarm mode, attachable network, in clear).
// Run: node --conditions=source test/bench/mesh.ts [SECONDS] [streams | vips]
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshPeer, type ServiceEndpoints } from '#protocol/generated/dispatcher';
import { Agent, NetworkLab, SharedWorld } from '../support/network-lab/lab.ts';
import { container, network, service } from '../support/network-lab/objects.ts';
import { DockerOverlay } from './docker-overlay.ts';
import { median } from './figures.ts';

const seconds = Number(process.argv[2] ?? '4');
const part = process.argv[3] ?? '';
const FRONT = network('front', ['10.85.0.0/16']);
const APP = service({
  name: 'app',
  vips: { front: '10.85.250.1' },
  tasks: { t0: { front: '10.85.0.11' }, t1: { front: '10.85.0.12' } },
  nodes: { t0: 'n0', t1: 'n1' },
});
/** The same two containers on networks that go in clear. */
const CLEAR = ['vxlan', 'host-gw'].map((backend, index) => {
  const id = backend.replace('-', '');
  return {
    backend,
    id,
    network: network(id, [`10.86.${index}.0/24`], { options: { backend } }),
    service: service({
      name: id,
      tasks: {
        [`t0${id}`]: { [id]: `10.86.${index}.11` },
        [`t1${id}`]: { [id]: `10.86.${index}.12` },
      },
      nodes: { [`t0${id}`]: 'n0', [`t1${id}`]: 'n1' },
    }),
    address: (end: number): string => `10.86.${index}.1${1 + end}`,
  };
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
/** Processes of this bench in other namespaces. */
const asking: Agent[] = [];

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

function stateOf(index: number, keys: readonly string[], more: readonly ServiceEndpoints[]) {
  return {
    nodeId: `n${index}`,
    networks: [FRONT, ...CLEAR.map((one) => one.network)],
    endpoints: [APP, WEB, ...CLEAR.map((one) => one.service), ...more],
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
  }
  const [one, two] = labs;
  if (!one || !two) throw new Error('no hosts');
  if (part !== 'vips') await between(one, two);
  if (part !== 'streams') await virtualAddresses(keys, one, two);
}

/** Two ends, wherever they are: how programs are started there, and the address of the second. */
interface Pair {
  readonly name: string;
  readonly enter: readonly [readonly string[], readonly string[]];
  readonly to: string;
}

/** One and eight streams and the round trip, three rounds in which all have their turns; medians. */
async function between(one: NetworkLab, two: NetworkLab): Promise<void> {
  const pairs = [await pairOf('bare Ethernet', one, two, ['', ''], two.address)];
  pairs.push(await pairOf('mesh', one, two, [at[0] ?? '', at[1] ?? ''], '10.85.0.12'));
  for (const { id, backend, address } of CLEAR) {
    const ends: string[] = [];
    for (const [index, lab] of labs.entries()) {
      const request = container({ [id]: [address(index)] }, { taskId: `t${index}${id}` });
      ends.push((await lab.attach(`c${index}${id}`, request)).netnsPath);
    }
    pairs.push(
      await pairOf(`backend=${backend}`, one, two, [ends[0] ?? '', ends[1] ?? ''], address(1)),
    );
  }
  await using overlay = new DockerOverlay();
  const theirs = await overlay.start();
  pairs.push(await listening({ name: 'Docker overlay', enter: theirs.enter, to: theirs.to }));
  const found = new Map<string, { one: number[]; eight: number[]; trip: number[] }>();
  for (let round = 0; round < 3; round++) {
    for (const pair of pairs) {
      const list = found.get(pair.name) ?? { one: [], eight: [], trip: [] };
      found.set(pair.name, list);
      list.one.push(gigabits(pair, 1));
      list.eight.push(gigabits(pair, 8));
      list.trip.push(await roundTrip(pair));
    }
  }
  for (const [name, { one: single, eight, trip }] of found) {
    const streams = `one stream ${median(single).toFixed(2)} Gbit/s, eight ${median(eight).toFixed(2)}`;
    say(`${name}: ${streams}, request and answer ${median(trip).toFixed(0)} µs`);
  }
  await names('tswarm', one.agent(at[0] ?? ''), 'app');
  await names('Docker', agentIn(theirs.enter[0]), theirs.peer);
}

function pairOf(
  name: string,
  one: NetworkLab,
  two: NetworkLab,
  ends: readonly [string, string],
  to: string,
): Promise<Pair> {
  const enter = (lab: NetworkLab, netns: string): readonly string[] => [
    ...['nsenter', '-t', String(lab.nodePid), '-n', '-m', '--'],
    ...(netns === '' ? [] : ['nsenter', `--net=${netns}`, '--']),
  ];
  return listening({ name, enter: [enter(one, ends[0]), enter(two, ends[1])], to });
}

async function listening(pair: Pair): Promise<Pair> {
  const [file = '', ...args] = [...pair.enter[1], 'iperf3', '-s', '-p', '5301', '-B', pair.to];
  children.push(spawn(file, args, { stdio: 'ignore' }));
  await agentIn(pair.enter[1]).serve(91, 'there', '0.0.0.0');
  return pair;
}

function agentIn(enter: readonly string[]): Agent {
  const agent = new Agent(enter);
  asking.push(agent);
  return agent;
}

function gigabits({ enter, to }: Pair, streams: number): number {
  const flags = ['-c', to, '-p', '5301', '-t', String(seconds), '-P', String(streams), '-J'];
  const [file = '', ...args] = [...enter[0], 'iperf3', ...flags];
  const text = execFileSync(file, args, { encoding: 'utf8' });
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 1e9;
}

async function roundTrip({ enter, to }: Pair): Promise<number> {
  const agent = agentIn(enter[0]);
  await agent.ask('tcp', { host: to, port: 91, keep: 'rtt' });
  const times: number[] = [];
  for (let i = 0; i < 400; i++) {
    const started = performance.now();
    await agent.ask('talk', { key: 'rtt', text: 'x' });
    times.push((performance.now() - started) * 1000);
  }
  await agent.end();
  return median(times.slice(50));
}

async function names(whose: string, agent: Agent, name: string): Promise<void> {
  await agent.resolve(name);
  for (const parallel of [1, 32]) {
    const answer = await agent.ask('askMany', { name, parallel, ms: 3_000 });
    const { perSecond, p50Ms, p99Ms, lost } = answer as Readonly<Record<string, number>>;
    const times = `p50 ${p50Ms?.toFixed(2)} ms, p99 ${p99Ms?.toFixed(2)} ms`;
    say(`names of ${whose}, ${parallel} at a time: ${perSecond}/s, ${times}, ${lost} lost`);
  }
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
  await Promise.all(asking.map((agent) => agent.end()));
  await Promise.all(labs.map((lab) => lab.destroy()));
  world.end();
}
process.exit(0);
