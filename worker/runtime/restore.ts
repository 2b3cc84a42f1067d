// What the worker does with containers when it starts: read the records, find which of them still run, adopt those, settle the others' exit statuses, and
// sweep what a killed worker left half done. No running container is touched. Called once, before anything else may change a container.
// After a reboot (boot id changed) nothing can run: the states are settled and restarts are left to the policies (Containers, agent).
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextFile } from '../files.ts';
import { deferred, delay } from '../queue.ts';
import { sweepCgroupParents } from './cgroup-parents.ts';
import type { Run } from './container.ts';
import { Container } from './container.ts';
import type { RuntimeDeps } from './deps.ts';
import { exitFromFile, lostExit, recordExit } from './finish.ts';
import { killLost } from './kill-lost.ts';
import type { ContainerRecord } from './record.ts';
import { removeAnonymousVolumes, removeUnfinished } from './removal.ts';
import { removeSharedMemory } from './shared-memory.ts';
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

/** What the shims say about their containers, by container id, found without changing anything. Asked once, so that nobody sees another answer later. */
export async function findShims(deps: RuntimeDeps): Promise<ReadonlyMap<string, ShimState>> {
  await deps.files.prepare();
  const { run } = await deps.files.ids();
  const states = new Map<string, ShimState>();
  await Promise.all(
    run.map(async (id) => {
      const state = await shimState(deps.files.pathsOf(id).shimDir);
      if (state) states.set(id, state);
    }),
  );
  return states;
}

/** Loads all containers into the table. */
export async function restoreContainers(
  deps: RuntimeDeps,
  shims: ReadonlyMap<string, ShimState>,
): Promise<RestoreResult> {
  const ids = await deps.files.ids();
  const result = {
    adopted: [] as Adopted[],
    ended: [] as { container: Container; exit: ExitInfo }[],
    stopped: [] as Container[],
  };
  const known = new Set<string>();
  const removing: ContainerRecord[] = [];
  const finishing = new Set<string>();
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
        if (state.removeVolumes) removing.push(record);
        finishing.add(id);
        return;
      }
      known.add(id);
      const container = new Container(record, state, deps.files);
      deps.table.add(container);
      await restoreOne(container, shims.get(id), deps, result);
    }),
  );
  // Before their records go: they say which volumes those are.
  for (const record of removing) await removeAnonymousVolumes(record, deps);
  const all = new Set([...ids.data, ...ids.run, ...deps.images.rootfsIds()]);
  await sweepUnknown(all, { known, finishing }, deps);
  await sweepCgroupParents(deps);
  return result;
}

async function restoreOne(
  container: Container,
  state: ShimState | undefined,
  deps: RuntimeDeps,
  result: {
    adopted: Adopted[];
    ended: { container: Container; exit: ExitInfo }[];
    stopped: Container[];
  },
): Promise<void> {
  const was = container.state.status;
  if (state?.status === 'running') {
    result.adopted.push(await adopt(container, state, deps));
    return;
  }
  const wasRunning = was === 'running' || was === 'paused';
  const exit = state?.exit ?? (await exitFromFile(container.paths.shimDir));
  // Written down by the worker before, which did not come to the clean-up.
  const isKnown = !wasRunning && exit?.finishedAt === container.state.finishedAt;
  if (exit && !isKnown && (wasRunning || exit.startedAt !== '')) {
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
    result.stopped.push(container);
  }
}

async function settle(
  container: Container,
  exit: ExitInfo,
  reason: string,
  deps: RuntimeDeps,
): Promise<void> {
  const startedAt = container.isRunning ? container.state.startedAt : exit.startedAt;
  const ranMs = Date.parse(exit.finishedAt) - Date.parse(startedAt);
  await recordExit(container, { exit, reason, ranMs: Math.max(0, ranMs || 0) }, deps);
  await undoStart(container, deps);
}

/** The shim's word about its container; undefined when there is no shim. */
async function shimState(shimDir: string): Promise<ShimState | undefined> {
  const shim = new ShimClient(shimDir);
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

async function adopt(container: Container, state: ShimState, deps: RuntimeDeps): Promise<Adopted> {
  const shim = new ShimClient(container.paths.shimDir);
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
    startedAt: state.startedAt,
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
    startedAt: state.startedAt,
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

/** Takes away folders, shims and root file systems that belong to no record. */
export async function sweepUnknown(
  ids: ReadonlySet<string>,
  sets: { readonly known: ReadonlySet<string>; readonly finishing: ReadonlySet<string> },
  deps: RuntimeDeps,
): Promise<void> {
  for (const id of ids) {
    if (sets.known.has(id) || !/^[0-9a-f]{64}$/.test(id)) continue;
    const shim = new ShimClient(deps.files.pathsOf(id).shimDir);
    await shim.delete().catch(() => undefined);
    await deps.network.detach(id).catch(() => undefined);
    if (!sets.finishing.has(id)) {
      await removeUnfinished(id, deps);
      continue;
    }
    await deps.images.removeRootfs(id).catch((error: unknown) => {
      deps.log.warn('left-over root file system', { container: id, reason: String(error) });
    });
    await removeSharedMemory(id, deps).catch(() => undefined);
    await deps.files.removeAll(id);
  }
}
