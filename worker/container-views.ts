// What images, builds and networks may see and do of containers: narrow views of the table, so that they need not know the runtime.
import { TswarmError } from '#protocol/errors';
import type { ContainerDirectory, ContainerInfo } from './images/types.ts';
import type { AttachmentRequest, NetworkContainers } from './network/types.ts';
import type { Container, ContainerTable } from './runtime/container.ts';
import { noSuchContainer } from './runtime/container-errors.ts';
import type { Containers } from './runtime/containers.ts';
import { endpointsOf, primaryNetwork } from './runtime/network-request.ts';

/** For images and builds. `containers` is asked only by a commit. */
export function containerDirectory(
  table: ContainerTable,
  containers: () => Containers,
): ContainerDirectory {
  const find = (id: string): Container => {
    const container = table.find(id);
    if (!container) throw noSuchContainer(id);
    return container;
  };
  return {
    resolve: (idOrName) => {
      const container = table.find(idOrName);
      return container ? infoOf(container) : undefined;
    },
    list: () => table.list().map(infoOf),
    frozen: (id, work) => containers().frozen(find(id), work),
  };
}

function infoOf(container: Container): ContainerInfo {
  const { config, name, imageId, id } = container.record;
  return {
    id,
    name,
    imageId,
    running: container.isRunning,
    processConfig: {
      User: config.User,
      ...(config.ExposedPorts ? { ExposedPorts: config.ExposedPorts } : {}),
      Env: config.Env,
      Entrypoint: config.Entrypoint,
      Cmd: config.Cmd,
      Volumes: config.Volumes,
      WorkingDir: config.WorkingDir,
      Labels: config.Labels,
      ...(config.StopSignal ? { StopSignal: config.StopSignal } : {}),
      ...(config.Healthcheck ? { Healthcheck: config.Healthcheck } : {}),
      ...(config.Shell ? { Shell: config.Shell } : {}),
    },
  };
}

/** For the network's API. */
export function networkContainers(table: ContainerTable): NetworkContainers {
  const find = (id: string): Container => {
    const container = table.get(id);
    if (!container) throw noSuchContainer(id);
    if (container.record.task) {
      throw new TswarmError(
        'failed_precondition',
        'the networks of a task’s container belong to its service',
        { hint: 'Update the service.' },
      );
    }
    return container;
  };
  return {
    resolve: (idOrName) => {
      const container = table.find(idOrName);
      return container
        ? { id: container.id, name: container.record.name, running: container.isRunning }
        : undefined;
    },
    setAttachment: async (id, attachment, names) => {
      const { record } = find(id);
      const primary = primaryNetwork(record.hostConfig.NetworkMode);
      // Under the name that it has in the record already: a network is there once.
      const known = [...Object.keys(record.endpoints), primary];
      const key = known.find((name) => names.includes(primaryNetwork(name)));
      const endpoints = {
        ...record.endpoints,
        [key ?? attachment.networkId]: endpointOf(attachment),
      };
      await find(id).setRecord({ ...record, endpoints });
    },
    removeAttachment: async (id, names) => {
      const { record } = find(id);
      const left = Object.entries(record.endpoints).filter(
        ([name]) => !names.includes(primaryNetwork(name)),
      );
      const isPrimary = names.includes(primaryNetwork(record.hostConfig.NetworkMode));
      await find(id).setRecord({
        ...record,
        endpoints: Object.fromEntries(left),
        isOffPrimary: isPrimary || record.isOffPrimary === true,
      });
    },
    reattached: (id, now) => {
      const run = table.get(id)?.run;
      if (run) run.attach = now;
    },
    usersOf: (network) =>
      table
        .list()
        .filter((container) => usesNetwork(container, network))
        .map((container) => container.id),
  };
}

function endpointOf(attachment: AttachmentRequest): Container['record']['endpoints'][string] {
  const [ipv4 = ''] = attachment.addresses.filter((address) => !address.includes(':'));
  const [ipv6 = ''] = attachment.addresses.filter((address) => address.includes(':'));
  return {
    aliases: attachment.aliases,
    ipv4,
    ipv6,
    macAddress: '',
    gwPriority: attachment.gwPriority,
    links: null,
    driverOpts: null,
  };
}

function usesNetwork(container: Container, network: string): boolean {
  const { record } = container;
  const mode = record.hostConfig.NetworkMode;
  return (
    endpointsOf(record, primaryNetwork(mode)).some(([name]) => name === network) ||
    record.task?.networks.some((item) => item.networkId === network) === true
  );
}

/** Ids of the containers that mount a volume. */
export function volumeUsers(table: ContainerTable, name: string): readonly string[] {
  return table
    .list()
    .filter((container) => container.record.mounts.some((mount) => mount.Name === name))
    .map((container) => container.id);
}
