// podman from Debian with a runtime of the caller's choice: storage, state and configuration in a folder of its own, removed by `dispose`.
// Its configuration asks for no limits above those of this process, which not every root may raise, and names our own init.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Result, ROOT, type RunOptions, run } from './test-node.ts';

export class PeerPodman implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tswarm-podman-'));
  readonly #global: readonly string[];

  constructor(runtime: string) {
    writeFileSync(
      join(this.folder, 'containers.conf'),
      `[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]\ninit_path = "${ROOT}/native/build/tswarm-init"\n`,
    );
    this.#global = [
      ...['--root', join(this.folder, 'storage'), '--runroot', join(this.folder, 'run')],
      ...['--tmpdir', join(this.folder, 'tmp'), '--storage-driver', 'vfs'],
      ...['--cgroup-manager', 'cgroupfs', '--events-backend', 'file', '--runtime', runtime],
    ];
  }

  podman(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const env = { ...options.env, CONTAINERS_CONF: join(this.folder, 'containers.conf') };
    return run('podman', [...this.#global, ...args], { ...options, env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.podman(['rm', '--all', '--force', '--time', '0']);
    await this.podman(['system', 'reset', '--force']);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
