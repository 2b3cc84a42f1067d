// What the runtime has of a container whose shim is gone: killed, or ended before it was asked to delete. Never fails: there may be nothing.
import type { Container } from './container.ts';
import type { RuntimeDeps } from './deps.ts';
import { callNative } from './native-call.ts';
import { runtimeOf } from './runtimes.ts';

/** Without a shim nobody can keep the process: it is killed, so that it cannot run beside its successor. */
export async function killLost(container: Container, deps: RuntimeDeps): Promise<void> {
  const { runtimeRoot } = deps.options;
  const runtimePath = runtimeOf(container.record.hostConfig, deps.options);
  await callNative(runtimePath, ['--root', runtimeRoot, 'delete', '--force', container.id]).catch(
    (error: unknown) => {
      deps.log.debug('delete without shim', { container: container.id, reason: String(error) });
    },
  );
}
