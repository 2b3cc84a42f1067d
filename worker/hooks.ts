// Commands of a service in its containers: after the start (`post_start`) and before the stop signal (`pre_stop`). A task counts as running only when its post_start hooks
// have gone through; one that fails ends the run, with the reason of the task. A pre_stop hook that fails is logged: the container is stopped all the same, and
// in time, as hooks have the grace period and no longer.
import { TswarmError } from '#protocol/errors';
import type { LifecycleHook } from '#protocol/generated/specs';
import { HOOK_REASON_CHARACTERS_MAX } from './limits.ts';
import type { Container } from './runtime/container.ts';
import type { Containers } from './runtime/containers.ts';

/** How hooks may end before their own end. */
export interface HookLimit {
  /** For all of them together; absent: as long as they take. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Runs hooks one after the other. @throws TswarmError failed_precondition naming the first that fails */
export async function runHooks(
  containers: Pick<Containers, 'runInside'>,
  container: Container,
  hooks: { readonly key: 'post_start' | 'pre_stop'; readonly list: readonly LifecycleHook[] },
  limit: HookLimit,
): Promise<void> {
  const { key, list } = hooks;
  const end = limit.timeoutMs === undefined ? undefined : performance.now() + limit.timeoutMs;
  for (const [index, hook] of list.entries()) {
    const name = `${key} hook ${index + 1} (${hook.command.join(' ')})`;
    const left = end === undefined ? {} : { timeoutMs: Math.max(0, end - performance.now()) };
    const { exitCode, output, wasCut } = await containers.runInside(
      container,
      {
        command: hook.command,
        env: hook.env,
        user: hook.user,
        workingDir: hook.workingDir,
        privileged: hook.privileged,
        tty: false,
      },
      { ...left, ...(limit.signal ? { signal: limit.signal } : {}) },
    );
    if (wasCut) throw new TswarmError('failed_precondition', `${name} was cut short`);
    if (exitCode === 0) continue;
    const said = output.trim().slice(-HOOK_REASON_CHARACTERS_MAX);
    const how = exitCode < 0 ? 'ended with the container' : `exited with status ${exitCode}`;
    throw new TswarmError('failed_precondition', `${name} ${how}${said && `: ${said}`}`);
  }
}
