// What containers do and are, as facts for the agent. Looks and says, changes nothing. Containers that are nobody's task never get here: whoever
// calls has looked for the task's id.

import type { PortConfig } from '#protocol/generated/specs';
import { PublishMode } from '#protocol/generated/specs';
import type { Clock } from '#protocol/world';
import type { AgentInput, ObservedContainer } from '#worker/agent/types';
import type { AttachResult, NetworkManager } from './network/types.ts';
import type { Container } from './runtime/container.ts';
import type { ContainerChange } from './runtime/deps.ts';
import { healthCheckOf } from './runtime/health-config.ts';

interface ObserveContext {
  /** Ids of the containers that ended while no worker looked. */
  readonly endedUnseen: ReadonlySet<string>;
  readonly network: NetworkManager;
  readonly clock: Clock;
}

/** What a container's change means for its task. */
export function factOf(
  change: ContainerChange,
  taskId: string,
  network: NetworkManager,
): AgentInput {
  const { container } = change;
  switch (change.type) {
    case 'started':
      return {
        type: 'started',
        taskId,
        containerId: container.id,
        pid: container.state.pid,
        hasHealthCheck: healthCheckOf(container.record.config) !== undefined,
        ports: hostPortsOf(network.stateOf(container.id)),
      };
    case 'exited':
      return {
        type: 'exited',
        taskId,
        exitCode: change.exit.exitCode,
        oomKilled: change.exit.oomKilled,
        byUser: change.byUser,
        reason: change.reason,
      };
    case 'health':
      return {
        type: 'health',
        taskId,
        health: change.health.Status,
        output: change.health.Log.at(-1)?.Output ?? '',
      };
    case 'paused':
      return { type: 'paused', taskId, paused: change.paused };
    case 'removed':
      return { type: 'removed', taskId };
  }
}

/** A container that was there before the agent. */
export function observedContainer(
  container: Container,
  { endedUnseen, network, clock }: ObserveContext,
): ObservedContainer {
  const { state, run, record } = container;
  return {
    containerId: container.id,
    taskId: record.task?.taskId ?? '',
    status: run ? 'running' : state.startedAt === '' ? 'created' : 'ended',
    pid: state.pid,
    paused: state.status === 'paused',
    exitCode: state.exitCode,
    oomKilled: state.oomKilled,
    endedUnseen: endedUnseen.has(container.id),
    reason: state.error,
    ranMs: run ? clock.monotonicMs() - run.startedAtMs : lastRunMs(state),
    health: state.health?.Status ?? 'none',
    hasHealthCheck: healthCheckOf(record.config) !== undefined,
    ports: hostPortsOf(network.stateOf(container.id)),
  };
}

/** A task reports what it publishes on its own node; ingress ports are the service's. */
function hostPortsOf(attached: AttachResult | undefined): readonly PortConfig[] {
  return (attached?.portStatus ?? []).filter((port) => port.publishMode === PublishMode.HOST);
}

function lastRunMs(state: Container['state']): number {
  const ms = Date.parse(state.finishedAt) - Date.parse(state.startedAt);
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}
