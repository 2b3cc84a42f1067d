// A real worker on folders of its own, for end-to-end tests: real images, network, shim, runtime; an image `bb:1` with a static busybox. Taken down in full
// at the end, also after a failed test. Needs root and the native programs.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineJson, NodeEngine } from '#protocol/engine';
import { createLog, nodeClock, nodeRandom } from '#protocol/transport/node-world';
import type { Worker } from '#worker/worker';
import { createWorker } from '#worker/worker';
import { writeBusyboxRoot } from './busybox-root.ts';
import { removeCgroups } from './cluster-lab/take-down.ts';

const NATIVE = new URL('../../native/build', import.meta.url).pathname;

export class WorkerNode {
  /** Below /run, as on a real host: a tmpfs. */
  readonly folder: string;
  worker: Worker;

  /** `folder`: an existing one to go on in. */
  constructor(folder = mkdtempSync('/run/tsw-test-')) {
    this.folder = folder;
    this.worker = this.#make();
  }

  #make(): Worker {
    return createWorker(
      {
        dataRoot: join(this.folder, 'data'),
        runRoot: join(this.folder, 'run'),
        nativeDir: NATIVE,
        runtimePath: process.env.TSWARM_TEST_RUNTIME ?? '',
        engineVersion: '0.1.0',
        labels: {},
        genericResources: [],
        insecureRegistries: [],
        registryMirrors: [],
      },
      {
        clock: nodeClock,
        random: nodeRandom,
        log: createLog({ level: 'error', format: 'text' }),
      },
    );
  }

  get engine(): NodeEngine {
    return this.worker.engine;
  }

  async start(): Promise<void> {
    await this.worker.start();
  }

  /** As an upgrade does: containers go on, another worker takes over. */
  async restart(): Promise<void> {
    await this.worker.stop();
    this.worker = this.#make();
    await this.worker.start();
  }

  /** What a reboot leaves of a node: no process, no mount, no control group, an empty run root, states that name another boot. */
  async simulateReboot(): Promise<void> {
    await this.worker.stop();
    const names = join(this.folder, 'run/network/names/names.pid');
    // `PID STARTTIME`, as the shim's.
    if (existsSync(names)) killPid(Number(readFileSync(names, 'utf8').split(' ')[0]));
    const containers = join(this.folder, 'data/containers');
    for (const id of readdirSync(containers)) {
      for (const file of ['shim.pid', 'container.pid']) {
        const path = join(this.folder, 'run/c', id, 'shim', file);
        if (existsSync(path)) killPid(Number(readFileSync(path, 'utf8').split(' ')[0]));
      }
      const path = join(containers, id, 'state.json');
      if (!existsSync(path)) continue;
      const state = JSON.parse(readFileSync(path, 'utf8')) as object;
      writeFileSync(path, JSON.stringify({ ...state, bootId: 'another boot' }));
    }
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n').reverse();
    for (const line of mounts) {
      const target = line.split(' ')[1] ?? '';
      if (target.startsWith(`${this.folder}/`)) execFileSync('umount', ['-l', target]);
    }
    rmSync(join(this.folder, 'run'), { recursive: true, force: true });
    await removeCgroups(readFileSync(join(this.folder, 'data/node-tag'), 'utf8').trim());
    this.worker = this.#make();
    await this.worker.start();
  }

  /** `bb:1`: busybox, user `web` (101:102), a file /data/from-image. */
  async addImage(): Promise<void> {
    const root = join(this.folder, 'bb-root');
    writeBusyboxRoot(root);
    await this.importRoot(root, 'bb:1', ['CMD ["sh"]', 'ENV FROM_IMAGE=1']);
  }

  /** An image of a folder; `name` with its tag. */
  async importRoot(root: string, name: string, changes: readonly string[]): Promise<void> {
    const tar = spawn('tar', ['-C', root, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [repo = '', tag = ''] = name.split(':');
    const options = { repo, tag, message: '', changes };
    for await (const line of await this.engine.images.importTar(tar.stdout, options)) void line;
  }

  /** Creates and starts. @returns the id */
  async run(body: EngineJson, name = ''): Promise<string> {
    const created = await this.engine.containers.create(
      { Image: 'bb:1', ...body },
      { name, platform: '' },
    );
    const id = String(created.Id);
    await this.engine.containers.start(id);
    return id;
  }

  /** Runs to the end. @returns exit code and output */
  async runToEnd(body: EngineJson): Promise<{ code: number; out: string; id: string }> {
    const created = await this.engine.containers.create(
      { Image: 'bb:1', ...body },
      { name: '', platform: '' },
    );
    const id = String(created.Id);
    const waiting = await this.engine.containers.wait(id, 'next-exit');
    await this.engine.containers.start(id);
    const { StatusCode } = await waiting.exit;
    const out = await this.logs(id);
    await this.engine.containers.remove(id, { force: true, volumes: true });
    return { code: StatusCode, out, id };
  }

  /** `sh -c script` in a container in no network. */
  sh(
    script: string,
    hostConfig: EngineJson = {},
    config: EngineJson = {},
  ): Promise<{ code: number; out: string; id: string }> {
    return this.runToEnd({
      Cmd: ['sh', '-c', script],
      ...config,
      HostConfig: { NetworkMode: 'none', ...hostConfig },
    });
  }

  async logs(id: string, stream: 'stdout' | 'stderr' | 'both' = 'both'): Promise<string> {
    const { output } = await this.engine.containers.logs(
      id,
      {
        stdout: stream !== 'stderr',
        stderr: stream !== 'stdout',
        follow: false,
        timestamps: false,
        details: false,
        sinceMicros: 0,
        untilMicros: 0,
        tail: -1,
      },
      new AbortController().signal,
    );
    return textOf(output);
  }

  /** @returns exit code and output of a command in a running container */
  async exec(
    id: string,
    command: readonly string[],
    more: EngineJson = {},
  ): Promise<{ code: number; out: string }> {
    const created = await this.engine.exec.create(id, {
      Cmd: command,
      AttachStdout: true,
      AttachStderr: true,
      ...more,
    });
    const execId = String(created.Id);
    const stream = await this.engine.exec.start(execId, { detach: false, tty: false });
    const out = stream ? await textOf(stream.output) : '';
    const { ExitCode } = await this.engine.exec.inspect(execId);
    return { code: Number(ExitCode), out };
  }

  async state(id: string): Promise<Record<string, unknown>> {
    const json = await this.engine.containers.inspect(id, { size: false });
    return json.State as Record<string, unknown>;
  }

  async destroy(): Promise<void> {
    try {
      await this.worker.destroy();
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

function killPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended with the other one.
  }
}

export async function textOf(
  output: AsyncIterable<{ readonly data: Uint8Array }>,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const { data } of output) chunks.push(data);
  return Buffer.concat(chunks).toString('utf8');
}

/** Resolves when `check` holds; fails after `ms`. */
export async function eventually(
  check: () => Promise<boolean> | boolean,
  ms = 10_000,
): Promise<void> {
  const end = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`not so after ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
