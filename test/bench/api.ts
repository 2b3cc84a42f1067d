// `npm run bench:api [SECONDS]` (after a build): lists and single objects over the unix socket, with 1 and with 16 clients that keep their connections, for SECONDS
// (1; 0: the streams only) each: from a real node with 100 simulated agents and 10,000 tasks of 200 services, and from dockerd in Swarm mode with what one node holds: 200 services
// without tasks, one node. 50 containers that do not run on both. Before that, while the node has nothing else to do: what 1,000 open streams of events
// cost the daemon's resident memory, and that a change comes to every one of them. Clients are in this process, which shares the machine with the daemon.
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, type ClientRequest, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { callSocket } from '../support/socket-call.ts';
import { TestNode, until } from '../support/test-node.ts';
import { joinAgents } from './agents-beside.ts';
import { share } from './figures.ts';

const SECONDS = Number(process.argv[2] ?? '1');
const AGENTS = 100;
const SERVICES = 200;
const TASKS = 10_000;
const CONTAINERS = 50;
const STREAMS = 1_000;
const CLIENTS = [1, 16];
const PORT = 24_799;
const WAIT_MS = 120_000;
/** After a burst of connections: until what they cost is what stays. */
const SETTLE_MS = 3_000;
const IMAGE = 'busybox:test';

interface Side {
  readonly name: string;
  readonly socket: string;
  readonly pid: () => number;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function call<T>(side: Side, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await callSocket(side.socket, method, path, body);
  if (answer.status < 200 || answer.status > 299)
    throw new Error(`${side.name}: ${method} ${path}: ${answer.status} ${answer.text}`);
  return (answer.text === '' ? undefined : JSON.parse(answer.text)) as T;
}

function createService(side: Side, name: string, replicas: number): Promise<unknown> {
  return call(side, 'POST', '/v1.41/services/create', {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: 'app:1' } },
    Mode: { Replicated: { Replicas: replicas } },
  });
}

function residentKb(side: Side): number {
  const status = readFileSync(`/proc/${side.pid()}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

/** Opens one stream. Resolves when its headers are there; `onData` hears what comes. */
function openStream(
  side: Side,
  path: string,
  onData: (text: string) => void,
): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: side.socket, path, agent: false }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode}`));
      response
        .setEncoding('utf8')
        .on('data', onData)
        .on('error', () => undefined);
      resolve(asked);
    });
    asked.on('error', reject).end();
  });
}

/** What so many streams cost, and whether each is told of a service that is made. */
async function streams(side: Side, what: string, path: string, mark: string): Promise<void> {
  await settle();
  const beforeKb = residentKb(side);
  const told = new Set<number>();
  const open: ClientRequest[] = [];
  for (let n = 0; n < STREAMS; n++) {
    let text = '';
    const onData = (chunk: string): void => {
      text += chunk;
      if (text.includes(mark)) told.add(n);
      text = text.slice(-mark.length);
    };
    open.push(await openStream(side, path, onData));
  }
  await settle();
  const openKb = residentKb(side);
  const startedMs = performance.now();
  await createService(side, mark, 0);
  await until(
    () => told.size === STREAMS,
    WAIT_MS,
    () => `${what}: ${told.size} of ${STREAMS} streams were told`,
  );
  const toldMs = performance.now() - startedMs;
  for (const one of open) one.destroy();
  const each = (openKb - beforeKb) / STREAMS;
  print(
    `${side.name}: ${STREAMS} ${what}: ${(beforeKb / 1024).toFixed(0)} → ${(openKb / 1024).toFixed(0)} MiB, ${each.toFixed(1)} KiB each; a change came to all in ${toldMs.toFixed(0)} ms`,
  );
}

interface Case {
  readonly what: string;
  /** One after the other, again and again. */
  readonly paths: readonly string[];
}

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly bytes: number;
}

/** One request, its answer read and dropped. @returns its bytes */
function get(agent: Agent, socketPath: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(bytes);
        else reject(new Error(`${path}: ${response.statusCode}`));
      });
    });
    asked.on('error', reject).end();
  });
}

async function measure(side: Side, paths: readonly string[], clients: number): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  let bytes = 0;
  let next = 0;
  const work = async (untilMs: number): Promise<void> => {
    do {
      const path = paths[next++ % paths.length] ?? '';
      const startedMs = performance.now();
      bytes = await get(agent, side.socket, path);
      times.push(performance.now() - startedMs);
    } while (performance.now() < untilMs);
  };
  // What is compiled on the way counts for neither side.
  await work(performance.now() + 300);
  times.length = 0;
  const startedMs = performance.now();
  const endMs = startedMs + SECONDS * 1_000;
  await Promise.all(Array.from({ length: clients }, () => work(endMs)));
  const tookMs = performance.now() - startedMs;
  agent.destroy();
  const perSecond = (times.length * 1_000) / tookMs;
  return { perSecond, p50Ms: share(times, 0.5), p99Ms: share(times, 0.99), bytes };
}

async function idsOf(side: Side, path: string, key: 'ID' | 'Id' = 'ID'): Promise<string[]> {
  const rows = await call<readonly Readonly<Record<string, string>>[]>(side, 'GET', path);
  return rows.map((row) => row[key] ?? '');
}

async function casesOf(side: Side): Promise<Case[]> {
  const some = (ids: readonly string[]): readonly string[] => ids.slice(0, 50);
  const services = some(await idsOf(side, '/v1.41/services'));
  const nodes = some(await idsOf(side, '/v1.41/nodes'));
  const containers = await idsOf(side, '/v1.41/containers/json?all=1', 'Id');
  const tasks = some(await idsOf(side, '/v1.41/tasks'));
  const ofService = (id: string): string =>
    `/v1.41/tasks?filters=${encodeURIComponent(JSON.stringify({ service: { [id]: true } }))}`;
  const all: Case[] = [
    { what: 'services, list with status', paths: ['/v1.41/services?status=true'] },
    { what: 'service, inspect', paths: services.map((id) => `/v1.41/services/${id}`) },
    { what: 'nodes, list', paths: ['/v1.41/nodes'] },
    { what: 'node, inspect', paths: nodes.map((id) => `/v1.41/nodes/${id}`) },
    { what: 'tasks, all', paths: ['/v1.41/tasks'] },
    { what: 'tasks, of one service', paths: services.map(ofService) },
    { what: 'task, inspect', paths: tasks.map((id) => `/v1.41/tasks/${id}`) },
    { what: 'containers of the node, list', paths: ['/v1.41/containers/json?all=1'] },
    { what: 'container, inspect', paths: containers.map((id) => `/v1.41/containers/${id}/json`) },
  ];
  // A service without tasks has none to list.
  return tasks.length > 0 ? all : all.filter(({ what }) => !what.startsWith('task'));
}

async function requests(side: Side): Promise<void> {
  print(
    `\n| ${side.name} | KiB | ${CLIENTS.map((n) => `${n} client(s): /s, p50, p99 ms`).join(' | ')} |`,
  );
  print(`| --- | --- |${' --- |'.repeat(CLIENTS.length)}`);
  for (const { what, paths } of await casesOf(side)) {
    const measured: Measured[] = [];
    for (const clients of CLIENTS) measured.push(await measure(side, paths, clients));
    const cells = measured.map(
      ({ perSecond, p50Ms, p99Ms }) =>
        `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}, ${p50Ms.toFixed(1)}, ${p99Ms.toFixed(1)}`,
    );
    print(`| ${what} | ${((measured[0]?.bytes ?? 0) / 1024).toFixed(1)} | ${cells.join(' | ')} |`);
  }
  print(`${side.name}, resident afterwards: ${(residentKb(side) / 1024).toFixed(0)} MiB`);
}

async function makeContainers(side: Side): Promise<void> {
  for (let n = 0; n < CONTAINERS; n++) {
    await call(side, 'POST', `/v1.41/containers/create?name=box${n}`, {
      Image: IMAGE,
      Cmd: ['sleep', '1000'],
      HostConfig: { NetworkMode: 'none' },
    });
  }
}

async function fill(node: TestNode, side: Side): Promise<void> {
  const self = await node.tswarm(['node', 'inspect', '--format', '{{.ID}}', 'self']);
  await node.tswarm(['node', 'update', '--availability', 'drain', self.stdout.trim()]);
  for (let n = 0; n < SERVICES; n++) await createService(side, `service${n}`, TASKS / SERVICES);
  const isThere = async (): Promise<boolean> => {
    type Row = { readonly ServiceStatus?: { readonly RunningTasks: number } };
    const rows = await call<readonly Row[]>(side, 'GET', '/v1.41/services?status=true');
    const running = rows.reduce((sum, row) => sum + (row.ServiceStatus?.RunningTasks ?? 0), 0);
    return running === TASKS;
  };
  await until(isThere, WAIT_MS, () => 'the tasks do not run');
}

/** Leaves the image's archive behind. */
async function ours(archive: string): Promise<void> {
  await using node = new TestNode();
  const side = { name: 'tswarm', socket: node.socket, pid: () => node.pid };
  let stopAgents: () => void = () => undefined;
  try {
    await node.start();
    const flags = ['--listen-addr', `127.0.0.1:${PORT}`, '--advertise-addr', '127.0.0.1'];
    const made = await node.tswarm(['init', ...flags]);
    if (made.code !== 0) throw new Error(made.stderr);
    await streams(side, '/events', '/v1.41/events', 'markone');
    // What the first ones have left free would be taken for nothing.
    await node.stop();
    await node.start();
    const isReady = async (): Promise<boolean> => (await node.tswarm(['node', 'ls'])).code === 0;
    await until(isReady, WAIT_MS, () => `no cluster after the restart:\n${node.log()}`);
    const index = Number((await call<{ index: number }>(side, 'GET', '/tswarm/v1/cluster')).index);
    await streams(side, '/tswarm/v1/events', `/tswarm/v1/events?since=${index}`, 'marktwo');
    if (SECONDS === 0) return;
    for (const name of ['markone', 'marktwo']) await call(side, 'DELETE', `/services/${name}`);
    await node.importBusybox(IMAGE);
    copyFileSync(join(node.folder, 'busybox.tar'), archive);
    await makeContainers(side);
    stopAgents = await joinAgents(node, `127.0.0.1:${PORT}`, AGENTS);
    await fill(node, side);
    await requests(side);
  } finally {
    stopAgents();
  }
}

async function theirs(archive: string): Promise<void> {
  await using peer = new PeerDockerd();
  await peer.start();
  const side = { name: 'dockerd', socket: peer.socket, pid: () => peer.pid };
  await peer.initSwarm();
  await streams(side, '/events', '/v1.41/events', 'markone');
  if (SECONDS === 0) return;
  await call(side, 'DELETE', '/v1.41/services/markone');
  const loaded = await peer.docker(['import', archive, IMAGE]);
  if (loaded.code !== 0) throw new Error(loaded.stderr);
  await makeContainers(side);
  for (let n = 0; n < SERVICES; n++) await createService(side, `service${n}`, 0);
  await requests(side);
}

const folder = mkdtempSync(join(tmpdir(), 'tswarm-bench-'));
try {
  const archive = join(folder, 'busybox.tar');
  await ours(archive);
  await theirs(archive);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
