// The end of a run: find out the exit status, write it down, take the run's things away. Called with the container's lock held.
// The status comes from the shim, or from exit.json when the shim is gone; when there is neither, the process was lost with its shim: code 255 and a reason.
// Order: the status is on disk before anything that tells of it is removed.
import { join } from 'node:path';
import type { RestartDecision } from '#worker/agent/restart-policy';
import { readJsonFile } from '../files.ts';
import type { Container, Run } from './container.ts';
import { emitContainer } from './container-events.ts';
import type { RuntimeDeps } from './deps.ts';
import { killLost } from './kill-lost.ts';
import { nextRestart } from './next-restart.ts';
import type { ExitInfo } from './shim-client.ts';
import { exitInfoOf } from './shim-client.ts';
import { undoStart } from './start.ts';

export const LOST_EXIT_CODE = 255;

/** Records the end of a run and cleans up after it. */
export async function finishRun(
  container: Container,
  run: Run,
  info: ExitInfo | undefined,
  deps: RuntimeDeps,
): Promise<{ readonly exit: ExitInfo; readonly reason: string; readonly next: RestartDecision }> {
  container.healthTimer?.stop();
  container.healthTimer = undefined;
  const found = info ?? (await exitFromFile(container.paths.shimDir));
  const reason = found ? '' : 'the process that keeps the container was killed';
  const exit = found ?? lostExit(deps);
  if (!found) await killLost(container, deps);
  if (exit.oomKilled) emitContainer(deps, container, 'oom');
  run.closeWait();
  container.run = undefined;
  const ranMs = deps.clock.monotonicMs() - run.startedAtMs;
  const next = await recordExit(container, { exit, reason, ranMs }, deps);
  emitContainer(deps, container, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(Math.floor(ranMs / 1000)),
  });
  await undoStart(container, deps);
  for (const mount of container.record.mounts) {
    if (mount.Name !== undefined) deps.volumes.emitMount(mount.Name, container.id, 'unmount');
  }
  return { exit, reason, next };
}

/** Writes the exit status into the container's state, and with it whether the container is started again. */
export async function recordExit(
  container: Container,
  ended: { readonly exit: ExitInfo; readonly reason: string; readonly ranMs: number },
  deps: RuntimeDeps,
): Promise<RestartDecision> {
  const { exit, reason, ranMs } = ended;
  const next = nextRestart(container, { exitCode: exit.exitCode, ranMs });
  await container.setState({
    status: next.restart ? 'restarting' : 'exited',
    restartsInRow: next.restartsInRow,
    pid: 0,
    exitCode: exit.exitCode,
    oomKilled: exit.oomKilled,
    error: reason,
    finishedAt:
      exit.finishedAt === '' ? new Date(deps.clock.nowMs()).toISOString() : exit.finishedAt,
    ...(exit.startedAt === '' ? {} : { startedAt: exit.startedAt }),
  });
  return next;
}

/** exit.json of a shim; undefined when there is none. */
export async function exitFromFile(shimDir: string): Promise<ExitInfo | undefined> {
  const value = await readJsonFile(join(shimDir, 'exit.json'));
  return typeof value === 'object' && value !== null
    ? exitInfoOf(value as Record<string, unknown>)
    : undefined;
}

export function lostExit(deps: RuntimeDeps): ExitInfo {
  return {
    exitCode: LOST_EXIT_CODE,
    signal: 0,
    oomKilled: false,
    finishedAt: new Date(deps.clock.nowMs()).toISOString(),
    startedAt: '',
  };
}
