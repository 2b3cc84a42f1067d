// What the worker keeps about one container: the definition in the Engine API's own shapes (so that inspect shows what was asked for, whether it came
// from `docker run` or from a task) and its state. The definition is written once at create, `update` and `rename`; the state at every change.
// Invariant: nothing secret is in here; secrets live on a tmpfs only.
import type { ImageHealthcheck } from '../images/types.ts';
import type { AttachmentRequest } from '../network/types.ts';

/** `Config` of inspect, merged with the image's. */
export interface ContainerConfig {
  readonly Hostname: string;
  readonly Domainname: string;
  readonly User: string;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly StdinOnce: boolean;
  readonly Env: readonly string[];
  readonly Cmd: readonly string[] | null;
  readonly Healthcheck?: ImageHealthcheck;
  readonly Image: string;
  readonly Volumes: Readonly<Record<string, unknown>> | null;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[] | null;
  readonly OnBuild: readonly string[] | null;
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  /** Seconds. */
  readonly StopTimeout?: number;
  readonly Shell?: readonly string[];
}

export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}
export interface WeightDevice {
  readonly Path: string;
  readonly Weight: number;
}
export interface ThrottleDevice {
  readonly Path: string;
  readonly Rate: number;
}
export interface DeviceSpec {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}
export interface UlimitSpec {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}
export interface RestartPolicySpec {
  readonly Name: string;
  readonly MaximumRetryCount: number;
}
/** An entry of `HostConfig.Mounts`. */
export interface MountSpec {
  readonly Type: string;
  readonly Source?: string;
  readonly Target: string;
  readonly ReadOnly?: boolean;
  readonly Consistency?: string;
  readonly BindOptions?: {
    readonly Propagation?: string;
    readonly NonRecursive?: boolean;
    readonly CreateMountpoint?: boolean;
    readonly ReadOnlyNonRecursive?: boolean;
    readonly ReadOnlyForceRecursive?: boolean;
  };
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean;
    readonly Labels?: Readonly<Record<string, string>>;
    readonly DriverConfig?: {
      readonly Name?: string;
      readonly Options?: Readonly<Record<string, string>>;
    };
    readonly Subpath?: string;
  };
  readonly ImageOptions?: { readonly Subpath?: string };
  readonly TmpfsOptions?: {
    readonly SizeBytes?: number;
    readonly Mode?: number;
    readonly Options?: readonly (readonly string[])[];
  };
}

/** `HostConfig`, every field present. Durations and sizes in the Engine API's units (nano CPUs, bytes, microseconds). */
export interface HostConfig {
  readonly Binds: readonly string[] | null;
  readonly ContainerIDFile: string;
  readonly LogConfig: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
  readonly NetworkMode: string;
  readonly PortBindings: Readonly<Record<string, readonly PortBinding[]>>;
  readonly RestartPolicy: RestartPolicySpec;
  readonly AutoRemove: boolean;
  readonly VolumeDriver: string;
  readonly VolumesFrom: readonly string[] | null;
  readonly ConsoleSize: readonly number[];
  readonly Annotations?: Readonly<Record<string, string>>;
  readonly CapAdd: readonly string[] | null;
  readonly CapDrop: readonly string[] | null;
  readonly CgroupnsMode: string;
  readonly Dns: readonly string[];
  readonly DnsOptions: readonly string[];
  readonly DnsSearch: readonly string[];
  readonly ExtraHosts: readonly string[] | null;
  readonly GroupAdd: readonly string[] | null;
  readonly IpcMode: string;
  readonly Cgroup: string;
  readonly Links: readonly string[] | null;
  readonly OomScoreAdj: number;
  readonly PidMode: string;
  readonly Privileged: boolean;
  readonly PublishAllPorts: boolean;
  readonly ReadonlyRootfs: boolean;
  readonly SecurityOpt: readonly string[] | null;
  readonly StorageOpt?: Readonly<Record<string, string>>;
  readonly Tmpfs?: Readonly<Record<string, string>>;
  readonly UTSMode: string;
  readonly UsernsMode: string;
  readonly ShmSize: number;
  readonly Sysctls?: Readonly<Record<string, string>>;
  readonly Runtime: string;
  readonly Isolation: string;
  readonly CpuShares: number;
  readonly Memory: number;
  readonly NanoCpus: number;
  readonly CgroupParent: string;
  readonly BlkioWeight: number;
  readonly BlkioWeightDevice: readonly WeightDevice[];
  readonly BlkioDeviceReadBps: readonly ThrottleDevice[];
  readonly BlkioDeviceWriteBps: readonly ThrottleDevice[];
  readonly BlkioDeviceReadIOps: readonly ThrottleDevice[];
  readonly BlkioDeviceWriteIOps: readonly ThrottleDevice[];
  readonly CpuPeriod: number;
  readonly CpuQuota: number;
  readonly CpuRealtimePeriod: number;
  readonly CpuRealtimeRuntime: number;
  readonly CpusetCpus: string;
  readonly CpusetMems: string;
  readonly Devices: readonly DeviceSpec[];
  readonly DeviceCgroupRules: readonly string[] | null;
  readonly DeviceRequests: readonly unknown[] | null;
  readonly KernelMemory: number;
  readonly KernelMemoryTCP: number;
  readonly MemoryReservation: number;
  readonly MemorySwap: number;
  readonly MemorySwappiness: number | null;
  readonly OomKillDisable: boolean | null;
  readonly PidsLimit: number | null;
  readonly Ulimits: readonly UlimitSpec[];
  readonly CpuCount: number;
  readonly CpuPercent: number;
  readonly IOMaximumIOps: number;
  readonly IOMaximumBandwidth: number;
  readonly Mounts?: readonly MountSpec[];
  readonly MaskedPaths: readonly string[] | null;
  readonly ReadonlyPaths: readonly string[] | null;
  readonly Init?: boolean;
}

/** A mount as it is made and as inspect shows it. */
export interface MountPoint {
  readonly Type: 'bind' | 'volume' | 'tmpfs' | 'image';
  /** Volume name; absent for others. */
  readonly Name?: string;
  /** Host path; '' for tmpfs. */
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
  /** Ours, not shown: what the mount needs beyond the shown fields. */
  readonly extra: {
    readonly createSource: boolean;
    readonly nonRecursive: boolean;
    readonly copyUp: boolean;
    readonly subpath: string;
    readonly tmpfsOptions: readonly string[];
    /** Made by this container (anonymous): removed with it on `rm -v` and AutoRemove. */
    readonly anonymous: boolean;
    /** Read-only also for what is mounted below the source. */
    readonly readonlyRecursive: boolean;
    /** Of an image mount: the image that its source meant when the container was made. */
    readonly imageId?: string;
  };
}

/** Nothing asked of a mount. */
export const NO_EXTRA: MountPoint['extra'] = {
  createSource: false,
  nonRecursive: false,
  copyUp: false,
  subpath: '',
  tmpfsOptions: [],
  anonymous: false,
  readonlyRecursive: false,
};

/** A secret or config that the container gets as a file. */
export interface FileReference {
  readonly kind: 'secret' | 'config';
  /** Object id; the data comes from the assignments. */
  readonly id: string;
  readonly name: string;
  /** Absolute path inside the container. */
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** What a task's container has beyond the Engine API's shapes. */
export interface TaskPart {
  readonly taskId: string;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly slot: number;
  readonly networks: readonly AttachmentRequest[];
  /** `NAME:ALIAS`; see AttachRequest. */
  readonly links?: readonly string[];
  readonly files: readonly FileReference[];
  /** Runs before the task's own container: a pre_start hook. */
  readonly isHook?: boolean;
  /** True: the agent decides about restarts, not this container's RestartPolicy. */
  readonly managed: true;
}

/** Endpoint settings of `docker run`: network id or name → what was asked for. */
export interface EndpointRequest {
  readonly aliases: readonly string[];
  readonly ipv4: string;
  readonly ipv6: string;
  readonly macAddress: string;
  readonly gwPriority: number;
  readonly links: readonly string[] | null;
  readonly driverOpts: Readonly<Record<string, string>> | null;
  readonly linkLocalIps?: readonly string[];
}

export interface ContainerRecord {
  /** Format of this file. */
  readonly version: 1;
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** Microseconds since 1970. */
  readonly createdAt: number;
  /** Reference as the user wrote it, and what it meant then. */
  readonly image: string;
  readonly imageId: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: Readonly<Record<string, EndpointRequest>>;
  /** It was taken off the network that NetworkMode names: it is on that one again only when there is no other. */
  readonly isOffPrimary?: boolean;
  readonly mounts: readonly MountPoint[];
  readonly task?: TaskPart;
  /** Kept paths of the process: what runs as argv[0] and its arguments. */
  readonly path: string;
  readonly args: readonly string[];
}

export type ContainerStatusText =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'exited'
  | 'dead'
  | 'removing';

/** Written at every change of status. Times: RFC 3339 with nanoseconds as the shim wrote them; '' = never. */
export interface ContainerState {
  readonly version: 1;
  readonly status: ContainerStatusText;
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly restartCount: number;
  /** Restarts in a row by the policy, for its back-off and its limit; begins anew after a long enough run. */
  readonly restartsInRow: number;
  /** Stopped by a person or the agent: `unless-stopped` does not bring it back. */
  readonly stopRequested: boolean;
  /** While it is being removed: its anonymous volumes go with it. */
  readonly removeVolumes: boolean;
  /** /proc/sys/kernel/random/boot_id at the last start. */
  readonly bootId: string;
  /** Ports as published at the last start. */
  readonly health: HealthRecord | null;
}

export interface HealthProbe {
  readonly Start: string;
  readonly End: string;
  readonly ExitCode: number;
  readonly Output: string;
}
export interface HealthRecord {
  readonly Status: 'none' | 'starting' | 'healthy' | 'unhealthy';
  readonly FailingStreak: number;
  readonly Log: readonly HealthProbe[];
}

export const INITIAL_STATE: ContainerState = {
  version: 1,
  status: 'created',
  pid: 0,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: '',
  finishedAt: '',
  restartCount: 0,
  restartsInRow: 0,
  stopRequested: false,
  removeVolumes: false,
  bootId: '',
  health: null,
};

/** Go's zero time, as inspect shows a time that has not come. */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** What `CMD-SHELL` runs in when the image has no SHELL of its own. */
export const DEFAULT_SHELL: readonly string[] = ['/bin/sh', '-c'];
