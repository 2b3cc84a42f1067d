// What follows the end of a run of a `docker run` container, by its own restart policy. Decided once, when the end is written down, and written with it: a
// worker that is killed during the back-off knows that a restart is due, and one that has given up stays so.
import type { RestartDecision, RestartName } from '#worker/agent/restart-policy';
import { decideRestart, restartDelayMs } from '#worker/agent/restart-policy';
import type { Container } from './container.ts';
import type { ContainerState } from './record.ts';

/** Whether it is started again. Never for a task's container: that is the agent's to say. */
export function nextRestart(
  container: Container,
  ended: { readonly exitCode: number; readonly ranMs: number },
): RestartDecision {
  const { record, state } = container;
  if (record.task) return { restart: false, delayMs: 0, restartsInRow: 0 };
  const policy = record.hostConfig.RestartPolicy;
  return decideRestart({
    name: restartName(policy.Name),
    retriesMax: policy.MaximumRetryCount,
    exitCode: ended.exitCode,
    stopRequested: container.stopping || state.stopRequested,
    ranMs: ended.ranMs,
    restartsInRow: state.restartsInRow,
  });
}

/** What is left of the back-off that a former worker began, in ms. */
export function remainingDelayMs(state: ContainerState, nowMs: number): number {
  const delayMs = restartDelayMs(Math.max(0, state.restartsInRow - 1));
  const sinceMs = nowMs - Date.parse(state.finishedAt);
  return sinceMs >= 0 ? Math.max(0, delayMs - sinceMs) : delayMs;
}

export function restartName(text: string): RestartName {
  if (text === 'always' || text === 'unless-stopped' || text === 'on-failure') return text;
  return 'no';
}
