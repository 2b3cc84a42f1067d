// A host in a network namespace of a test's own, with a second namespace as the world outside of it:
//
//   outside 192.0.2.2, 2001:db8::2  ──  "out0"  ──  192.0.2.1, 2001:db8::1  host (a node's network)
//
// The world has no route to the containers, so whatever reaches it was masqueraded, and it is the host's default gateway and name server. Nothing of
// the machine's own network is touched; all of it goes with the processes that hold the namespaces.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { AttachRequest, AttachResult, DesiredNetworkState } from '#worker/network/types';
import { program } from '../../native/programs.ts';

export const HOST = '192.0.2.1';
export const OUTSIDE = '192.0.2.2';
export const HOST6 = '2001:db8::1';
export const OUTSIDE6 = '2001:db8::2';

const NODE = process.execPath;
const SOURCE_FLAG = '--conditions=source';

/** Without peers: a host alone. */
export type StateText = Omit<DesiredNetworkState, 'peers'> & Partial<DesiredNetworkState>;

const NOTHING: StateText = { nodeId: '', networks: [], endpoints: [], peers: [] };

/** A process that answers JSON lines. */
class Peer {
  readonly child: ChildProcess;
  readonly log: string[] = [];
  #nextId = 1;
  readonly #waiting = new Map<number, (answer: Record<string, unknown>) => void>();

  constructor(command: readonly string[]) {
    const [file = '', ...args] = command;
    this.child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr?.on('data', (data: Buffer) => this.log.push(data.toString()));
    this.child.stdin?.on('error', () => {});
    if (!this.child.stdout) throw new Error('no stdout');
    createInterface(this.child.stdout).on('line', (line) => {
      const answer = JSON.parse(line) as Record<string, unknown>;
      this.#waiting.get(Number(answer.id))?.(answer);
      this.#waiting.delete(Number(answer.id));
    });
    this.child.on('exit', () => {
      for (const settle of this.#waiting.values()) settle({ error: `ended: ${this.log.join('')}` });
    });
  }

  ask(request: object): Promise<Record<string, unknown>> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  ready(): Promise<unknown> {
    return new Promise((resolve) => this.#waiting.set(0, resolve));
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' | undefined): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    if (signal === undefined) this.child.stdin?.end();
    else this.child.kill(signal);
    await ended;
  }
}

/** Somebody in a namespace: see agent.ts for the requests. */
export class Agent {
  readonly #peer: Peer;

  constructor(command: readonly string[]) {
    this.#peer = new Peer([...command, NODE, SOURCE_FLAG, join(import.meta.dirname, 'agent.ts')]);
  }

  ask(op: string, request: object = {}): Promise<Record<string, unknown>> {
    return this.#peer.ask({ op, ...request });
  }

  /** The name of the server that answers; or the error. */
  async tcp(host: string, port: number, more: object = {}): Promise<unknown> {
    const answer = await this.ask('tcp', { host, port, ...more });
    return answer.name ?? answer.error;
  }

  async udp(host: string, port: number, more: object = {}): Promise<unknown> {
    const answer = await this.ask('udp', { host, port, ...more });
    return answer.name ?? answer.error;
  }

  async sctp(host: string, port: number): Promise<unknown> {
    const answer = await this.ask('sctp', { host, port });
    return answer.name ?? answer.error;
  }

  async resolve(name: string, type = 'A'): Promise<unknown> {
    const answer = await this.ask('resolve', { name, type });
    return answer.answers ?? answer.error;
  }

  async serve(port: number, name: string, address?: string): Promise<void> {
    const more = address === undefined ? {} : { address };
    const answers = [
      await this.ask('listenTcp', { port, name, ...more }),
      await this.ask('listenUdp', { port, name, ...more }),
    ];
    for (const answer of answers) if (answer.error) throw new Error(String(answer.error));
  }

  end(): Promise<void> {
    return this.#peer.end('SIGKILL');
  }
}

export interface DriverError extends Error {
  readonly code: string;
}

/** A world that several hosts share: the namespace of `outside`, with a bridge that all are on. */
export class SharedWorld {
  readonly #holder: ChildProcess = spawn('unshare', ['-n', 'sleep', 'infinity'], {
    stdio: 'ignore',
  });

  get pid(): number {
    return this.#holder.pid ?? 0;
  }

  async start(): Promise<void> {
    await eventually(() => isApart(this.pid));
    this.run('ip link set lo up; ip link add in0 type bridge; ip link set in0 up');
    this.run(`ip addr add ${OUTSIDE}/24 dev in0; ip -6 addr add ${OUTSIDE6}/64 dev in0 nodad`);
  }

  run(command: string): string {
    const args = ['-t', String(this.pid), '-n', '--', 'sh', '-ec', command];
    return execFileSync('nsenter', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  end(): void {
    this.#holder.kill('SIGKILL');
  }
}

/** Whether the holder has its own namespace by now. */
function isApart(pid: number): boolean {
  const links = [pid, 'self'].map((of) =>
    execFileSync('readlink', [`/proc/${of}/ns/net`], { encoding: 'utf8' }),
  );
  const name = execFileSync('cat', [`/proc/${pid}/comm`], { encoding: 'utf8' });
  return links[0] !== links[1] && name.trim() === 'sleep';
}

export interface LabOptions {
  /** One of several hosts in it: `number` 1 to 250 is the last part of its address. */
  readonly world?: { readonly world: SharedWorld; readonly number: number; readonly mtu?: number };
}

export class NetworkLab {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tswarm-net-'));
  readonly tag: string;
  readonly #world: LabOptions['world'];
  readonly address: string;
  readonly address6: string;
  readonly #holders: ChildProcess[] = [];
  readonly #agents: Agent[] = [];
  #driver: Peer | undefined;

  constructor(tag = 'lab', { world }: LabOptions = {}) {
    this.tag = tag;
    this.#world = world;
    this.address = world ? `192.0.2.${world.number}` : HOST;
    this.address6 = world ? `2001:db8::${world.number}` : HOST6;
  }

  /** `before`: a shell command on the host, before the node starts. */
  async start({ before = '' }: { readonly before?: string } = {}): Promise<void> {
    for (const dir of ['data', 'run']) mkdirSync(join(this.folder, dir));
    writeFileSync(join(this.folder, 'resolv.conf'), `nameserver ${OUTSIDE}\n`);
    for (const flags of this.#world ? ['-nm'] : ['-nm', '-n']) {
      const holder = spawn('unshare', [flags, 'sleep', 'infinity'], { stdio: 'ignore' });
      this.#holders.push(holder);
    }
    await eventually(() => this.#holders.every(({ pid }) => isApart(pid ?? 0)));
    this.host(
      `mount --bind ${this.folder}/resolv.conf /etc/resolv.conf; mount -t sysfs sysfs /sys`,
    );
    // Namespaces may begin with the machine's own settings.
    this.host('sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0');
    if (this.#world) this.#joinWorld(this.#world);
    else this.#makeWorld();
    this.host(`ip addr add ${this.address}/24 dev out0`);
    this.host(`ip -6 addr add ${this.address6}/64 dev out0 nodad`);
    this.host(`ip link set out0 up; ip route add default via ${OUTSIDE}`);
    this.host(`ip -6 route add default via ${OUTSIDE6}`);
    if (before !== '') this.host(before);
    await this.startNode();
  }

  #makeWorld(): void {
    const [, outside = 0] = this.#pids();
    this.host(`ip link set lo up; ip link add out0 type veth peer name in0 netns ${outside}`);
    this.outside(`ip link set lo up; ip addr add ${OUTSIDE}/24 dev in0`);
    this.outside(`ip -6 addr add ${OUTSIDE6}/64 dev in0 nodad; ip link set in0 up`);
  }

  #joinWorld({ world, number, mtu = 1500 }: NonNullable<LabOptions['world']>): void {
    const peer = `p${number}`;
    this.host(`ip link set lo up; ip link add out0 type veth peer name ${peer} netns ${world.pid}`);
    this.host(`ip link set out0 mtu ${mtu}`);
    world.run(`ip link set ${peer} master in0; ip link set ${peer} up`);
  }

  #pids(): number[] {
    return this.#holders.map((holder) => holder.pid ?? 0);
  }

  get #outsidePid(): number {
    return this.#world?.world.pid ?? this.#pids()[1] ?? 0;
  }

  #inHost(): string[] {
    return ['nsenter', '-t', String(this.#pids()[0]), '-n', '-m', '--'];
  }

  /** Runs a shell command on the host; its output. */
  host(command: string): string {
    const [file = '', ...args] = [...this.#inHost(), 'sh', '-ec', command];
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  outside(command: string): string {
    const args = ['-t', String(this.#outsidePid), '-n', '--', 'sh', '-ec', command];
    return execFileSync('nsenter', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Runs a shell command in a container's network namespace. */
  inside(netnsPath: string, command: string): string {
    const quoted = command.replaceAll("'", "'\\''");
    return this.host(`nsenter --net=${netnsPath} -- sh -ec '${quoted}'`);
  }

  async startNode(): Promise<void> {
    this.#driver = new Peer([
      ...this.#inHost(),
      NODE,
      SOURCE_FLAG,
      join(import.meta.dirname, 'driver.ts'),
      join(this.folder, 'data'),
      join(this.folder, 'run'),
      join(program('tswarm-net'), '..'),
      this.tag,
    ]);
    const ended = new Promise((_resolve, reject) =>
      this.#driver?.child.once('exit', () => reject(new Error(this.#driver?.log.join('')))),
    );
    await Promise.race([this.#driver.ready(), ended]);
    ended.catch(() => {});
  }

  /** Ends the node's network program; containers go on. */
  async stopNode(how: 'SIGKILL' | undefined): Promise<void> {
    await this.#driver?.end(how);
  }

  /** Calls a method of the network manager (`api.x`: of the network API). */
  async call<T = undefined>(method: string, ...args: readonly unknown[]): Promise<T> {
    const answer = (await this.#driver?.ask({ method, args })) ?? {};
    if (answer.error === undefined) return answer.value as T;
    const { code, message } = answer.error as { code: string; message: string };
    throw Object.assign(new Error(message ?? String(answer.error)), { code });
  }

  /** As a worker does at its start. `known`: what the managers had said. */
  restore(live: readonly string[] = [], known: StateText = NOTHING): Promise<undefined> {
    return this.call('restore', live.map(containerId), known);
  }

  async attach(id: string, request: AttachRequest): Promise<AttachResult> {
    const result = await this.call<AttachResult>('attach', containerId(id), request);
    if (request.taskId !== '') await this.call('setServing', containerId(id), true);
    return result;
  }

  detach(id: string): Promise<undefined> {
    return this.call('detach', containerId(id));
  }

  /** The node's network program. */
  get nodePid(): number {
    return this.#driver?.child.pid ?? 0;
  }

  /** What the node said, for failures. */
  get log(): string {
    return this.#driver?.log.join('') ?? '';
  }

  /** Somebody in a container's namespace; '' = the host, 'outside' = the world. */
  agent(netnsPath: string): Agent {
    const command =
      netnsPath === 'outside'
        ? ['nsenter', '-t', String(this.#outsidePid), '-n', '--']
        : [...this.#inHost(), ...(netnsPath === '' ? [] : ['nsenter', `--net=${netnsPath}`, '--'])];
    const agent = new Agent(command);
    this.#agents.push(agent);
    return agent;
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.end()));
    await this.call('removeAll').catch(() => {});
    await this.stopNode(undefined);
    for (const holder of this.#holders) holder.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A full container id from a short name: hexadecimal. */
export function containerId(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(64, '0');
}

export async function eventually(
  check: () => boolean | Promise<boolean>,
  ms = 5_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    try {
      if (await check()) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (!(await check())) throw new Error('it did not happen in time');
}
