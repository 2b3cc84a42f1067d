// Containers of `docker run` after a start of the worker: which come back, by their own restart policy, and which go (AutoRemove). Tasks are the agent's.
import { comesBackAfterReboot } from '#worker/agent/restart-policy';
import type { Container } from './container.ts';
import type { Containers } from './containers.ts';
import type { RuntimeDeps } from './deps.ts';
import { remainingDelayMs, restartName } from './next-restart.ts';
import type { RestoreResult } from './restore.ts';

export function bringBack(
  restored: RestoreResult,
  containers: Containers,
  deps: RuntimeDeps,
): void {
  const ended = restored.ended.map(({ container }) => container);
  for (const container of [...ended, ...restored.stopped]) {
    const { state, record } = container;
    if (record.task) continue;
    if (state.status === 'restarting') {
      containers.scheduleRestart(container, remainingDelayMs(state, deps.clock.nowMs()));
    } else if (record.hostConfig.AutoRemove && (state.startedAt !== '' || state.error !== '')) {
      // Its end is written down, its removal was not done any more.
      removeQuietly(container, containers, deps);
    } else if (state.startedAt !== '' && state.bootId !== deps.host.bootId) {
      const back = comesBackAfterReboot({
        name: restartName(record.hostConfig.RestartPolicy.Name),
        stopRequested: state.stopRequested,
        wasRunning: false,
        exitCode: state.exitCode,
      });
      if (back) containers.scheduleRestart(container, 0);
    }
  }
}

function removeQuietly(container: Container, containers: Containers, deps: RuntimeDeps): void {
  containers
    .remove(container, { force: true, volumes: true, shownName: container.record.name })
    .catch((error: unknown) => {
      deps.log.warn('container not removed', { container: container.id, reason: String(error) });
    });
}
