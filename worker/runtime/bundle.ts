// A container's record and what was found out about it → the OCI config.json, with Docker's defaults. A pure translation: everything that had to be looked
// up (user, devices, network namespace, mounted root) comes in, so the same input always gives the same bundle.
// Refuses nothing by itself except what no earlier check can see; requests are checked when a container is created (engine/host-config.ts).

import type { BoundFile } from './bundle-mounts.ts';
import { mountsOf } from './bundle-mounts.ts';
import type { DeviceNumbers, ResolvedDevice } from './bundle-resources.ts';
import { resourcesOf } from './bundle-resources.ts';
import { effectiveCapabilities } from './capabilities.ts';
import type { DeviceEdits } from './cdi.ts';
import type { HostFacts } from './host-facts.ts';
import { sharedContainer } from './network-request.ts';
import type { OciConfig, OciLinux, OciNamespace, OciProcess } from './oci.ts';
import type { ContainerRecord, MountPoint } from './record.ts';
import { customSeccomp, defaultSeccomp } from './seccomp.ts';
import { parseSecurityOptions, type SecurityOptions } from './security-options.ts';

/** Where the init program appears in the container. */
export const INIT_TARGET = '/sbin/docker-init';
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** From the image's passwd and group files. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly gids: readonly number[];
  readonly home: string;
}

/** Where a namespace comes from. */
export type NamespaceSource =
  | { readonly kind: 'new' }
  | { readonly kind: 'host' }
  | { readonly kind: 'path'; readonly path: string };

export interface BundleInput {
  readonly record: ContainerRecord;
  /** The mounted root file system. */
  readonly rootDir: string;
  readonly user: ResolvedUser;
  readonly mounts: readonly MountPoint[];
  /** /etc files, secrets, configs; init is added here. */
  readonly files: readonly BoundFile[];
  readonly devices: readonly ResolvedDevice[];
  readonly blockDevices: DeviceNumbers;
  /** What devices that drivers describe need besides their nodes, which are among `devices`. */
  readonly edits: DeviceEdits;
  readonly network: NamespaceSource;
  readonly ipc: NamespaceSource;
  readonly pid: NamespaceSource;
  /** Host path of /dev/shm where it is shared; '' = its own. */
  readonly shmSource: string;
  readonly cgroupsPath: string;
  /** Host path of tswarm-init; used when the record asks for init. */
  readonly initPath: string;
  readonly host: HostFacts;
}

const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Paths hidden from a container of this configuration. */
export function maskedPathsOf(record: ContainerRecord, host: HostFacts): readonly string[] {
  const { hostConfig } = record;
  if (hostConfig.MaskedPaths !== null) return hostConfig.MaskedPaths;
  if (hostConfig.Privileged || pathsUnconfined(record)) return [];
  return [...MASKED_PATHS, ...host.thermalPaths];
}

/** Paths that a container of this configuration may only read. */
export function readonlyPathsOf(record: ContainerRecord): readonly string[] {
  const { hostConfig } = record;
  if (hostConfig.ReadonlyPaths !== null) return hostConfig.ReadonlyPaths;
  return hostConfig.Privileged || pathsUnconfined(record) ? [] : READONLY_PATHS;
}

function pathsUnconfined(record: ContainerRecord): boolean {
  return parseSecurityOptions(record.hostConfig.SecurityOpt).unconfinedSystemPaths;
}

/** The whole config.json. */
export function bundleOf(input: BundleInput): OciConfig {
  const { record, host } = input;
  const { hostConfig, config } = record;
  const withInit = hostConfig.Init === true && input.pid.kind === 'new';
  const capabilities = effectiveCapabilities({
    privileged: hostConfig.Privileged,
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
    held: host.heldCapabilities,
  });
  const initFile: BoundFile = { source: input.initPath, target: INIT_TARGET, readonly: true };
  const ownUts = hostConfig.UTSMode !== 'host';
  return {
    ociVersion: '1.0.2',
    root: { path: input.rootDir, readonly: hostConfig.ReadonlyRootfs },
    ...(ownUts && config.Hostname !== '' ? { hostname: config.Hostname } : {}),
    ...(ownUts && config.Domainname !== '' ? { domainname: config.Domainname } : {}),
    process: processOf(input, capabilities, withInit),
    mounts: [
      ...mountsOf({
        record,
        mounts: input.mounts,
        files: withInit ? [...input.files, initFile] : input.files,
        shmSource: input.shmSource,
        cgroupVersion: host.cgroupVersion,
      }),
      ...input.edits.mounts,
    ],
    ...(Object.keys(input.edits.hooks).length > 0 ? { hooks: input.edits.hooks } : {}),
    annotations: hostConfig.Annotations ?? {},
    linux: linuxOf(input, capabilities),
  };
}

function processOf(
  input: BundleInput,
  capabilities: readonly string[],
  withInit: boolean,
): OciProcess {
  const { record, user } = input;
  const { config, hostConfig } = record;
  const command = [record.path, ...record.args];
  const security = parseSecurityOptions(hostConfig.SecurityOpt);
  const [height = 0, width = 0] = hostConfig.ConsoleSize;
  return {
    terminal: config.Tty,
    ...(config.Tty && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
    user: ociUser({ ...user, gids: [...user.gids, ...input.edits.gids] }),
    args: withInit ? [INIT_TARGET, '--', ...command] : command,
    env: environmentOf({ ...config, Env: [...config.Env, ...input.edits.env] }, user.home),
    cwd: config.WorkingDir === '' ? '/' : config.WorkingDir,
    capabilities: capabilitySets(capabilities),
    ...rlimitsOf(hostConfig),
    noNewPrivileges: security.noNewPrivileges,
    ...appArmorOf(security),
    ...(hostConfig.OomScoreAdj !== 0 ? { oomScoreAdj: hostConfig.OomScoreAdj } : {}),
  };
}

/** The AppArmor profile of a process, if it has one. */
export function appArmorOf({
  appArmorProfile,
}: SecurityOptions): Pick<OciProcess, 'apparmorProfile'> {
  return appArmorProfile === '' ? {} : { apparmorProfile: appArmorProfile };
}

/** The user of a process, with the groups that it is in besides. */
export function ociUser({ uid, gid, gids }: ResolvedUser): OciProcess['user'] {
  return { uid, gid, ...(gids.length > 0 ? { additionalGids: gids } : {}) };
}

/** `rlimits` for every process of the container; nothing where it has none of its own. */
export function rlimitsOf({
  Ulimits,
}: Pick<ContainerRecord['hostConfig'], 'Ulimits'>): Pick<OciProcess, 'rlimits'> {
  if (Ulimits.length === 0) return {};
  return {
    rlimits: Ulimits.map((limit) => ({
      type: `RLIMIT_${limit.Name.toUpperCase()}`,
      soft: limit.Soft,
      hard: limit.Hard,
    })),
  };
}

/** The five sets with these names; ambient and inheritable empty. */
export function capabilitySets(names: readonly string[]): NonNullable<OciProcess['capabilities']> {
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] };
}

/** PATH, HOSTNAME, TERM, then the container's own, then HOME when nobody set it. A later assignment of a name replaces the earlier. */
export function environmentOf(
  config: { readonly Env: readonly string[]; readonly Hostname: string; readonly Tty: boolean },
  home: string,
): readonly string[] {
  const out = new Map<string, string>();
  out.set('PATH', `PATH=${DEFAULT_PATH}`);
  if (config.Hostname !== '') out.set('HOSTNAME', `HOSTNAME=${config.Hostname}`);
  if (config.Tty) out.set('TERM', 'TERM=xterm');
  for (const entry of config.Env) {
    const cut = entry.indexOf('=');
    if (cut > 0) out.set(entry.slice(0, cut), entry);
    // A name without a value takes the variable away (docker run -e NAME with NAME not set).
    else if (cut < 0) out.delete(entry);
  }
  if (!out.has('HOME')) out.set('HOME', `HOME=${home === '' ? '/' : home}`);
  return [...out.values()];
}

function linuxOf(input: BundleInput, capabilities: readonly string[]): OciLinux {
  const { record, host } = input;
  const { hostConfig } = record;
  const seccomp = seccompOf(input, capabilities);
  const rootfsPropagation = propagates(input.mounts);
  return {
    namespaces: namespacesOf(input),
    cgroupsPath: input.cgroupsPath,
    resources: resourcesOf(hostConfig, input.devices, input.blockDevices),
    ...(input.devices.length > 0
      ? {
          devices: input.devices.map((device) => ({
            path: device.path,
            type: device.type,
            major: device.major,
            minor: device.minor,
            fileMode: device.fileMode,
            uid: device.uid,
            gid: device.gid,
          })),
        }
      : {}),
    sysctl: sysctlsOf(input),
    ...(seccomp ? { seccomp } : {}),
    maskedPaths: maskedPathsOf(record, host),
    readonlyPaths: readonlyPathsOf(record),
    ...(rootfsPropagation ? { rootfsPropagation } : {}),
  };
}

function seccompOf(
  input: BundleInput,
  capabilities: readonly string[],
): OciLinux['seccomp'] | undefined {
  const { hostConfig } = input.record;
  const { seccomp } = parseSecurityOptions(hostConfig.SecurityOpt);
  if (seccomp.kind === 'unconfined') return undefined;
  if (seccomp.kind === 'custom') {
    return customSeccomp(seccomp.profile, {
      architecture: input.host.architecture,
      kernelRelease: input.host.kernelRelease,
      capabilities,
    });
  }
  if (hostConfig.Privileged) return undefined;
  return defaultSeccomp(input.host.architecture, capabilities);
}

function namespacesOf(input: BundleInput): readonly OciNamespace[] {
  const { hostConfig } = input.record;
  const out: OciNamespace[] = [{ type: 'mount' }];
  const add = (type: string, source: NamespaceSource): void => {
    if (source.kind === 'new') out.push({ type });
    else if (source.kind === 'path') out.push({ type, path: source.path });
  };
  add('network', input.network);
  if (hostConfig.UTSMode !== 'host') out.push({ type: 'uts' });
  add('pid', input.pid);
  add('ipc', input.ipc);
  const cgroupns = hostConfig.CgroupnsMode;
  if (cgroupns === 'private' || (cgroupns === '' && input.host.cgroupVersion === 2)) {
    out.push({ type: 'cgroup' });
  }
  return out;
}

/** The two that Docker sets in every network namespace of a container's own, below what the user asked for. */
function sysctlsOf(input: BundleInput): Readonly<Record<string, string>> {
  const asked = input.record.hostConfig.Sysctls ?? {};
  const isShared = sharedContainer(input.record.hostConfig.NetworkMode) !== '';
  if (input.network.kind === 'host' || isShared) return asked;
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
    ...asked,
  };
}

/** The root must be shared or slave for a mount inside it to be so. */
function propagates(mounts: readonly MountPoint[]): 'shared' | 'slave' | undefined {
  if (mounts.some((mount) => /^r?shared$/.test(mount.Propagation))) return 'shared';
  if (mounts.some((mount) => /^r?slave$/.test(mount.Propagation))) return 'slave';
  return undefined;
}
