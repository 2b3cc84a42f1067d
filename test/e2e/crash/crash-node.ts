// A node that can be killed and rebooted. It lives in a mount namespace of its own beside its network namespace, so that all of its mounts are found in
// one place and a reboot can do what a real one does: everything that is not on disk (mounts, interfaces, rules, cgroups, processes, the run root) is
// gone, and the boot id is another one. Ends only processes that are in its own namespaces or cgroups.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { NODE, ROOT, TestNode, until } from '../../support/test-node.ts';
import { EngineClient } from './engine-client.ts';
import { PowerDisk } from './power-disk.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const CRASH_POINTS = join(import.meta.dirname, 'crash-points.mjs');
/** All deadlines here are for a machine that has much else to do. */
const START_TIMEOUT_MS = 120_000;

export type Victim = 'daemon' | 'manager' | 'both';

export class CrashNode extends TestNode {
  readonly #mountNamespace: string = join(this.folder, 'ns/mnt');
  readonly #bootIdFile: string = join(this.folder, 'boot_id');
  readonly crashPointFile: string = join(this.folder, 'crash-point');
  readonly api: EngineClient = new EngineClient(this.socket);
  readonly clusterApi: EngineClient = new EngineClient(this.clusterSocket);
  readonly #disk: PowerDisk | undefined;
  #process: ChildProcess | undefined;
  #boots = 0;

  /** `ownDisk`: the data root is a file system of its own, whose unsynced contents a power cut takes away. */
  constructor(options: { readonly ownDisk?: boolean } = {}) {
    super();
    if (options.ownDisk) this.#disk = new PowerDisk(join(this.folder, 'disk'), this.dataRoot);
    mkdirSync(join(this.folder, 'ns'));
    must('mount', ['--bind', join(this.folder, 'ns'), join(this.folder, 'ns')]);
    must('mount', ['--make-private', join(this.folder, 'ns')]);
    writeFileSync(this.#mountNamespace, '');
    this.#boot();
  }

  override get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Command line before a program that shall run on this node. */
  get enter(): readonly string[] {
    return ['nsenter', `--net=${this.netns}`, `--mount=${this.#mountNamespace}`];
  }

  #boot(): void {
    this.#boots += 1;
    const count = String(this.#boots).padStart(12, '0');
    writeFileSync(this.#bootIdFile, `00000000-0000-4000-8000-${count}\n`);
    must('unshare', [
      `--mount=${this.#mountNamespace}`,
      ...['--propagation', 'private'],
      'sh',
      '-c',
      // Copies of other nodes' mounts would keep those busy for ever.
      `mount --bind ${this.#bootIdFile} ${BOOT_ID}
       awk '{print $5}' /proc/self/mountinfo | grep -E '^/(tmp|run)/.' | grep -v '^${this.folder}' |
         sort -r | xargs -r umount -l 2>/dev/null
       true`,
    ]);
  }

  override log(bytes = 6_000): string {
    return readQuietly(this.logFile).slice(-bytes);
  }

  override async start(flags: readonly string[] = []): Promise<void> {
    const log = openSync(this.logFile, 'a');
    const roots = ['--data-root', this.dataRoot, '--run-root', this.runRoot];
    const [command = '', ...args] = [...this.enter, NODE, join(ROOT, 'dist/daemon/main.js')];
    const daemon = spawn(command, [...args, ...roots, '--manager-user', '', ...flags], {
      stdio: ['ignore', log, log],
      detached: true,
      cwd: '/',
      env: {
        PATH: process.env.PATH ?? '',
        NODE_OPTIONS: `--import=${CRASH_POINTS}`,
        TSWARM_CRASH_POINT: this.crashPointFile,
      },
    });
    closeSync(log);
    this.#process = daemon;
    await until(
      async () => {
        if (daemon.exitCode !== null || daemon.signalCode !== null) {
          throw new Error(`tswarmd ended with ${daemon.exitCode}:\n${this.log()}`);
        }
        return (await this.api.text('/_ping').catch(() => '')) === 'OK';
      },
      START_TIMEOUT_MS,
      () => `tswarmd does not answer:\n${this.log()}`,
    );
  }

  /** Starts the daemon so that it is killed before its `step`-th step. @returns as `disarm` */
  async startAndDie(step: number): Promise<string> {
    writeFileSync(this.crashPointFile, String(step));
    try {
      await this.start();
    } catch (error) {
      if (!readQuietly(this.crashPointFile).startsWith('killed')) throw error;
    }
    return this.disarm();
  }

  /** Has the running daemon killed before its `step`-th step from now; 0: never. */
  async arm(step: number): Promise<void> {
    writeFileSync(this.crashPointFile, String(step));
    process.kill(this.pid, 'SIGUSR2');
    await until(() => readQuietly(this.crashPointFile) !== String(step), 60_000);
  }

  /** @returns what it was about to do when it was killed; '' when it has not been: it runs on then and counts no more */
  async disarm(): Promise<string> {
    const daemon = this.#process;
    if (!readQuietly(this.crashPointFile).startsWith('killed')) {
      await this.arm(0).catch((error: unknown) => {
        // In this moment it was killed after all.
        if (!readQuietly(this.crashPointFile).startsWith('killed')) throw error;
      });
    }
    const text = readQuietly(this.crashPointFile).trim();
    rmSync(this.crashPointFile, { force: true });
    if (!text.startsWith('killed')) return '';
    await until(() => daemon?.signalCode === 'SIGKILL', 60_000);
    this.#process = undefined;
    return text;
  }

  override async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const daemon = this.#process;
    this.#process = undefined;
    if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill(signal);
    await ended;
  }

  /** Pid of the manager, a child of the daemon; 0 when there is none. */
  managerPid(): number {
    const children = this.nodeProcesses().filter((pid) => parentOf(pid) === this.pid);
    return children.find((pid) => /manager/.test(commandOf(pid))) ?? 0;
  }

  /** Kills at once and waits for the end of what was killed. The daemon must then be started again; the manager is started by the daemon. */
  async crash(victim: Victim): Promise<void> {
    const manager = victim === 'daemon' ? 0 : this.managerPid();
    if (manager > 0) trySignal(manager, 'SIGKILL');
    if (victim === 'manager') {
      await until(() => !existsSync(`/proc/${manager}`) || isZombie(manager), 60_000);
      return;
    }
    await this.stop('SIGKILL');
  }

  /** Resolves when the cluster takes changes (again): proven by making one. */
  async untilCluster(timeoutMs = 120_000): Promise<void> {
    let reason = '';
    await until(
      async () => {
        try {
          const body = { Name: 'proof', Data: 'eA==' };
          const { ID } = await this.api.json('POST', '/configs/create', body);
          await this.api.text(`/configs/${ID}`, 'DELETE');
          return true;
        } catch (error) {
          reason = String(error);
          // The last proof was cut between its two calls.
          await this.api.text('/configs/proof', 'DELETE').catch(() => {});
          return false;
        }
      },
      timeoutMs,
      () => `the cluster does not come back: ${reason}\n${this.log()}`,
    );
  }

  /**
   * Power off and on: every process of the node ends, everything that only the kernel or a tmpfs had is gone. `orderly`: the daemon is told to
   * stop first and the containers get SIGTERM, as an init system does it. Otherwise a disk of its own loses what was not synced.
   */
  async reboot(orderly: boolean): Promise<void> {
    const tag = this.tag;
    if (orderly) {
      await this.stop('SIGTERM');
      for (const pid of this.containerProcesses()) trySignal(pid, 'SIGTERM');
      await new Promise((resolve) => setTimeout(resolve, 100));
    } else {
      await this.stop('SIGKILL');
      this.#disk?.cut();
    }
    await until(() => {
      // Shims before containers: nobody must be left to write down how those ended.
      for (const pid of this.nodeProcesses()) trySignal(pid, 'SIGKILL');
      for (const pid of this.containerProcesses(tag)) trySignal(pid, 'SIGKILL');
      return this.nodeProcesses().length + this.containerProcesses(tag).length === 0;
    }, 60_000);
    this.#powerOff(tag);
    await this.#disk?.unmount();
    this.#disk?.mount();
    this.#boot();
    await this.resetNetwork();
  }

  #powerOff(tag: string): void {
    for (const folder of this.cgroups(tag).toReversed()) rmdirSync(folder);
    must('umount', ['-l', this.#mountNamespace]);
    for (const name of readdirSync(this.runRoot)) {
      rmSync(join(this.runRoot, name), { recursive: true, force: true });
    }
  }

  /** What was done up to now survives a power cut. */
  syncDisk(): void {
    this.#disk?.sync();
  }

  /** An unorderly reboot takes away what was not synced. */
  get canLoseData(): boolean {
    return this.#disk !== undefined;
  }

  /** A new, empty network namespace under the same name. */
  async resetNetwork(): Promise<void> {
    must('umount', ['-l', this.netns]);
    must('unshare', [`--net=${this.netns}`, 'true']);
    must('nsenter', [`--net=${this.netns}`, 'ip', 'link', 'set', 'lo', 'up']);
  }

  /** The tag that names this node's kernel objects; '' before the first start. */
  get tag(): string {
    const path = join(this.dataRoot, 'node-tag');
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  }

  /** Folders of this node's cgroups, parents before children. */
  cgroups(tag: string = this.tag): string[] {
    if (tag === '') return [];
    const found: string[] = [];
    const walk = (folder: string): void => {
      found.push(folder);
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) walk(join(folder, entry.name));
      }
    };
    for (const root of ['.', ...readdirSync('/sys/fs/cgroup')]) {
      const folder = join('/sys/fs/cgroup', root, `tswarm-${tag}`);
      if (existsSync(folder)) walk(folder);
    }
    return found;
  }

  /** Processes of the node itself: in its mount namespace. Zombies are not counted. */
  nodeProcesses(): number[] {
    const mine = namespaceInode(this.#mountNamespace);
    return allPids().filter((pid) => namespaceOf(pid) === mine && !isZombie(pid));
  }

  /** Processes in the node's cgroups: containers, their execs and build steps. */
  containerProcesses(tag: string = this.tag): number[] {
    if (tag === '') return [];
    return allPids().filter((pid) => {
      return readQuietly(`/proc/${pid}/cgroup`).includes(`/tswarm-${tag}/`) && !isZombie(pid);
    });
  }

  override processes(): number[] {
    return [...new Set([...this.nodeProcesses(), ...this.containerProcesses()])];
  }

  /** Mount points below the node's folder as the node sees them. */
  mounts(): string[] {
    const [command = '', ...args] = [...this.enter, 'cat', '/proc/self/mountinfo'];
    return execFileSync(command, args, { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(this.runRoot) || path.startsWith(this.dataRoot));
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
    for (let round = 0; round < 50 && this.processes().length > 0; round++) {
      for (const pid of this.processes()) trySignal(pid, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#powerOff(this.tag);
    must('umount', ['-l', this.netns]);
    must('umount', ['-l', join(this.folder, 'ns')]);
    await this.#disk?.unmount();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function commandOf(pid: number): string {
  return readQuietly(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

export function parentOf(pid: number): number {
  return Number(statOf(pid)[1] ?? 0);
}

function isZombie(pid: number): boolean {
  return ['Z', 'X', undefined].includes(statOf(pid)[0]);
}

/** Fields of /proc/PID/stat after the name: state, parent, … */
function statOf(pid: number): string[] {
  const text = readQuietly(`/proc/${pid}/stat`);
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`).replace(/\D/g, '');
  } catch {
    return '';
  }
}

function namespaceInode(path: string): string {
  return execFileSync('stat', ['-L', '-c', '%i', path], { encoding: 'utf8' }).trim();
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    if (pid > 1) process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function must(command: string, args: readonly string[]): void {
  execFileSync(command, [...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}
