// What a process may do in a container: identity, capabilities, limits, the seccomp filter, control groups. What it finds there: runtime-isolation.test.ts.
// Method: programs in real containers print what they see; the same is compared with the kernel's view from outside.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAPABILITIES, hierarchies, outputLines as lines, Sandbox } from './runtime-bundle.ts';

let box: Sandbox;
beforeAll(() => {
  box = new Sandbox();
});
afterAll(() => box.dispose());

const inside: Sandbox['inside'] = (script, edit) => box.inside(script, edit);

const capMask = (names: readonly string[]): string => {
  const numbers: Record<string, number> = {
    CAP_CHOWN: 0,
    CAP_DAC_OVERRIDE: 1,
    CAP_FOWNER: 3,
    CAP_FSETID: 4,
    CAP_KILL: 5,
    CAP_SETGID: 6,
    CAP_SETUID: 7,
    CAP_SETPCAP: 8,
    CAP_NET_BIND_SERVICE: 10,
    CAP_NET_RAW: 13,
    CAP_SYS_CHROOT: 18,
    CAP_MKNOD: 27,
    CAP_AUDIT_WRITE: 29,
    CAP_SETFCAP: 31,
  };
  let mask = 0n;
  for (const name of names) mask |= 1n << BigInt(numbers[name] ?? 63);
  return mask.toString(16).padStart(16, '0');
};

describe('identity and privileges', () => {
  it('user, groups, umask, folder, environment with HOME from passwd', () => {
    const ran = inside(
      'id -u; id -g; id -G; umask; pwd; echo $HOME; grep CapEff /proc/self/status',
      (c) => {
        c.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 1000], umask: 0o27 };
        c.process.cwd = '/made/here';
      },
    );
    expect(lines(ran)).toEqual([
      '1000',
      '1000',
      '1000 5',
      '0027',
      '/made/here',
      '/home/app',
      'CapEff:\t0000000000000000',
    ]);
  });

  it('a folder of PATH that the user may not enter is passed over; an empty HOME is filled', () => {
    const ran = inside('unused', (c, rootfs) => {
      mkdirSync(join(rootfs, 'closed'), { mode: 0o700 });
      mkdirSync(join(rootfs, 'open'));
      for (const folder of ['closed', 'open']) {
        writeFileSync(join(rootfs, folder, 'prog'), `#!/bin/sh\necho ${folder} $HOME\n`);
        spawnSync('chmod', ['755', join(rootfs, folder, 'prog')]);
      }
      c.process.user = { uid: 1000, gid: 1000 };
      c.process.env = ['PATH=/closed:/open:/bin', 'HOME='];
      c.process.args = ['prog'];
    });
    expect(ran.stdout).toBe('open /home/app\n');
    const denied = inside('unused', (c, rootfs) => {
      spawnSync('chmod', ['700', join(rootfs, 'bin/busybox')]);
      c.process.user = { uid: 1000, gid: 1000 };
    });
    expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining('"not_executable"')]);
  });

  it('exactly the five capability sets, in run and in exec; inheritable is empty', () => {
    const script = 'grep -E "Cap(Inh|Prm|Eff|Bnd|Amb)" /proc/self/status';
    const mask = capMask(CAPABILITIES);
    const want = [
      `CapInh:\t${'0'.repeat(16)}`,
      `CapPrm:\t${mask}`,
      `CapEff:\t${mask}`,
      `CapBnd:\t${mask}`,
      `CapAmb:\t${'0'.repeat(16)}`,
    ];
    expect(lines(inside(script))).toEqual(want);
    const id = box.id();
    box.bundle(id, ['/bin/sleep', '1000']);
    box.run(['run', '--detach', '--bundle', join(box.dir, id), id]);
    expect(lines(box.run(['exec', id, 'sh', '-c', script]))).toEqual(want);
    box.run(['delete', '--force', id]);
    const ambient = inside(script, (c) => {
      const some = ['CAP_KILL', 'CAP_NET_RAW'];
      c.process.user = { uid: 1000, gid: 1000 };
      c.process.capabilities = {
        bounding: some,
        effective: some,
        permitted: some,
        inheritable: some,
        ambient: ['CAP_KILL'],
      };
    });
    expect(lines(ambient)).toEqual([
      `CapInh:\t${capMask(['CAP_KILL', 'CAP_NET_RAW'])}`,
      `CapPrm:\t${capMask(['CAP_KILL'])}`,
      `CapEff:\t${capMask(['CAP_KILL'])}`,
      `CapBnd:\t${capMask(['CAP_KILL', 'CAP_NET_RAW'])}`,
      `CapAmb:\t${capMask(['CAP_KILL'])}`,
    ]);
  });

  it('leaves out capabilities that this machine’s root lacks and unknown ones, with a warning', () => {
    const own = BigInt(
      `0x${/CapBnd:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`,
    );
    const id = box.id();
    const all = Array.from({ length: 41 }, (_, i) => i);
    const features = JSON.parse(box.run(['features']).stdout) as {
      linux: { capabilities: string[] };
    };
    expect(features.linux.capabilities).toHaveLength(all.length);
    const names = [...features.linux.capabilities, 'CAP_NOTHING'];
    const bundle = box.bundle(id, ['/bin/grep', 'CapEff', '/proc/self/status'], (c) => {
      c.process.capabilities = { bounding: names, effective: names, permitted: names };
    });
    const log = join(box.dir, `${id}.log`);
    const ran = box.run(['--log', log, 'run', '--bundle', bundle, id]);
    expect(ran.stdout.trim()).toBe(`CapEff:\t${own.toString(16).padStart(16, '0')}`);
    expect(readFileSync(log, 'utf8')).toContain('CAP_NOTHING');
    if ((own & (1n << 24n)) === 0n) expect(readFileSync(log, 'utf8')).toContain('CAP_SYS_RESOURCE');
  });

  it('no_new_privs, rlimits, oom score, seccomp mode', () => {
    const ran = inside(
      'grep -E "NoNewPrivs|Seccomp:" /proc/self/status; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; ulimit -c',
      (c) => {
        c.process.noNewPrivileges = true;
        c.process.oomScoreAdj = 321;
        c.process.rlimits = [
          { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
          { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        ];
      },
    );
    expect(lines(ran)).toEqual(['NoNewPrivs:\t1', 'Seccomp:\t2', '100', '200', '321', '0']);
  });

  it('a lowering of the oom score that the kernel refuses is only a warning', () => {
    const log = join(box.dir, 'oom.log');
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/true'], (c) => {
      c.process.oomScoreAdj = -999;
    });
    expect(box.run(['--log', log, 'run', '--bundle', bundle, id]).code).toBe(0);
    const refused = spawnSync('sh', ['-c', 'echo -999 > /proc/self/oom_score_adj']).status !== 0;
    if (refused) expect(readFileSync(log, 'utf8')).toContain('oomScoreAdj');
  });

  it('sysctls of its namespaces', () => {
    const ran = inside(
      'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax /proc/sys/net/ipv4/conf/lo/forwarding',
      (c) => {
        c.linux.sysctl = {
          'net.ipv4.ip_unprivileged_port_start': '77',
          'kernel.msgmax': '4242',
          'net/ipv4/conf/lo/forwarding': '1',
        };
      },
    );
    expect(lines(ran)).toEqual(['77', '4242', '1']);
  });
});

describe('seccomp', () => {
  it('denies with the profile’s errno, by arguments, and kills on request', () => {
    const script =
      'mount -t tmpfs t /tmp 2>&1; dmesg 2>&1 | head -1; chmod 4755 /tmp/f 2>&1; chmod 755 /tmp/f && echo fine';
    const ran = inside(`touch /tmp/f; ${script}`, (c) => {
      (c.process.capabilities as Record<string, string[]>) = {
        bounding: ['CAP_SYS_ADMIN', 'CAP_SYSLOG', 'CAP_DAC_OVERRIDE'],
        effective: ['CAP_SYS_ADMIN', 'CAP_SYSLOG', 'CAP_DAC_OVERRIDE'],
        permitted: ['CAP_SYS_ADMIN', 'CAP_SYSLOG', 'CAP_DAC_OVERRIDE'],
      };
      c.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          { names: ['mount'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 },
          {
            names: ['chmod', 'fchmodat', 'fchmodat2', 'nothing_like_this'],
            action: 'SCMP_ACT_ERRNO',
            errnoRet: 30,
            args: [{ index: 1, value: 0o4000, valueTwo: 0o4000, op: 'SCMP_CMP_MASKED_EQ' }],
          },
          {
            names: ['fchmodat', 'fchmodat2'],
            action: 'SCMP_ACT_ERRNO',
            errnoRet: 30,
            args: [{ index: 2, value: 0o4000, valueTwo: 0o4000, op: 'SCMP_CMP_MASKED_EQ' }],
          },
        ],
      };
    });
    expect(ran.stdout).toMatch(/Operation not supported/);
    expect(ran.stdout).toMatch(/Read-only file system/);
    expect(ran.stdout).toMatch(/fine/);
    const killed = inside('mkdir /x; echo alive', (c) => {
      c.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_KILL_PROCESS' }],
      };
    });
    expect(killed.stdout).toContain('alive'); // the shell lives, its child mkdir was killed
    expect(killed.stderr).toContain('Bad system call');
  });

  it('a profile that denies all that a runtime would call after it still starts', () => {
    const ran = inside('echo started', (c) => {
      c.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          {
            names: [
              'getcwd',
              'chdir',
              'capset',
              'capget',
              'prctl',
              'setuid',
              'setgid',
              'setresuid',
              'setgroups',
              'close_range',
              'fcntl',
              'seccomp',
            ],
            action: 'SCMP_ACT_ERRNO',
          },
        ],
      };
    });
    expect(ran).toMatchObject({ code: 0, stdout: 'started\n' });
  });

  it('holds in exec too, and the compiled filter is kept and used again', () => {
    const id = box.id();
    box.bundle(id, ['/bin/sleep', '1000']);
    rmSync(join(box.root, '.seccomp'), { recursive: true, force: true });
    expect(box.run(['run', '--detach', '--bundle', join(box.dir, id), id]).code).toBe(0);
    expect(lines(box.run(['exec', id, 'grep', 'Seccomp:', '/proc/self/status']))).toEqual([
      'Seccomp:\t2',
    ]);
    box.run(['delete', '--force', id]);
    const cache = join(box.root, '.seccomp');
    const [entry] = spawnSync('ls', [cache], { encoding: 'utf8' }).stdout.trim().split('\n');
    const file = join(cache, entry ?? '');
    expect(lstatSync(file).mode & 0o7777).toBe(0o600);
    expect(lstatSync(cache).mode & 0o777).toBe(0o700);
    const before = readFileSync(file);
    // a changed instruction, a foreign owner and a loose mode are each ignored and the entry is made anew
    const damage: (() => void)[] = [
      () => {
        const bytes = Buffer.from(before);
        bytes.writeUInt32LE(0x7fff0000, bytes.length - 4);
        writeFileSync(file, bytes);
      },
      () => spawnSync('chmod', ['666', file]),
      () => spawnSync('chown', ['1000', file]),
      () => writeFileSync(file, before.subarray(0, 20)),
    ];
    for (const hurt of damage) {
      hurt();
      const ran = inside('mount -t tmpfs t /tmp; grep Seccomp: /proc/self/status', (c) => {
        c.linux.resources = {};
      });
      expect(ran.stdout).toBe('Seccomp:\t2\n');
      expect(readFileSync(file).equals(before)).toBe(true);
      expect(lstatSync(file).mode & 0o7777).toBe(0o600);
      expect(lstatSync(file).uid).toBe(0);
    }
  });
});

describe('control groups', () => {
  it('carry the limits and hold the process in every hierarchy', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/sleep', '1000']);
    expect(box.run(['run', '--detach', '--bundle', bundle, id]).code).toBe(0);
    const { pid } = JSON.parse(box.run(['state', id]).stdout) as { pid: number };
    const path = box.cgroupPath(id);
    for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n'))
      expect(line.endsWith(`:${path}`)).toBe(true);
    const v1 = existsSync('/sys/fs/cgroup/memory');
    const read = (controller: string, file: string): string =>
      readFileSync(
        v1 ? `/sys/fs/cgroup/${controller}${path}/${file}` : `/sys/fs/cgroup${path}/${file}`,
        'utf8',
      ).trim();
    if (v1) {
      expect(read('memory', 'memory.limit_in_bytes')).toBe('268435456');
      expect(read('memory', 'memory.memsw.limit_in_bytes')).toBe('536870912');
      expect(read('cpu', 'cpu.shares')).toBe('512');
      expect(read('cpu', 'cpu.cfs_quota_us')).toBe('50000');
    } else {
      expect(read('memory', 'memory.max')).toBe('268435456');
      expect(read('cpu', 'cpu.max')).toBe('50000 100000');
    }
    expect(read('pids', 'pids.max')).toBe('100');
    const update = {
      memory: { limit: 671088640, swap: 671088640 },
      pids: { limit: -1 },
      cpu: { shares: 1024, quota: 200000, period: 200000 },
    };
    expect(box.run(['update', '--resources', '-', id], JSON.stringify(update))).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(read('pids', 'pids.max')).toBe('max');
    if (v1) {
      expect(read('memory', 'memory.limit_in_bytes')).toBe('671088640');
      expect(read('memory', 'memory.memsw.limit_in_bytes')).toBe('671088640');
      expect(read('cpu', 'cpu.cfs_period_us')).toBe('200000');
    }
    // and down again: the order of the two memory limits turns round
    const down = { memory: { limit: 33554432, swap: 67108864 } };
    expect(box.run(['update', '--resources', '-', id], JSON.stringify(down))).toMatchObject({
      code: 0,
      stderr: '',
    });
    if (v1) expect(read('memory', 'memory.memsw.limit_in_bytes')).toBe('67108864');
    expect(box.run(['pause', id]).code).toBe(0);
    expect(JSON.parse(box.run(['state', id]).stdout)).toMatchObject({ status: 'paused' });
    expect(box.run(['exec', id, 'true']).code).toBe(1);
    expect(box.run(['resume', id]).code).toBe(0);
    expect(JSON.parse(box.run(['ps', '-f', 'json', id]).stdout)).toEqual([pid]);
    const stats = JSON.parse(box.run(['events', '--stats', id]).stdout) as {
      data: { pids: { current: number } };
    };
    expect(stats.data.pids.current).toBe(1);
    expect(box.run(['pause', id]).code).toBe(0);
    expect(box.run(['delete', '--force', id])).toMatchObject({ code: 0, stderr: '' });
  });

  it('kill --all reaches every process; a fork bomb is bounded by the pids limit', () => {
    const ran = inside('for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done 2>&1; echo end', (c) => {
      c.linux.resources = { pids: { limit: 5 } };
    });
    expect(ran.stdout + ran.stderr).toMatch(/can't fork|Resource temporarily unavailable/);
    const id = box.id();
    box.bundle(id, ['/bin/sh', '-c', 'trap "" TERM; sleep 1000 & sleep 1000 & wait']);
    box.run(['run', '--detach', '--bundle', join(box.dir, id), id]);
    expect(box.run(['kill', '--all', id, 'KILL']).code).toBe(0);
    box.run(['delete', '--force', id]);
    for (const base of hierarchies())
      expect(existsSync(join(base, box.cgroupPath(id)))).toBe(false);
  });

  it('memory beyond the limit is killed', () => {
    const ran = inside('dd if=/dev/zero of=/dev/null bs=200M count=1; echo code $?', (c) => {
      c.linux.resources = { memory: { limit: 33554432, swap: 33554432 } };
    });
    expect(ran.stdout).toContain('code 137');
  });

  it('a group that is in use or frozen is refused', () => {
    const id = box.id();
    box.bundle(id, ['/bin/sleep', '1000']);
    box.run(['run', '--detach', '--bundle', join(box.dir, id), id]);
    const other = box.id();
    const bundle = box.bundle(other, ['/bin/true'], (c) => {
      c.linux.cgroupsPath = box.cgroupPath(id);
    });
    const ran = box.run(['create', '--bundle', bundle, other]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('in use');
    expect(JSON.parse(box.run(['state', id]).stdout)).toMatchObject({ status: 'running' });
    box.run(['delete', '--force', id]);
  });
});
