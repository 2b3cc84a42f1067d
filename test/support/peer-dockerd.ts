// dockerd from Debian as the peer of a benchmark, or as a caller of our runtime: its own data root, network namespace and mount namespace (without the v2 control group tree, which this
// version does not understand beside v1). Ended and cleaned up by `dispose`.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Result, type RunOptions, run, until } from './test-node.ts';

const ADDRESS = '10.77.0.1';

export class PeerDockerd implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tswarm-peer-'));
  readonly socket: string = join(this.folder, 'docker.sock');
  #process: ChildProcess | undefined;
  /** Pid of dockerd itself; its namespaces are the peer's. */
  pid = 0;

  async start(flags: readonly string[] = []): Promise<void> {
    const script = [
      'set -e',
      'mount --make-rprivate /',
      'umount /sys/fs/cgroup/unified 2>/dev/null || true',
      // Where it mounts namespaces, by names that others of its kind have, too.
      'mkdir -p /run/docker && mount -t tmpfs tmpfs /run/docker',
      'ip link set lo up',
      'ip link add peer0 type veth peer name peer1',
      `ip addr add ${ADDRESS}/24 dev peer0`,
      'ip link set peer0 up',
      'ip link set peer1 up',
      `exec dockerd --data-root ${this.folder}/data --exec-root ${this.folder}/exec --pidfile ${this.folder}/pid --host unix://${this.socket} ${flags.join(' ')}`,
    ].join('\n');
    this.#process = spawn('unshare', ['--net', '--mount', 'sh', '-c', script], {
      stdio: 'ignore',
      env: { ...process.env, DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
    });
    await until(
      async () => existsSync(this.socket) && (await this.docker(['info'])).code === 0,
      60_000,
      () => 'dockerd does not answer',
    );
    this.pid = Number(readFileSync(join(this.folder, 'pid'), 'utf8'));
  }

  get netns(): string {
    return `/proc/${this.pid}/ns/net`;
  }

  async initSwarm(): Promise<void> {
    const result = await this.docker(['swarm', 'init', '--advertise-addr', ADDRESS]);
    if (result.code !== 0) throw new Error(result.stderr);
  }

  docker(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run('docker', ['-H', `unix://${this.socket}`, ...args], options);
  }

  inside(command: string, args: readonly string[]): Promise<Result> {
    return run('nsenter', ['-t', String(this.pid), '--net', command, ...args], {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.docker(['swarm', 'leave', '--force']);
    await this.docker(['ps', '-aq']).then(({ stdout }) => {
      const ids = stdout
        .trim()
        .split('\n')
        .filter((id) => id !== '');
      return ids.length > 0 ? this.docker(['rm', '-f', ...ids]) : undefined;
    });
    const child = this.#process;
    // One that ended by itself is not waited for.
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (this.pid > 1) process.kill(this.pid, 'SIGTERM');
      else child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
