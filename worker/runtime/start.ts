// From a created container to a running process. Everything that does not depend on each other runs side by side: network, root file system, mounts,
// devices, secret files. Then: user, /etc files, volume contents, config.json, the shim (which creates), attached clients, start.
// Invariant: when it fails, network, mount, bundle and shim are gone again, and the error says what was wrong in Docker's words.
// Called with the container's lock held.
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { makeFolder, writeFileAtomic } from '../files.ts';
import type { AttachResult } from '../network/types.ts';
import { deferred } from '../queue.ts';
import type { BundleInput, NamespaceSource, ResolvedUser } from './bundle.ts';
import { bundleOf } from './bundle.ts';
import type { BoundFile } from './bundle-mounts.ts';
import { noteCgroupParent } from './cgroup-parents.ts';
import type { Container, Run } from './container.ts';
import { fillVolumes } from './copy-up.ts';
import type { RuntimeDeps } from './deps.ts';
import { requestedDevices } from './device-requests.ts';
import { blockDevicesOf, devicesOf } from './devices.ts';
import { hostFile, hostsFile, writeInPlace } from './etc-files.ts';
import { withViews } from './image-mounts.ts';
import { killLost } from './kill-lost.ts';
import { logSettings } from './log-config.ts';
import { readyMounts } from './mount-points.ts';
import { attachRequestOf, sharedContainer } from './network-request.ts';
import { refuseSubpaths, runtimeOf } from './runtimes.ts';
import { writeFileReferences } from './secret-files.ts';
import { joinableMemory, makeSharedMemory, removeSharedMemory } from './shared-memory.ts';
import type { ExitInfo } from './shim-client.ts';
import { ShimClient } from './shim-client.ts';
import { spawnShim } from './shim-spawn.ts';

/** Where a container's cgroups are, relative to each controller's mount point. */
export function cgroupPathOf(container: Container, deps: RuntimeDeps): string {
  const parent = container.record.hostConfig.CgroupParent;
  const base = parent === '' ? `/tswarm-${deps.options.nodeTag}` : `/${parent.replace(/^\/+/, '')}`;
  return `${base}/${container.id}`;
}

/** Starts the process. @returns the run; its `closeWait`'s counterpart `exit` resolves at the end of the process */
export async function startProcess(
  container: Container,
  deps: RuntimeDeps,
): Promise<{ readonly run: Run; readonly exit: Promise<ExitInfo | undefined> }> {
  try {
    return await start(container, deps);
  } catch (error) {
    await undoStart(container, deps);
    throw error;
  }
}

async function start(
  container: Container,
  deps: RuntimeDeps,
): Promise<{ readonly run: Run; readonly exit: Promise<ExitInfo | undefined> }> {
  const { record, paths } = container;
  refuseSubpaths(record, deps.options);
  const shared = sharedNamespaces(container, deps);
  const [rootfs, attach, readied, devices, edits, blockDevices, files] = await together([
    deps.images.mountRootfs(container.id),
    shared.network.kind === 'path'
      ? Promise.resolve(undefined)
      : deps.network.attach(container.id, attachRequestOf(record)),
    readyMounts(record.mounts, deps.volumes),
    devicesOf(record.hostConfig),
    requestedDevices(record.hostConfig),
    blockDevicesOf(record.hostConfig),
    writeFileReferences(container, deps),
    makeFolder(paths.bundleDir),
    makeSharedMemory(container, deps),
    deps.forwarding.open(container),
  ]);
  const rootDir = rootfs.mergedDir;
  const mounts = await withViews(readied, rootfs.viewDirs);
  const [user, etcFiles] = await together([
    deps.users.resolve({
      rootDir,
      user: record.config.User,
      groups: record.hostConfig.GroupAdd ?? [],
      // Its own layer is empty until the first start.
      cacheKey: container.state.startedAt === '' ? record.imageId : '',
    }),
    writeEtcFiles(container, attach, deps),
    fillVolumes(mounts, rootfs, deps),
  ]);
  const input: BundleInput = {
    record,
    rootDir,
    user,
    mounts,
    files: [...etcFiles, ...files],
    devices: [...devices, ...edits.devices],
    edits,
    blockDevices,
    ...shared,
    network: networkNamespace(shared.network, attach),
    cgroupsPath: cgroupPathOf(container, deps),
    initPath: join(deps.options.nativeDir, 'tswarm-init'),
    host: deps.host,
  };
  await writeFileAtomic(join(paths.bundleDir, 'config.json'), JSON.stringify(bundleOf(input)));
  if (record.hostConfig.CgroupParent !== '') await noteCgroupParent(container, deps);
  const started = await launch(container, deps, user, attach);
  for (const mount of mounts) {
    if (mount.Name !== undefined) deps.volumes.emitMount(mount.Name, container.id, 'mount');
  }
  return started;
}

/** Awaits all of them even when one fails, so that nothing is still under way when the clean-up begins. */
async function together<T extends readonly Promise<unknown>[]>(
  work: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as {
    -readonly [K in keyof T]: Awaited<T[K]>;
  };
}

async function launch(
  container: Container,
  deps: RuntimeDeps,
  user: ResolvedUser,
  attach: AttachResult | undefined,
): Promise<{ readonly run: Run; readonly exit: Promise<ExitInfo | undefined> }> {
  const { record, paths } = container;
  const log = logSettings(record.hostConfig.LogConfig);
  await spawnShim({
    id: container.id,
    bundleDir: paths.bundleDir,
    shimDir: paths.shimDir,
    nativeDir: deps.options.nativeDir,
    runtimePath: runtimeOf(record.hostConfig, deps.options),
    runtimeRoot: deps.options.runtimeRoot,
    logPath: log.enabled ? paths.logPath : '',
    logBytesMax: log.bytesMax,
    logFilesMax: log.filesMax,
    tty: record.config.Tty,
    stdin: record.config.OpenStdin,
    program: record.path,
  });
  const shim = new ShimClient(paths.shimDir);
  const waiting = await shim.wait();
  try {
    await connectPendingAttaches(container, shim);
    const { pid, startedAt } = await shim.start();
    const run: Run = {
      shim,
      pid,
      startedAt,
      startedAtMs: deps.clock.monotonicMs(),
      done: deferred<ExitInfo>(),
      user,
      attach,
      closeWait: () => waiting.close(),
    };
    return { run, exit: waiting.exit };
  } catch (error) {
    waiting.close();
    throw error;
  }
}

/** Clients that attached before the start get the output from its first byte. */
async function connectPendingAttaches(container: Container, shim: ShimClient): Promise<void> {
  const pending = [...container.pendingAttaches];
  container.pendingAttaches.clear();
  await Promise.all(
    pending.map(async (attach) => {
      attach.stream.resolve(await shim.attach(attach.options));
    }),
  );
}

interface SharedNamespaces {
  readonly network: NamespaceSource;
  readonly ipc: NamespaceSource;
  readonly pid: NamespaceSource;
  /** Host path of /dev/shm; '' = one of its own that nobody can join. */
  readonly shmSource: string;
}

function sharedNamespaces(container: Container, deps: RuntimeDeps): SharedNamespaces {
  const { hostConfig } = container.record;
  const network = sharedContainer(hostConfig.NetworkMode);
  const source = (mode: string, name: string, kind: string): NamespaceSource => {
    if (mode === 'host') return { kind: 'host' };
    const other = sharedContainer(mode);
    if (other === '') return { kind: 'new' };
    return { kind: 'path', path: `/proc/${requireRunning(other, kind, deps).pid}/ns/${name}` };
  };
  return {
    network:
      network === ''
        ? { kind: 'new' }
        : {
            kind: 'path',
            path: `/proc/${requireRunning(network, 'network', deps).pid}/ns/net`,
          },
    ipc: source(hostConfig.IpcMode, 'ipc', 'IPC'),
    pid: source(hostConfig.PidMode, 'pid', 'PID'),
    shmSource: joinableMemory(container, deps),
  };
}

function requireRunning(idOrName: string, kind: string, deps: RuntimeDeps): Run {
  const other = deps.table.find(idOrName);
  if (!other) throw new TswarmError('not_found', `No such container: ${idOrName}`);
  if (!other.run) {
    throw new TswarmError(
      'conflict',
      `cannot join ${kind} namespace of a non running container: ${other.id}`,
    );
  }
  return other.run;
}

function networkNamespace(
  shared: NamespaceSource,
  attach: AttachResult | undefined,
): NamespaceSource {
  if (!attach) return shared;
  return attach.netnsPath === '' ? { kind: 'host' } : { kind: 'path', path: attach.netnsPath };
}

/** Writes the container's /etc files. @returns the binds for them */
async function writeEtcFiles(
  container: Container,
  attach: AttachResult | undefined,
  deps: RuntimeDeps,
): Promise<readonly BoundFile[]> {
  const { record, paths } = container;
  const other = networkOwner(container, deps);
  const source = other?.paths ?? paths;
  if (!other) {
    const onHost = record.hostConfig.NetworkMode === 'host';
    const hosts = hostsFile({
      hostname: record.config.Hostname,
      domainname: record.config.Domainname,
      endpoints: attach?.endpoints ?? [],
      extraHosts: record.hostConfig.ExtraHosts ?? [],
      hostGateway: attach?.hostGateway ?? '',
    });
    await Promise.all([
      writeInPlace(paths.hostnamePath, `${record.config.Hostname}\n`),
      writeInPlace(paths.hostsPath, onHost ? await hostHosts(hosts, record) : hosts),
      writeInPlace(paths.resolvConfPath, attach?.resolvConf ?? ''),
    ]);
  }
  const readonly = record.hostConfig.ReadonlyRootfs;
  return [
    { source: source.resolvConfPath, target: '/etc/resolv.conf', readonly },
    { source: source.hostnamePath, target: '/etc/hostname', readonly },
    { source: source.hostsPath, target: '/etc/hosts', readonly },
  ];
}

/** Whose network it is in, when that is another container's, which may be in yet another one's. */
function networkOwner(container: Container, deps: RuntimeDeps): Container | undefined {
  const seen = new Set([container]);
  let owner: Container | undefined;
  let name = sharedContainer(container.record.hostConfig.NetworkMode);
  while (name !== '') {
    const next = deps.table.find(name);
    if (!next || seen.has(next)) break;
    seen.add(next);
    owner = next;
    name = sharedContainer(next.record.hostConfig.NetworkMode);
  }
  return owner;
}

/** In the host's network: the host's own file plus the extra hosts. */
async function hostHosts(ours: string, record: Container['record']): Promise<string> {
  const host = await hostFile('/etc/hosts');
  if (host === '') return ours;
  const extra = (record.hostConfig.ExtraHosts ?? []).length;
  if (extra === 0) return host;
  const lines = ours.split('\n').filter((line) => line !== '');
  return `${host.trimEnd()}\n${lines.slice(-extra).join('\n')}\n`;
}

/** Takes away whatever of a run is there: shim and container, network, mount, bundle, secrets. */
export async function undoStart(container: Container, deps: RuntimeDeps): Promise<void> {
  // A shim that was killed, while it created the container for one, has deleted nothing.
  await new ShimClient(container.paths.shimDir).delete().catch(() => killLost(container, deps));
  const quietly = async (what: string, work: Promise<unknown>): Promise<void> => {
    await work.catch((error: unknown) =>
      deps.log.warn('clean-up failed', { container: container.id, what, reason: String(error) }),
    );
  };
  await Promise.all([
    quietly('network', deps.network.detach(container.id)),
    quietly('root', deps.images.unmountRootfs(container.id)),
    quietly(
      'run folder',
      removeSharedMemory(container.id, deps).then(() => deps.files.removeRun(container.id)),
    ),
    quietly('secrets', deps.files.removeSecrets(container.id)),
  ]);
}
