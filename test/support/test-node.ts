// A real tswarmd for tests: its own data root, run root and network namespace, the programs as they are shipped (dist/ and native/build/).
// Everything that it makes is taken away by `dispose`, also after a failed test; only processes that it started are ended, by their pid.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { powerOff, removeCgroups } from './cluster-lab/take-down.ts';
import { commandLines } from './command-lines.ts';

export const ROOT: string = join(import.meta.dirname, '../..');
export const NODE: string = join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`);

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Signal after this time, to try an interruption. */
  readonly interruptAfterMs?: number;
  /** Signal as soon as this has been resolved. */
  readonly interruptWhen?: Promise<unknown>;
}

export class TestNode implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tswarm-node-'));
  readonly dataRoot: string = join(this.folder, 'data');
  readonly runRoot: string = join(this.folder, 'run');
  readonly netns: string = join(this.folder, 'netns');
  readonly logFile: string = join(this.folder, 'tswarmd.log');
  #daemon: ChildProcess | undefined;

  constructor() {
    writeFileSync(this.netns, '');
    must('unshare', [`--net=${this.netns}`, 'true']);
    must('nsenter', [`--net=${this.netns}`, 'ip', 'link', 'set', 'lo', 'up']);
    mkdirSync(this.dataRoot);
    mkdirSync(this.runRoot);
  }

  get socket(): string {
    return join(this.runRoot, 'docker.sock');
  }

  get clusterSocket(): string {
    return join(this.runRoot, 'cluster.sock');
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  /** Starts the daemon and waits until it answers. */
  async start(flags: readonly string[] = []): Promise<void> {
    const log = openSync(this.logFile, 'a');
    const args = [
      join(ROOT, 'dist/daemon/main.js'),
      '--data-root',
      this.dataRoot,
      '--run-root',
      this.runRoot,
      ...flags,
    ];
    this.#daemon = spawn('nsenter', [`--net=${this.netns}`, NODE, ...args], {
      stdio: ['ignore', log, log],
      detached: true,
      cwd: '/',
    });
    closeSync(log);
    const daemon = this.#daemon;
    await until(
      async () => {
        if (daemon.exitCode !== null)
          throw new Error(`tswarmd ended with ${daemon.exitCode}:\n${this.log()}`);
        return (await this.curl('/_ping')).stdout === 'OK';
      },
      30_000,
      () => `tswarmd does not answer:\n${this.log()}`,
    );
  }

  /** Ends the daemon with a signal and waits until it is gone. Containers stay. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const daemon = this.#daemon;
    if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill(signal);
    await ended;
    this.#daemon = undefined;
  }

  log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').slice(-6000) : '';
  }

  tswarm(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.#program('dist/cli/tswarm/main.js', args, options);
  }

  tcompose(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.#program('dist/cli/tcompose/main.js', args, options);
  }

  docker(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run('docker', ['-H', `unix://${this.socket}`, ...args], options);
  }

  #program(script: string, args: readonly string[], options: RunOptions): Promise<Result> {
    commandLines.push([basename(dirname(script)), ...args]);
    const env = { ...options.env, TSWARM_HOST: `unix://${this.clusterSocket}` };
    return run(NODE, [join(ROOT, script), ...args], { ...options, env });
  }

  /** Runs a command in the node's network namespace. */
  inside(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run('nsenter', [`--net=${this.netns}`, command, ...args], options);
  }

  /** An HTTP request to the node's own socket. */
  curl(path: string, args: readonly string[] = []): Promise<Result> {
    return run(
      'curl',
      ['-s', '-m', '5', '--unix-socket', this.socket, ...args, `http://node${path}`],
      {},
    );
  }

  /** A tiny image with a shell, from the host's static busybox. */
  async importBusybox(name = 'busybox:test'): Promise<void> {
    const rootfs = join(this.folder, 'busybox');
    mkdirSync(join(rootfs, 'bin'), { recursive: true });
    mkdirSync(join(rootfs, 'etc'), { recursive: true });
    must('cp', ['/bin/busybox', join(rootfs, 'bin/busybox')]);
    must('/bin/busybox', ['--install', '-s', join(rootfs, 'bin')]);
    must('sh', [
      '-c',
      `cd ${rootfs}/bin && for f in *; do [ -L "$f" ] && ln -sf busybox "$f"; done; true`,
    ]);
    // A static program of glibc still loads these to look names up.
    const libraries = '/lib/x86_64-linux-gnu';
    mkdirSync(join(rootfs, libraries), { recursive: true });
    for (const name of ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2', 'libc.so.6']) {
      if (existsSync(join(libraries, name)))
        must('cp', ['-L', join(libraries, name), join(rootfs, libraries)]);
    }
    mkdirSync(join(rootfs, 'lib64'), { recursive: true });
    if (existsSync('/lib64/ld-linux-x86-64.so.2'))
      must('cp', ['-L', '/lib64/ld-linux-x86-64.so.2', join(rootfs, 'lib64')]);
    writeFileSync(
      join(rootfs, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
    );
    writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
    const tar = join(this.folder, 'busybox.tar');
    must('tar', ['-C', rootfs, '-cf', tar, '.']);
    const result = await this.tswarm(['image', 'import', tar, name, '-c', 'CMD ["sh"]']);
    if (result.code !== 0) throw new Error(`import failed: ${result.stderr}`);
  }

  /** A compose project in a folder of its own. @returns the folder */
  project(name: string, files: Readonly<Record<string, string>>): string {
    const folder = join(this.folder, 'projects', name);
    for (const [path, text] of Object.entries(files)) {
      const full = join(folder, path);
      mkdirSync(join(full, '..'), { recursive: true });
      writeFileSync(full, text);
    }
    return folder;
  }

  /** What of this node is left in the kernel: mounts, processes, links, cgroups, nft tables. */
  leftovers(): string[] {
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((path) => path.startsWith(this.folder) && path !== this.netns)
      .map((path) => `mount ${path}`);
    const processes = this.processes().map(
      (pid) => `process ${pid}: ${commandOf(pid).slice(0, 100)}`,
    );
    const links = spawnSync('nsenter', [`--net=${this.netns}`, 'ip', '-br', 'link'], {
      encoding: 'utf8',
    })
      .stdout.split('\n')
      .filter(
        (line) =>
          line !== '' && !/^(lo|tunl0|sit0|ip6tnl0|gre0|erspan0|gretap0|ip6gre0)/.test(line),
      )
      .map((line) => `link ${line.split(/\s+/)[0]}`);
    return [...mounts, ...processes, ...links];
  }

  /** Processes that name this node's folder on their command line, the daemon's own excluded. */
  processes(): number[] {
    const daemon = this.#daemon?.pid;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter(
        (pid) => pid !== daemon && pid !== process.pid && commandOf(pid).includes(this.folder),
      );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon && this.#daemon.exitCode === null) {
      await this.tswarm(['leave', '--force'], { timeoutMs: 30_000 }).catch(() => undefined);
      await this.stop();
    }
    await powerOff(this.folder);
    const tag = join(this.dataRoot, 'node-tag');
    // Containers that are no tasks stay when their node leaves, and so do their groups.
    if (existsSync(tag)) await removeCgroups(readFileSync(tag, 'utf8').trim());
    for (let round = 0; round < 3; round++) {
      const mounts = readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .map((line) => line.split(' ')[1] ?? '')
        .filter((path) => path.startsWith(this.folder))
        .sort()
        .reverse();
      for (const path of mounts) spawnSync('umount', ['-l', path]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function must(command: string, args: readonly string[]): void {
  const result = spawnSync(command, [...args], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
}

/** Runs a program to its end; never rejects for its exit code. */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Result> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      [...args],
      {
        cwd: options.cwd ?? '/',
        env: { PATH: process.env.PATH ?? '', HOME: '/root', ...options.env },
        maxBuffer: 64 * 1024 * 1024,
        timeout: options.timeoutMs ?? 120_000,
      },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number' && !error.killed && !error.signal) {
          reject(error);
          return;
        }
        const code = error ? (typeof error.code === 'number' ? error.code : 128) : 0;
        resolve({ code, stdout, stderr, ms: performance.now() - started });
      },
    );
    if (options.interruptAfterMs !== undefined) {
      setTimeout(() => child.kill('SIGINT'), options.interruptAfterMs);
    }
    options.interruptWhen?.then(
      () => child.kill('SIGINT'),
      () => child.kill('SIGINT'),
    );
    // A program that ends without reading is no fault of the test.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** Waits until the condition holds. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  timeoutMs: number,
  failure: () => string = () => 'condition not met in time',
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (performance.now() < end) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(failure());
}
