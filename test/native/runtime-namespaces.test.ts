// Namespaces that a container shares: none of its own, those of others by path (mount and user namespaces too), and who runs its hooks.
// Method: real containers; what they see is compared with the kernel's view from outside, and the host's mounts with those before.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outputLines as lines, type Oci, Sandbox } from './runtime-bundle.ts';
import { leftovers, stateOf, until } from './runtime-state.ts';

let box: Sandbox;
beforeAll(() => {
  box = new Sandbox();
});
afterAll(() => box.dispose());

const ID_MAP = [{ containerID: 0, hostID: 100000, size: 65536 }];
const nsOf = (pid: number | 'self', name: string): string =>
  readlinkSync(`/proc/${pid}/ns/${name}`);
const mountsOf = (pid: number | 'self'): string => readFileSync(`/proc/${pid}/mountinfo`, 'utf8');

/** No namespace and nothing that needs one. */
function shareAll(config: Oci): void {
  delete config.hostname;
  config.linux.sysctl = {};
  config.linux.namespaces = [];
}

function withUserNamespace(config: Oci, rootfs: string): void {
  spawnSync('chown', ['-R', '100000:100000', rootfs]);
  config.linux.namespaces.push({ type: 'user' });
  config.linux.uidMappings = ID_MAP;
  config.linux.gidMappings = ID_MAP;
  config.linux.sysctl = {};
}

/** A container that goes on, and its first process. */
function keep(edit: (config: Oci, rootfs: string) => void): { id: string; pid: number } {
  const id = box.id();
  const bundle = box.bundle(id, ['/bin/sleep', '1000'], edit);
  const ran = box.run(['run', '--detach', '--bundle', bundle, id]);
  expect([ran.code, ran.stderr]).toEqual([0, '']);
  return { id, pid: stateOf(box, id).pid ?? 0 };
}

function remove(id: string): void {
  expect(box.run(['delete', '--force', id]).code).toBe(0);
  expect(leftovers(box, id)).toEqual([]);
}

describe('without namespaces', () => {
  const names = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user'];

  it('a container is in the host’s, has its own root all the same, and mounts nothing there', () => {
    const { id, pid } = keep((config) => {
      shareAll(config);
      config.mounts.push({ destination: '/data', type: 'tmpfs', source: 'tmpfs' });
    });
    expect(names.map((name) => nsOf(pid, name))).toEqual(names.map((name) => nsOf('self', name)));
    expect(mountsOf('self')).not.toContain(box.dir);
    const ran = box.run([
      'exec',
      id,
      '/bin/sh',
      '-c',
      'ls -d /bin/busybox /proc/1/stat /work /usr 2>/dev/null; touch /data/new && ls /data; cat /proc/acpi 2>/dev/null; echo x > /dev/null && echo null; cd /; cd ../../..; pwd; ls -d home/app',
    ]);
    expect([ran.stderr, ran.code]).toEqual(['', 0]);
    expect(lines(ran)).toEqual(['/bin/busybox', '/proc/1/stat', 'new', 'null', '/', 'home/app']);
    remove(id);
  });

  it('a root that is read-only stays so', () => {
    const ran = box.inside('touch /new 2>/dev/null || echo refused', (config) => {
      shareAll(config);
      config.root.readonly = true;
    });
    expect(ran.stdout).toBe('refused\n');
  });

  it('a user namespace is refused: it could mount nothing', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/true'], (config, rootfs) => {
      shareAll(config);
      withUserNamespace(config, rootfs);
    });
    const ran = box.run(['create', '--bundle', bundle, id]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('a mount namespace is needed too');
  });
});

describe('by path', () => {
  let holder: ChildProcess;
  const holderPid = (): number => holder.pid ?? 0;
  beforeAll(async () => {
    holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sleep', '1000'], {
      stdio: 'ignore',
    });
    await until(() => nsOf(holderPid(), 'mnt') !== nsOf('self', 'mnt'), 'it has its namespace');
    await until(
      () => readFileSync(`/proc/${holderPid()}/comm`, 'utf8') === 'sleep\n',
      'it is the program',
    );
  });
  afterAll(() => {
    holder.kill('SIGKILL');
  });

  it('a mount namespace is joined and left as it is; exec gets there too', () => {
    const before = mountsOf(holderPid());
    const { id, pid } = keep((config) => {
      config.linux.namespaces = config.linux.namespaces.map(({ type }) =>
        type === 'mount' ? { type, path: `/proc/${holderPid()}/ns/mnt` } : { type },
      );
    });
    expect(nsOf(pid, 'mnt')).toBe(nsOf(holderPid(), 'mnt'));
    expect(mountsOf(holderPid())).toBe(before);
    const ran = box.run([
      'exec',
      id,
      '/bin/sh',
      '-c',
      'readlink /proc/self/ns/mnt; ls -d /home/app /work 2>/dev/null; ps | grep -c "sleep 1000"',
    ]);
    expect(lines(ran).slice(0, 2)).toEqual([nsOf(holderPid(), 'mnt'), '/home/app']);
    remove(id);
    expect(mountsOf(holderPid())).toBe(before);
  });

  it('a user namespace is joined with those that belong to it, as in a pod', () => {
    const first = keep(withUserNamespace);
    const second = keep((config, rootfs) => {
      withUserNamespace(config, rootfs);
      delete config.linux.uidMappings;
      delete config.linux.gidMappings;
      delete config.hostname;
      config.linux.namespaces = config.linux.namespaces.map(({ type }) => {
        if (type === 'mount' || type === 'pid') return { type };
        const file = type === 'network' ? 'net' : type;
        return { type, path: `/proc/${first.pid}/ns/${file}` };
      });
    });
    for (const name of ['user', 'net', 'ipc', 'uts'])
      expect(nsOf(second.pid, name)).toBe(nsOf(first.pid, name));
    for (const name of ['mnt', 'pid'])
      expect(nsOf(second.pid, name)).not.toBe(nsOf(first.pid, name));
    const ran = box.run([
      'exec',
      second.id,
      '/bin/sh',
      '-c',
      'id -u; cat /proc/self/uid_map; ps | wc -l',
    ]);
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toMatch(/^0\n\s*0\s+100000\s+65536\n/);
    remove(second.id);
    remove(first.id);
  });

  it('a network of the host’s user namespace is joined by a container with a user namespace', () => {
    const other = keep(() => {});
    const { id, pid } = keep((config, rootfs) => {
      withUserNamespace(config, rootfs);
      config.mounts = config.mounts.filter(({ type }) => type !== 'sysfs' && type !== 'cgroup');
      config.linux.namespaces = config.linux.namespaces.map(({ type }) =>
        type === 'network' ? { type, path: `/proc/${other.pid}/ns/net` } : { type },
      );
    });
    expect(nsOf(pid, 'net')).toBe(nsOf(other.pid, 'net'));
    expect(nsOf(pid, 'user')).not.toBe(nsOf('self', 'user'));
    remove(id);
    remove(other.id);
  });
});

describe('hooks on the host', () => {
  it('run in the host’s namespaces, also when the container joins or makes special ones', () => {
    const other = keep(() => {});
    const seen = join(box.dir, 'hook-saw');
    const { id, pid } = keep((config) => {
      config.linux.namespaces = [
        { type: 'mount' },
        { type: 'pid', path: `/proc/${other.pid}/ns/pid` },
        { type: 'time' },
      ];
      delete config.hostname;
      config.linux.sysctl = {};
      const script = `for n in pid time mnt; do readlink /proc/self/ns/$n; done > ${seen}`;
      config.hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', script] }] };
    });
    expect(nsOf(pid, 'pid')).toBe(nsOf(other.pid, 'pid'));
    expect(nsOf(pid, 'time')).not.toBe(nsOf('self', 'time'));
    expect(readFileSync(seen, 'utf8').trim().split('\n')).toEqual(
      ['pid', 'time', 'mnt'].map((name) => nsOf('self', name)),
    );
    remove(id);
    remove(other.id);
  });
});

/** Runs a container where all mounts are shared, among themselves and with a copy of the namespace, but not with the host that runs the test; the bundle's
 * mount is one of its own, as /tmp or /var often is. @returns what the container printed, and the mounts around it before and after */
function runAmongShared(
  bundle: string,
  id: string,
): { before: string; after: string; output: string } {
  // A mount that has got out stays in the copy, also when it is taken away here.
  const script = `mount --bind ${box.dir} ${box.dir} && mount --make-rshared / || exit 1
    unshare --mount --propagation unchanged sleep 1000 & trap "kill $!" EXIT
    until [ "$(cat /proc/$!/comm)" = sleep ]; do sleep 0.01; done
    wc -l < /proc/$!/mountinfo; "$@" || exit 1; wc -l < /proc/$!/mountinfo`;
  const command = [box.binary, '--root', box.root, 'run', '--bundle', bundle, id];
  const ran = spawnSync(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...command],
    { encoding: 'utf8' },
  );
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  const [before = '', ...rest] = ran.stdout.trim().split('\n');
  return { before, after: rest.pop() ?? '', output: rest.join('\n') };
}

describe('rootfsPropagation', () => {
  const words = ['private', 'slave', 'shared', 'unbindable', 'rprivate', 'runbindable', undefined];

  it.each([false, true].flatMap((mapped) => words.map((word) => [word, mapped] as const)))(
    '%s takes no mount of the host away and adds none, whose mounts are shared (user namespace: %s)',
    (word, mapped) => {
      const id = box.id();
      const shell = ['/bin/sh', '-c', 'tail -n1 /proc/self/mountinfo'];
      const bundle = box.bundle(id, shell, (config, rootfs) => {
        if (word !== undefined) config.linux.rootfsPropagation = word;
        if (mapped) withUserNamespace(config, rootfs);
      });
      const { before, after, output } = runAmongShared(bundle, id);
      expect(after).toBe(before);
      expect(output).not.toBe('');
    },
  );
});

describe('a bind mount', () => {
  it.each([false, true])('passes no mount on to the host (user namespace: %s)', (mapped) => {
    const id = box.id();
    const source = join(box.dir, `volume-${id}`);
    mkdirSync(source);
    const shell = ['/bin/sh', '-c', 'grep " /data " /proc/self/mountinfo'];
    const bundle = box.bundle(id, shell, (config, rootfs) => {
      if (mapped) withUserNamespace(config, rootfs);
      config.mounts.push({ destination: '/data', type: 'bind', source, options: ['rbind'] });
    });
    const { output } = runAmongShared(bundle, id);
    expect(output).toContain(' /data ');
    expect(output).not.toContain('shared:');
  });
});

describe('mount options of a bind mount', () => {
  it('of the form key=value are left out with a warning, a word that may be a flag is refused', () => {
    const id = box.id();
    const option = (word: string) => (config: Oci) => {
      config.mounts.push({
        destination: '/host-etc',
        type: 'bind',
        source: '/etc',
        options: ['rbind', word],
      });
    };
    const bundle = box.bundle(id, ['/bin/true'], option('mode=755'));
    const log = join(box.dir, 'log');
    writeFileSync(log, '');
    expect(box.run(['--log', log, 'run', '--bundle', bundle, id]).code).toBe(0);
    expect(readFileSync(log, 'utf8')).toContain('mode=755');
    const other = box.id();
    const ran = box.run([
      'create',
      '-b',
      box.bundle(other, ['/bin/true'], option('readonly')),
      other,
    ]);
    expect(ran.stderr).toContain('is not an option of a bind mount');
  });
});
