// Ways out of a container that other runtimes had, each tried against ours; the CVE is the name of the test.
// Method: a hostile image or configuration, or an attacker that races inside a container, and a look at the host afterwards.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAPABILITIES, Sandbox } from './runtime-bundle.ts';

let box: Sandbox;
let helper = '';
const children: ChildProcess[] = [];
beforeAll(() => {
  const setup = new Sandbox();
  // a copy of the runtime, so that an attack that works spoils nothing but this test
  const copy = join(setup.dir, 'tswarm-runtime');
  copyFileSync(setup.binary, copy);
  chmodSync(copy, 0o755);
  helper = join(setup.dir, 'helper');
  execFileSync('cc', ['-O1', '-static', '-o', helper, 'test/native/runtime-helper.c']);
  box = setup;
  Object.assign(box, { binary: copy });
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  box.dispose();
});

const errorCode = (stderr: string): string =>
  (JSON.parse(stderr.trim().split('\n').at(-1) ?? '{}') as { code: string }).code;
const hash = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex');

/** A running container whose first process is the helper in this mode; output goes to the returned file. */
function attacker(mode: string[], caps: string[]): { id: string; output: string } {
  const id = box.id();
  const bundle = box.bundle(id, ['/bin/helper', ...mode], (c, rootfs) => {
    copyFileSync(helper, join(rootfs, 'bin/helper'));
    const all = [...CAPABILITIES, ...caps];
    c.process.capabilities = { bounding: all, effective: all, permitted: all };
    delete c.linux.seccomp;
    c.linux.resources = {};
  });
  const output = join(box.dir, `${id}.out`);
  const fd = openSync(output, 'w');
  const ran = spawnSync(box.binary, ['--root', box.root, 'run', '--detach', '-b', bundle, id], {
    stdio: ['ignore', fd, fd],
  });
  closeSync(fd);
  expect([ran.status, readFileSync(output, 'utf8')]).toEqual([0, '']);
  return { id, output };
}

describe('the runtime’s own executable', () => {
  it('CVE-2019-5736: cannot be written through /proc/PID/exe by a root with CAP_SYS_PTRACE', () => {
    const before = hash(box.binary);
    const { id, output } = attacker(['exe'], ['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH']);
    for (let i = 0; i < 150; i++) box.run(['exec', id, '/bin/true']);
    for (let i = 0; i < 20; i++) box.run(['exec', id, '/bin/nothere']);
    box.run(['delete', '--force', id]);
    const said = readFileSync(output, 'utf8');
    expect(said).toContain('OPENED'); // the attack was really tried
    expect(said).not.toContain('WROTE');
    expect(hash(box.binary)).toBe(before);
  });
});

describe('descriptors and folders of the host', () => {
  it('CVE-2024-21626: no working folder through /proc/self/fd, in run and exec', () => {
    const running = box.id();
    box.bundle(running, ['/bin/sleep', '1000']);
    expect(box.run(['run', '--detach', '-b', join(box.dir, running), running]).code).toBe(0);
    for (let fd = 3; fd < 40; fd++) {
      const id = box.id();
      const bundle = box.bundle(id, ['/bin/sh', '-c', 'pwd; ls'], (c) => {
        c.process.cwd = `/proc/self/fd/${fd}`;
      });
      expect(box.run(['run', '--bundle', bundle, id])).toMatchObject({ code: 1, stdout: '' });
      rmSync(bundle, { recursive: true, force: true });
      const ran = box.run(['exec', '--cwd', `/proc/self/fd/${fd}`, running, '/bin/pwd']);
      expect(ran).toMatchObject({ code: 1, stdout: '' });
    }
    // Only a container's first process has its folder made.
    const missing = box.run(['exec', '--cwd', '/missing/here', running, '/bin/pwd']);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain('/missing/here');
    expect(box.run(['exec', running, '/bin/ls', '/']).stdout).not.toContain('missing');
    box.run(['delete', '--force', running]);
  });

  it('a program has descriptors 0, 1 and 2 only; --preserve-fds passes on what was asked for', () => {
    const script = 'for f in /proc/self/fd/*; do [ -e $f ] && echo ${f##*/}; done; true';
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/sh', '-c', script]);
    const own = openSync('/', 'r'); // inherited by the runtime as 3 and 4
    const run = (...options: string[]): string => {
      const name = box.id();
      const r = spawnSync(box.binary, ['--root', box.root, 'run', ...options, '-b', bundle, name], {
        stdio: ['ignore', 'pipe', 'pipe', own, own],
        encoding: 'utf8',
      });
      expect(r.stderr).toBe('');
      return r.stdout.trim().replaceAll('\n', ' ');
    };
    expect(run()).toBe('0 1 2');
    expect(run('--preserve-fds', '1')).toBe('0 1 2 3');
    closeSync(own);
  });

  it.each([
    ['a root', []],
    ['a root with CAP_SYS_PTRACE', ['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH']],
  ])('CVE-2016-9962: %s reaches nothing of the host through a joining process', (_name, caps) => {
    const mark = `mark-${box.name}`;
    writeFileSync(join(box.dir, mark), '');
    writeFileSync(join('/', mark), '');
    try {
      const { id, output } = attacker(['fds', mark], caps);
      for (let i = 0; i < 300; i++) box.run(['exec', id, '/bin/true']);
      box.run(['delete', '--force', id]);
      expect(readFileSync(output, 'utf8')).toBe('');
    } finally {
      rmSync(join('/', mark));
    }
  });
});

describe('links in images and volumes', () => {
  it('CVE-2021-30465: a folder that turns into a link while containers start mounts nothing on the host', () => {
    const shared = join(box.dir, 'shared');
    const precious = join(box.dir, 'precious');
    mkdirSync(join(shared, 'x'), { recursive: true });
    mkdirSync(precious);
    writeFileSync(join(precious, 'marker'), 'still here\n');
    symlinkSync(precious, join(shared, 'y'));
    const racer = spawn(helper, ['swap', join(shared, 'x'), join(shared, 'y')], {
      stdio: 'ignore',
    });
    children.push(racer);
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/cat', '/check/marker'], (c) => {
      c.mounts.push({ destination: '/vol', type: 'bind', source: shared, options: ['rbind'] });
      c.mounts.push({ destination: '/vol/x', type: 'tmpfs', source: 'tmpfs' });
      c.mounts.push({ destination: '/vol/x/deeper', type: 'tmpfs', source: 'tmpfs' });
      c.mounts.push({ destination: '/check', type: 'bind', source: precious, options: ['rbind'] });
    });
    let good = 0;
    for (let i = 0; i < 200; i++) {
      const ran = box.run(['run', '--bundle', bundle, id]);
      // losing the race may be an error, but never a look at a covered host folder
      if (ran.code === 0) {
        expect(ran.stdout).toBe('still here\n');
        good += 1;
      } else expect(ran.stderr).not.toContain('check');
      expect(readdirSync(precious)).toEqual(['marker']);
    }
    racer.kill('SIGKILL');
    expect(good).toBeGreaterThan(50);
  });

  it('CVE-2017-1002101, CVE-2021-25741: a subpath that turns into a link while containers start shows nothing of the host', () => {
    const volume = join(box.dir, 'parted');
    const outside = join(box.dir, 'outside');
    for (const folder of [join(volume, 'x'), outside]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(volume, 'x/own'), '');
    writeFileSync(join(outside, 'marker'), '');
    symlinkSync(outside, join(volume, 'y'));
    const racer = spawn(helper, ['swap', join(volume, 'x'), join(volume, 'y')], {
      stdio: 'ignore',
    });
    children.push(racer);
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/ls', '/vol'], (c) => {
      const options = ['rbind', 'subpath=x'];
      c.mounts.push({ destination: '/vol', type: 'bind', source: volume, options });
    });
    const seen = new Set<string>();
    for (let i = 0; i < 100; i++) {
      const ran = box.run(['run', '--bundle', bundle, id]);
      seen.add(ran.code === 0 ? ran.stdout : errorCode(ran.stderr));
    }
    racer.kill('SIGKILL');
    expect([...seen].sort()).toEqual(['own\n', 'refused']);
  });

  it.each([
    [
      'tmpfs on /proc/self/attr',
      { destination: '/proc/self/attr', type: 'tmpfs', source: 'tmpfs' },
    ],
    ['tmpfs on /proc/../proc', { destination: '/proc/../proc', type: 'tmpfs', source: 'tmpfs' }],
    [
      'a volume on /proc',
      { destination: '/proc', type: 'bind', source: '/tmp', options: ['rbind'] },
    ],
    [
      'a file on /proc/sysrq-trigger',
      {
        destination: '/proc/sysrq-trigger',
        type: 'bind',
        source: '/etc/hostname',
        options: ['bind'],
      },
    ],
    ['a link into /proc', { destination: '/link/self', type: 'tmpfs', source: 'tmpfs' }],
  ])('CVE-2019-16884: refuses %s', (_name, mount) => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/true'], (c, rootfs) => {
      symlinkSync('/proc', join(rootfs, 'link'));
      c.mounts.push(mount);
    });
    const ran = box.run(['create', '--bundle', bundle, id]);
    expect([ran.code, errorCode(ran.stderr)]).toEqual([1, 'refused']);
  });

  it.each(['proc', 'sys'])('CVE-2019-19921: refuses an image whose /%s is a link', (name) => {
    const id = box.id();
    const target = join(box.dir, `outside-${name}`);
    mkdirSync(target, { recursive: true });
    const bundle = box.bundle(id, ['/bin/true'], (_c, rootfs) => {
      rmSync(join(rootfs, name), { recursive: true });
      symlinkSync(target, join(rootfs, name));
    });
    const ran = box.run(['create', '--bundle', bundle, id]);
    expect([ran.code, errorCode(ran.stderr)]).toEqual([1, 'refused']);
    expect(readdirSync(target)).toEqual([]);
  });

  it('CVE-2026-41579: an image whose /dev is a link touches nothing outside', () => {
    const id = box.id();
    const target = join(box.dir, 'outside-dev');
    mkdirSync(target);
    const bundle = box.bundle(id, ['/bin/true'], (c, rootfs) => {
      rmSync(join(rootfs, 'dev'), { recursive: true });
      symlinkSync(`../../${'outside-dev'}`, join(rootfs, 'dev'));
      c.mounts = c.mounts.filter(({ destination }) => !destination.startsWith('/dev'));
    });
    const ran = box.run(['create', '--bundle', bundle, id]);
    expect([ran.code, errorCode(ran.stderr)]).toEqual([1, 'refused']);
    expect(readdirSync(target)).toEqual([]);
  });

  it('CVE-2025-31133: an image’s own /dev/null masks nothing', () => {
    const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/true'], (c, rootfs) => {
      symlinkSync('/proc/sys/kernel/core_pattern', join(rootfs, 'dev/null'));
      c.mounts = c.mounts.filter(({ destination }) => !destination.startsWith('/dev'));
    });
    const ran = box.run(['create', '--bundle', bundle, id]);
    expect([ran.code, errorCode(ran.stderr)]).toEqual([1, 'refused']);
    expect(readFileSync('/proc/sys/kernel/core_pattern', 'utf8')).toBe(pattern);
    // with a bind mount of a folder on /dev the masks still come from the host's null device
    const dev = join(box.dir, 'own-dev');
    mkdirSync(dev);
    symlinkSync('/proc/sys/kernel/core_pattern', join(dev, 'null'));
    const other = box.id();
    const second = box.bundle(
      other,
      ['/bin/sh', '-c', 'wc -c < /proc/keys; echo evil > /proc/keys; true'],
      (c) => {
        c.mounts = c.mounts.filter(({ destination }) => !destination.startsWith('/dev'));
        c.mounts.push({ destination: '/dev', type: 'bind', source: dev, options: ['rbind'] });
      },
    );
    expect(box.run(['run', '--bundle', second, other]).stdout).toBe('0\n');
    expect(readFileSync('/proc/sys/kernel/core_pattern', 'utf8')).toBe(pattern);
  });

  it('CVE-2024-45310: a target below a link that leads out is made inside the root', () => {
    const id = box.id();
    const outside = join(box.dir, 'outside-mkdir');
    mkdirSync(outside);
    const bundle = box.bundle(id, ['/bin/ls', '/a/new/deep'], (c, rootfs) => {
      symlinkSync(outside, join(rootfs, 'abs'));
      symlinkSync(`../../../../../../..${outside}`, join(rootfs, 'rel'));
      mkdirSync(join(rootfs, outside), { recursive: true });
      symlinkSync(outside, join(rootfs, 'a'));
      for (const link of ['abs', 'rel', 'a'])
        c.mounts.push({ destination: `/${link}/new/deep`, type: 'tmpfs', source: 'tmpfs' });
    });
    expect(box.run(['run', '--bundle', bundle, id])).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync(join(bundle, 'rootfs', outside, 'new/deep'))).toBe(true);
  });

  it('a dangling link as mount target is refused, not followed', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/true'], (c, rootfs) => {
      symlinkSync('/nowhere/at/all', join(rootfs, 'dangling'));
      c.mounts.push({ destination: '/dangling/x', type: 'tmpfs', source: 'tmpfs' });
    });
    const ran = box.run(['create', '--bundle', bundle, id]);
    expect(ran.code).toBe(1);
    expect(existsSync('/nowhere')).toBe(false);
  });
});

describe('identity', () => {
  it('CVE-2026-30892: exec --user is read strictly', () => {
    const id = box.id();
    box.bundle(id, ['/bin/sleep', '1000']);
    expect(box.run(['run', '--detach', '-b', join(box.dir, id), id]).code).toBe(0);
    const ids = (user: string): string =>
      box.run(['exec', '--user', user, id, 'sh', '-c', 'echo $(id -u):$(id -g)']).stdout.trim();
    expect([ids('1'), ids('0:5'), ids('1:2'), ids('4294967294:3')]).toEqual([
      '1:0',
      '0:5',
      '1:2',
      '4294967294:3',
    ]);
    for (const user of [
      '1x',
      '',
      ':',
      '1:',
      ':1',
      '-1',
      '+1',
      ' 1',
      '4294967295',
      '4294967296',
      '18446744073709551616',
      'root',
      '1:2:3',
    ])
      expect([user, box.run(['exec', '--user', user, id, 'true']).code]).toEqual([user, 2]);
    box.run(['delete', '--force', id]);
  });

  it('a container leads a session of its own, so it has no terminal of ours', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/sh', '-c', 'sed "s/.*) //" /proc/$$/stat']);
    const [, , group, session, tty] = box.run(['run', '-b', bundle, id]).stdout.split(' ');
    expect([group, session, tty]).toEqual(['1', '1', '0']);
  });
});

describe('terminals', () => {
  it('CVE-2025-52565: the terminal comes from the container’s devpts, is console and controlling, and works', async () => {
    const id = box.id();
    const script =
      'tty; readlink /proc/self/fd/0; stat -c %t:%T /dev/console; stty size; read x; echo "got $x"; id -u; stat -c %u $(tty)';
    const bundle = box.bundle(id, ['/bin/sh', '-c', script], (c) => {
      c.process.terminal = true;
      c.process.consoleSize = { height: 33, width: 77 };
      c.process.user = { uid: 1000, gid: 1000 };
    });
    const socket = join(box.dir, `${id}.sock`);
    const server = spawn(helper, ['console', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(server);
    let text = '';
    server.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = new Promise((done) => server.on('close', done));
    while (!existsSync(socket)) await new Promise((done) => setTimeout(done, 5));
    expect(box.run(['create', '-b', bundle, '--console-socket', socket, id])).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(box.run(['start', id]).code).toBe(0);
    await ended;
    const out = text
      .replaceAll('\r', '')
      .split('\n')
      .filter((line) => line !== 'hello');
    expect(out).toEqual([
      '/dev/pts/0',
      '/dev/pts/0',
      '88:0',
      '33 77',
      'got hello',
      '1000',
      '1000',
      '',
    ]);
    box.run(['delete', '--force', id]);
  });

  it('exec --tty over a console socket', async () => {
    const id = box.id();
    box.bundle(id, ['/bin/sleep', '1000']);
    box.run(['run', '--detach', '-b', join(box.dir, id), id]);
    const socket = join(box.dir, `${id}.sock`);
    const server = spawn(helper, ['console', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(server);
    let text = '';
    server.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = new Promise((done) => server.on('close', done));
    while (!existsSync(socket)) await new Promise((done) => setTimeout(done, 5));
    const pidFile = join(box.dir, `${id}.pid`);
    const args = ['--console-socket', socket, '--tty', '--detach', '--pid-file', pidFile, id];
    expect(box.run(['exec', ...args, 'sh', '-c', 'tty; read x; echo "got $x"'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(Number(readFileSync(pidFile, 'utf8'))).toBeGreaterThan(1);
    await ended;
    expect(text.replaceAll('\r', '')).toMatch(/\/dev\/pts\/0\n/);
    expect(text).toContain('got hello');
    box.run(['delete', '--force', id]);
  });
});
