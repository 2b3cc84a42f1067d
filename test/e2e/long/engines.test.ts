// Our runtime under the engines that people have: podman (`--runtime`) and dockerd (default runtime), both from Debian, through their stock command lines.
// An engine that is not installed is skipped, and its name says so.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRootfs } from '../../native/runtime-bundle.ts';
import { PeerDockerd } from '../../support/peer-dockerd.ts';
import { PeerPodman } from '../../support/peer-podman.ts';
import { type Result, ROOT, until } from '../../support/test-node.ts';

const RUNTIME = join(ROOT, 'native/build/tswarm-runtime');
const IMAGE = 'localhost/busybox:test';
const installed = (command: string): boolean =>
  spawnSync(command, ['--version']).error === undefined;

interface Engine {
  readonly cli: (...args: string[]) => Promise<Result>;
  /** Where inspect says which runtime it was, and what it says. */
  readonly runtime: readonly [path: string, value: string];
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const ENGINES: readonly [name: string, present: boolean, make: () => Promise<Engine>][] = [
  [
    'podman',
    installed('podman'),
    async () => {
      const peer = new PeerPodman(RUNTIME);
      return {
        cli: (...args) => peer.podman(args),
        runtime: ['{{.OCIRuntime}}', RUNTIME],
        [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
      };
    },
  ],
  [
    'dockerd',
    installed('dockerd'),
    async () => {
      const peer = new PeerDockerd();
      await peer.start([`--add-runtime tswarm=${RUNTIME}`, '--default-runtime tswarm']);
      return {
        cli: (...args) => peer.docker(args),
        runtime: ['{{.HostConfig.Runtime}}', 'tswarm'],
        [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
      };
    },
  ],
];

describe.each(ENGINES)('%s', (name, present, make) => {
  describe.runIf(present)(present ? 'with our runtime' : 'is not installed', () => {
    let engine: Engine;
    const ids: string[] = [];

    beforeAll(async () => {
      engine = await make();
      const folder = mkdtempSync(join(tmpdir(), 'tswarm-image-'));
      const rootfs = join(folder, 'rootfs');
      mkdirSync(rootfs);
      makeRootfs(rootfs);
      const tar = join(folder, 'image.tar');
      spawnSync('tar', ['-C', rootfs, '-cf', tar, '.']);
      await ok('import', tar, IMAGE);
      rmSync(folder, { recursive: true, force: true });
    });
    afterAll(() => engine[Symbol.asyncDispose]());

    /** What a command that must work writes. */
    async function ok(...args: string[]): Promise<string> {
      const { code, stdout, stderr } = await engine.cli(...args);
      expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({
        args,
        code: 0,
        stderr: '',
      });
      return stdout.trim();
    }

    const once = (flags: string[], script: string): Promise<Result> =>
      engine.cli('run', '--rm', '--network', 'none', ...flags, IMAGE, 'sh', '-c', script);

    /** A container that goes on, by name. */
    async function keep(title: string, script: string, flags: string[] = []): Promise<string> {
      const words = ['--name', title, '--network', 'none', ...flags, IMAGE, 'sh', '-c', script];
      ids.push(await ok('run', '-d', ...words));
      return title;
    }
    const stateOf = (box: string): Promise<string> => ok('inspect', '-f', '{{.State.Status}}', box);
    const exitOf = (box: string): Promise<string> =>
      ok('inspect', '-f', '{{.State.ExitCode}}', box);

    it('run: output, errors, exit status, signal; a missing program is 127', async () => {
      const ran = await once([], 'echo out; echo err >&2; exit 7');
      expect([ran.code, ran.stdout, ran.stderr.trim()]).toEqual([7, 'out\n', 'err']);
      expect((await once([], "sh -c 'kill -9 $$'; exit $?")).code).toBe(137);
      expect((await engine.cli('run', '--rm', '--network', 'none', IMAGE, 'nothere')).code).toBe(
        127,
      );
    });

    it('exec, top, stats and inspect of a running container', async () => {
      const box = await keep('goes', 'sleep 1000');
      expect(await ok('inspect', '-f', engine.runtime[0], box)).toBe(engine.runtime[1]);
      expect(await ok('exec', box, 'id', '-u')).toBe('0');
      expect(
        await ok(
          'exec',
          '-u',
          'app',
          '-e',
          'A=b',
          '-w',
          '/tmp',
          box,
          'sh',
          '-c',
          'id -u; echo $A; pwd',
        ),
      ).toBe('1000\nb\n/tmp');
      expect((await engine.cli('exec', box, 'sh', '-c', 'exit 5')).code).toBe(5);
      // dockerd 20.10 says 126 here whatever the runtime, and 127 for run.
      const missing = (await engine.cli('exec', box, 'nothere')).code;
      expect(missing).toBe(name === 'podman' ? 127 : 126);
      expect(await ok('top', box)).toContain('sleep 1000');
      expect(await ok('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', box)).toMatch(
        /^goes [12]$/,
      );
      await ok('exec', '-d', box, 'sh', '-c', 'echo background > /tmp/said');
      await until(
        async () => (await engine.cli('exec', box, 'cat', '/tmp/said')).stdout === 'background\n',
        20_000,
      );
    });

    it('pause and unpause', async () => {
      await ok('pause', 'goes');
      expect(await stateOf('goes')).toBe('paused');
      expect((await engine.cli('exec', 'goes', 'true')).code).not.toBe(0);
      await ok('unpause', 'goes');
      expect(await ok('exec', 'goes', 'echo', 'again')).toBe('again');
    });

    it('update of limits', async () => {
      await ok('update', '--memory', '64m', '--memory-swap', '64m', '--cpu-shares', '512', 'goes');
      const files = '/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.shares';
      const v2 = '/sys/fs/cgroup/memory.max';
      const read = await ok('exec', 'goes', 'sh', '-c', `cat ${files} 2>/dev/null || cat ${v2}`);
      expect(read.split('\n')[0]).toBe('67108864');
    });

    it('kill with a signal, stop, start, restart', async () => {
      const script =
        'trap "echo usr" USR1; trap "exit 3" TERM; echo up; while :; do sleep 0.1; done';
      const box = await keep('signals', script);
      await until(async () => (await ok('logs', box)).includes('up'), 20_000);
      await ok('kill', '-s', 'USR1', box);
      await until(async () => (await ok('logs', box)).includes('usr'), 20_000);
      await ok('stop', box);
      expect([await stateOf(box), await exitOf(box)]).toEqual(['exited', '3']);
      await ok('start', box);
      expect(await stateOf(box)).toBe('running');
      await ok('restart', box);
      expect(await stateOf(box)).toBe('running');
      await ok('kill', box);
      await until(async () => (await stateOf(box)) === 'exited', 20_000);
      expect(await exitOf(box)).toBe('137');
    });

    it('a restart policy starts it again', async () => {
      const box = await keep('policy', 'echo run; exit 1', ['--restart', 'on-failure:2']);
      await until(async () => (await ok('logs', box)).split('\n').length === 3, 60_000);
    });

    it('a terminal', async () => {
      const ran = await once(['-t'], 'test -t 0 && test -t 1 && tty && echo yes');
      expect(ran.stdout.replaceAll('\r', '')).toMatch(/^\/dev\/(pts\/0|console)\nyes\n$/);
    });

    it('--init, --read-only, --tmpfs, --ulimit, --user, --cap-drop', async () => {
      const flags = ['--init', '--read-only', '--tmpfs', '/t:size=1m,mode=1777', '--user', '1000'];
      const limits = [
        '--ulimit',
        'nofile=100:200',
        '--ulimit',
        'nproc=100:200',
        '--cap-drop',
        'ALL',
      ];
      const ran = await once(
        [...flags, ...limits],
        'tr "\\0" "\\n" < /proc/1/cmdline | head -n 1; id -u; touch /x 2>/dev/null || echo refused; touch /t/x && echo made; ulimit -n; ulimit -Hn; grep CapBnd /proc/self/status',
      );
      expect(
        ran.stdout
          .trim()
          .split('\n')
          .map((line) => line.trim()),
      ).toEqual([
        expect.stringMatching(/init$/),
        '1000',
        'refused',
        'made',
        '100',
        '200',
        'CapBnd:\t0000000000000000',
      ]);
    });

    it('a health check', async () => {
      const every = name === 'podman' ? 'disable' : '200ms';
      const box = await keep('health', 'sleep 1000', [
        ...['--health-cmd', 'test -e /ok', '--health-interval', every, '--health-retries', '1'],
      ]);
      const check = async (): Promise<string> => {
        if (name === 'podman')
          return (await engine.cli('healthcheck', 'run', box)).code === 0 ? 'healthy' : 'unhealthy';
        return ok('inspect', '-f', '{{.State.Health.Status}}', box);
      };
      await until(async () => (await check()) === 'unhealthy', 20_000);
      await ok('exec', box, 'touch', '/ok');
      await until(async () => (await check()) === 'healthy', 20_000);
    });

    it.runIf(name === 'podman')('a user namespace', async () => {
      const ran = await once(
        ['--uidmap', '0:100000:65536'],
        'id -u; cat /proc/self/uid_map; touch /new && stat -c %u /new',
      );
      expect(ran.stdout).toMatch(/^0\n\s*0\s+100000\s+65536\n0\n$/);
    });

    it('bind mounts: read-only, propagation', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'tswarm-bind-'));
      const ran = await once(
        ['-v', `${folder}:/ro:ro`, '-v', `${folder}:/rw:rw`],
        'touch /ro/x 2>/dev/null || echo refused; echo y > /rw/y; cat /ro/y',
      );
      rmSync(folder, { recursive: true, force: true });
      expect(ran.stdout).toBe('refused\ny\n');
    });

    it('removes all, and the runtime keeps nothing of it', async () => {
      await ok('rm', '-f', 'goes', 'signals', 'policy', 'health');
      const left = spawnSync(RUNTIME, ['list', '-q'], { encoding: 'utf8' }).stdout.split('\n');
      expect(left.filter((id) => ids.includes(id))).toEqual([]);
    });
  });
});
