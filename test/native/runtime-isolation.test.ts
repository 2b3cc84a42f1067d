// What a process finds in a container: namespaces, mounts, devices, masked paths. What it may do there: runtime-rights.test.ts.
// Method: programs in real containers print what they see; the same is compared with the kernel's view from outside.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outputLines as lines, Sandbox } from './runtime-bundle.ts';

let box: Sandbox;
beforeAll(() => {
  box = new Sandbox();
});
afterAll(() => box.dispose());

const inside: Sandbox['inside'] = (script, edit) => box.inside(script, edit);

describe('namespaces', () => {
  it('are its own, process 1, its host name, a loopback that is up', () => {
    const ran = inside(
      'for n in mnt net uts pid ipc; do readlink /proc/self/ns/$n; done; echo $$; hostname; ifconfig lo | grep -c UP',
    );
    const out = lines(ran);
    for (const [i, ns] of ['mnt', 'net', 'uts', 'pid', 'ipc'].entries())
      expect(out[i]).not.toBe(
        spawnSync('readlink', [`/proc/self/ns/${ns}`], { encoding: 'utf8' }).stdout.trim(),
      );
    expect(out.slice(5)).toEqual(['1', 'box', '1']);
  });

  it('without an entry are the host’s; a cgroup namespace hides the path', () => {
    const host = spawnSync('readlink', ['/proc/self/ns/uts'], { encoding: 'utf8' }).stdout.trim();
    const ran = inside('readlink /proc/self/ns/uts; cat /proc/self/cgroup', (c) => {
      delete c.hostname;
      c.linux.namespaces = [
        { type: 'mount' },
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'cgroup' },
        { type: 'network' },
      ];
    });
    expect(lines(ran)[0]).toBe(host);
    expect(ran.stdout).not.toContain(box.name);
    expect(ran.stdout).toMatch(/:memory:\/$|^0::\/$/m);
  });

  it('are joined by path: network, ipc, uts and pid of another container', () => {
    const first = box.id();
    box.bundle(first, ['/bin/sleep', '1000']);
    expect(box.run(['run', '--detach', '--bundle', join(box.dir, first), first]).code).toBe(0);
    const { pid } = JSON.parse(box.run(['state', first]).stdout) as { pid: number };
    const ran = inside(
      'for n in net ipc uts pid; do readlink /proc/self/ns/$n; done; ps | grep -c "sleep 1000"',
      (c) => {
        delete c.hostname;
        c.linux.sysctl = {};
        c.linux.namespaces = [
          { type: 'mount' },
          ...['net', 'ipc', 'uts', 'pid'].map((ns) => ({
            type: ns === 'net' ? 'network' : ns,
            path: `/proc/${pid}/ns/${ns}`,
          })),
        ];
      },
    );
    expect(ran.stderr).toBe('');
    const out = lines(ran);
    for (const [i, ns] of ['net', 'ipc', 'uts', 'pid'].entries())
      expect(out[i]).toBe(
        spawnSync('readlink', [`/proc/${pid}/ns/${ns}`], { encoding: 'utf8' }).stdout.trim(),
      );
    expect(Number(out[4])).toBeGreaterThanOrEqual(1);
    expect(JSON.parse(box.run(['state', first]).stdout)).toMatchObject({ status: 'running' });
    expect(box.run(['delete', '--force', first]).code).toBe(0);
  });

  it('a user namespace maps root to an unprivileged user of the host', () => {
    const shared = mkdtempSync(join(tmpdir(), 'tswarm-rt-userns-'));
    try {
      spawnSync('chmod', ['777', shared]);
      const ran = inside(
        'id -u; cat /proc/self/uid_map; touch /shared/f; echo x > /proc/sys/kernel/hostname; ls /dev/null',
        (c, rootfs) => {
          spawnSync('chown', ['-R', '100000:100000', rootfs]);
          c.linux.namespaces.push({ type: 'user' });
          c.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
          c.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
          c.linux.sysctl = {};
          c.mounts.push({
            destination: '/shared',
            type: 'bind',
            source: shared,
            options: ['rbind'],
          });
        },
      );
      expect(ran.stdout).toMatch(/^0\n\s*0\s+100000\s+65536\n\/dev\/null\n$/);
      expect(lstatSync(join(shared, 'f')).uid).toBe(100000);
    } finally {
      rmSync(shared, { recursive: true, force: true });
    }
  });

  it('a time namespace shifts the boot clock', () => {
    const plain = Number(
      lines(inside('cut -d. -f1 /proc/uptime 2>/dev/null || sed "s/[. ].*//" /proc/uptime'))[0],
    );
    const ran = inside('sed "s/[. ].*//" /proc/uptime', (c) => {
      c.linux.namespaces.push({ type: 'time' });
      c.linux.timeOffsets = { boottime: { secs: 1000000, nanosecs: 0 } };
    });
    expect(Number(lines(ran)[0]) - plain).toBeGreaterThanOrEqual(999_990);
  });
});

describe('mounts', () => {
  it('Docker’s default set with its flags', () => {
    const ran = inside('cat /proc/self/mounts');
    for (const pattern of [
      /^proc \/proc proc rw,nosuid,nodev,noexec/m,
      /^tmpfs \/dev tmpfs rw,nosuid,size=65536k,mode=755/m,
      /^devpts \/dev\/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666/m,
      /^sysfs \/sys sysfs ro,nosuid,nodev,noexec/m,
      /^mqueue \/dev\/mqueue mqueue rw,nosuid,nodev,noexec/m,
      /^shm \/dev\/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k/m,
      /^cgroup2? \/sys\/fs\/cgroup\S* cgroup2? ro,nosuid,nodev,noexec/m,
    ])
      expect(ran.stdout).toMatch(pattern);
    expect(ran.stdout.split('\n').filter((line) => line.split(' ')[1] === '/')).toHaveLength(1);
  });

  it('bind mounts: file and folder targets are made, ro and noexec hold, rro reaches below', () => {
    const dir = mkdtempSync(join(tmpdir(), 'tswarm-rt-bind-'));
    try {
      mkdirSync(join(dir, 'sub'));
      writeFileSync(join(dir, 'file'), 'content\n');
      expect(spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', join(dir, 'sub')]).status).toBe(0);
      const script =
        'cat /new/deep/file; touch /rw/a && echo rw; touch /ro/b || echo ro; touch /ro/sub/c && echo below; ' +
        'touch /rro/sub/d || echo rro; cp /bin/busybox /noexec/busybox 2>/dev/null; ls /norec/sub | wc -l; grep -c "/noexec .*noexec" /proc/mounts';
      const ran = inside(script, (c, rootfs) => {
        expect(existsSync(join(rootfs, 'new'))).toBe(false);
        const bind = (destination: string, source: string, ...options: string[]): number =>
          c.mounts.push({ destination, type: 'bind', source, options });
        bind('/new/deep/file', join(dir, 'file'), 'bind', 'ro');
        bind('/rw', dir, 'rbind', 'rprivate');
        bind('/ro', dir, 'rbind', 'ro');
        bind('/rro', dir, 'rbind', 'rro');
        bind('/norec', dir, 'bind');
        bind('/noexec', dir, 'rbind', 'noexec', 'nosuid', 'nodev');
      });
      expect(lines(ran)).toEqual(['content', 'rw', 'ro', 'below', 'rro', '0', '1']);
      expect(existsSync(join(dir, 'a'))).toBe(true);
    } finally {
      spawnSync('umount', [join(dir, 'sub')]);
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('propagation: rslave sees later mounts of the host, rprivate does not, rshared gives back', () => {
    const dir = mkdtempSync(join(tmpdir(), 'tswarm-rt-prop-'));
    try {
      expect(spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', dir]).status).toBe(0);
      spawnSync('mount', ['--make-shared', dir]);
      for (const name of ['late', 'back']) mkdirSync(join(dir, name));
      const id = box.id();
      box.bundle(id, ['/bin/sleep', '1000'], (c) => {
        c.linux.rootfsPropagation = 'rshared';
        (c.process.capabilities as Record<string, string[]>) = {
          bounding: ['CAP_SYS_ADMIN'],
          effective: ['CAP_SYS_ADMIN'],
          permitted: ['CAP_SYS_ADMIN'],
        };
        delete c.linux.seccomp;
        for (const mode of ['rslave', 'rprivate', 'rshared'])
          c.mounts.push({
            destination: `/${mode}`,
            type: 'bind',
            source: dir,
            options: ['rbind', mode],
          });
      });
      expect(box.run(['run', '--detach', '--bundle', join(box.dir, id), id])).toMatchObject({
        code: 0,
        stderr: '',
      });
      spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', join(dir, 'late')]);
      writeFileSync(join(dir, 'late/f'), '');
      const seen = box.run([
        'exec',
        id,
        'sh',
        '-c',
        'for m in rslave rprivate rshared; do ls /$m/late | wc -l; done; mount -t tmpfs tmpfs /rshared/back; touch /rshared/back/g',
      ]);
      expect(lines(seen)).toEqual(['1', '0', '1']);
      expect(existsSync(join(dir, 'back/g'))).toBe(true);
      expect(box.run(['delete', '--force', id]).code).toBe(0);
    } finally {
      spawnSync('umount', ['-R', dir]);
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('a read-only root and a read-only tmpfs with a mount inside', () => {
    const ran = inside(
      'touch /x || echo ro; touch /tmp/y && echo tmp; touch /t/z || echo tro; ls /t',
      (c) => {
        c.root.readonly = true;
        c.mounts.push({
          destination: '/tmp',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['size=1m'],
        });
        c.mounts.push({ destination: '/t', type: 'tmpfs', source: 'tmpfs', options: ['ro'] });
        c.mounts.push({ destination: '/t/in', type: 'tmpfs', source: 'tmpfs' });
      },
    );
    expect(lines(ran)).toEqual(['ro', 'tmp', 'tro', 'in']);
  });
});

describe('devices', () => {
  it('the default nodes and links, an extra one with mode and owner, and the device rules', () => {
    const ran = inside(
      'for d in null zero full random urandom tty; do test -c /dev/$d || echo missing $d; done; for l in ptmx fd stdout; do readlink /dev/$l; done; ' +
        'stat -c "%a %u %g %t %T" /dev/extra; head -c 1 /dev/zero | wc -c; mknod /tmp/m c 1 11 && echo made; head -c1 /tmp/m || echo denied; head -c1 /dev/extra >/dev/null && echo allowed',
      (c) => {
        c.linux.devices = [
          { path: '/dev/extra', type: 'c', major: 1, minor: 9, fileMode: 0o640, uid: 0, gid: 5 },
        ];
      },
    );
    expect(ran.stdout).toBe(
      'pts/ptmx\n/proc/self/fd\n/proc/self/fd/1\n640 0 5 1 9\n1\nmade\ndenied\nallowed\n',
    );
  });
});

describe('masked and read-only paths', () => {
  it('hide what Docker hides', () => {
    const ran = inside(
      'cat /proc/keys /proc/timer_list /proc/interrupts | wc -c; ls -A /sys/firmware | wc -l; ls -A /proc/acpi 2>/dev/null | wc -l; ' +
        'echo x 2>/dev/null > /proc/sysrq-trigger || echo ro1; echo x 2>/dev/null > /proc/sys/kernel/hostname || echo ro2; mkdir /sys/firmware/x 2>/dev/null || echo ro3',
    );
    expect(lines(ran)).toEqual(['0', '0', '0', 'ro1', 'ro2', 'ro3']);
  });
});

describe('what podman asks for', () => {
  it('tmpcopyup: a tmpfs that begins with what the image has there', () => {
    const script =
      'cd /data && ls -lnR . | sed "s/  */ /g" | cut -d" " -f1,3,4,9- && cat a/b && readlink l && touch new && grep -c " /data tmpfs" /proc/mounts; ls /empty | wc -l';
    const ran = inside(script, (config, rootfs) => {
      mkdirSync(join(rootfs, 'data/a'), { recursive: true });
      writeFileSync(join(rootfs, 'data/a/b'), 'text\n', { mode: 0o640 });
      chownSync(join(rootfs, 'data/a/b'), 7, 8);
      chmodSync(join(rootfs, 'data/a'), 0o751);
      symlinkSync('/etc/passwd', join(rootfs, 'data/l'));
      const options = ['nosuid', 'nodev', 'tmpcopyup'];
      config.mounts.push(
        { destination: '/data', type: 'tmpfs', source: 'tmpfs', options },
        { destination: '/empty', type: 'tmpfs', source: 'tmpfs', options },
      );
    });
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toContain('drwxr-x--x 0 0 a\n');
    expect(ran.stdout).toContain('-rw-r----- 7 8 b\n');
    expect(lines(ran).slice(-4)).toEqual(['text', '/etc/passwd', '1', '0']);
  });

  it('all of the host’s devices: ptmx stays the container’s own', () => {
    const ran = inside('readlink /dev/ptmx; echo ok', (config) => {
      config.linux.devices = [
        { path: '/dev/ptmx', type: 'c', major: 5, minor: 2, fileMode: 0o666 },
      ];
    });
    expect([ran.stderr, ran.stdout]).toEqual(['', 'pts/ptmx\nok\n']);
  });
});
