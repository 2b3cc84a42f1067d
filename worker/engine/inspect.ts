// A container as GET /containers/{id}/json and GET /containers/json show it: field for field the Engine API's shapes (null, empty and absent as clients know
// them). Everything comes from the record, the state and the network's answer; nothing is looked up on disk except sizes when asked for.
import type { EngineJson } from '#protocol/engine';
import type { PortConfig } from '#protocol/generated/specs';
import { PortProtocol } from '#protocol/generated/specs';
import { humanDuration } from '#protocol/human-duration';
import type { RootfsPaths } from '../images/types.ts';
import type { AttachedEndpoint } from '../network/types.ts';
import { maskedPathsOf, readonlyPathsOf } from '../runtime/bundle.ts';
import type { Container } from '../runtime/container.ts';
import type { HostFacts } from '../runtime/host-facts.ts';
import { isSending } from '../runtime/log-config.ts';
import { endpointsOf, primaryNetwork } from '../runtime/network-request.ts';
import type { ContainerConfig, MountPoint } from '../runtime/record.ts';
import { ZERO_TIME } from '../runtime/record.ts';

export interface InspectContext {
  readonly host: HostFacts;
  readonly rootfs: RootfsPaths | undefined;
  /** Name and id of a network that a record refers to. */
  networkOf(idOrName: string): { readonly id: string; readonly name: string } | undefined;
}

const PROTOCOLS: Readonly<Record<PortProtocol, string>> = {
  [PortProtocol.TCP]: 'tcp',
  [PortProtocol.UDP]: 'udp',
  [PortProtocol.SCTP]: 'sctp',
};

/** Microseconds since 1970 as RFC 3339 with nanoseconds. */
export function timeText(micros: number): string {
  if (micros <= 0) return ZERO_TIME;
  const iso = new Date(Math.floor(micros / 1000)).toISOString();
  const rest = String(micros % 1_000_000).padStart(6, '0');
  return `${iso.slice(0, 19)}.${rest}000Z`;
}

export function inspectContainer(container: Container, context: InspectContext): EngineJson {
  const { record, paths, state } = container;
  return {
    Id: record.id,
    Created: timeText(record.createdAt),
    Path: record.path,
    Args: record.args,
    State: stateJson(container),
    Image: record.imageId,
    ResolvConfPath: paths.resolvConfPath,
    HostnamePath: paths.hostnamePath,
    HostsPath: paths.hostsPath,
    LogPath: logPathOf(container),
    Name: `/${record.name}`,
    RestartCount: state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: container.openExecIds.size > 0 ? [...container.openExecIds] : null,
    HostConfig: hostConfigJson(container, context.host),
    GraphDriver: graphDriver(context.rootfs),
    Mounts: record.mounts.map(mountJson),
    Config: configJson(record.config),
    NetworkSettings: networkSettings(container, context),
  };
}

/** Of a log that is there to be read; what is kept of one that is sent elsewhere is none, as in Docker. */
function logPathOf({ record, paths }: Container): string {
  const { LogConfig } = record.hostConfig;
  return LogConfig.Type === 'none' || isSending(LogConfig) ? '' : paths.logPath;
}

function stateJson(container: Container): EngineJson {
  const { state } = container;
  const { health } = state;
  return {
    Status: state.status,
    Running: container.isRunning,
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: state.status === 'dead',
    Pid: container.isRunning ? state.pid : 0,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt === '' ? ZERO_TIME : state.startedAt,
    FinishedAt: state.finishedAt === '' ? ZERO_TIME : state.finishedAt,
    ...(health
      ? {
          Health: {
            Status: health.Status,
            FailingStreak: health.FailingStreak,
            Log: health.Log,
          },
        }
      : {}),
  };
}

function hostConfigJson(container: Container, host: HostFacts): EngineJson {
  const { hostConfig } = container.record;
  return {
    ...hostConfig,
    Runtime: hostConfig.Runtime === '' ? 'tswarm' : hostConfig.Runtime,
    MaskedPaths: maskedPathsOf(container.record, host),
    ReadonlyPaths: readonlyPathsOf(container.record),
  };
}

function graphDriver(rootfs: RootfsPaths | undefined): EngineJson {
  return {
    Data: rootfs
      ? {
          LowerDir: rootfs.lowerDirs.join(':'),
          MergedDir: rootfs.mergedDir,
          UpperDir: rootfs.upperDir,
          WorkDir: rootfs.workDir,
        }
      : null,
    Name: 'overlay2',
  };
}

export function mountJson(mount: MountPoint): EngineJson {
  return {
    Type: mount.Type,
    ...(mount.Name === undefined ? {} : { Name: mount.Name }),
    Source: mount.Source,
    Destination: mount.Destination,
    ...(mount.Driver === undefined ? {} : { Driver: mount.Driver }),
    Mode: mount.Mode,
    RW: mount.RW,
    Propagation: mount.Propagation,
  };
}

function configJson(config: ContainerConfig): EngineJson {
  return { ...config };
}

// ---- network ------------------------------------------------------------------------------------

/** `80/tcp` → bindings, or null for a port that is exposed but not published. */
function portsJson(container: Container): EngineJson {
  const out: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  if (!container.isRunning) return out;
  for (const key of Object.keys(container.record.config.ExposedPorts ?? {})) out[key] = null;
  for (const port of shownPorts(container)) {
    const key = `${port.targetPort}/${PROTOCOLS[port.protocol]}`;
    const list = out[key] ?? [];
    for (const ip of bindIps(port)) list.push({ HostIp: ip, HostPort: String(port.publishedPort) });
    out[key] = list;
  }
  return out;
}

/** A port without an address is open on all of both families; clients expect to see one line for each. */
function bindIps(port: PortConfig): readonly string[] {
  return port.hostIp === '' ? ['0.0.0.0', '::'] : [port.hostIp];
}

function networkSettings(container: Container, context: InspectContext): EngineJson {
  const endpoints = container.endpoints;
  const bridge = endpoints.find((endpoint) => endpoint.networkName === 'bridge');
  return {
    Bridge: '',
    SandboxID: container.isRunning ? container.id : '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    Ports: portsJson(container),
    SandboxKey: container.run?.attach?.netnsPath ?? '',
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.endpointId ?? '',
    Gateway: bridge?.gateway ?? '',
    GlobalIPv6Address: bridge?.ipv6 ?? '',
    GlobalIPv6PrefixLen: bridge?.ipv6PrefixLength ?? 0,
    IPAddress: bridge?.ipv4 ?? '',
    IPPrefixLen: bridge?.ipv4PrefixLength ?? 0,
    IPv6Gateway: bridge?.ipv6Gateway ?? '',
    MacAddress: bridge?.macAddress ?? '',
    Networks: networksJson(container, context),
  };
}

/** Network name → endpoint. */
export function networksJson(container: Container, context: InspectContext): EngineJson {
  const { record } = container;
  const mode = record.hostConfig.NetworkMode;
  const out: Record<string, EngineJson> = {};
  if (mode.startsWith('container:')) return out;
  if (container.endpoints.length > 0) {
    for (const endpoint of container.endpoints) {
      out[endpoint.networkName] = liveEndpoint(container, endpoint);
    }
    return out;
  }
  if (record.task && record.task.networks.length > 0) {
    for (const { networkId, aliases } of record.task.networks) {
      const network = context.networkOf(networkId);
      out[network?.name ?? networkId] = restingEndpoint(network?.id ?? networkId, aliases);
    }
    return out;
  }
  for (const [name, endpoint] of endpointsOf(record, primaryNetwork(mode))) {
    const network = context.networkOf(name);
    out[network?.name ?? name] = restingEndpoint(network?.id ?? '', endpoint.aliases);
  }
  return out;
}

function liveEndpoint(container: Container, endpoint: AttachedEndpoint): EngineJson {
  const { record } = container;
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: endpoint.aliases.length > 0 ? endpoint.aliases : null,
    MacAddress: endpoint.macAddress,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.endpointId,
    Gateway: endpoint.gateway,
    IPAddress: endpoint.ipv4,
    IPPrefixLen: endpoint.ipv4PrefixLength,
    IPv6Gateway: endpoint.ipv6Gateway,
    GlobalIPv6Address: endpoint.ipv6,
    GlobalIPv6PrefixLen: endpoint.ipv6PrefixLength,
    DriverOpts: null,
    DNSNames:
      endpoint.networkName === 'bridge'
        ? null
        : [...new Set([record.name, ...endpoint.aliases, record.id.slice(0, 12)])],
  };
}

function restingEndpoint(networkId: string, aliases: readonly string[]): EngineJson {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: aliases.length > 0 ? aliases : null,
    MacAddress: '',
    NetworkID: networkId,
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DriverOpts: null,
    DNSNames: null,
  };
}

// ---- list ---------------------------------------------------------------------------------------

/** One entry of GET /containers/json. */
export function listEntry(
  container: Container,
  context: InspectContext,
  nowMs: number,
): EngineJson {
  const { record } = container;
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.image,
    ImageID: record.imageId,
    Command: commandText(record.path, record.args),
    Created: Math.floor(record.createdAt / 1e6),
    Ports: listPorts(container),
    Labels: record.config.Labels,
    State: container.state.status,
    Status: statusText(container, nowMs),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode },
    NetworkSettings: { Networks: networksJson(container, context) },
    Mounts: record.mounts.map(mountJson),
  };
}

/** Its own published ports, and those of its service: people look for both where the container is. */
function shownPorts(container: Container): readonly PortConfig[] {
  const attached = container.run?.attach;
  return [...(attached?.portStatus ?? []), ...(attached?.ingressPorts ?? [])];
}

function listPorts(container: Container): readonly EngineJson[] {
  if (!container.isRunning) return [];
  const published = shownPorts(container);
  const out: EngineJson[] = [];
  for (const port of published) {
    for (const IP of bindIps(port)) {
      out.push({
        IP,
        PrivatePort: port.targetPort,
        PublicPort: port.publishedPort,
        Type: PROTOCOLS[port.protocol],
      });
    }
  }
  const seen = new Set(published.map((port) => `${port.targetPort}/${PROTOCOLS[port.protocol]}`));
  for (const key of Object.keys(container.record.config.ExposedPorts ?? {})) {
    if (seen.has(key)) continue;
    const [port = '', type = 'tcp'] = key.split('/');
    out.push({ PrivatePort: Number(port), Type: type });
  }
  return out;
}

/** `Up 2 minutes (healthy)`, `Exited (1) 3 hours ago`, as `docker ps` prints it. */
export function statusText(container: Container, nowMs: number): string {
  const { state } = container;
  const since = (time: string): string => humanDuration(nowMs - Date.parse(time));
  switch (state.status) {
    case 'running':
    case 'paused': {
      const health = state.health;
      const starting = health?.Status === 'starting' ? 'health: starting' : health?.Status;
      const suffix =
        state.status === 'paused'
          ? ' (Paused)'
          : health && starting !== 'none'
            ? ` (${starting})`
            : '';
      return `Up ${since(state.startedAt)}${suffix}`;
    }
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'created':
      return 'Created';
    case 'exited':
      return state.finishedAt === ''
        ? 'Created'
        : `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
  }
}

/** The command line as lists show it: arguments with spaces in quotes. */
function commandText(path: string, args: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}
