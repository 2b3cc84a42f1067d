// tswarm-runtime as its callers use it: verbs, states, errors with their codes, hooks, and that nothing is left behind. Killed commands: runtime-killed.test.ts.
// Method: real containers from a temporary bundle, state root and control group of their own; needs root.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Sandbox } from './runtime-bundle.ts';
import {
  errorOf,
  leftovers as leftoversIn,
  type StateJson,
  stateOf as stateIn,
  until,
} from './runtime-state.ts';

let box: Sandbox;
beforeAll(() => {
  box = new Sandbox();
});
afterAll(() => box.dispose());

const stateOf = (id: string): StateJson => stateIn(box, id);
const leftovers = (id: string): string[] => leftoversIn(box, id);

describe('the life of a container', () => {
  it('goes creating, created, running, stopped, gone, and refuses what does not fit', async () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/sh', '-c', 'echo hello; sleep 1000'], (config) => {
      config.annotations = { 'org.example.a': 'b "c"' };
    });
    const out = join(box.dir, `${id}.out`);
    const pidFile = join(box.dir, `${id}.pid`);
    const created = spawnSync(
      'sh',
      [
        '-c',
        `exec "$0" --root "$1" create --bundle "$2" --pid-file "$3" ${id} >"$4" 2>&1 </dev/null`,
      ].concat([box.binary, box.root, bundle, pidFile, out]),
    );
    expect(created.status).toBe(0);
    const state = stateOf(id);
    expect(state).toMatchObject({
      ociVersion: '1.0.2',
      id,
      status: 'created',
      bundle,
      annotations: { 'org.example.a': 'b "c"' },
    });
    expect(readFileSync(pidFile, 'utf8')).toBe(String(state.pid));
    expect(readFileSync(out, 'utf8')).toBe('');

    const again = box.run(['create', '--bundle', bundle, id]);
    expect(again.code).toBe(1);
    expect(errorOf(again.stderr).code).toBe('already_exists');
    expect(errorOf(box.run(['delete', id]).stderr).code).toBe('bad_state');

    expect(box.run(['start', id]).code).toBe(0);
    await until(() => readFileSync(out, 'utf8') === 'hello\n', 'the program writes');
    expect(stateOf(id).status).toBe('running');
    expect(stateOf(id).pid).toBe(state.pid);
    const second = box.run(['start', id]);
    expect(second.code).toBe(1);
    expect(errorOf(second.stderr)).toMatchObject({ code: 'bad_state' });
    expect(errorOf(box.run(['delete', id]).stderr).code).toBe('bad_state');

    expect(box.run(['kill', id, 'KILL']).code).toBe(0);
    await until(() => stateOf(id).status === 'stopped', 'the container stops');
    expect(stateOf(id).pid).toBeUndefined();
    expect(errorOf(box.run(['kill', id, 'TERM']).stderr).message).toContain('not running');
    expect(errorOf(box.run(['start', id]).stderr).code).toBe('bad_state');
    expect(box.run(['delete', id]).code).toBe(0);
    expect(leftovers(id)).toEqual([]);
    expect(errorOf(box.run(['state', id]).stderr).code).toBe('no_such_container');
    expect(box.run(['delete', '--force', id]).code).toBe(0);
    expect(errorOf(box.run(['delete', id]).stderr).code).toBe('no_such_container');
  });

  it.each(['TERM', 'SIGTERM', '15', 'sigterm'])('takes the signal as %s', async (signal) => {
    const id = box.id();
    box.bundle(id, [
      '/bin/sh',
      '-c',
      'trap "exit 0" TERM; echo > /tmp/armed; while :; do sleep 0.05; done',
    ]);
    expect(box.run(['run', '--detach', '--bundle', join(box.dir, id), id]).code).toBe(0);
    await until(() => existsSync(join(box.dir, id, 'rootfs/tmp/armed')), 'the trap is set');
    expect(box.run(['kill', id, signal]).code).toBe(0);
    await until(() => stateOf(id).status === 'stopped', 'it ends');
    expect(box.run(['delete', id]).code).toBe(0);
  });

  it('deletes a running and a created container with --force and leaves nothing', () => {
    for (const start of [true, false]) {
      const id = box.id();
      const bundle = box.bundle(id, ['/bin/sh', '-c', 'sleep 1000 & sleep 1001']);
      expect(box.run(['create', '--bundle', bundle, id]).code).toBe(0);
      if (start) expect(box.run(['start', id]).code).toBe(0);
      expect(box.run(['delete', '--force', id]).code).toBe(0);
      expect(leftovers(id)).toEqual([]);
    }
  });

  it('kills every process of a container without a pid namespace', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/sh', '-c', 'sleep 1000 & sleep 1001'], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid');
      const proc = config.mounts[0];
      if (proc) Object.assign(proc, { type: 'bind', source: '/proc', options: ['rbind'] });
      config.linux.readonlyPaths = [];
      config.linux.maskedPaths = [];
    });
    expect(box.run(['run', '--detach', '--bundle', bundle, id]).code).toBe(0);
    expect(box.run(['delete', '--force', id]).code).toBe(0);
    expect(leftovers(id)).toEqual([]);
  });

  it('run gives the exit code, output and 128+signal, and deletes', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/sh', '-c', 'echo out; echo err >&2; exit 42']);
    const ran = box.run(['run', '--bundle', bundle, id]);
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([42, 'out\n', 'err\n']);
    expect(leftovers(id)).toEqual([]);
    const killed = box.id();
    box.bundle(killed, ['/bin/sh', '-c', 'sh -c "kill -9 $$"; sleep 5'], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid');
      const proc = config.mounts[0];
      if (proc) Object.assign(proc, { type: 'bind', source: '/proc', options: ['rbind'] });
      config.linux.readonlyPaths = [];
      config.linux.maskedPaths = [];
    });
    expect(box.run(['run', '--bundle', join(box.dir, killed), killed]).code).toBe(137);
  });

  it('survives two starts at once: exactly one wins', async () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/sleep', '1000']);
    expect(box.run(['create', '--bundle', bundle, id]).code).toBe(0);
    const codes = await Promise.all(
      [1, 2, 3, 4].map(
        () =>
          new Promise<number | null>((done) => {
            const child = spawn(box.binary, ['--root', box.root, 'start', id], { stdio: 'ignore' });
            child.on('exit', (code) => done(code));
          }),
      ),
    );
    expect(codes.filter((code) => code === 0)).toHaveLength(1);
    expect(box.run(['delete', '--force', id]).code).toBe(0);
  });
});

describe('create that fails', () => {
  const cases: [string, string, string, Parameters<Sandbox['bundle']>[2], string[]?][] = [
    ['a missing program', 'not_found', 'nothere', undefined, ['nothere']],
    ['a missing program by path', 'not_found', '/bin/nothere', undefined, ['/bin/nothere']],
    ['a file that is not executable', 'not_executable', '/etc/passwd', undefined, ['/etc/passwd']],
    ['a folder', 'not_executable', '/bin', undefined, ['/bin']],
    [
      'a mount on /',
      'invalid',
      'mounts[7].destination',
      (c) => c.mounts.push({ destination: '/x/..', type: 'tmpfs' }),
    ],
    [
      'a missing bind source',
      'invalid',
      '/nothere',
      (c) =>
        c.mounts.push({ destination: '/x', type: 'bind', source: '/nothere', options: ['rbind'] }),
    ],
    [
      'an unknown file system',
      'unsupported',
      'nofs',
      (c) => c.mounts.push({ destination: '/x', type: 'nofs' }),
    ],
    [
      'a wrong mount option',
      'kernel',
      'bogus',
      (c) => c.mounts.push({ destination: '/x', type: 'tmpfs', options: ['bogus=1'] }),
    ],
    [
      'a mount of another type over /proc',
      'refused',
      '/proc',
      (c) => c.mounts.push({ destination: '/proc/self', type: 'tmpfs' }),
    ],
    [
      'a sysctl of the host',
      'invalid',
      'kernel.hostname2',
      (c) => {
        c.linux.sysctl = { 'kernel.hostname2': 'x' };
      },
    ],
    [
      'a sysctl that does not exist',
      'kernel',
      'net.nothere',
      (c) => {
        c.linux.sysctl = { 'net.nothere': '1' };
      },
    ],
    [
      'a memory limit below swap order',
      'invalid',
      'swap',
      (c) => {
        c.linux.resources = { memory: { limit: 2e8, swap: 1e8 } };
      },
    ],
    [
      'a cpuset that does not exist',
      'kernel',
      'cpu.cpus',
      (c) => {
        c.linux.resources = { cpu: { cpus: '4000' } };
      },
    ],
    [
      'an unknown rlimit',
      'invalid',
      'RLIMIT_X',
      (c) => {
        c.process.rlimits = [{ type: 'RLIMIT_X', soft: 1, hard: 1 }];
      },
    ],
    [
      'a repeated rlimit',
      'invalid',
      'twice',
      (c) => {
        const r = { type: 'RLIMIT_CORE', soft: 0, hard: 0 };
        c.process.rlimits = [r, r];
      },
    ],
    ['a repeated namespace', 'invalid', 'twice', (c) => c.linux.namespaces.push({ type: 'pid' })],
    [
      'a namespace file of another type',
      'invalid',
      'namespace',
      (c) => {
        c.linux.namespaces = [{ type: 'mount' }, { type: 'ipc', path: '/proc/self/ns/net' }];
      },
    ],
    [
      'a file as rootfs',
      'kernel',
      'root.path',
      (c) => {
        c.root.path = 'config.json';
      },
    ],
    [
      'a missing rootfs',
      'kernel',
      'root.path',
      (c) => {
        c.root.path = 'nothere';
      },
    ],
    [
      'a version of another major number',
      'invalid',
      'ociVersion',
      (c) => {
        c.ociVersion = '2.0.0';
      },
    ],
    [
      'a wrong seccomp action',
      'invalid',
      'SCMP_ACT_X',
      (c) => {
        c.linux.seccomp = { defaultAction: 'SCMP_ACT_X' };
      },
    ],
    [
      'a failing createRuntime hook',
      'hook_failed',
      'boom',
      (c) => {
        c.hooks = {
          createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'echo boom >&2; exit 3'] }],
        };
      },
    ],
    [
      'a failing createContainer hook',
      'hook_failed',
      'exit code 4',
      (c) => {
        c.hooks = { createContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'exit 4'] }] };
      },
    ],
    [
      'a hook that hangs',
      'hook_failed',
      'longer than 1 s',
      (c) => {
        c.hooks = { prestart: [{ path: '/bin/sleep', args: ['sleep', '100'], timeout: 1 }] };
      },
    ],
  ];
  it.each(cases)('because of %s says %s and leaves nothing', (_name, code, text, edit, args) => {
    const id = box.id();
    const bundle = box.bundle(id, args ?? ['/bin/true'], edit);
    const ran = box.run(['create', '--bundle', bundle, id]);
    expect(ran.code).toBe(1);
    const error = errorOf(ran.stderr);
    expect(error).toMatchObject({ code });
    expect(`${error.message} ${error.path}`).toContain(text);
    expect(leftovers(id)).toEqual([]);
  });

  it('names the field of any wrong type', () => {
    const wrong: [string, (c: Record<string, object>) => void][] = [
      ['process.cwd', (c) => Object.assign(c.process ?? {}, { cwd: 'relative' })],
      ['process.args', (c) => Object.assign(c.process ?? {}, { args: [] })],
      ['process.args', (c) => Object.assign(c.process ?? {}, { args: [1] })],
      ['process.user.uid', (c) => Object.assign(c.process ?? {}, { user: { uid: -1 } })],
      ['process.user.uid', (c) => Object.assign(c.process ?? {}, { user: { uid: 4294967296 } })],
      ['process.oomScoreAdj', (c) => Object.assign(c.process ?? {}, { oomScoreAdj: 1001 })],
      ['root.readonly', (c) => Object.assign(c.root ?? {}, { readonly: 'yes' })],
      ['mounts', (c) => Object.assign(c, { mounts: {} })],
      ['linux.maskedPaths', (c) => Object.assign(c.linux ?? {}, { maskedPaths: 'x' })],
      [
        'linux.resources.memory.limit',
        (c) => Object.assign(c.linux ?? {}, { resources: { memory: { limit: 1.5 } } }),
      ],
      ['linux.cgroupsPath', (c) => Object.assign(c.linux ?? {}, { cgroupsPath: '/a/../b' })],
    ];
    for (const [field, edit] of wrong) {
      const id = box.id();
      const bundle = box.bundle(id, ['/bin/true'], (c) =>
        edit(c as unknown as Record<string, object>),
      );
      const ran = box.run(['create', '--bundle', bundle, id]);
      expect([field, ran.code]).toEqual([field, 1]);
      expect(errorOf(ran.stderr).message).toContain(field);
      expect(leftovers(id)).toEqual([]);
    }
  });

  it('says line and column of broken JSON and refuses bad ids and options with code 2', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/true']);
    writeFileSync(join(bundle, 'config.json'), '{\n  "ociVersion": "1.0.2",\n  oops\n}');
    expect(errorOf(box.run(['create', '--bundle', bundle, id]).stderr).message).toContain('line 3');
    for (const bad of ['../x', '', 'a/b', '.hidden', 'a'.repeat(256)])
      expect([bad, box.run(['create', '--bundle', bundle, bad]).code]).toEqual([bad, 2]);
    expect(box.run(['create', '--nonsense', id]).code).toBe(2);
    expect(box.run(['frobnicate']).code).toBe(2);
  });

  it('writes the error to --log as runc does', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['nothere']);
    const log = join(box.dir, `${id}.log`);
    expect(box.run(['--log', log, '--log-format', 'json', 'create', '-b', bundle, id]).code).toBe(
      1,
    );
    const line = JSON.parse(readFileSync(log, 'utf8').trim()) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'error', error: { code: 'not_found' } });
    expect(line.msg).toContain('nothere');
  });
});

describe('hooks', () => {
  it('run in order, in their namespaces, with the state on stdin', async () => {
    const id = box.id();
    const log = join(box.dir, `${id}.hooks`);
    const hook = (name: string): unknown => ({
      path: '/bin/sh',
      args: ['sh', '-c', `read s; echo "${name} $X $(readlink /proc/self/ns/mnt) $s" >>${log}`],
      env: ['X=1', 'PATH=/usr/bin:/bin'],
    });
    const bundle = box.bundle(id, ['/bin/sh', '-c', 'echo program >> /log'], (c, rootfs) => {
      writeFileSync(log, '');
      writeFileSync(join(rootfs, 'log'), '');
      c.mounts.push({ destination: '/log', type: 'bind', source: log, options: ['bind'] });
      c.hooks = {
        prestart: [hook('prestart')],
        createRuntime: [hook('createRuntime')],
        createContainer: [hook('createContainer')],
        startContainer: [
          { path: '/bin/sh', args: ['sh', '-c', 'read s; echo "startContainer $s" >> /log'] },
        ],
        poststart: [hook('poststart')],
        poststop: [hook('poststop')],
      };
    });
    expect(box.run(['create', '--bundle', bundle, id])).toMatchObject({ code: 0, stderr: '' });
    const { pid } = stateOf(id);
    expect(box.run(['start', id]).code).toBe(0);
    await until(() => stateOf(id).status === 'stopped', 'it ends');
    expect(box.run(['delete', id]).code).toBe(0);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const names = lines.map((line) => line.split(' ')[0]).filter((name) => name !== 'program');
    // poststart runs beside the program, so only their order among each other is fixed
    expect(names).toEqual([
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
      'poststop',
    ]);
    const own = spawnSync('readlink', ['/proc/self/ns/mnt'], { encoding: 'utf8' }).stdout.trim();
    const statuses: Record<string, string> = {};
    for (const line of lines) {
      if (line === 'program') continue;
      const name = line.split(' ')[0] ?? '';
      const state = JSON.parse(line.slice(line.indexOf('{'))) as StateJson;
      statuses[name] = state.status;
      if (name !== 'poststop') expect(state.pid).toBe(pid);
      if (name === 'createRuntime') expect(line).toContain(` 1 ${own} `);
      if (name === 'createContainer') expect(line).not.toContain(own);
    }
    expect(statuses).toMatchObject({
      prestart: 'created',
      poststart: 'running',
      poststop: 'stopped',
    });
  });

  it('a failing poststart kills the container; a failing poststop stops neither the next nor delete', async () => {
    const id = box.id();
    const mark = join(box.dir, 'second-poststop');
    const bundle = box.bundle(id, ['/bin/sleep', '1000'], (c) => {
      const fail = { path: '/bin/sh', args: ['sh', '-c', 'exit 9'] };
      const touch = { path: '/bin/sh', args: ['sh', '-c', `echo ran > ${mark}`] };
      c.ociVersion = '1.2.0';
      c.hooks = { poststart: [fail], poststop: [fail, touch] };
    });
    expect(box.run(['create', '--bundle', bundle, id]).code).toBe(0);
    expect(errorOf(box.run(['start', id]).stderr).code).toBe('hook_failed');
    await until(() => stateOf(id).status === 'stopped', 'it is killed');
    expect(box.run(['delete', id]).code).toBe(0);
    expect(leftovers(id)).toEqual([]);
    expect(readFileSync(mark, 'utf8')).toBe('ran\n');
  });

  it('a failing poststart is a warning for a configuration of before 1.2', () => {
    const id = box.id();
    const mark = join(box.dir, 'second-poststart');
    const bundle = box.bundle(id, ['/bin/sleep', '1000'], (c) => {
      c.ociVersion = '1.1.0';
      c.hooks = {
        poststart: [
          { path: '/bin/sh', args: ['sh', '-c', 'exit 9'] },
          { path: '/bin/sh', args: ['sh', '-c', `echo ran > ${mark}`] },
        ],
      };
    });
    expect(box.run(['create', '--bundle', bundle, id]).code).toBe(0);
    expect(box.run(['start', id]).code).toBe(0);
    expect([stateOf(id).status, readFileSync(mark, 'utf8')]).toEqual(['running', 'ran\n']);
    expect(box.run(['delete', '--force', id]).code).toBe(0);
  });
});

describe('the state folder', () => {
  it('is private, and a root that others can write is refused', () => {
    const id = box.id();
    const bundle = box.bundle(id, ['/bin/true']);
    expect(box.run(['create', '--bundle', bundle, id]).code).toBe(0);
    expect(statSync(join(box.root, id)).mode & 0o777).toBe(0o700);
    expect(statSync(join(box.root, id, 'state.json')).mode & 0o777).toBe(0o600);
    expect(box.run(['delete', '--force', id]).code).toBe(0);
    const open = join(box.dir, 'open-root');
    spawnSync('mkdir', ['-m', '0777', open]);
    const ran = spawnSync(box.binary, ['--root', open, 'create', '--bundle', bundle, id], {
      encoding: 'utf8',
    });
    expect(errorOf(ran.stderr).code).toBe('refused');
  });
});
