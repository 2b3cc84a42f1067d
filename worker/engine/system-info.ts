// The node's part of GET /info and GET /system/df: counts, kernel, limits, storage, as the Engine API shows them. The cluster's part (Swarm, and what
// needs a manager) is the gateway's.
import { readFile } from 'node:fs/promises';
import type { EngineJson } from '#protocol/engine';
import { LOG_DRIVERS } from '#protocol/log-drivers';
import type { ContainerTable } from '../runtime/container.ts';
import type { HostFacts } from '../runtime/host-facts.ts';

export interface InfoInput {
  readonly host: HostFacts;
  readonly table: ContainerTable;
  readonly imageCount: number;
  readonly eventListeners: number;
  readonly dataRoot: string;
  readonly engineVersion: string;
  readonly runtimes: Readonly<Record<string, string>>;
  readonly nativeDir: string;
  readonly labels: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  /** `Plugins.Network` and warnings. */
  readonly network: EngineJson;
  readonly nowMs: number;
  /** Stable name of this engine. */
  readonly id: string;
}

/** The node's fields of GET /info. */
export async function nodeInfo(input: InfoInput): Promise<EngineJson> {
  const { host } = input;
  const all = input.table.list();
  const running = all.filter((container) => container.state.status === 'running').length;
  const paused = all.filter((container) => container.state.status === 'paused').length;
  const system = await operatingSystem();
  const forwarding = await readFlag('/proc/sys/net/ipv4/ip_forward');
  return {
    ID: input.id,
    Containers: all.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: all.length - running - paused,
    Images: input.imageCount,
    Driver: 'overlay2',
    DriverStatus: [
      ['Backing Filesystem', 'overlayfs'],
      ['Supports d_type', 'true'],
      ['Native Overlay Diff', 'true'],
    ],
    Plugins: {
      Volume: ['local'],
      Network: input.network.Network ?? ['bridge', 'host', 'null', 'overlay'],
      Authorization: null,
      Log: LOG_DRIVERS,
    },
    MemoryLimit: true,
    SwapLimit: true,
    KernelMemory: false,
    KernelMemoryTCP: false,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: forwarding,
    BridgeNfIptables: true,
    BridgeNfIp6tables: true,
    Debug: false,
    NFd: 0,
    OomKillDisable: host.cgroupVersion === 1,
    NGoroutines: 0,
    SystemTime: new Date(input.nowMs).toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(host.cgroupVersion),
    NEventsListener: input.eventListeners,
    KernelVersion: host.kernelRelease,
    OperatingSystem: system.name,
    OSVersion: system.version,
    OSType: 'linux',
    Architecture: host.machine,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: registryConfig(input),
    NCPU: host.cpuCount,
    MemTotal: host.memoryBytes,
    GenericResources: null,
    DockerRootDir: input.dataRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: host.hostname,
    Labels: input.labels,
    ExperimentalBuild: false,
    ServerVersion: input.engineVersion,
    Runtimes: Object.fromEntries(
      Object.entries(input.runtimes).map(([name, path]) => [name, { path }]),
    ),
    DefaultRuntime: 'tswarm',
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: 'tswarm-init',
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: '', Expected: '' },
    InitCommit: { ID: '', Expected: '' },
    SecurityOptions: ['name=seccomp,profile=builtin'],
    Warnings: null,
  };
}

function registryConfig(input: InfoInput): EngineJson {
  const indexes: Record<string, EngineJson> = {
    'docker.io': {
      Name: 'docker.io',
      Mirrors: input.registryMirrors,
      Secure: true,
      Official: true,
    },
  };
  for (const name of input.insecureRegistries) {
    indexes[name] = { Name: name, Mirrors: [], Secure: false, Official: false };
  }
  return {
    AllowNondistributableArtifactsCIDRs: [],
    AllowNondistributableArtifactsHostnames: [],
    InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'],
    IndexConfigs: indexes,
    Mirrors: input.registryMirrors,
  };
}

async function operatingSystem(): Promise<{ readonly name: string; readonly version: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string): string =>
    new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { name: field('PRETTY_NAME') || 'Linux', version: field('VERSION_ID') };
}

async function readFlag(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() === '1';
}
