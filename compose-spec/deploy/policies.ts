// When tasks are started again, how many there are, where they may run and how they are replaced.
//
// Which restart policy counts: deploy.restart_policy, else `restart`. When neither is given, a service
// that uses other Swarm-only settings gets Swarm's default (always replaced), any other docker
// compose's (never): each is what the author of such a file has seen it do.

import * as specs from '#protocol/generated/specs';
import type { Deploy, Service, UpdateConfig } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
import { replicasOf } from './endpoints.ts';
import type { Problems } from './problems.ts';

type Restart = Pick<specs.TaskSpec, 'restartPolicy' | 'engineRestart'>;

/** What happens when a container of the service ends. */
export function planRestart(path: string, service: Service, problems: Problems): Restart {
  const { restart, deploy } = service;
  if (deploy?.restart_policy !== undefined) {
    const { condition = 'any', delay, max_attempts = 0, window = 0 } = deploy.restart_policy;
    const known = ownValue(CONDITIONS, condition);
    if (known === undefined) {
      const hint = 'use none, on-failure or any';
      problems.error(
        `${path}.deploy.restart_policy.condition`,
        `unknown condition ${condition}`,
        hint,
      );
    }
    return {
      restartPolicy: specs.RestartPolicy.create({
        condition: known ?? specs.RestartCondition.ANY,
        delay,
        maxAttempts: max_attempts,
        window,
      }),
      engineRestart: undefined,
    };
  }
  if (restart === undefined && deploy !== undefined && isForSwarm(deploy)) {
    return { restartPolicy: specs.RestartPolicy.create(), engineRestart: undefined };
  }
  return { restartPolicy: undefined, engineRestart: planEngineRestart(path, restart, problems) };
}

const CONDITIONS: Readonly<Record<string, specs.RestartCondition>> = {
  none: specs.RestartCondition.NONE,
  'on-failure': specs.RestartCondition.ON_FAILURE,
  any: specs.RestartCondition.ANY,
};

function planEngineRestart(
  path: string,
  restart: string | undefined,
  problems: Problems,
): specs.EngineRestartPolicy {
  const [name = 'no', count] = (restart ?? 'no').split(':', 2);
  const create = (policy: specs.EngineRestart, maximumRetryCount = 0): specs.EngineRestartPolicy =>
    specs.EngineRestartPolicy.create({ name: policy, maximumRetryCount });
  if (count !== undefined && (name !== 'on-failure' || !/^\d+$/.test(count))) {
    problems.error(
      `${path}.restart`,
      `${restart} makes no sense`,
      'a number goes with on-failure only',
    );
  }
  switch (name) {
    case 'no':
    case '':
      return create(specs.EngineRestart.NO);
    case 'always':
      return create(specs.EngineRestart.ALWAYS);
    case 'unless-stopped':
      return create(specs.EngineRestart.UNLESS_STOPPED);
    case 'on-failure':
      return create(specs.EngineRestart.ON_FAILURE, Number(count ?? 0));
    default: {
      const hint = 'use "no", always, unless-stopped or on-failure[:N]';
      problems.error(`${path}.restart`, `unknown policy ${restart}`, hint);
      return create(specs.EngineRestart.NO);
    }
  }
}

/** Whether `deploy` has settings that docker compose does nothing with. */
function isForSwarm(deploy: Deploy): boolean {
  return (
    deploy.mode !== undefined ||
    deploy.endpoint_mode !== undefined ||
    deploy.labels !== undefined ||
    deploy.update_config !== undefined ||
    deploy.rollback_config !== undefined ||
    Object.keys(deploy.placement).length > 0
  );
}

/** How many tasks the service has, and whether they run on. */
export function planMode(path: string, service: Service, problems: Problems): specs.ServiceMode {
  const mode = service.deploy?.mode ?? 'replicated';
  const replicas = replicasOf(service);
  const isGlobal = mode === 'global' || mode === 'global-job';
  if (isGlobal && (service.scale !== undefined || service.deploy?.replicas !== undefined)) {
    const hint = 'a global service has one task per node; remove the number';
    problems.error(`${path}.deploy.replicas`, `cannot be set with mode ${mode}`, hint);
  }
  switch (mode) {
    case 'replicated':
      return specs.ServiceMode.create({ replicated: { replicas } });
    case 'global':
      return specs.ServiceMode.create({ global: {} });
    case 'replicated-job':
      return specs.ServiceMode.create({
        replicatedJob: { maxConcurrent: replicas, totalCompletions: replicas },
      });
    case 'global-job':
      return specs.ServiceMode.create({ globalJob: {} });
    default: {
      const hint = 'use replicated, global, replicated-job or global-job';
      problems.error(`${path}.deploy.mode`, `unknown mode ${mode}`, hint);
      return specs.ServiceMode.create({ replicated: { replicas } });
    }
  }
}

/** Where tasks may run. */
export function planPlacement(
  deploy: Deploy | undefined,
  home?: string,
): specs.Placement | undefined {
  const placement = deploy?.placement ?? {};
  if (home === undefined && Object.keys(placement).length === 0) return undefined;
  const kept = home === undefined ? [] : [`node.id==${home}`];
  return specs.Placement.create({
    constraints: [...(placement.constraints ?? []), ...kept],
    preferences: (placement.preferences ?? []).map(({ spread = '' }) =>
      specs.PlacementPreference.create({ spread: { spreadDescriptor: spread } }),
    ),
    maxReplicas: placement.max_replicas_per_node ?? 0,
  });
}

const ACTIONS: Readonly<Record<string, specs.FailureAction>> = {
  pause: specs.FailureAction.PAUSE,
  continue: specs.FailureAction.CONTINUE,
  rollback: specs.FailureAction.ROLLBACK,
};

/** How tasks are replaced; `path` is that of the setting. */
export function planUpdate(
  path: string,
  update: UpdateConfig | undefined,
  problems: Problems,
): specs.UpdateConfig | undefined {
  if (update === undefined) return undefined;
  const { failure_action: action = 'pause', max_failure_ratio: ratio = 0 } = update;
  const known = ownValue(ACTIONS, action);
  const isRollback = path.endsWith('rollback_config');
  if (known === undefined || (isRollback && action === 'rollback')) {
    const hint = isRollback ? 'use pause or continue' : 'use pause, continue or rollback';
    problems.error(`${path}.failure_action`, `unknown action ${action}`, hint);
  }
  if (ratio < 0 || ratio > 1) {
    problems.error(`${path}.max_failure_ratio`, `${ratio} is not between 0 and 1`);
  }
  return specs.UpdateConfig.create({
    parallelism: update.parallelism ?? 1,
    delay: update.delay ?? 0,
    failureAction: known ?? specs.FailureAction.PAUSE,
    monitor: update.monitor,
    maxFailureRatio: ratio,
    order:
      update.order === 'start-first' ? specs.UpdateOrder.START_FIRST : specs.UpdateOrder.STOP_FIRST,
  });
}
