// A build's RUN as a container that is not in the table: same bundle, same runtime, no record on disk. It is found and swept at the worker's next start
// because its run folder belongs to no record.
import { join } from 'node:path';
import type { BuildLimits } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { checkHostConfig, parseHostConfig } from '../engine/host-config.ts';
import { makeFolder } from '../files.ts';
import type { BuildStep, BuildStepRunner } from '../images/types.ts';
import { deferred } from '../queue.ts';
import { Container } from './container.ts';
import type { RuntimeDeps } from './deps.ts';
import type { ContainerConfig, ContainerRecord, HostConfig, MountPoint } from './record.ts';
import { INITIAL_STATE, NO_EXTRA } from './record.ts';
import type { ShimStream } from './shim-client.ts';
import { startProcess, undoStart } from './start.ts';

/** Runs build steps with the worker's runtime. */
export function createBuildStepRunner(deps: RuntimeDeps): BuildStepRunner {
  return {
    run: (step, onOutput, signal) => runStep(step, onOutput, signal, deps),
    check: (limits) => checkHostConfig(limited(limits)),
  };
}

async function runStep(
  step: BuildStep,
  onOutput: (stream: 'stdout' | 'stderr', data: Uint8Array) => void,
  signal: AbortSignal,
  deps: RuntimeDeps,
): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }> {
  if (signal.aborted) throw new TswarmError('cancelled', 'build cancelled');
  const container = new Container(recordOf(step, deps), INITIAL_STATE, deps.files);
  await makeFolder(container.paths.dataDir, 0o710);
  const attached = deferred<ShimStream | undefined>();
  container.pendingAttaches.add({
    options: { stdin: false, stdout: true, stderr: true },
    stream: attached,
  });
  const reading = attached.promise.then(async (stream) => {
    if (!stream) return;
    for await (const frame of stream.output) onOutput(frame.stream, frame.data);
  });
  try {
    const { run, exit } = await startProcess(container, deps);
    const kill = (): void => void run.shim.kill(9, true).catch(() => undefined);
    signal.addEventListener('abort', kill, { once: true });
    // An abort during the start has called nobody.
    if (signal.aborted) kill();
    const info = await exit;
    signal.removeEventListener('abort', kill);
    run.closeWait();
    await reading;
    if (signal.aborted) throw new TswarmError('cancelled', 'build cancelled');
    if (!info)
      throw new TswarmError('internal', 'the process that keeps the build step was killed');
    return { exitCode: info.exitCode, oomKilled: info.oomKilled };
  } finally {
    attached.resolve(undefined);
    await undoStart(container, deps);
    await deps.files.removeAll(container.id);
  }
}

/** Of a container with these limits and nothing else that is unusual. */
function limited(limits: BuildLimits): HostConfig {
  return parseHostConfig({
    Memory: limits.memoryBytes,
    MemorySwap: limits.memorySwapBytes,
    CpuShares: limits.cpuShares,
    CpuPeriod: limits.cpuPeriodUs,
    CpuQuota: limits.cpuQuotaUs,
    CpusetCpus: limits.cpusetCpus,
    CpusetMems: limits.cpusetMems,
    CgroupParent: limits.cgroupParent,
  });
}

function recordOf(step: BuildStep, deps: RuntimeDeps): ContainerRecord {
  const onHost = step.networkMode === 'host';
  const config: ContainerConfig = {
    Hostname: onHost ? deps.host.hostname : step.containerId.slice(0, 12),
    Domainname: '',
    User: step.user,
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: step.env,
    Cmd: step.args,
    Image: step.imageId,
    Volumes: null,
    WorkingDir: step.cwd,
    Entrypoint: null,
    OnBuild: null,
    Labels: {},
  };
  const hostConfig: HostConfig = {
    ...limited(step.limits),
    NetworkMode: step.networkMode === '' ? 'default' : step.networkMode,
    ExtraHosts: step.extraHosts.length > 0 ? step.extraHosts : null,
    LogConfig: { Type: 'none', Config: {} },
    ...(step.shmBytes > 0 ? { ShmSize: step.shmBytes } : {}),
    Privileged: step.privileged,
    Ulimits: step.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  };
  return {
    version: 1,
    id: step.containerId,
    name: `build-${step.containerId.slice(0, 12)}`,
    createdAt: Math.floor(deps.clock.nowMs() * 1000),
    image: step.imageId,
    imageId: step.imageId,
    config,
    hostConfig,
    endpoints: {},
    mounts: step.mounts.map(mountPointOf),
    path: step.args[0] ?? '',
    args: step.args.slice(1),
  };
}

function mountPointOf(mount: BuildStep['mounts'][number]): MountPoint {
  const size = mount.sizeBytes ?? 0;
  return {
    Type: mount.type,
    Source: mount.source,
    Destination: join('/', mount.target),
    Mode: '',
    RW: !mount.readonly,
    Propagation: mount.type === 'bind' ? 'rprivate' : '',
    extra: { ...NO_EXTRA, tmpfsOptions: size > 0 ? [`size=${size}`] : [] },
  };
}
