// A cluster on one machine: each node is a real tswarmd with a network, a host name, a data root and a run root of its own. Used by people
// (`npm run cluster`) and by test/cluster. Every method works from the lab's folder alone, so different shells can drive the same lab.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeBusyboxRoot } from '../busybox-root.ts';
import { commandLines } from '../command-lines.ts';
import { type Result, type RunOptions, run } from '../test-node.ts';
import {
  addressOf,
  dropFrom,
  droppedFrom,
  heal,
  lose,
  makeHost,
  makeSwitch,
  must,
} from './kernel.ts';
import { endSlowDisk, hasSlowDisk, slowDisk } from './slow-disk.ts';
import {
  controlPids,
  daemonPid,
  type LabNode,
  labFolder,
  NODE,
  type NodePaths,
  pathsOf,
  ROOT,
  readLab,
  stateOf,
  writeLab,
} from './state.ts';
import { powerOff, takeDown } from './take-down.ts';

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

export type DaemonState = 'running' | 'paused' | 'stopped';

export interface StartOptions {
  /** The daemon's wall clock is off by this many seconds. */
  readonly clockOffsetS?: number;
}

export interface UpOptions {
  readonly managers: number;
  readonly workers: number;
  /** More flags for `tswarm init`. */
  readonly initFlags?: readonly string[];
  /** More flags for every tswarmd. */
  readonly daemonFlags?: readonly string[];
  /** Told what happens, line by line. */
  readonly progress?: (line: string) => void;
}

export class Lab implements AsyncDisposable {
  readonly folder: string;

  constructor(name: string) {
    this.folder = labFolder(name);
  }

  get exists(): boolean {
    return existsSync(this.folder);
  }

  get nodes(): readonly LabNode[] {
    return readLab(this.folder)?.nodes ?? [];
  }

  /** @throws when there is no such node. */
  node(name: string): LabNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found) return found;
    const known = this.nodes.map((node) => node.name).join(', ');
    throw new Error(`no node ${name}; this lab has ${known || 'none'}`);
  }

  paths(name: string): NodePaths {
    return pathsOf(this.folder, name);
  }

  /** Makes the hosts, starts the daemons, and one cluster over all of them. */
  async up(options: UpOptions): Promise<void> {
    if (this.exists) throw new Error(`${this.folder} is there already; take it down first`);
    const say = options.progress ?? ((): void => {});
    const names = [
      ...Array.from({ length: options.managers }, (_, i) => `m${i + 1}`),
      ...Array.from({ length: options.workers }, (_, i) => `w${i + 1}`),
    ];
    await this.makeNetwork();
    for (const name of names) this.addHost(name);
    await Promise.all(names.map((name) => this.start(name, options.daemonFlags)));
    say(`${names.length} hosts started`);
    await this.initCluster('m1', options.initFlags);
    say('m1: cluster created');
    const [manager, worker] = [await this.token('m1', 'manager'), await this.token('m1', 'worker')];
    // Managers one after the other, as people do it; workers all at once.
    for (const name of names.slice(1, options.managers)) {
      await this.join(name, manager, 'm1');
      say(`${name}: joined as manager`);
    }
    await Promise.all(
      names.slice(options.managers).map(async (name) => {
        await this.join(name, worker, 'm1');
        say(`${name}: joined as worker`);
      }),
    );
  }

  /** The folder and the switch, with nothing on it yet. */
  async makeNetwork(): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    makeSwitch(this.folder);
    // The command lines of this checkout, so that a shell on a node has them.
    const bin = join(this.folder, 'bin');
    mkdirSync(bin);
    for (const name of ['tswarm', 'tcompose']) {
      const script = join(ROOT, `dist/cli/${name}/main.js`);
      writeFileSync(join(bin, name), `#!/bin/sh\nexec ${NODE} ${script} "$@"\n`, { mode: 0o755 });
    }
  }

  /** Another host beside the ones there are; its daemon is not started. */
  addHost(name: string): LabNode {
    const { nodes } = this;
    const node = { name, address: addressOf(nodes.length) };
    const paths = this.paths(name);
    for (const folder of [paths.folder, paths.dataRoot, paths.runRoot]) {
      mkdirSync(folder, { recursive: true });
    }
    writeLab(this.folder, { nodes: [...nodes, node] });
    makeHost(this.folder, node, paths);
    return node;
  }

  async initCluster(name: string, flags: readonly string[] = []): Promise<void> {
    const { address } = this.node(name);
    await this.ok(name, ['init', '--advertise-addr', address, ...flags]);
  }

  async token(name: string, role: 'manager' | 'worker'): Promise<string> {
    return (await this.ok(name, ['join-token', '-q', role])).trim();
  }

  async join(
    name: string,
    token: string,
    via: string,
    flags: readonly string[] = [],
  ): Promise<void> {
    const target = `${this.node(via).address}:2377`;
    const result = await this.tswarm(name, ['join', '--token', token, ...flags, target]);
    if (result.code === 0) return;
    // A machine under load may take longer than a person is kept waiting.
    const goesOn = result.stderr.includes('will continue in the background');
    const endMs = performance.now() + START_TIMEOUT_MS;
    while (goesOn && performance.now() < endMs) {
      const info = await this.api<{ readonly Swarm: { readonly LocalNodeState: string } }>(
        name,
        '/info',
      ).catch(() => undefined);
      if (info?.Swarm.LocalNodeState === 'active') return;
      await sleep(POLL_MS);
    }
    throw new Error(`${name}: tswarm join ${target}: ${result.stderr || result.stdout}`);
  }

  /** Runs a tswarm command on a node. */
  tswarm(name: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    commandLines.push(['tswarm', ...args]);
    return this.exec(name, [NODE, join(ROOT, 'dist/cli/tswarm/main.js'), ...args], options);
  }

  tcompose(name: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    commandLines.push(['tcompose', ...args]);
    return this.exec(name, [NODE, join(ROOT, 'dist/cli/tcompose/main.js'), ...args], options);
  }

  /** The same, but must succeed. @returns standard output. */
  async ok(name: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.tswarm(name, args, options);
    if (result.code === 0) return result.stdout;
    throw new Error(`${name}: tswarm ${args.join(' ')}: ${result.stderr || result.stdout}`);
  }

  /** The answer of a GET on a node's Docker socket. */
  async api<T>(name: string, path: string): Promise<T> {
    const { socket } = this.paths(name);
    const args = ['-s', '-m', '10', '--unix-socket', socket, `http://node${path}`];
    return JSON.parse((await run('curl', args, {})).stdout) as T;
  }

  /** Runs a command on a node: in its namespaces, talking to its daemon. */
  exec(name: string, command: readonly string[], options: RunOptions = {}): Promise<Result> {
    const env = { ...this.environment(name), ...options.env };
    return run('nsenter', [...this.enter(name), '--', ...command], { ...options, env });
  }

  /** Flags of nsenter(1) that lead into a node. */
  enter(name: string): readonly string[] {
    this.node(name);
    const paths = this.paths(name);
    return [`--net=${paths.netns}`, `--uts=${paths.utsns}`];
  }

  environment(name: string): Readonly<Record<string, string>> {
    const paths = this.paths(name);
    return {
      TSWARM_HOST: `unix://${paths.clusterSocket}`,
      DOCKER_HOST: `unix://${paths.socket}`,
      TSWARM_LAB_NODE: name,
      PATH: `${join(this.folder, 'bin')}:${process.env.PATH}`,
    };
  }

  /** Starts a node's daemon, or lets a paused one go on, and waits until it answers. */
  async start(
    name: string,
    flags: readonly string[] = [],
    options: StartOptions = {},
  ): Promise<void> {
    const paths = this.paths(name);
    if (this.state(name) === 'paused') for (const pid of controlPids(paths)) signal(pid, 'SIGCONT');
    if (this.state(name) === 'stopped') this.#spawn(name, flags, options);
    const endMs = performance.now() + START_TIMEOUT_MS;
    while (!(await this.answers(name))) {
      const isGone = daemonPid(paths) === undefined;
      if (isGone || performance.now() > endMs) {
        const what = isGone ? 'ended' : 'does not answer';
        throw new Error(`${name}: tswarmd ${what}:\n${this.log(name).slice(-3000)}`);
      }
      await sleep(POLL_MS);
    }
  }

  #spawn(name: string, flags: readonly string[], options: StartOptions): void {
    const paths = this.paths(name);
    const log = openSync(paths.log, 'a');
    const roots = ['--data-root', paths.dataRoot, '--run-root', paths.runRoot];
    const child = spawn(
      'nsenter',
      [...this.enter(name), NODE, join(ROOT, 'dist/daemon/main.js'), ...roots, ...flags],
      {
        stdio: ['ignore', log, log],
        detached: true,
        cwd: '/',
        env: { ...process.env, ...this.#clock(options.clockOffsetS) },
      },
    );
    closeSync(log);
    // nsenter becomes the daemon: the same pid.
    writeFileSync(paths.pidFile, String(child.pid));
    child.unref();
  }

  /** Environment of a daemon whose wall clock is off. */
  #clock(offsetS: number | undefined): Readonly<Record<string, string>> {
    if (offsetS === undefined) return {};
    const library = join(this.folder, 'clock-offset.so');
    if (!existsSync(library)) {
      const source = join(import.meta.dirname, 'clock-offset.c');
      must('gcc', ['-shared', '-fPIC', '-O1', '-o', library, source]);
    }
    return { LD_PRELOAD: library, CLOCK_OFFSET_S: String(offsetS) };
  }

  async answers(name: string): Promise<boolean> {
    const ping = ['-s', '-m', '2', '--unix-socket', this.paths(name).socket, 'http://node/_ping'];
    return (await run('curl', ping, {})).stdout === 'OK';
  }

  state(name: string): DaemonState {
    const pid = daemonPid(this.paths(name));
    if (pid === undefined) return 'stopped';
    return stateOf(pid) === 'T' ? 'paused' : 'running';
  }

  /** Daemon and manager stand still, as in a stalled virtual machine. Containers go on. */
  pause(name: string): void {
    for (const pid of controlPids(this.paths(name))) signal(pid, 'SIGSTOP');
  }

  /** Daemon and manager end at once, without a word; containers go on. */
  async kill(name: string): Promise<void> {
    const pids = controlPids(this.paths(name));
    for (const pid of pids) signal(pid, 'SIGKILL');
    await this.#gone(pids);
  }

  /** The whole host ends: daemon, manager, containers. What is on its disk stays; it is not started again. */
  async powerOff(name: string): Promise<void> {
    this.node(name);
    await powerOff(this.paths(name).folder);
  }

  /** SIGTERM, as systemd does it. */
  async stop(name: string): Promise<void> {
    const pids = controlPids(this.paths(name));
    if (this.state(name) === 'paused') for (const pid of pids) signal(pid, 'SIGCONT');
    signal(pids[0] ?? 0, 'SIGTERM');
    await this.#gone(pids);
  }

  async #gone(pids: readonly number[]): Promise<void> {
    const endMs = performance.now() + START_TIMEOUT_MS;
    while (pids.some((pid) => !['', 'Z'].includes(stateOf(pid))) && performance.now() < endMs) {
      await sleep(POLL_MS);
    }
  }

  /** No packet between the two, or with `oneWay` none from the first to the second. */
  partition(from: string, to: string, oneWay = false): void {
    dropFrom(this.paths(to), [this.node(from).address]);
    if (!oneWay) dropFrom(this.paths(from), [this.node(to).address]);
  }

  /** Nobody reaches this node, and it reaches nobody. */
  isolate(name: string): void {
    for (const node of this.nodes) if (node.name !== name) this.partition(name, node.name);
  }

  /** Writes of the node's daemon and manager that wait for the disk take about so long, until `heal` or their end; 0 as long as usual. */
  slow(name: string, ms: number): void {
    const paths = this.paths(name);
    endSlowDisk(this.folder, name);
    const pids = controlPids(paths);
    if (ms > 0) slowDisk(this.folder, name, { pids, dataRoot: paths.dataRoot, ms });
  }

  /** Ends all partitions and losses; disks are as fast as they are. */
  heal(): void {
    for (const { name } of this.nodes) {
      heal(this.paths(name));
      endSlowDisk(this.folder, name);
    }
  }

  hasSlowDisk(name: string): boolean {
    return hasSlowDisk(this.folder, name);
  }

  /** Whose packets a node does not get, by name. */
  cutFrom(name: string): string[] {
    const dropped = new Set(droppedFrom(this.paths(name)));
    return this.nodes.filter(({ address }) => dropped.has(address)).map((node) => node.name);
  }

  /** A node loses so many of the packets that others send it. */
  lose(name: string, percent: number): void {
    this.node(name);
    lose(this.paths(name), percent);
  }

  /** `busybox:test` on these nodes: a shell and its applets. */
  async importBusybox(names: readonly string[]): Promise<void> {
    const tar = join(this.folder, 'busybox.tar');
    if (!existsSync(tar)) {
      const root = join(this.folder, 'busybox');
      writeBusyboxRoot(root);
      must('tar', ['-C', root, '-cf', tar, '.']);
    }
    const flags = ['-c', 'CMD ["sh"]'];
    await Promise.all(
      names.map((name) => this.ok(name, ['image', 'import', tar, 'busybox:test', ...flags])),
    );
  }

  log(name: string): string {
    const { log } = this.paths(name);
    return existsSync(log) ? readFileSync(log, 'utf8') : '';
  }

  /** Removes every trace, also of a lab that has crashed. */
  async down(): Promise<void> {
    const names = this.nodes.map(({ name }) => name);
    await takeDown(this.folder);
    for (const name of names) endSlowDisk(this.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  if (pid <= 1) return;
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
