// New limits and restart policy of a container, also while it runs. Either both the record and the control groups have them, or neither. Called with the container's lock held.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resourcesOf } from './bundle-resources.ts';
import type { Container } from './container.ts';
import { emitContainer } from './container-events.ts';
import type { RuntimeDeps } from './deps.ts';
import { blockDevicesOf, devicesOf } from './devices.ts';
import { callNative } from './native-call.ts';
import type { HostConfig } from './record.ts';
import { runtimeOf } from './runtimes.ts';

export async function updateLimits(
  container: Container,
  hostConfig: HostConfig,
  deps: RuntimeDeps,
): Promise<void> {
  const before = container.record;
  await container.setRecord({ ...before, hostConfig });
  try {
    if (container.run) await applyLimits(container, hostConfig, deps);
  } catch (error) {
    await container.setRecord({ ...container.record, hostConfig: before.hostConfig });
    throw error;
  }
  emitContainer(deps, container, 'update');
}

async function applyLimits(
  container: Container,
  hostConfig: HostConfig,
  deps: RuntimeDeps,
): Promise<void> {
  const resources = resourcesOf(
    hostConfig,
    await devicesOf(hostConfig),
    await blockDevicesOf(hostConfig),
  );
  const path = join(container.paths.runDir, 'resources.json');
  const { devices, ...limits } = resources;
  await writeFile(path, JSON.stringify(limits));
  const { runtimeRoot } = deps.options;
  const runtimePath = runtimeOf(container.record.hostConfig, deps.options);
  const update = ['update', '--resources', path, container.id];
  await callNative(runtimePath, ['--root', runtimeRoot, ...update]);
}
