// Bundles for tests and benchmarks of an OCI runtime: a root file system of busybox links and a configuration like the one
// that Docker writes (default mounts, 14 capabilities, default seccomp policy, masked and read-only paths, limits).
// Everything lives below one temporary folder per Sandbox; ids and control groups carry its random prefix.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { defaultSeccomp } from '#worker/runtime/seccomp';
import { PATIENCE } from './programs.ts';

/** The parts of an OCI configuration that tests change; everything else passes through. */
export interface Oci {
  ociVersion: string;
  process: Record<string, unknown> & { args: string[]; cwd: string; env: string[] };
  root: { path: string; readonly: boolean };
  hostname?: string;
  mounts: {
    destination: string;
    type?: string;
    source?: string;
    options?: string[];
  }[];
  hooks?: Record<string, unknown[]>;
  annotations?: Record<string, string>;
  linux: Record<string, unknown> & { namespaces: { type: string; path?: string }[] };
}

export const CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

const APPLETS =
  'sh true false sleep cat ls id mount umount env stat touch grep echo ps kill hostname mkdir rm ln dd head tail wc ' +
  'readlink chmod chown test printf find nc ifconfig sort tr sed awk sync mknod nice dmesg date seq tty stty basename';

/** A Docker-like configuration that runs `args`. */
export function dockerLike(args: string[], cgroupsPath: string): Oci {
  const nsTypes = ['mount', 'network', 'uts', 'pid', 'ipc'];
  const safe = ['nosuid', 'noexec', 'nodev'];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, additionalGids: [0, 10] },
      args,
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=box'],
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      oomScoreAdj: 0,
      noNewPrivileges: false,
    },
    root: { path: 'rootfs', readonly: false },
    hostname: 'box',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: safe },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...safe, 'ro'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', ...safe] },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: safe },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: [...safe, 'mode=1777', 'size=67108864'],
      },
    ],
    linux: {
      cgroupsPath,
      namespaces: nsTypes.map((type) => ({ type })),
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' },
          { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' },
          { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' },
          { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
        ],
        memory: { limit: 268435456, swap: 536870912 },
        cpu: { shares: 512, quota: 50000, period: 100000 },
        pids: { limit: 100 },
        blockIO: { weight: 0 },
      },
      sysctl: {
        'net.ipv4.ip_unprivileged_port_start': '0',
        'net.ipv4.ping_group_range': '0 2147483647',
      },
      seccomp: defaultSeccomp(process.arch, CAPABILITIES),
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/interrupts',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/proc/scsi',
        '/sys/firmware',
        '/sys/devices/virtual/powercap',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

/** Result of one command, text decoded. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** The lines of what was printed. */
export const outputLines = (ran: Ran): string[] => ran.stdout.trim().split('\n');

/** A temporary folder with bundles and a state root of its own; dispose() removes containers and files. */
export class Sandbox {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'tswarm-rt-'));
  readonly name: string = `rt${randomBytes(4).toString('hex')}`;
  readonly root: string = join(this.dir, 'state');
  readonly binary: string;
  #serial = 0;

  /** TSWARM_TEST_RUNTIME names another build (the sanitized one) for a whole test run. */
  constructor(binary = process.env.TSWARM_TEST_RUNTIME ?? 'native/build/tswarm-runtime') {
    this.binary = resolve(binary);
  }

  /** A fresh id; also the name of the container's control group (below the sandbox's own). */
  id(): string {
    this.#serial += 1;
    return `${this.name}-${this.#serial}`;
  }

  cgroupPath(id: string): string {
    return `/${this.name}/${id}`;
  }

  /** Makes a bundle; `edit` changes the configuration in place. */
  bundle(id: string, args: string[], edit?: (config: Oci, rootfs: string) => void): string {
    const dir = join(this.dir, id);
    makeRootfs(join(dir, 'rootfs'));
    const config = dockerLike(args, this.cgroupPath(id));
    edit?.(config, join(dir, 'rootfs'));
    writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
    return dir;
  }

  /** Output goes through files: a container that stays would keep a pipe open, and us waiting. */
  run(args: string[], input?: string, timeoutMs = 30_000 * PATIENCE): Ran {
    const out = openSync(join(this.dir, '.stdout'), 'w+');
    const err = openSync(join(this.dir, '.stderr'), 'w+');
    try {
      const r = spawnSync(this.binary, ['--root', this.root, ...args], {
        stdio: [input === undefined ? 'ignore' : 'pipe', out, err],
        timeout: timeoutMs,
        ...(input === undefined ? {} : { input }),
      });
      const [stdout, stderr] = ['.stdout', '.stderr'].map((name) =>
        readFileSync(join(this.dir, name), 'utf8'),
      );
      return { code: r.status ?? -1, stdout: stdout ?? '', stderr: stderr ?? '' };
    } finally {
      closeSync(out);
      closeSync(err);
    }
  }

  /** Runs a shell script in a fresh Docker-like container. */
  inside(script: string, edit?: (config: Oci, rootfs: string) => void): Ran {
    const id = this.id();
    const bundle = this.bundle(id, ['/bin/sh', '-c', script], edit);
    const ran = this.run(['run', '--bundle', bundle, id]);
    rmSync(bundle, { recursive: true, force: true });
    return ran;
  }

  dispose(): void {
    const list = this.run(['list', '-q']);
    for (const id of list.stdout.split('\n')) if (id) this.run(['delete', '--force', id]);
    removeCgroups(this.name);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** busybox, links to its applets, passwd, and the usual empty folders. */
export function makeRootfs(rootfs: string): void {
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp', 'root', 'home/app'])
    mkdirSync(join(rootfs, folder), { recursive: true });
  copyFileSync('/usr/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const applet of APPLETS.split(' ')) symlinkSync('busybox', join(rootfs, 'bin', applet));
  writeFileSync(
    join(rootfs, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n',
  );
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\napp:x:1000:\n');
}

/** The v1 hierarchies (and the v2 one) of this host that are mounted. */
export function hierarchies(): string[] {
  const base = '/sys/fs/cgroup';
  if (existsSync(join(base, 'cgroup.controllers'))) return [base];
  const names = [
    'cpu',
    'cpuacct',
    'cpu,cpuacct',
    'cpuset',
    'memory',
    'devices',
    'freezer',
    'blkio',
  ];
  return [...names, 'pids', 'systemd', 'unified']
    .map((name) => join(base, name))
    .filter((path) => existsSync(join(path, 'cgroup.procs')));
}

function removeCgroups(name: string): void {
  for (const base of hierarchies()) spawnSync('rmdir', [join(base, name)]);
}
