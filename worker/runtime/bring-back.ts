// Containers of `docker run` after a start of the worker: which come back, by their own restart policy, and which go (AutoRemove). Tasks are the agent's.
import { comesBackAfterReboot, decideRestart } from '#worker/agent/restart-policy';
import type { Container } from './container.ts';
import type { Containers } from './containers.ts';
import { restartName } from './containers.ts';
import type { RuntimeDeps } from './deps.ts';
import type { RestoreResult } from './restore.ts';

export function bringBack(
  restored: RestoreResult,
  containers: Containers,
  deps: RuntimeDeps,
): void {
  for (const { container, exit } of restored.ended) {
    if (container.record.task) continue;
    const policy = container.record.hostConfig.RestartPolicy;
    const decision = decideRestart({
      name: restartName(policy.Name),
      retriesMax: policy.MaximumRetryCount,
      exitCode: exit.exitCode,
      stopRequested: container.state.stopRequested,
      ranMs: deps.clock.nowMs() - Date.parse(container.state.startedAt),
      restartsInRow: 0,
    });
    if (decision.restart) containers.scheduleRestart(container, decision.delayMs);
    else if (container.record.hostConfig.AutoRemove) removeQuietly(container, containers, deps);
  }
  for (const container of restored.stopped) {
    const { state, record } = container;
    if (record.task || state.startedAt === '' || state.bootId === deps.host.bootId) continue;
    const back = comesBackAfterReboot({
      name: restartName(record.hostConfig.RestartPolicy.Name),
      stopRequested: state.stopRequested,
      wasRunning: false,
      exitCode: state.exitCode,
    });
    if (back) containers.scheduleRestart(container, 0);
  }
}

function removeQuietly(container: Container, containers: Containers, deps: RuntimeDeps): void {
  containers
    .remove(container, { force: true, volumes: true, shownName: container.record.name })
    .catch((error: unknown) => {
      deps.log.warn('container not removed', { container: container.id, reason: String(error) });
    });
}
