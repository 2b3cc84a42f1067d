// Goal: the OCI configuration has Docker's defaults, and every setting of a container shows in it. Method: records through the same parser as requests, the
// bundle compared field by field; a fake host.
import { describe, expect, it } from 'vitest';
import { parseHostConfig } from '#worker/engine/host-config';
import type { BundleInput } from '#worker/runtime/bundle';
import { bundleOf, environmentOf } from '#worker/runtime/bundle';
import { ALL_CAPABILITIES } from '#worker/runtime/capabilities';
import { NO_EDITS } from '#worker/runtime/cdi';
import type { HostFacts } from '#worker/runtime/host-facts';
import type { OciConfig, OciMount } from '#worker/runtime/oci';
import type { ContainerRecord, MountPoint } from '#worker/runtime/record';

const HOST: HostFacts = {
  architecture: 'x64',
  goArchitecture: 'amd64',
  machine: 'x86_64',
  kernelRelease: '6.1.0',
  hostname: 'host',
  cgroupVersion: 1,
  cgroupMounts: {},
  heldCapabilities: new Set(ALL_CAPABILITIES),
  bootId: 'b',
  cpuCount: 2,
  memoryBytes: 1e9,
  thermalPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
};

function record(
  hostConfig: Record<string, unknown> = {},
  config: Partial<ContainerRecord['config']> = {},
): ContainerRecord {
  return {
    version: 1,
    id: 'a'.repeat(64),
    name: 'web',
    createdAt: 0,
    image: 'web:1',
    imageId: 'sha256:x',
    config: {
      Hostname: 'aaaaaaaaaaaa',
      Domainname: '',
      User: '',
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Env: ['A=1'],
      Cmd: ['run'],
      Image: 'web:1',
      Volumes: null,
      WorkingDir: '',
      Entrypoint: null,
      OnBuild: null,
      Labels: {},
      ...config,
    },
    hostConfig: parseHostConfig(hostConfig),
    endpoints: {},
    mounts: [],
    path: 'run',
    args: ['x'],
  };
}

function bundle(
  hostConfig: Record<string, unknown> = {},
  more: Partial<BundleInput> = {},
  config: Partial<ContainerRecord['config']> = {},
): OciConfig {
  return bundleOf({
    record: record(hostConfig, config),
    rootDir: '/rootfs',
    user: { uid: 0, gid: 0, gids: [], home: '/root' },
    mounts: [],
    files: [],
    devices: [],
    blockDevices: {},
    edits: NO_EDITS,
    network: { kind: 'path', path: '/run/netns/x' },
    ipc: { kind: 'new' },
    pid: { kind: 'new' },
    shmSource: '',
    cgroupsPath: '/tswarm-test/a',
    initPath: '/lib/tswarm-init',
    host: HOST,
    ...more,
  });
}

const mountAt = (config: OciConfig, target: string): OciMount | undefined =>
  config.mounts.find((mount) => mount.destination === target);

function point(change: Partial<MountPoint> & Pick<MountPoint, 'Destination'>): MountPoint {
  return {
    Type: 'bind',
    Source: '/src',
    Mode: '',
    RW: true,
    Propagation: 'rprivate',
    extra: {
      createSource: false,
      nonRecursive: false,
      copyUp: false,
      subpath: '',
      tmpfsOptions: [],
      anonymous: false,
      readonlyRecursive: false,
    },
    ...change,
  };
}

describe('defaults', () => {
  const config = bundle();

  it('has the fourteen capabilities, none inheritable or ambient', () => {
    const sets = config.process.capabilities;
    expect(sets?.bounding).toHaveLength(14);
    expect(sets?.effective).toEqual(sets?.bounding);
    expect(sets?.permitted).toEqual(sets?.bounding);
    expect(sets?.inheritable).toEqual([]);
    expect(sets?.ambient).toEqual([]);
    expect(sets?.bounding).not.toContain('CAP_SYS_ADMIN');
  });

  it('mounts in Docker’s order, system mounts read-only', () => {
    expect(config.mounts.map((mount) => mount.destination)).toEqual([
      '/proc',
      '/dev',
      '/dev/pts',
      '/sys',
      '/sys/fs/cgroup',
      '/dev/mqueue',
      '/dev/shm',
    ]);
    expect(mountAt(config, '/sys')?.options).toContain('ro');
    expect(mountAt(config, '/dev/shm')?.options).toContain('size=67108864');
  });

  it('hides and protects system paths', () => {
    expect(config.linux.maskedPaths).toEqual(
      expect.arrayContaining(['/proc/kcore', '/sys/firmware', HOST.thermalPaths[0]]),
    );
    expect(config.linux.readonlyPaths).toEqual([
      '/proc/bus',
      '/proc/fs',
      '/proc/irq',
      '/proc/sys',
      '/proc/sysrq-trigger',
    ]);
  });

  it('denies devices but the harmless ones', () => {
    const [first, ...rest] = config.linux.resources.devices;
    expect(first).toEqual({ allow: false, access: 'rwm' });
    expect(rest).toContainEqual({ allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' });
    expect(rest.some((rule) => rule.type === undefined)).toBe(false);
  });

  it('has its own namespaces, the network one from outside, no cgroup one on v1', () => {
    expect(config.linux.namespaces).toEqual([
      { type: 'mount' },
      { type: 'network', path: '/run/netns/x' },
      { type: 'uts' },
      { type: 'pid' },
      { type: 'ipc' },
    ]);
    const v2 = bundle({}, { host: { ...HOST, cgroupVersion: 2 } });
    expect(v2.linux.namespaces).toContainEqual({ type: 'cgroup' });
  });

  it('sets the two network sysctls, which a setting overrides', () => {
    expect(config.linux.sysctl).toEqual({
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv4.ping_group_range': '0 2147483647',
    });
    const asked = bundle({ Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '1024' } });
    expect(asked.linux.sysctl?.['net.ipv4.ip_unprivileged_port_start']).toBe('1024');
  });

  it('gives PATH, HOSTNAME, the container’s own, HOME', () => {
    expect(config.process.env).toEqual([
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=aaaaaaaaaaaa',
      'A=1',
      'HOME=/root',
    ]);
    expect(config.process.cwd).toBe('/');
    expect(config.process.args).toEqual(['run', 'x']);
    expect(config.process.noNewPrivileges).toBe(false);
  });
});

describe('settings', () => {
  it('privileged: everything held, nothing hidden, no filter, all devices', () => {
    const config = bundle({ Privileged: true });
    expect(config.process.capabilities?.bounding).toHaveLength(41);
    expect(config.linux.maskedPaths).toEqual([]);
    expect(config.linux.readonlyPaths).toEqual([]);
    expect(config.linux.seccomp).toBeUndefined();
    expect(config.linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }]);
    expect(mountAt(config, '/sys')?.options).toContain('rw');
  });

  it('never asks for a capability that the worker itself lacks', () => {
    const held = new Set(ALL_CAPABILITIES.filter((name) => name !== 'SYS_RESOURCE'));
    const config = bundle({ Privileged: true }, { host: { ...HOST, heldCapabilities: held } });
    expect(config.process.capabilities?.bounding).not.toContain('CAP_SYS_RESOURCE');
  });

  it('adds and drops capabilities in any spelling', () => {
    const caps = bundle({ CapAdd: ['net_admin', 'CAP_SYS_TIME'], CapDrop: ['MKNOD'] }).process
      .capabilities?.bounding;
    expect(caps).toEqual(expect.arrayContaining(['CAP_NET_ADMIN', 'CAP_SYS_TIME']));
    expect(caps).not.toContain('CAP_MKNOD');
    expect(bundle({ CapDrop: ['ALL'], CapAdd: ['KILL'] }).process.capabilities?.bounding).toEqual([
      'CAP_KILL',
    ]);
    expect(
      bundle({ CapAdd: ['ALL'], CapDrop: ['CHOWN'] }).process.capabilities?.bounding,
    ).toHaveLength(40);
  });

  it('limits memory, cpu, processes, block I/O', () => {
    const { resources } = bundle(
      {
        Memory: 64 * 1024 * 1024,
        MemoryReservation: 32 * 1024 * 1024,
        NanoCpus: 1_500_000_000,
        CpuShares: 512,
        CpusetCpus: '0-1',
        PidsLimit: 50,
        BlkioWeight: 300,
        BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1024 }],
      },
      { blockDevices: { '/dev/sda': { major: 8, minor: 0 } } },
    ).linux;
    expect(resources.memory).toEqual({
      limit: 67_108_864,
      reservation: 33_554_432,
      swap: 134_217_728,
    });
    expect(resources.cpu).toEqual({ period: 100_000, quota: 150_000, shares: 512, cpus: '0-1' });
    expect(resources.pids).toEqual({ limit: 50 });
    expect(resources.blockIO).toEqual({
      weight: 300,
      throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1024 }],
    });
  });

  it('passes user, groups, terminal, limits, no_new_privs, oom score', () => {
    const { process } = bundle(
      {
        SecurityOpt: ['no-new-privileges'],
        Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }],
        OomScoreAdj: 500,
        ConsoleSize: [24, 80],
      },
      { user: { uid: 101, gid: 102, gids: [4, 102], home: '/data' } },
      { Tty: true, WorkingDir: '/srv' },
    );
    expect(process).toMatchObject({
      terminal: true,
      consoleSize: { height: 24, width: 80 },
      user: { uid: 101, gid: 102, additionalGids: [4, 102] },
      cwd: '/srv',
      noNewPrivileges: true,
      oomScoreAdj: 500,
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }],
    });
    expect(process.env).toContain('TERM=xterm');
  });

  it('runs an init in front, unless the PID namespace is shared', () => {
    const config = bundle({ Init: true });
    expect(config.process.args).toEqual(['/sbin/docker-init', '--', 'run', 'x']);
    expect(mountAt(config, '/sbin/docker-init')).toMatchObject({
      source: '/lib/tswarm-init',
      options: ['rbind', 'rprivate', 'ro'],
    });
    const shared = bundle({ Init: true }, { pid: { kind: 'host' } });
    expect(shared.process.args).toEqual(['run', 'x']);
  });

  it('shares what is asked to be shared', () => {
    const config = bundle(
      { UTSMode: 'host' },
      {
        network: { kind: 'host' },
        ipc: { kind: 'host' },
        pid: { kind: 'host' },
        shmSource: '/dev/shm',
      },
    );
    expect(config.linux.namespaces).toEqual([{ type: 'mount' }]);
    expect(config.hostname).toBeUndefined();
    expect(mountAt(config, '/dev/shm')).toMatchObject({ type: 'bind', source: '/dev/shm' });
    expect(config.linux.sysctl).toEqual({});
  });

  it('makes devices and allows them', () => {
    const device = {
      path: '/dev/fuse',
      type: 'c',
      major: 10,
      minor: 229,
      fileMode: 0o666,
      uid: 0,
      gid: 0,
      access: 'rw',
    } as const;
    const { linux } = bundle({ DeviceCgroupRules: ['c 42:* rmw'] }, { devices: [device] });
    const { access, ...node } = device;
    expect(linux.devices).toEqual([node]);
    expect(linux.resources.devices).toContainEqual({
      allow: true,
      type: 'c',
      major: 10,
      minor: 229,
      access: 'rw',
    });
    expect(linux.resources.devices.at(-1)).toEqual({
      allow: true,
      type: 'c',
      major: 42,
      access: 'rmw',
    });
  });
});

describe('mounts', () => {
  it('come after what they lie in, and replace a default one at their place', () => {
    const config = bundle(
      {},
      {
        mounts: [
          point({ Destination: '/a/b/c' }),
          point({ Destination: '/a' }),
          point({ Destination: '/dev/shm', Type: 'tmpfs', Source: '' }),
        ],
        files: [{ source: '/etc-hosts', target: '/etc/hosts', readonly: false }],
      },
    );
    const targets = config.mounts.map((mount) => mount.destination);
    expect(targets.slice(6)).toEqual(['/a', '/dev/shm', '/etc/hosts', '/a/b/c']);
    expect(targets.filter((target) => target === '/dev/shm')).toHaveLength(1);
  });

  it('keep read-only, propagation, recursion', () => {
    const mount = point({ Destination: '/m', RW: false, Propagation: 'rslave' });
    const config = bundle({}, { mounts: [mount] });
    expect(mountAt(config, '/m')?.options).toEqual(['rbind', 'rslave', 'ro']);
    expect(config.linux.rootfsPropagation).toBe('slave');
    const plain = { ...mount, extra: { ...mount.extra, nonRecursive: true } };
    expect(mountAt(bundle({}, { mounts: [plain] }), '/m')?.options[0]).toBe('bind');
  });

  it('leave the way below a volume to the runtime', () => {
    const mount = point({ Destination: '/m', Type: 'volume', Source: '/volumes/v' });
    const part = { ...mount, extra: { ...mount.extra, subpath: 'a/b' } };
    const shown = mountAt(bundle({}, { mounts: [part] }), '/m');
    expect(shown?.source).toBe('/volumes/v');
    expect(shown?.options).toContain('subpath=a/b');
  });

  it('a file of the user’s own wins over the engine’s', () => {
    const config = bundle(
      {},
      {
        mounts: [point({ Destination: '/etc/hosts', Source: '/mine' })],
        files: [{ source: '/ours', target: '/etc/hosts', readonly: false }],
      },
    );
    expect(config.mounts.filter((mount) => mount.destination === '/etc/hosts')).toEqual([
      expect.objectContaining({ source: '/mine' }),
    ]);
  });
});

describe('environment', () => {
  it('takes the last assignment, and a bare name takes a variable away', () => {
    expect(
      environmentOf(
        { Env: ['PATH=/x', 'A=1', 'A=2', 'HOSTNAME'], Hostname: 'h', Tty: false },
        '/h',
      ),
    ).toEqual(['PATH=/x', 'A=2', 'HOME=/h']);
  });
});
