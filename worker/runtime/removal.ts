// Taking a container away for good. The intention is on disk before the first thing goes, so that a removal that is cut short is finished at the next start.
// Called with the container's lock held, and never while a process of it runs.
import { sweepCgroupParents } from './cgroup-parents.ts';
import type { Container } from './container.ts';
import { emitContainer } from './container-events.ts';
import type { RuntimeDeps } from './deps.ts';
import type { ContainerRecord } from './record.ts';
import { removeSharedMemory } from './shared-memory.ts';
import type { ExitInfo } from './shim-client.ts';

/** Removes it; `volumes`: its anonymous volumes too. Nothing when it is gone already. */
export async function removeContainer(
  container: Container,
  volumes: boolean,
  deps: RuntimeDeps,
): Promise<void> {
  if (container.removed) return;
  clearTimeout(container.restartTimer);
  container.restartTimer = undefined;
  await container.setState({ status: 'removing', removeVolumes: volumes });
  await deps.network.detach(container.id);
  await deps.images.removeRootfs(container.id);
  await deps.forwarding.finish(container);
  if (volumes) await removeAnonymousVolumes(container.record, deps);
  container.removed = true;
  await deps.files.removeAll(container.id);
  deps.table.delete(container);
  if (container.record.hostConfig.CgroupParent !== '') await sweepCgroupParents(deps);
  for (const pending of container.pendingAttaches) pending.stream.resolve(undefined);
  container.pendingAttaches.clear();
  emitContainer(deps, container, 'destroy');
  deps.changed({ type: 'removed', container });
  releaseExitWaiters(container, exitOfState(container));
  for (const waiter of container.removeWaiters) waiter.resolve();
  container.removeWaiters.clear();
}

/** Takes away what a create that did not get as far as its record has made. */
export async function removeUnfinished(id: string, deps: RuntimeDeps): Promise<void> {
  const quietly = async (what: string, work: Promise<unknown>): Promise<void> => {
    await work.catch((error: unknown) =>
      deps.log.warn('left-over of a container', { container: id, what, reason: String(error) }),
    );
  };
  await quietly('root', deps.images.removeRootfs(id));
  for (const name of await deps.files.notedVolumes(id)) {
    await quietly('volume', deps.volumes.remove(name, true));
  }
  await quietly('shared memory', removeSharedMemory(id, deps));
  await quietly('folders', deps.files.removeAll(id));
}

/** Volumes that nobody named and nobody uses any more. */
export async function removeAnonymousVolumes(
  record: ContainerRecord,
  deps: RuntimeDeps,
): Promise<void> {
  for (const mount of record.mounts) {
    if (!mount.extra.anonymous || mount.Name === undefined) continue;
    if (deps.volumes.usersOf(mount.Name).some((id) => id !== record.id)) continue;
    await deps.volumes.remove(mount.Name, true, record.id).catch((error: unknown) => {
      deps.log.warn('anonymous volume not removed', { reason: String(error) });
    });
  }
}

/** Tells everybody who waits for an end. */
export function releaseExitWaiters(container: Container, exit: ExitInfo): void {
  for (const waiter of container.exitWaiters) waiter.resolve(exit);
  container.exitWaiters.clear();
}

/** The exit information of a container that does not run. */
export function exitOfState(container: Container): ExitInfo {
  const { exitCode, oomKilled, finishedAt, startedAt } = container.state;
  return { exitCode, signal: 0, oomKilled, finishedAt, startedAt };
}
