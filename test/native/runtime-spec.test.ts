// What the specification has and engines rarely ask for: personality, scheduler, I/O priority, names, hugetlb, kernel memory of sockets; and what is refused.
// Method: real containers print what they see; each refusal names its key.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hierarchies, outputLines as lines, type Oci, Sandbox } from './runtime-bundle.ts';
import { errorOf, leftovers } from './runtime-state.ts';

let box: Sandbox;
beforeAll(() => {
  box = new Sandbox();
});
afterAll(() => box.dispose());

describe('the process', () => {
  it('personality LINUX32 makes the machine look like its 32-bit kind, also in exec', () => {
    const machine = (domain?: string): string =>
      box.inside('busybox uname -m', (config) => {
        if (domain) config.linux.personality = { domain };
      }).stdout;
    const plain = spawnSync('uname', ['-m'], { encoding: 'utf8' }).stdout;
    expect([machine(), machine('LINUX')]).toEqual([plain, plain]);
    const small = spawnSync('linux32', ['uname', '-m'], { encoding: 'utf8' }).stdout;
    expect(machine('LINUX32')).toBe(small);
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/sleep', '1000'], (config) => {
      config.linux.personality = { domain: 'LINUX32' };
    });
    expect(box.run(['run', '--detach', '--bundle', bundle, id]).code).toBe(0);
    expect(box.run(['exec', id, '/bin/busybox', 'uname', '-m']).stdout).toBe(small);
    box.run(['delete', '--force', id]);
  });

  it('scheduler policy and nice, I/O priority', () => {
    const ran = box.inside(
      'sed "s/.*) //" /proc/self/stat | cut -d" " -f17,39; busybox ionice -p $$',
      (config) => {
        config.process.scheduler = { policy: 'SCHED_BATCH', nice: 7 };
        config.process.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 6 };
      },
    );
    const [stat, io] = lines(ran);
    // Fields 19 (nice) and 41 (policy: SCHED_BATCH is 3), counted behind the name.
    expect([ran.stderr, stat, io]).toEqual(['', '7 3', 'best-effort: prio 6']);
  });

  it('a policy or class that does not exist is refused by its name', () => {
    const refused = (edit: (config: Oci) => void): string => box.inside('true', edit).stderr;
    expect(
      refused((config) => {
        config.process.scheduler = { policy: 'SCHED_NOTHING' };
      }),
    ).toContain('SCHED_NOTHING');
    expect(
      refused((config) => {
        config.process.ioPriority = { class: 'IOPRIO_CLASS_X', priority: 1 };
      }),
    ).toContain('process.ioPriority');
  });
});

it('hostname and domainname of its own uts namespace', () => {
  const before = readFileSync('/proc/sys/kernel/domainname', 'utf8');
  const ran = box.inside('cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname', (config) => {
    Object.assign(config, { hostname: 'h1', domainname: 'd1.example' });
  });
  expect(lines(ran)).toEqual(['h1', 'd1.example']);
  expect(readFileSync('/proc/sys/kernel/domainname', 'utf8')).toBe(before);
});

describe('resources', () => {
  /** Content of a file of the container's group, in whichever hierarchy has it. */
  function groupFiles(id: string, name: RegExp): Record<string, string> {
    const found: Record<string, string> = {};
    for (const base of hierarchies()) {
      const folder = join(base, box.cgroupPath(id));
      if (!existsSync(folder)) continue;
      const names = spawnSync('ls', [folder], { encoding: 'utf8' }).stdout.split('\n');
      for (const file of names.filter((candidate) => name.test(candidate)))
        found[file] = readFileSync(join(folder, file), 'utf8').trim();
    }
    return found;
  }

  it('huge pages, kernel memory of sockets, cpuset, swappiness, idle', () => {
    const id = box.id();
    const v1 = existsSync('/sys/fs/cgroup/memory');
    const size = '2MB';
    const bundle = box.bundle(id, ['/bin/sleep', '1000'], (config) => {
      config.linux.resources = {
        hugepageLimits: [{ pageSize: size, limit: 4194304 }],
        memory: { limit: 67108864, ...(v1 ? { kernelTCP: 1048576, swappiness: 7 } : {}) },
        cpu: { cpus: '0', mems: '0', burst: 1000, quota: 50000, period: 100000 },
      };
    });
    const ran = box.run(['create', '--bundle', bundle, id]);
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    const files = groupFiles(
      id,
      /^(hugetlb\.2MB\.(max|limit_in_bytes)|memory\.(kmem\.tcp\.limit_in_bytes|swappiness)|cpuset\.cpus|cpu\.(cfs_burst_us|max\.burst))$/,
    );
    expect(files).toMatchObject({ 'cpuset.cpus': '0' });
    expect(files['hugetlb.2MB.max'] ?? files['hugetlb.2MB.limit_in_bytes']).toBe('4194304');
    expect(files['cpu.cfs_burst_us'] ?? files['cpu.max.burst']).toBe('1000');
    if (v1) {
      expect(files['memory.kmem.tcp.limit_in_bytes']).toBe('1048576');
      expect(files['memory.swappiness']).toBe('7');
    }
    box.run(['delete', '--force', id]);
    expect(leftovers(box, id)).toEqual([]);
  });

  it.each([
    [1, 'minimum allowed cpu-shares is 2'],
    [300_000, 'maximum allowed cpu-shares is 262144'],
  ])(
    '%i processor shares: refused where the kernel would take others (v1), a weight with v2',
    (shares, why) => {
      const id = box.id();
      const bundle = box.bundle(id, ['/bin/true'], (config) => {
        config.linux.resources = { cpu: { shares } };
      });
      const ran = box.run(['run', '--bundle', bundle, id]);
      if (existsSync('/sys/fs/cgroup/memory'))
        expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining(why)]);
      else expect([ran.code, ran.stderr]).toEqual([0, '']);
      expect(leftovers(box, id)).toEqual([]);
    },
  );
});

describe('refused by name, and nothing is left', () => {
  const cases: [string, (config: Oci) => void][] = [
    ['linux.intelRdt', (config) => (config.linux.intelRdt = { closID: 'x' })],
    ['linux.memoryPolicy', (config) => (config.linux.memoryPolicy = { mode: 'MPOL_BIND' })],
    ['linux.netDevices', (config) => (config.linux.netDevices = { eth0: {} })],
    ['process.execCPUAffinity', (config) => (config.process.execCPUAffinity = { initial: '0' })],
    ['linux.resources.rdma', (config) => (config.linux.resources = { rdma: { mlx5: {} } })],
    [
      'id-mapped mounts',
      (config) =>
        config.mounts.push({
          destination: '/x',
          type: 'bind',
          source: '/etc',
          options: ['bind', 'idmap'],
        }),
    ],
    [
      'linux.seccomp.listenerPath',
      (config) =>
        (config.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          listenerPath: '/run/listener',
        }),
    ],
    [
      'SCMP_ACT_NOTIFY',
      (config) =>
        (config.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
        }),
    ],
    ['process.apparmorProfile', (config) => (config.process.apparmorProfile = 'not-loaded')],
    ['process.selinuxLabel', (config) => (config.process.selinuxLabel = 'a_u:b_r:c_t:s0')],
  ];

  it.each(cases)('%s', (name, edit) => {
    const id = box.id();
    const ran = box.run(['create', '--bundle', box.bundle(id, ['/bin/true'], edit), id]);
    const error = errorOf(ran.stderr);
    expect(ran.code).toBe(1);
    expect(['unsupported', 'kernel']).toContain(error.code);
    expect(`${error.path} ${error.message}`).toContain(name);
    expect(leftovers(box, id)).toEqual([]);
  });
});

it('features names what is done: hooks, namespaces, mount options that are all accepted', () => {
  const features = JSON.parse(box.run(['features']).stdout) as {
    hooks: string[];
    mountOptions: string[];
    ociVersionMax: string;
    linux: { namespaces: string[]; mountExtensions: { idmap: { enabled: boolean } } };
  };
  expect(features.hooks).toHaveLength(6);
  expect(features.linux.namespaces).toHaveLength(8);
  expect(features.linux.mountExtensions.idmap.enabled).toBe(false);
  for (const option of features.mountOptions) {
    const bind = /bind|remount/.test(option) && !/unbindable/.test(option);
    const ran = box.inside('true', (config) => {
      config.mounts.push(
        option === 'remount'
          ? { destination: '/dev/shm', options: ['remount', 'ro'] }
          : bind
            ? { destination: '/x', source: '/etc', options: [option] }
            : { destination: '/x', type: 'tmpfs', source: 'x', options: [option] },
      );
    });
    expect([option, ran.code, ran.stderr]).toEqual([option, 0, '']);
  }
});
