// What the worker does with containers when it starts: read the records, find which of them still run, adopt those, settle the others' exit statuses, and
// sweep what a killed worker left half done. No running container is touched. Called once, before anything else may change a container.
// After a reboot (boot id changed) nothing can run: the states are settled and restarts are left to the policies (Containers, agent).
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextFile } from '../files.ts';
import { deferred, delay } from '../queue.ts';
import type { Run } from './container.ts';
import { Container } from './container.ts';
import type { RuntimeDeps } from './deps.ts';
import { exitFromFile, killLost, lostExit, recordExit } from './finish.ts';
import type { ContainerRecord } from './record.ts';
import { removeAnonymousVolumes } from './removal.ts';
import type { ExitInfo, ShimState } from './shim-client.ts';
import { ShimClient } from './shim-client.ts';
import { undoStart } from './start.ts';

/** A container that runs on. */
export interface Adopted {
  readonly container: Container;
  readonly run: Run;
  readonly exit: Promise<ExitInfo | undefined>;
}

export interface RestoreResult {
  readonly adopted: readonly Adopted[];
  /** Were running when the worker was last alive and are not any more, with how they ended. */
  readonly ended: readonly { readonly container: Container; readonly exit: ExitInfo }[];
  /** Did not run; nothing to do but what their policy says. */
  readonly stopped: readonly Container[];
}

/** How long a shim that is just being created may take to listen. */
const SHIM_APPEAR_MS = 5_000;
const SHIM_POLL_MS = 20;

/** Ids of the containers whose process runs now, found without changing anything. */
export async function liveContainerIds(deps: RuntimeDeps): Promise<readonly string[]> {
  await deps.files.prepare();
  const { run } = await deps.files.ids();
  const live = await Promise.all(
    run.map(async (id) => {
      const shim = new ShimClient(deps.files.pathsOf(id).shimDir);
      const state = await shim.state().catch(() => undefined);
      return state?.status === 'running' ? id : undefined;
    }),
  );
  return live.filter((id) => id !== undefined);
}

/** Loads all containers into the table. */
export async function restoreContainers(deps: RuntimeDeps): Promise<RestoreResult> {
  await deps.files.prepare();
  const ids = await deps.files.ids();
  const result = {
    adopted: [] as Adopted[],
    ended: [] as { container: Container; exit: ExitInfo }[],
    stopped: [] as Container[],
  };
  const known = new Set<string>();
  const removing: ContainerRecord[] = [];
  await Promise.all(
    ids.data.map(async (id) => {
      const record = await deps.files.readRecord(id);
      if (!record) {
        deps.log.warn('container without a readable record is removed', { container: id });
        return;
      }
      const state = await deps.files.readState(id);
      // A removal that was cut short is finished.
      if (state.status === 'removing') {
        removing.push(record);
        return;
      }
      known.add(id);
      const container = new Container(record, state, deps.files);
      deps.table.add(container);
      await restoreOne(container, deps, result);
    }),
  );
  await sweepUnknown(new Set([...ids.data, ...ids.run, ...deps.images.rootfsIds()]), known, deps);
  for (const record of removing) await removeAnonymousVolumes(record, deps);
  return result;
}

async function restoreOne(
  container: Container,
  deps: RuntimeDeps,
  result: {
    adopted: Adopted[];
    ended: { container: Container; exit: ExitInfo }[];
    stopped: Container[];
  },
): Promise<void> {
  const was = container.state.status;
  const shim = new ShimClient(container.paths.shimDir);
  const state = await shimState(container, shim);
  if (state?.status === 'running') {
    result.adopted.push(await adopt(container, shim, state, deps));
    return;
  }
  const wasRunning = was === 'running' || was === 'paused';
  const exit = state?.exit ?? (await exitFromFile(container.paths.shimDir));
  if (exit && (wasRunning || exit.startedAt !== '')) {
    await settle(container, exit, '', deps);
    result.ended.push({ container, exit });
  } else if (wasRunning) {
    const rebooted = container.state.bootId !== deps.host.bootId;
    const lost = lostExit(deps);
    if (!rebooted) await killLost(container, deps);
    const reason = rebooted
      ? 'the host was restarted'
      : 'the process that keeps the container was killed';
    await settle(container, lost, reason, deps);
    result.ended.push({ container, exit: lost });
  } else {
    // Created but not started, or a start that was cut short: its half-made things go.
    if (await exists(container.paths.runDir)) {
      if (!state) await killLost(container, deps);
      await undoStart(container, deps);
    }
    if (was === 'restarting') await container.setState({ status: 'exited' });
    result.stopped.push(container);
  }
}

async function settle(
  container: Container,
  exit: ExitInfo,
  reason: string,
  deps: RuntimeDeps,
): Promise<void> {
  await recordExit(container, exit, reason, deps);
  await undoStart(container, deps);
}

/** The shim's word about its container; undefined when there is no shim. */
async function shimState(container: Container, shim: ShimClient): Promise<ShimState | undefined> {
  const { shimDir } = container.paths;
  const deadline = Date.now() + SHIM_APPEAR_MS;
  for (;;) {
    if (!(await exists(shimDir))) return undefined;
    try {
      return await shim.state();
    } catch {
      if (!(await isAlive(join(shimDir, 'shim.pid'))) || Date.now() > deadline) return undefined;
      await delay(SHIM_POLL_MS);
    }
  }
}

async function adopt(
  container: Container,
  shim: ShimClient,
  state: ShimState,
  deps: RuntimeDeps,
): Promise<Adopted> {
  const waiting = await shim.wait();
  const rootfs = deps.images.rootfsOf(container.id);
  const user = await deps.users
    .resolve({
      rootDir: rootfs?.mergedDir ?? '',
      user: container.record.config.User,
      groups: container.record.hostConfig.GroupAdd ?? [],
      cacheKey: '',
    })
    .catch(() => ({ uid: 0, gid: 0, gids: [], home: '/' }));
  const run: Run = {
    shim,
    pid: state.pid,
    startedAtMs: deps.clock.monotonicMs() - ageMs(state.startedAt, deps.clock.nowMs()),
    done: deferred<ExitInfo>(),
    user,
    attach: deps.network.stateOf(container.id),
    closeWait: () => waiting.close(),
  };
  container.run = run;
  const paused = container.state.status === 'paused';
  await container.setState({
    status: paused ? 'paused' : 'running',
    pid: state.pid,
    startedAt: state.startedAt === '' ? container.state.startedAt : state.startedAt,
    bootId: deps.host.bootId,
  });
  return { container, run, exit: waiting.exit };
}

function ageMs(startedAt: string, nowMs: number): number {
  const started = Date.parse(startedAt);
  return Number.isNaN(started) ? 0 : Math.max(0, nowMs - started);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** The process of a pid file (`PID STARTTIME`) is still the same one. */
export async function isAlive(pidFile: string): Promise<boolean> {
  const text = await readTextFile(pidFile).catch(() => undefined);
  const [pid = '', startTime = ''] = text?.trim().split(' ') ?? [];
  if (!/^\d+$/.test(pid)) return false;
  const stats = await readTextFile(`/proc/${pid}/stat`).catch(() => undefined);
  if (stats === undefined) return false;
  // Field 22, counted after the command, which may hold spaces and parentheses.
  const fields = stats.slice(stats.lastIndexOf(')') + 2).split(' ');
  return startTime === '' || fields[19] === startTime;
}

/** Folders, shims and root file systems that belong to no record. */
async function sweepUnknown(
  ids: ReadonlySet<string>,
  known: ReadonlySet<string>,
  deps: RuntimeDeps,
): Promise<void> {
  for (const id of ids) {
    if (known.has(id) || !/^[0-9a-f]{64}$/.test(id)) continue;
    const shim = new ShimClient(deps.files.pathsOf(id).shimDir);
    await shim.delete().catch(() => undefined);
    await deps.network.detach(id).catch(() => undefined);
    await deps.images.removeRootfs(id).catch((error: unknown) => {
      deps.log.warn('left-over root file system', { container: id, reason: String(error) });
    });
    await deps.files.removeAll(id);
  }
}
