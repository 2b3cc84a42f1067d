// /dev/shm of containers that share it. The host's is the host's; that of a container which may be joined (`IpcMode: shareable`) is a tmpfs in its run
// folder, because what is mounted inside a container cannot be mounted into another one; who joins (`container:NAME`) has the other's. Every other
// container has its own, made by the runtime. The memory of a container that has ended lives on in those that joined it.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { makeFolder } from '../files.ts';
import { SHM_BYTES_DEFAULT } from '../limits.ts';
import type { Container } from './container.ts';
import type { RuntimeDeps } from './deps.ts';
import { sharedContainer } from './network-request.ts';

const HOST_MEMORY = '/dev/shm';

/** Host path of the container's /dev/shm; '' = the runtime makes one. @throws not_found, conflict when the other cannot be joined */
export function joinableMemory(container: Container, deps: RuntimeDeps): string {
  const mode = container.record.hostConfig.IpcMode;
  if (mode === 'host') return HOST_MEMORY;
  if (mode === 'shareable') return memoryDir(container.id, deps);
  const name = sharedContainer(mode);
  if (name === '') return '';
  const other = deps.table.find(name);
  if (!other) throw new TswarmError('not_found', `No such container: ${name}`);
  const otherMode = other.record.hostConfig.IpcMode;
  if (otherMode === 'host') return HOST_MEMORY;
  if (otherMode === 'shareable') return memoryDir(other.id, deps);
  throw new TswarmError(
    'conflict',
    `cannot join IPC of container ${name}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    { field: 'HostConfig.IpcMode' },
  );
}

/** Makes the memory of a container that may be joined; nothing for others. */
export async function makeSharedMemory(container: Container, deps: RuntimeDeps): Promise<void> {
  const { IpcMode, ShmSize } = container.record.hostConfig;
  if (IpcMode !== 'shareable') return;
  const target = memoryDir(container.id, deps);
  // What a start that was cut short has left.
  await removeSharedMemory(container.id, deps);
  await makeFolder(target);
  const sizeBytes = ShmSize > 0 ? ShmSize : SHM_BYTES_DEFAULT;
  await deps.mounts.tmpfs({ target, sizeBytes, mode: 0o1777, noexec: true });
}

/** Unmounts it, if there is any; those that joined keep theirs. Its folder must not be removed before. */
export async function removeSharedMemory(id: string, deps: RuntimeDeps): Promise<void> {
  const target = memoryDir(id, deps);
  if (statSync(target, { throwIfNoEntry: false }) === undefined) return;
  await deps.mounts.unmount(target, { lazy: true });
}

function memoryDir(id: string, deps: RuntimeDeps): string {
  return join(deps.files.pathsOf(id).runDir, 'shm');
}
