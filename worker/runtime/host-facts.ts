// What is true of this host and does not change while the worker runs: architecture, kernel, cgroup version, our own capabilities, boot id.
// Read once at start; everything else gets it as a value.
import { readdir, readFile, statfs } from 'node:fs/promises';
import { arch, cpus, hostname, release, totalmem } from 'node:os';
import { capabilitiesFromMask } from './capabilities.ts';

/** Magic number of the cgroup v2 file system. */
const CGROUP2_SUPER_MAGIC = 0x63677270;

export interface HostFacts {
  /** As Node names it: x64, arm64, … */
  readonly architecture: string;
  /** As images name it: amd64, arm64, … */
  readonly goArchitecture: string;
  /** As uname names it: x86_64, aarch64, … */
  readonly machine: string;
  readonly kernelRelease: string;
  readonly hostname: string;
  readonly cgroupVersion: 1 | 2;
  /** v1: controller → mount point; v2: empty. */
  readonly cgroupMounts: Readonly<Record<string, string>>;
  readonly heldCapabilities: ReadonlySet<string>;
  readonly bootId: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  /** /sys/devices/system/cpu/cpuN/thermal_throttle, where the host has them. */
  readonly thermalPaths: readonly string[];
}

const GO_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
  riscv64: 'riscv64',
  s390x: 's390x',
  ppc64: 'ppc64le',
  loong64: 'loong64',
};
const MACHINES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  ia32: 'i686',
  ppc64: 'ppc64le',
};

/** Reads the host's facts. */
export async function readHostFacts(): Promise<HostFacts> {
  const [bootId, status, mountInfo, version, thermalPaths] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    readFile('/proc/self/status', 'utf8'),
    readFile('/proc/self/mountinfo', 'utf8'),
    cgroupVersion(),
    findThermalPaths(),
  ]);
  const architecture = arch();
  return {
    architecture,
    goArchitecture: GO_ARCHITECTURES[architecture] ?? architecture,
    machine: MACHINES[architecture] ?? architecture,
    kernelRelease: release(),
    hostname: hostname(),
    cgroupVersion: version,
    cgroupMounts: version === 1 ? cgroupV1Mounts(mountInfo) : {},
    heldCapabilities: capabilitiesFromMask(/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? ''),
    bootId: bootId.trim(),
    cpuCount: cpus().length,
    memoryBytes: totalmem(),
    thermalPaths,
  };
}

async function cgroupVersion(): Promise<1 | 2> {
  const info = await statfs('/sys/fs/cgroup');
  return info.type === CGROUP2_SUPER_MAGIC ? 2 : 1;
}

/** Controller → mount point, from the lines of mountinfo (`… - cgroup SOURCE OPTIONS`). */
export function cgroupV1Mounts(mountInfo: string): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const line of mountInfo.split('\n')) {
    const [front, back] = line.split(' - ');
    if (!back?.startsWith('cgroup ')) continue;
    const target = front?.split(' ')[4];
    const options = back.split(' ')[2] ?? '';
    if (target === undefined) continue;
    for (const option of options.split(',')) {
      if (option !== 'rw' && option !== 'ro' && !out[option]) out[option] = target;
    }
  }
  return out;
}

async function findThermalPaths(): Promise<readonly string[]> {
  const base = '/sys/devices/system/cpu';
  const names = await readdir(base).catch(() => []);
  const out: string[] = [];
  for (const name of names) {
    if (!/^cpu\d+$/.test(name)) continue;
    const path = `${base}/${name}/thermal_throttle`;
    const entries = await readdir(path).catch(() => undefined);
    if (entries) out.push(path);
  }
  return out;
}
