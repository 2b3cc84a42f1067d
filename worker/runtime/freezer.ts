// Processes that stand still: because somebody has paused the container, which everybody is told, or for the time of a copy, which is nobody's business: the cluster would
// let a container go on that it does not want paused.

import type { Container } from './container.ts';
import { emitContainer } from './container-events.ts';
import type { RuntimeDeps } from './deps.ts';
import { callNative } from './native-call.ts';
import { runtimeOf } from './runtimes.ts';

/** `pause` and `unpause`. Called with the container's lock held, or on its way to its end. */
export async function setPaused(
  container: Container,
  paused: boolean,
  deps: RuntimeDeps,
): Promise<void> {
  await freeze(container, paused, deps);
  await container.setState({ status: paused ? 'paused' : 'running' });
  emitContainer(deps, container, paused ? 'pause' : 'unpause');
  deps.changed({ type: 'paused', container, paused });
}

/** Does something while the processes stand still. One that is paused, or does not run, stands still anyway. Takes the container's lock; a stop signal is heard afterwards. */
export function frozen<T>(
  container: Container,
  work: () => Promise<T>,
  deps: RuntimeDeps,
): Promise<T> {
  return container.lock.run(async () => {
    const { run } = container;
    if (!run || container.state.status === 'paused') return work();
    await freeze(container, true, deps);
    try {
      return await work();
    } finally {
      if (container.run === run) await freeze(container, false, deps);
    }
  });
}

async function freeze(container: Container, frozen: boolean, deps: RuntimeDeps): Promise<void> {
  const { runtimeRoot } = deps.options;
  const runtimePath = runtimeOf(container.record.hostConfig, deps.options);
  const verb = frozen ? 'pause' : 'resume';
  await callNative(runtimePath, ['--root', runtimeRoot, verb, container.id]);
}
