// One `RUN`: a command in a prepared root file system, under the same runtime and with the same defaults (capabilities, seccomp, masks, devices) as every
// container. The runtime runs in the foreground and hands the output over; when it has ended or was cancelled, nothing of the step is left: process,
// cgroup, network namespace, mount. Without a network manager the step is in the node's own network namespace.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { defaultHostConfig } from '../engine/host-config.ts';
import type { BuildStep, BuildStepRunner, ImageStore } from '../images/types.ts';
import type { AttachResult, NetworkManager } from '../network/types.ts';
import { bundleOf, type NamespaceSource } from '../runtime/bundle.ts';
import type { BoundFile } from '../runtime/bundle-mounts.ts';
import { hostFile, hostsFile } from '../runtime/etc-files.ts';
import type { HostFacts } from '../runtime/host-facts.ts';
import { callNative, parseErrorLine } from '../runtime/native-call.ts';
import type { ContainerRecord, MountPoint } from '../runtime/record.ts';
import { UserLookup } from '../runtime/user-lookup.ts';
import { STEP_STOP_MS } from './limits.ts';

export interface StepRunnerOptions {
  readonly nativeDir: string;
  /** Absolute: bundles of steps under way; `<dataRoot>/build/steps`. */
  readonly stepsDir: string;
  /** `--root` of the runtime, apart from the containers'. */
  readonly runtimeRoot: string;
  /** First 8 characters of the node id: cgroups are `/tswarm-<tag>/<step>`. */
  readonly nodeTag: string;
}

export interface StepRunnerDeps {
  readonly images: ImageStore;
  readonly host: HostFacts;
  readonly log: Log;
  /** Undefined: every step is in the node's network namespace. */
  readonly network: NetworkManager | undefined;
}

export interface RecoverableStepRunner extends BuildStepRunner {
  /** Ends and removes what steps of an earlier process left. */
  recover(): Promise<void>;
}

export function createStepRunner(
  options: StepRunnerOptions,
  deps: StepRunnerDeps,
): RecoverableStepRunner {
  return new StepRunner(options, deps);
}

type OnOutput = Parameters<BuildStepRunner['run']>[1];

class StepRunner implements RecoverableStepRunner {
  readonly #options: StepRunnerOptions;
  readonly #deps: StepRunnerDeps;
  readonly #runtime: string;
  readonly #users: UserLookup;

  constructor(options: StepRunnerOptions, deps: StepRunnerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#runtime = join(options.nativeDir, 'tswarm-runtime');
    this.#users = new UserLookup(options.nativeDir);
  }

  async run(
    step: BuildStep,
    onOutput: OnOutput,
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }> {
    const dir = join(this.#options.stepsDir, step.containerId);
    try {
      signal.throwIfAborted();
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await this.#prepare(step, dir);
      return { exitCode: await this.#execute(step, dir, onOutput, signal), oomKilled: false };
    } catch (error) {
      if (signal.aborted) throw new TswarmError('cancelled', 'build: cancelled', { cause: error });
      throw error;
    } finally {
      await this.#remove(step.containerId);
    }
  }

  async recover(): Promise<void> {
    const ids = await readdir(this.#options.stepsDir).catch(() => []);
    for (const id of ids) {
      await this.#remove(id);
      await this.#deps.images.removeRootfs(id);
    }
  }

  async #prepare(step: BuildStep, dir: string): Promise<void> {
    const { mergedDir } = await this.#deps.images.mountRootfs(step.containerId);
    const attach = await this.#attach(step);
    const user = await this.#users.resolve({
      rootDir: mergedDir,
      user: step.user,
      groups: [],
      cacheKey: '',
    });
    const config = bundleOf({
      record: recordOf(step),
      rootDir: mergedDir,
      user,
      mounts: step.mounts.map(mountPointOf),
      files: await this.#etcFiles(step, dir, attach),
      devices: [],
      blockDevices: {},
      network: networkSource(step, attach),
      ipc: { kind: 'new' },
      pid: { kind: 'new' },
      shmSource: '',
      cgroupsPath: `/tswarm-${this.#options.nodeTag}/${step.containerId}`,
      initPath: join(this.#options.nativeDir, 'tswarm-init'),
      host: this.#deps.host,
    });
    await writeFile(join(dir, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  }

  async #attach(step: BuildStep): Promise<AttachResult | undefined> {
    const { network } = this.#deps;
    if (network === undefined || step.networkMode === 'host') return undefined;
    const isNone = step.networkMode === 'none';
    const isBridge = step.networkMode === '' || step.networkMode === 'default';
    const networkId = isBridge ? 'bridge' : step.networkMode;
    const attachment = { networkId, addresses: [], aliases: [], gwPriority: 0 };
    return network.attach(step.containerId, {
      mode: isNone ? 'none' : 'networks',
      attachments: isNone ? [] : [attachment],
      ports: [],
      hostname: hostnameOf(step),
      names: [],
      dns: { nameservers: [], search: [], options: [] },
      sysctls: {},
      macAddress: '',
      taskId: '',
    });
  }

  async #etcFiles(
    step: BuildStep,
    dir: string,
    attach: AttachResult | undefined,
  ): Promise<readonly BoundFile[]> {
    const contents: Readonly<Record<string, string>> = {
      hostname: `${hostnameOf(step)}\n`,
      hosts: hostsFile({
        hostname: hostnameOf(step),
        domainname: '',
        endpoints: attach?.endpoints ?? [],
        extraHosts: step.extraHosts,
        hostGateway: attach?.hostGateway ?? '127.0.0.1',
      }),
      'resolv.conf': attach?.resolvConf ?? (await hostFile('/etc/resolv.conf')),
    };
    const files: BoundFile[] = [];
    for (const [name, content] of Object.entries(contents)) {
      const source = join(dir, name);
      await writeFile(source, content, { mode: 0o644 });
      files.push({ source, target: `/etc/${name}`, readonly: false });
    }
    return files;
  }

  async #execute(
    step: BuildStep,
    dir: string,
    onOutput: OnOutput,
    signal: AbortSignal,
  ): Promise<number> {
    const logPath = join(dir, 'runtime.log');
    const child = spawn(
      this.#runtime,
      [
        ...['--root', this.#options.runtimeRoot, '--log', logPath, '--log-format', 'json'],
        ...['run', '--bundle', dir, step.containerId],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: {}, cwd: '/' },
    );
    const errors = new ErrorLineHolder((data) => onOutput('stderr', data));
    child.stdout.on('data', (data: Buffer) => onOutput('stdout', data));
    child.stderr.on('data', (data: Buffer) => errors.push(data));
    const kill = (): void => void this.#kill(step.containerId, child);
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    try {
      const [code] = (await once(child, 'close')) as [number | null];
      signal.throwIfAborted();
      if (await hasFailed(logPath)) throw errors.asError(step);
      errors.flush();
      return code ?? 137;
    } finally {
      signal.removeEventListener('abort', kill);
    }
  }

  /** The container's processes first: their output ends, and with it the runtime. */
  async #kill(id: string, child: ChildProcess): Promise<void> {
    await this.#delete(id);
    const timer = setTimeout(() => child.kill('SIGKILL'), STEP_STOP_MS);
    child.once('close', () => clearTimeout(timer));
    if (child.exitCode !== null) clearTimeout(timer);
  }

  async #remove(id: string): Promise<void> {
    await this.#delete(id);
    await this.#deps.network?.detach(id);
    await this.#deps.images.unmountRootfs(id);
    await rm(join(this.#options.stepsDir, id), { recursive: true, force: true });
  }

  async #delete(id: string): Promise<void> {
    const args = ['--root', this.#options.runtimeRoot, 'delete', '--force', id];
    await callNative(this.#runtime, args).catch((error: unknown) => {
      this.#deps.log.debug('build step was not there to delete', {
        step: id,
        reason: messageOf(error),
      });
    });
  }
}

function hostnameOf(step: BuildStep): string {
  return step.containerId.slice(0, 12);
}

function networkSource(step: BuildStep, attach: AttachResult | undefined): NamespaceSource {
  if (attach !== undefined) return { kind: 'path', path: attach.netnsPath };
  return step.networkMode === 'none' ? { kind: 'new' } : { kind: 'host' };
}

function recordOf(step: BuildStep): ContainerRecord {
  const [path = '', ...args] = step.args;
  return {
    version: 1,
    id: step.containerId,
    name: step.containerId,
    createdAt: 0,
    image: step.imageId,
    imageId: step.imageId,
    config: {
      Hostname: hostnameOf(step),
      Domainname: '',
      User: step.user,
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Env: step.env,
      Cmd: null,
      Image: step.imageId,
      Volumes: null,
      WorkingDir: step.cwd,
      Entrypoint: null,
      OnBuild: null,
      Labels: {},
    },
    hostConfig: {
      ...defaultHostConfig(),
      NetworkMode: step.networkMode,
      ShmSize: step.shmBytes,
    },
    endpoints: {},
    mounts: step.mounts.map(mountPointOf),
    path,
    args,
  };
}

function mountPointOf(mount: BuildStep['mounts'][number]): MountPoint {
  const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
  return {
    Type: mount.type,
    Source: mount.source,
    Destination: mount.target,
    Mode: '',
    RW: !mount.readonly,
    Propagation: mount.type === 'bind' ? 'rprivate' : '',
    extra: {
      createSource: false,
      nonRecursive: false,
      copyUp: false,
      subpath: '',
      tmpfsOptions: size,
      anonymous: false,
      readonlyRecursive: false,
    },
  };
}

async function hasFailed(logPath: string): Promise<boolean> {
  const text = await readFile(logPath, 'utf8').catch(() => '');
  return text.split('\n').some((line) => /"level":\s*"error"/.test(line));
}

/**
 * stderr of the runtime is the command's, except that the runtime's own last words, a JSON line, come there as well. A piece that looks like one is held
 * back until it is clear that more follows.
 */
class ErrorLineHolder {
  readonly #emit: (data: Uint8Array) => void;
  #held: Buffer = Buffer.alloc(0);

  constructor(emit: (data: Uint8Array) => void) {
    this.#emit = emit;
  }

  push(data: Buffer): void {
    const all = Buffer.concat([this.#held, data]);
    const start = all.lastIndexOf('{"code":"');
    const isLine = start === 0 || (start > 0 && all[start - 1] === 0x0a);
    const cut = isLine ? start : all.length;
    if (cut > 0) this.#emit(all.subarray(0, cut));
    this.#held = all.subarray(cut);
  }

  flush(): void {
    if (this.#held.length > 0) this.#emit(this.#held);
    this.#held = Buffer.alloc(0);
  }

  asError(step: BuildStep): TswarmError {
    const text = this.#held.toString('utf8').trim();
    const found = parseErrorLine(text);
    return found ?? new TswarmError('internal', `cannot run ${step.args[0] ?? ''}: ${text}`);
  }
}
