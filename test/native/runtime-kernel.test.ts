// Ways out of a container that lead through the kernel: system calls that the default policy keeps away, control groups, namespaces, files of /proc, and
// configurations that are large where a runtime could have counted with 16 bits.
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultSeccomp } from '#worker/runtime/seccomp';
import { CAPABILITIES, outputLines as lines, type Oci, Sandbox } from './runtime-bundle.ts';
import { leftovers } from './runtime-state.ts';

let box: Sandbox;
let probe = '';
beforeAll(() => {
  box = new Sandbox();
  probe = join(box.dir, 'probe');
  execFileSync('cc', ['-O1', '-static', '-o', probe, 'test/native/syscall-probe.c']);
});
afterAll(() => box.dispose());

function withUserNamespace(config: Oci, rootfs: string): void {
  execFileSync('chown', ['-R', '100000:100000', rootfs]);
  config.linux.namespaces.push({ type: 'user' });
  config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  config.linux.sysctl = {};
}

function withCapability(config: Oci, name: string): void {
  const all = [...CAPABILITIES, name];
  config.process.capabilities = { bounding: all, effective: all, permitted: all };
}

describe('CVE-2022-0185 and its kind: the default policy', () => {
  const results = (edit?: (config: Oci) => void): Map<string, number> => {
    const ran = box.inside('/bin/probe', (config, rootfs) => {
      copyFileSync(probe, join(rootfs, 'bin/probe'));
      edit?.(config);
    });
    expect(ran.stderr).toBe('');
    return new Map(
      lines(ran).map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]),
    );
  };

  it('answers each denied call with EPERM, clone3 with ENOSYS, and lets others through', () => {
    const seen = results();
    expect(seen.size).toBe(43);
    const expected = new Map([...seen.keys()].map((name) => [name, 1]));
    expected.set('clone3', 38).set('getpid', 0);
    // No terminal: EIO or ENOTTY, as the standard input is none.
    expect([5, 25]).toContain(seen.get('TIOCSTI'));
    expected.set('TIOCSTI', seen.get('TIOCSTI') ?? 0);
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected));
  });

  it('is what stands between: without it the kernel gives other answers', () => {
    const seen = results((config) => {
      delete config.linux.seccomp;
    });
    // EFAULT and the like: the call was looked at.
    expect(seen.get('keyctl')).not.toBe(1);
    expect(seen.get('clone3')).toBe(22);
  });
});

describe('CVE-2022-0492: release_agent', () => {
  const script =
    'mkdir -p /tmp/g; mount -t cgroup -o rdma none /tmp/g 2>/dev/null || mount -t cgroup -o memory none /tmp/g 2>/dev/null || echo no-mount; ' +
    'for f in /sys/fs/cgroup/*/release_agent /tmp/g/release_agent; do [ -e $f ] && echo /evil 2>/dev/null > $f && echo WROTE $f; done; ' +
    'echo 0 2>/dev/null > /sys/fs/cgroup/memory/cgroup.procs && echo JOINED; true';
  const releaseAgent = (): string => {
    try {
      return readFileSync('/sys/fs/cgroup/memory/release_agent', 'utf8');
    } catch {
      return '';
    }
  };

  it.each<[string, (config: Oci, rootfs: string) => void]>([
    ['by default', () => {}],
    [
      'with CAP_SYS_ADMIN and the policy for it left at the default',
      (config) => withCapability(config, 'CAP_SYS_ADMIN'),
    ],
  ])('is out of reach %s', (_name, edit) => {
    const agent = releaseAgent();
    const ran = box.inside(script, edit);
    expect(ran.stdout).toBe('no-mount\n');
    expect(releaseAgent()).toBe(agent);
  });

  it('and for the root of a user namespace (CVE-2023-25809: the groups are read-only there too)', () => {
    const agent = releaseAgent();
    const ran = box.inside(script, (config, rootfs) => {
      withUserNamespace(config, rootfs);
      withCapability(config, 'CAP_SYS_ADMIN');
      config.linux.seccomp = defaultSeccomp(process.arch, [...CAPABILITIES, 'CAP_SYS_ADMIN']);
    });
    expect(ran.stdout).not.toMatch(/WROTE|JOINED/);
    expect(releaseAgent()).toBe(agent);
  });
});

it('CVE-2025-52881: sysctls reach the real file, whatever a shared mount shows in its place', async () => {
  // Somebody shuffles what lies at /proc/sys/net of the container's view on a volume that he shares.
  const volume = join(box.dir, 'volume');
  mkdirSync(join(volume, 'a'), { recursive: true });
  symlinkSync('/proc/sysrq-trigger', join(volume, 'b'));
  const racer = spawn(
    'sh',
    [
      '-c',
      `cd ${volume}; while :; do mv -T a c; mv -T b a; mv -T c b; mv -T a c; mv -T b a; mv -T c b; done`,
    ],
    { stdio: 'ignore' },
  );
  try {
    for (let attempt = 0; attempt < 20; attempt++) {
      const ran = box.inside('cat /proc/sys/net/ipv4/ip_forward', (config) => {
        config.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
        config.mounts.push({
          destination: '/volume',
          type: 'bind',
          source: volume,
          options: ['rbind', 'rshared'],
        });
        config.mounts.push({ destination: '/volume/a/x', type: 'tmpfs', source: 'tmpfs' });
      });
      if (ran.code === 0) expect(ran.stdout).toBe('1\n');
    }
  } finally {
    racer.kill('SIGKILL');
  }
});

it('CVE-2021-43784: fields of more than 64 KiB arrive whole', () => {
  const id = box.id();
  const bundle = box.bundle(
    id,
    ['/bin/sh', '-c', 'wc -l < /proc/self/uid_map; echo ${#LONG}'],
    (config, rootfs) => {
      withUserNamespace(config, rootfs);
      const maps = Array.from({ length: 200 }, (_, n) => ({
        containerID: n === 0 ? 0 : 100 + n * 3,
        hostID: n === 0 ? 100000 : 200000 + n * 3,
        size: n === 0 ? 65 : 1,
      }));
      config.linux.uidMappings = maps;
      config.process.env.push(`LONG=${'x'.repeat(100_000)}`);
      config.linux.maskedPaths = Array.from(
        { length: 2000 },
        (_, n) => `/proc/${'n'.repeat(60)}${n}`,
      );
    },
  );
  const ran = box.run(['run', '--bundle', bundle, id]);
  expect([ran.stderr, ran.stdout]).toEqual(['', '200\n100000\n']);
  const other = box.id();
  const long = box.bundle(other, ['/bin/true'], (config) => {
    config.linux.namespaces = config.linux.namespaces.map(({ type }) =>
      type === 'network' ? { type, path: `/${'p'.repeat(70_000)}` } : { type },
    );
  });
  expect(box.run(['create', '--bundle', long, other]).code).toBe(1);
  expect(leftovers(box, other)).toEqual([]);
});
