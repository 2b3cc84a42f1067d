// The calls of programs that use the Engine API, with the version that each asks for, its query and what it reads of the answer (shape.ts), from their sources:
// Traefik 3 (pkg/provider/docker), Prometheus (discovery/moby), Portainer (api/docker/snapshot.go and the paths that its pages ask for), cAdvisor
// (container/docker), testcontainers for Node (through dockerode, without a version). Words in braces are filled in by the test: {container}, {service}, {task},
// {node}, {network}, {image}. Data only.

export interface ClientCall {
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** 200 unless said otherwise. */
  readonly status?: number;
  readonly reads: readonly string[];
  /** The answer goes on until the client has enough: only status and headers are looked at. */
  readonly isStream?: true;
}

export interface ClientReplay {
  readonly client: string;
  readonly userAgent: string;
  /** Prefix of every path. */
  readonly version: string;
  readonly calls: readonly ClientCall[];
}

const VERSION = ['Version:s', 'ApiVersion:s', 'Os:s', 'Arch:s', 'KernelVersion:s', 'BuildTime:s'];

const CONTAINER_ROW = [
  '[].Id:s',
  '[].Names[]:s',
  '[].Image:s',
  '[].ImageID:s',
  '[].Command:s',
  '[].Created:n',
  '[].State:s',
  '[].Status:s',
  '[].Labels:o',
  '[].HostConfig.NetworkMode:s',
  '[].NetworkSettings.Networks:o+',
  '[].NetworkSettings.Networks{}.NetworkID:s',
  '[].NetworkSettings.Networks{}.IPAddress:s',
  '[].Ports:l',
  '[].Mounts:l',
];

const SERVICE_ROW = [
  '[].ID:s',
  '[].Version.Index:n',
  '[].CreatedAt:s',
  '[].UpdatedAt:s',
  '[].Spec.Name:s',
  '[].Spec.Labels:o',
  '[].Spec.Mode:o+',
  '[].Spec.EndpointSpec.Mode:s',
  '[].Spec.TaskTemplate.ContainerSpec.Image:s',
  '[].Spec.TaskTemplate.Networks[].Target:s',
  '[].Endpoint.Spec.Mode:s',
  '[].Endpoint.VirtualIPs[].NetworkID:s',
  '[].Endpoint.VirtualIPs[].Addr:s',
  '[].Endpoint.Ports[].Protocol:s',
  '[].Endpoint.Ports[].TargetPort:n',
  '[].Endpoint.Ports[].PublishedPort:n',
  '[].Endpoint.Ports[].PublishMode:s',
];

const TASK_ROW = [
  '[].ID:s',
  '[].Version.Index:n',
  '[].ServiceID:s',
  '[].NodeID:s',
  '[].Slot:n',
  '[].DesiredState:s',
  '[].Labels:o',
  '[].Spec.ContainerSpec.Image:s',
  '[].Spec.ContainerSpec.Labels:o?',
  '[].Status.State:s',
  '[].Status.Timestamp:s',
  '[].Status.ContainerStatus.ContainerID:s',
  '[].Status.PortStatus:o',
  '[].NetworksAttachments[].Network.ID:s',
  '[].NetworksAttachments[].Network.Spec.Name:s',
  '[].NetworksAttachments[].Addresses[]:s',
];

const NODE = [
  'ID:s',
  'Version.Index:n',
  'Spec.Role:s',
  'Spec.Availability:s',
  'Spec.Labels:o',
  'Description.Hostname:s',
  'Description.Platform.Architecture:s',
  'Description.Platform.OS:s',
  'Description.Engine.EngineVersion:s',
  'Description.Resources.NanoCPUs:n',
  'Description.Resources.MemoryBytes:n',
  'Status.State:s',
  'Status.Addr:s',
  'ManagerStatus.Leader:b',
  'ManagerStatus.Reachability:s',
  'ManagerStatus.Addr:s',
];
const NODE_ROW: readonly string[] = NODE.map((read) => `[].${read}`);

const NETWORK_ROW = [
  '[].Id:s',
  '[].Name:s',
  '[].Scope:s',
  '[].Driver:s',
  '[].Internal:b',
  '[].Ingress:b',
  '[].Labels:o',
  '[].IPAM.Config:l?',
];

const INSPECT = [
  'Id:s',
  'Name:s',
  'Created:s',
  'Image:s',
  'RestartCount:n',
  'State.Running:b',
  'State.Status:s',
  'State.Pid:n',
  'State.StartedAt:s',
  'Config.Labels:o',
  'Config.Image:s',
  'Config.Env:l',
  'Config.Hostname:s',
  'HostConfig.NetworkMode:s',
  'HostConfig.RestartPolicy.Name:s',
  'HostConfig.CgroupParent:s',
  'GraphDriver.Name:s',
  'GraphDriver.Data.UpperDir:s',
  'NetworkSettings.Ports:o',
  'NetworkSettings.Networks{}.IPAddress:s',
  'NetworkSettings.Networks{}.GlobalIPv6Address:s',
  'NetworkSettings.Networks{}.NetworkID:s',
  'Mounts:l',
];

const INFO = [
  'ID:s',
  'Name:s',
  'ServerVersion:s',
  'Driver:s',
  'DriverStatus:l',
  'DockerRootDir:s',
  'NCPU:n',
  'MemTotal:n',
  'OSType:s',
  'Architecture:s',
  'KernelVersion:s',
  'OperatingSystem:s',
  'Containers:n',
  'ContainersRunning:n',
  'Images:n',
  'Plugins.Volume:l',
  'Plugins.Network:l',
  'SecurityOptions:l?',
  'Swarm.NodeID:s',
  'Swarm.LocalNodeState:s',
  'Swarm.ControlAvailable:b',
  'Swarm.Nodes:n',
  'Swarm.Managers:n',
];

const IMAGE_ROW = ['[].Id:s', '[].RepoTags:l', '[].Created:n', '[].Size:n', '[].Labels:o?'];

const TRAEFIK_DOCKER: ClientReplay = {
  client: 'Traefik, docker provider',
  userAgent: 'Traefik 3.3.4',
  version: '/v1.24',
  calls: [
    { path: '/version', reads: VERSION },
    { path: '/containers/json', query: { limit: 0 }, reads: CONTAINER_ROW },
    { path: '/containers/{container}/json', reads: INSPECT },
    {
      path: '/events',
      query: { filters: { type: { container: true } } },
      reads: [],
      isStream: true,
    },
  ],
};

const TRAEFIK_SWARM: ClientReplay = {
  client: 'Traefik, swarm provider',
  userAgent: 'Traefik 3.3.4',
  version: '/v1.24',
  calls: [
    { path: '/version', reads: VERSION },
    { path: '/services', reads: SERVICE_ROW },
    { path: '/networks', query: { filters: { scope: { swarm: true } } }, reads: NETWORK_ROW },
    { path: '/networks', query: { filters: { driver: { overlay: true } } }, reads: NETWORK_ROW },
    {
      path: '/tasks',
      query: { filters: { 'desired-state': { running: true }, service: { '{service}': true } } },
      reads: TASK_ROW,
    },
    { path: '/nodes/{node}', reads: NODE },
  ],
};

const PROMETHEUS: ClientReplay = {
  client: 'Prometheus, docker_sd and dockerswarm_sd',
  userAgent: 'Prometheus/3.1.0',
  version: '/v1.44',
  calls: [
    { path: '/_ping', reads: [] },
    { path: '/containers/json', query: { filters: {} }, reads: CONTAINER_ROW },
    { path: '/networks', reads: NETWORK_ROW },
    { path: '/services', query: { filters: {} }, reads: SERVICE_ROW },
    { path: '/tasks', query: { filters: { 'desired-state': ['running'] } }, reads: TASK_ROW },
    { path: '/nodes', query: { filters: {} }, reads: NODE_ROW },
  ],
};

const PORTAINER: ClientReplay = {
  client: 'Portainer, its snapshots and pages',
  userAgent: 'Go-http-client/1.1',
  version: '/v1.37',
  calls: [
    { path: '/_ping', reads: [] },
    { path: '/info', reads: INFO },
    { path: '/version', reads: VERSION },
    { path: '/nodes', reads: NODE_ROW },
    { path: '/services', reads: SERVICE_ROW },
    { path: '/containers/json', query: { all: 1, limit: 0 }, reads: CONTAINER_ROW },
    { path: '/containers/{container}/json', reads: INSPECT },
    { path: '/images/json', query: { all: 0 }, reads: IMAGE_ROW },
    { path: '/images/{image}/json', reads: ['Id:s', 'RepoTags:l', 'RepoDigests:l', 'Config:o'] },
    { path: '/images/{image}/history', reads: ['[].Created:n', '[].CreatedBy:s', '[].Size:n'] },
    { path: '/volumes', reads: ['Volumes[].Name:s', 'Volumes[].Driver:s', 'Warnings:l?'] },
    { path: '/volumes', query: { filters: { dangling: ['true'] } }, reads: ['Volumes:l'] },
    { path: '/networks', reads: NETWORK_ROW },
    {
      path: '/networks/{network}',
      reads: ['Id:s', 'Containers:o', 'Options:o', 'IPAM.Config[].Subnet:s', 'Peers[].IP:s'],
    },
    { path: '/swarm', reads: ['ID:s', 'Version.Index:n', 'JoinTokens.Worker:s', 'Spec.Raft:o'] },
    { path: '/tasks', reads: TASK_ROW },
    { path: '/secrets', reads: [':l'] },
    { path: '/configs', reads: [':l'] },
    { path: '/plugins', reads: [':l'] },
    { path: '/system/df', reads: ['LayersSize:n', 'Images:l', 'Containers:l', 'Volumes:l'] },
    { path: '/events', query: { since: '{before}', until: '{now}' }, reads: [] },
    { path: '/containers/{container}/top', reads: ['Titles:l', 'Processes:l'] },
    {
      path: '/containers/{container}/stats',
      query: { stream: false },
      reads: [
        'read:s',
        'cpu_stats.cpu_usage.total_usage:n',
        'cpu_stats.system_cpu_usage:n',
        'precpu_stats.cpu_usage.total_usage:n',
        'memory_stats.usage:n',
        'memory_stats.limit:n',
        'networks{}.rx_bytes:n',
        'blkio_stats:o',
      ],
    },
    {
      path: '/containers/{container}/logs',
      query: { stdout: 1, stderr: 1, timestamps: 0, tail: 100, since: 0 },
      headers: { accept: 'text/plain' },
      reads: [],
    },
    { path: '/services/{service}', reads: ['ID:s', 'Spec.Name:s', 'Version.Index:n'] },
    { path: '/services/{service}/logs', query: { stdout: 1, stderr: 1, tail: 100 }, reads: [] },
    { path: '/tasks/{task}', reads: ['ID:s', 'Status.State:s'] },
    { path: '/tasks/{task}/logs', query: { stdout: 1, stderr: 1, tail: 100 }, reads: [] },
    { path: '/containers/none/json', status: 404, reads: ['message:s'] },
  ],
};

const CADVISOR: ClientReplay = {
  client: 'cAdvisor',
  userAgent: 'Go-http-client/1.1',
  version: '/v1.41',
  calls: [
    { path: '/info', reads: INFO },
    { path: '/version', reads: VERSION },
    { path: '/images/json', query: { all: 0 }, reads: IMAGE_ROW },
    { path: '/containers/{container}/json', reads: INSPECT },
  ],
};

const TESTCONTAINERS: ClientReplay = {
  client: 'testcontainers for Node',
  userAgent: 'tc-node/11.0.0',
  version: '',
  calls: [
    { path: '/info', reads: INFO },
    { path: '/version', reads: VERSION },
    { path: '/images/json', reads: IMAGE_ROW },
    { path: '/images/{image}/json', reads: ['Id:s', 'Config.ExposedPorts:o?'] },
    {
      path: '/containers/json',
      query: { limit: 1, filters: { status: ['running'], label: ['replay=yes'] } },
      reads: CONTAINER_ROW,
    },
    { path: '/containers/{container}/json', reads: [...INSPECT, 'State.Health:o?'] },
    {
      path: '/containers/{container}/logs',
      query: { follow: true, stdout: true, stderr: true, since: 0 },
      reads: [],
      isStream: true,
    },
    { path: '/networks/{network}', reads: ['Id:s', 'Name:s'] },
  ],
};

/** Clients that only read. What changes something is in the test itself. */
export const REPLAYS: readonly ClientReplay[] = [
  TRAEFIK_DOCKER,
  TRAEFIK_SWARM,
  PROMETHEUS,
  PORTAINER,
  CADVISOR,
  TESTCONTAINERS,
];
