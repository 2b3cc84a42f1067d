// Flags and verbs of tcompose that change the images and containers of a project, each by what has become of them; a daemon that goes away and a reader
// that stops reading are no stack traces. What only looks: cli-flags.test.ts.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComposeNode, FLAGS_FILE, type InspectedState } from '../support/compose-node.ts';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { NODE, type Result, ROOT, until } from '../support/test-node.ts';

let node: ComposeNode;
let cwd: string;

beforeAll(async () => {
  node = new ComposeNode();
  await node.up(23799);
  cwd = node.project('flags', { 'compose.yaml': FLAGS_FILE });
  expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
});

afterAll(async () => {
  await node.tcompose(['down', '-v', '-t', '0'], { cwd });
  await node[Symbol.asyncDispose]();
});

const tcompose = (...args: string[]): Promise<Result> => node.tcompose(args, { cwd });
const out = async (...args: string[]): Promise<string> => (await tcompose(...args)).stdout;
const idOf = async (service: string): Promise<string> => (await out('ps', '-aq', service)).trim();
const inspect = async (service: string): Promise<InspectedState> =>
  JSON.parse((await node.docker(['inspect', await idOf(service)])).stdout)[0];

describe('build', () => {
  flagTest(
    'tcompose build',
    ['--no-cache', '--quiet'],
    'every step anew, without words',
    async () => {
      const folder = node.project('made', {
        Dockerfile: 'FROM busybox:test\nRUN cat /proc/sys/kernel/random/uuid > /made\n',
        'compose.yaml': 'services: {web: {build: .}}',
      });
      const made = async (...flags: string[]): Promise<string> => {
        const built = await node.tcompose(['build', ...flags], { cwd: folder });
        expect(built.code, built.stderr).toBe(0);
        if (flags.includes('--quiet')) expect(built.stdout + built.stderr).toBe('');
        else expect(built.stderr).toContain('Built');
        return (await node.docker(['run', '--rm', 'made-web', 'cat', '/made'])).stdout;
      };
      const first = await made();
      expect(await made()).toBe(first);
      expect(await made('--no-cache', '--quiet')).not.toBe(first);
    },
  );
});

describe('images of a project', () => {
  flagTest(
    'tcompose build',
    ['--build-arg', '--pull', '--push', '--with-dependencies'],
    'change what is built',
    async () => {
      await using registry = await registryInside(node);
      const base = `${registry.host}/base:1`;
      const push = async (text: string): Promise<void> => {
        const context = node.project('base', {
          Dockerfile: `FROM busybox:test\nRUN echo ${text} > /base\n`,
        });
        await node.docker(['build', '-q', '-t', base, context], { env: { DOCKER_BUILDKIT: '0' } });
        expect((await node.docker(['push', '-q', base])).code).toBe(0);
      };
      await push('first');
      const folder = node.project('builds', {
        Dockerfile: `FROM ${base}\nARG WHO=nobody\nRUN echo $WHO > /who\n`,
        'compose.yaml': `services: {web: {build: ., image: "${registry.host}/web:1", depends_on: [db]}, db: {build: ., image: "${registry.host}/db:1"}}`,
      });
      const build = (...flags: string[]): Promise<Result> =>
        node.tcompose(['build', ...flags], { cwd: folder });
      const read = async (name: string, file: string): Promise<string> =>
        (await node.docker(['run', '--rm', `${registry.host}/${name}:1`, 'cat', file])).stdout;
      expect((await build('--build-arg', 'WHO=me', 'web')).code).toBe(0);
      expect(await read('web', '/who')).toBe('me\n');
      expect((await node.docker(['inspect', `${registry.host}/db:1`])).code).toBe(1);
      expect((await build('--with-dependencies', '--push', 'web')).code).toBe(0);
      const tags = await node.inside('curl', ['-s', `http://${registry.host}/v2/db/tags/list`]);
      expect(JSON.parse(tags.stdout)).toMatchObject({ tags: ['1'] });
      await push('second');
      await node.docker(['tag', `${registry.host}/web:1`, 'kept:1']);
      const old = (await node.docker(['inspect', '-f', '{{.Id}}', base])).stdout;
      await node.docker(['rmi', '-f', base]);
      await build('--pull', 'web');
      expect((await node.docker(['inspect', '-f', '{{.Id}}', base])).stdout).toBe(old);
      expect(await read('web', '/base')).toBe('second\n');
      await node.docker([
        'rmi',
        '-f',
        'kept:1',
        base,
        `${registry.host}/web:1`,
        `${registry.host}/db:1`,
      ]);
    },
  );

  flagTest(
    'tcompose pull',
    ['--ignore-buildable', '--ignore-pull-failures', '--include-deps', '--policy', '--quiet'],
    'choose what is pulled',
    async () => {
      await using registry = await registryInside(node);
      const image = (name: string): string => `${registry.host}/pulled-${name}:1`;
      for (const name of ['web', 'db', 'made']) {
        await node.docker(['tag', 'busybox:test', image(name)]);
        expect((await node.docker(['push', '-q', image(name)])).code).toBe(0);
        await node.docker(['rmi', image(name)]);
      }
      const folder = node.project('pulls', {
        'compose.yaml': `services: {web: {image: "${image('web')}", depends_on: [db]}, db: {image: "${image('db')}"}, made: {image: "${image('made')}", build: .}, bad: {image: "${image('bad')}"}}`,
      });
      const pull = (...flags: string[]): Promise<Result> =>
        node.tcompose(['pull', ...flags], { cwd: folder });
      const present = async (): Promise<string[]> => {
        const list = await node.docker(['images', '--format', '{{.Repository}}']);
        const found = list.stdout
          .split('\n')
          .filter((line) => line.startsWith(`${registry.host}/pulled-`));
        return found.map((line) => line.slice(`${registry.host}/pulled-`.length)).sort();
      };
      expect(await pull('--quiet', 'web')).toMatchObject({ code: 0, stderr: '' });
      expect(await present()).toEqual(['web']);
      expect((await pull('--policy', 'missing', '--include-deps', 'web')).stderr).not.toContain(
        image('web'),
      );
      expect(await present()).toEqual(['db', 'web']);
      const failed = await pull();
      expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('bad')]);
      expect((await pull('--ignore-pull-failures', '--ignore-buildable')).code).toBe(0);
      await node.docker(['rmi', '-f', image('made')]);
      await pull('--ignore-buildable', 'made');
      expect(await present()).toEqual(['db', 'web']);
      await pull('made');
      expect(await present()).toEqual(['db', 'made', 'web']);
      await node.docker(['rmi', '-f', image('web'), image('db'), image('made')]);
    },
  );
});

describe('containers that are stopped, killed and started', () => {
  flagTest(
    'tcompose stop',
    ['--timeout'],
    '0 does not wait for the grace period of 30 s',
    async () => {
      const stopped = await tcompose('stop', '-t', '0', 'store');
      expect(stopped.code).toBe(0);
      expect(stopped.ms).toBeLessThan(20_000);
      expect((await inspect('store')).State.Status).toBe('exited');
      expect((await tcompose('start', 'store')).code).toBe(0);
      expect((await inspect('store')).State.Status).toBe('running');
    },
  );

  flagTest(
    'tcompose restart',
    ['--timeout'],
    '0 does not wait for the grace period of 30 s',
    async () => {
      const before = (await inspect('store')).State.StartedAt;
      const restarted = await tcompose('restart', '-t', '0', 'store');
      expect(restarted.ms).toBeLessThan(20_000);
      expect((await inspect('store')).State.StartedAt).not.toBe(before);
    },
  );

  it('pause and unpause say so and do so', async () => {
    expect((await tcompose('pause', 'web')).stderr).toContain('Container flags-web-1  Paused');
    expect((await inspect('web')).State.Status).toBe('paused');
    expect((await tcompose('unpause', 'web')).code).toBe(0);
    expect((await inspect('web')).State.Status).toBe('running');
  });

  it('up starts again what docker stop has stopped, in the same container', async () => {
    const id = await idOf('web');
    await node.docker(['stop', id]);
    expect((await inspect('web')).State.Status).toBe('exited');
    expect((await tcompose('up', '-d')).code).toBe(0);
    expect((await inspect('web')).State.Status).toBe('running');
    expect(await idOf('web')).toBe(id);
  });

  flagTest('tcompose kill', ['--signal'], 'sends the signal that is named', async () => {
    await tcompose('kill', '-s', 'USR1', 'store');
    await until(async () => (await out('ps', '-a', 'store')).includes('Exited (9)'), 10_000);
    expect((await tcompose('up', '-d')).code).toBe(0);
    expect((await inspect('store')).State.Status).toBe('running');
    expect((await tcompose('kill', '-s', 'BLA', 'web')).stderr).toContain('BLA');
  });

  it('up starts again what has failed', async () => {
    const failing = node.project('failing', {
      'compose.yaml':
        'services: {bad: {image: "busybox:test", stop_grace_period: 100ms, command: ["sh", "-c", "test -e /x && exec sleep 1000; touch /x; exit 3"]}}',
    });
    await node.tcompose(['up', '-d'], { cwd: failing });
    const state = () => node.tcompose(['ps', '-a'], { cwd: failing });
    await until(async () => (await state()).stdout.includes('Exited (3)'), 10_000);
    const again = await node.tcompose(['up', '-d'], { cwd: failing });
    expect(again.stderr).not.toContain('Error');
    expect(again.code).toBe(0);
    expect((await state()).stdout).toContain('Up ');
    await node.tcompose(['down'], { cwd: failing });
  });

  flagTest(
    'tcompose rm',
    ['--force', '--stop'],
    'remove stopped services, stop them first; asks without -f',
    async () => {
      expect((await tcompose('rm', '-f', 'web')).stderr).toContain('No stopped containers');
      expect((await tcompose('stop', 'web')).code).toBe(0);
      expect((await tcompose('rm', 'web')).stderr).toContain('Use -f.');
      expect((await tcompose('rm', '-f', 'web')).stderr).toContain(
        'Container flags-web-1  Removed',
      );
      await until(async () => (await idOf('web')) === '', 10_000);
      expect((await tcompose('up', '-d')).code).toBe(0);
      expect(await idOf('web')).not.toBe('');
      expect((await tcompose('rm', '--stop', '--force', 'web')).code).toBe(0);
      await until(async () => (await idOf('web')) === '', 10_000);
      expect((await tcompose('up', '-d')).code).toBe(0);
    },
  );
});

describe('parts of a project', () => {
  it('a part leaves the rest alone; only true orphans are warned of and removed', async () => {
    const store = await idOf('store');
    const part = await tcompose('up', '-d', '--remove-orphans', 'store');
    expect(part.stderr).not.toContain('no longer in the file');
    expect(await idOf('store')).toBe(store);
    expect(await idOf('web')).not.toBe('');
    node.project('flags', {
      'compose.yaml': FLAGS_FILE.replace(
        '  dbg:',
        '  old:\n    image: busybox:test\n    stop_grace_period: 100ms\n    command: sleep 1000\n  dbg:',
      ),
    });
    expect((await tcompose('up', '-d', 'old')).code).toBe(0);
    node.project('flags', { 'compose.yaml': FLAGS_FILE });
    expect((await tcompose('up', '-d', 'store')).stderr).toMatch(/go on running: flags_old;/);
    expect((await tcompose('up', '-d', '--remove-orphans', 'store')).code).toBe(0);
    const left = await node.tswarm(['service', 'ls', '--format', '{{.Name}}']);
    expect(left.stdout).toBe('flags_store\nflags_web\n');
  });

  it('scale changes the number and replaces nothing', async () => {
    const before = await idOf('store');
    expect((await tcompose('scale', 'store=2')).code).toBe(0);
    expect((await out('ps', '-q', 'store')).trim().split('\n')).toContain(before);
    expect((await out('ps', '-q', 'store')).trim().split('\n')).toHaveLength(2);
  });

  it('--no-deps starts a service without what it depends on', async () => {
    expect((await tcompose('down', '-t', '0')).code).toBe(0);
    expect((await tcompose('up', '-d', '--no-deps', 'web')).code).toBe(0);
    expect(await out('ps', '--services')).toBe('web\n');
    expect((await tcompose('up', '-d')).code).toBe(0);
    expect(await out('ps', '--services')).toBe('store\nweb\n');
  });

  it('--wait-timeout gives up', async () => {
    const slow = node.project('slow', {
      'compose.yaml':
        'services: {s: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000, healthcheck: {test: "false", interval: 60s}}}',
    });
    const result = await node.tcompose(['up', '--wait', '--wait-timeout', '1'], { cwd: slow });
    expect(result.stderr).toContain('application not healthy after 1s');
    expect(result.code).toBe(1);
    await node.tcompose(['down'], { cwd: slow });
  });
});

describe('the other side goes away', () => {
  it('a reader that has read enough is no error', async () => {
    const line = `${NODE} ${join(ROOT, 'dist/cli/tswarm/main.js')} service ls | head -0`;
    const env = { TSWARM_HOST: `unix://${node.clusterSocket}` };
    const result = await node.inside('bash', ['-c', `set -o pipefail; ${line}`], { env });
    expect(result.stderr).toBe('');
  });

  it('a daemon that is killed in the middle of a command: a clear error, exit code 1', async () => {
    const child = spawn(NODE, [join(ROOT, 'dist/cli/tcompose/main.js'), 'logs', '-f'], {
      cwd,
      env: { ...process.env, TSWARM_HOST: `unix://${node.clusterSocket}` },
    });
    let errors = '';
    child.stderr.on('data', (data) => {
      errors += String(data);
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await node.stop('SIGKILL');
    const code = await ended;
    expect(errors).toContain('went away');
    expect(errors).not.toMatch(/Internal error|\bat .*\.(js|ts):\d+/);
    expect(code).toBe(1);
    const down = await tcompose('ps');
    expect(down.stderr).toContain('cannot reach tswarmd');
    expect(down.code).toBe(1);
    await node.start();
    await until(async () => (await tcompose('ps')).code === 0, 15_000);
  });

  it('a socket that is no tswarm is said to be none', async () => {
    const server = join(node.folder, 'other.sock');
    const script = `require('http').createServer((q,r)=>r.end('{"Components":[{"Name":"Engine"}]}')).listen(${JSON.stringify(server)},()=>console.log('ready'))`;
    const other = spawn(NODE, ['-e', script]);
    await new Promise((resolve) => other.stdout.once('data', resolve));
    try {
      const main = join(ROOT, 'dist/cli/tswarm/main.js');
      const env = { DOCKER_HOST: `unix://${server}` };
      const result = await node.inside(NODE, [main, 'service', 'ls'], { env });
      expect(result.stderr).toContain('is not a tswarm daemon');
      expect(result.code).toBe(1);
    } finally {
      other.kill('SIGKILL');
    }
  });
});
