// Flags and verbs of tcompose and tswarm, each by what it does to containers, files or the answer; wrong words are refused by name; a daemon that
// goes away and a reader that stops reading are no stack traces.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLines } from '../support/command-lines.ts';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { NODE, type Result, ROOT, TestNode, until } from '../support/test-node.ts';

let node: TestNode;
let cwd: string;

const FILE = `
services:
  web:
    image: busybox:test
    stop_grace_period: 100ms
    environment: {A: "\${FOO:-bar}"}
    command: ["sh", "-c", "echo up; mkdir -p /www; exec httpd -f -p 80 -h /www"]
    ports: ["18180:80", "18181:81/udp"]
    depends_on: [store]
  store:
    image: busybox:test
    stop_grace_period: 30s
    command: ["sh", "-c", "trap '' TERM; trap 'exit 9' USR1; for i in 1 2 3; do echo line $$i; done; while :; do sleep 1; done"]
    volumes: ["data:/data"]
  dbg:
    image: busybox:test
    profiles: [debug]
    command: sleep 1000
volumes: {data: {}}
`;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:23792', '--advertise-addr', '127.0.0.1']);
  await node.importBusybox();
  cwd = node.project('flags', { 'compose.yaml': FILE });
  expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
});

afterAll(async () => {
  await node.tcompose(['down', '-v', '-t', '0'], { cwd });
  await node[Symbol.asyncDispose]();
});

const tcompose = (...args: string[]): Promise<Result> => node.tcompose(args, { cwd });
const out = async (...args: string[]): Promise<string> => (await tcompose(...args)).stdout;
const idOf = async (service: string): Promise<string> => (await out('ps', '-aq', service)).trim();

async function inspect(service: string): Promise<{ State: { StartedAt: string; Status: string } }> {
  return JSON.parse((await node.docker(['inspect', await idOf(service)])).stdout)[0];
}

describe('names that are not there', () => {
  it.each([
    ['ps'],
    ['logs'],
    ['top'],
    ['kill'],
    ['stop'],
    ['start'],
    ['restart'],
    ['pause'],
    ['unpause'],
    ['rm', '-f'],
    ['build'],
    ['pull'],
    ['config'],
    ['up', '-d'],
  ])('%s %s', async (...words) => {
    const result = await tcompose(...words, 'nope');
    expect(result.stderr).toContain('no such service: nope');
    expect(result.code).toBe(1);
  });
});

describe('words that mean nothing', () => {
  it.each([
    [['--ansi', 'bla', 'ps'], 'bla'],
    [['--progress', 'bla', 'ps'], 'bla'],
    [['logs', '--since', 'bla'], '--since bla'],
    [['logs', '--until', 'bla'], '--until bla'],
    [['logs', '-n', 'x'], '--tail x'],
    [['config', '--format', 'xml'], 'xml'],
    [['version', '-f', 'xml'], 'xml'],
    [['down', '--rmi', 'bla'], '--rmi bla'],
    [['stop', '-t', 'x'], '-t x'],
    [['up', '--pull', 'bla'], '--pull bla'],
    [['up', '--wait-timeout', 'x'], '--wait-timeout x'],
    [['up', '--scale', 'web'], '--scale web'],
    [['ps', '--format', '{{.Nope}}'], 'Nope'],
    [['nosuch'], 'nosuch'],
    [['up', '--nosuch'], '--nosuch'],
  ])('%j', async (args, words) => {
    const result = await tcompose(...args);
    expect(result.stderr).toContain(words);
    expect(result.stderr).not.toContain('Internal error');
    expect(result.code).toBe(1);
    expect((await out('ps', '--services')).trim()).toBe('store\nweb');
  });

  it('are wrong usage (2) for tswarm', async () => {
    expect((await node.tswarm(['nosuch'])).code).toBe(2);
    expect((await node.tswarm(['service', 'ls', '--nosuch'])).code).toBe(2);
  });
});

describe('ps, logs, port, top, images, ls', () => {
  flagTest(
    'tcompose ps',
    ['--services', '--format', '--no-trunc'],
    'show what is asked',
    async () => {
      expect(await out('ps', '--services')).toBe('store\nweb\n');
      expect(await out('ps', '--format', '{{.Name}} {{.Service}}', 'web')).toBe(
        'flags-web-1 web\n',
      );
      expect(await out('ps', '--format', 'table {{.Service}}\\t{{.State}}', 'web')).toBe(
        'SERVICE   STATE\nweb       running\n',
      );
      expect(await out('ps', 'web')).not.toContain('httpd -f');
      expect(await out('ps', '--no-trunc', 'web')).toContain('httpd -f');
    },
  );

  flagTest('tcompose ps', ['--all', '--quiet'], 'stopped ones too, and only ids', async () => {
    const id = await idOf('web');
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    await tcompose('stop', 'web');
    expect(await out('ps', '--quiet', 'web')).toBe('');
    expect(await out('ps', '--all', '--quiet', 'web')).toBe(`${id}\n`);
    expect(await out('ps', '--all', 'web')).toContain('Exited');
    await tcompose('start', 'web');
  });

  flagTest('tcompose logs', ['--follow'], 'goes on with new lines', async () => {
    const args = ['logs', '--follow', 'web'];
    commandLines.push(['tcompose', ...args]);
    const child = spawn(NODE, [join(ROOT, 'dist/cli/tcompose/main.js'), ...args], {
      cwd,
      env: { ...process.env, TSWARM_HOST: `unix://${node.clusterSocket}` },
    });
    let text = '';
    child.stdout.on('data', (data) => {
      text += String(data);
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    try {
      await until(() => text.includes('up'), 10_000);
      const before = text.length;
      await tcompose('restart', '-t', '0', 'web');
      await until(() => text.slice(before).includes('web-1 | up'), 10_000);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });

  const LOG_FLAGS = 'ages, counts, times and no prefix';
  flagTest(
    'tcompose logs',
    ['--tail', '--timestamps', '--since', '--until', '--no-log-prefix'],
    LOG_FLAGS,
    async () => {
      expect(await out('logs', '--no-log-prefix', 'store')).toBe('line 1\nline 2\nline 3\n');
      expect(await out('logs', '-n', '1', 'store')).toBe('store-1 | line 3\n');
      expect(await out('logs', '--since', '1h', 'store')).toContain('line 1');
      expect(await out('logs', '--until', '1h', 'store')).toBe('');
      expect(await out('logs', '-t', 'store')).toMatch(
        /^store-1 \| \d{4}-\d\d-\d\dT[\d:.]+Z line 1/,
      );
    },
  );

  flagTest('tcompose port', ['--protocol', '--index'], 'choose the port', async () => {
    expect(await out('port', '--protocol', 'udp', 'web', '81')).toBe('0.0.0.0:18181\n');
    expect((await tcompose('port', 'web', '81')).code).toBe(1);
    expect(await out('port', '--index', '1', 'web', '80')).toBe('0.0.0.0:18180\n');
    const second = await tcompose('port', '--index', '2', 'web', '80');
    expect([second.code, second.stderr]).toEqual([1, expect.stringContaining('"web" #2')]);
  });

  flagTest('tcompose images', ['--quiet'], 'only ids', async () => {
    expect(await out('images')).toMatch(/^CONTAINER +REPOSITORY +TAG .*\n.*busybox +test /);
    expect(await out('images', '-q')).toMatch(/^[0-9a-f]{12}\n$/);
  });

  flagTest('tcompose ls', ['--quiet', '--format'], 'only names, or JSON', async () => {
    expect(JSON.parse(await out('ls', '--format', 'json'))).toEqual([
      { Name: 'flags', Status: 'running(2)', ConfigFiles: join(cwd, 'compose.yaml') },
    ]);
    expect(await out('ls', '-q')).toBe('flags\n');
  });

  flagTest('tcompose version', ['--short', '--format'], 'as a number, or JSON', async () => {
    const number = (await out('version', '--short')).trim();
    expect(number).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await out('version')).toContain(`version ${number}`);
    expect(JSON.parse(await out('version', '--format', 'json'))).toEqual({ version: number });
  });

  it('port and top', async () => {
    expect(await out('port', 'web', '80')).toBe('0.0.0.0:18180\n');
    expect((await tcompose('port', 'web', '99')).code).toBe(1);
    expect(await out('top', 'web')).toMatch(/^flags-web-1\n.*PID.*\n.*httpd -f -p 80/);
  });
});

describe('exec', () => {
  flagTest(
    'tcompose exec',
    ['--no-tty', '--env', '--user', '--workdir', '--privileged'],
    'reach the process',
    async () => {
      const result = await tcompose(
        ...['exec', '-T', '-e', 'X=1', '-u', 'nobody', '-w', '/tmp', 'web'],
        ...['sh', '-c', 'echo $X; id -u; pwd'],
      );
      expect(result.stdout).toBe('1\n65534\n/tmp\n');
      const caps = (...flags: string[]) =>
        out('exec', '-T', ...flags, 'web', 'grep', 'CapEff', '/proc/self/status');
      const bits = async (...flags: string[]): Promise<bigint> =>
        BigInt(`0x${(await caps(...flags)).split(/\s+/)[1]}`);
      expect(await bits('--privileged')).toBeGreaterThan(await bits());
    },
  );

  flagTest('tcompose exec', ['--detach'], 'goes on in the background', async () => {
    expect((await tcompose('exec', '-d', 'web', 'touch', '/www/made')).code).toBe(0);
    await until(async () => (await out('exec', '-T', 'web', 'ls', '/www')).includes('made'), 5000);
  });

  flagTest('tcompose exec', ['--index'], 'chooses the container', async () => {
    const hostname = (await out('exec', '-T', '--index', '1', 'web', 'hostname')).trim();
    expect(await idOf('web')).toContain(hostname);
    const result = await tcompose('exec', '-T', '--index', '2', 'web', 'true');
    expect(result.stderr).toContain('service "web" #2 is not running');
    expect(result.code).toBe(1);
  });
});

describe('config', () => {
  flagTest(
    'tcompose config',
    ['--services', '--volumes', '--networks', '--profiles', '--images', '--hash', '--quiet'],
    'list names',
    async () => {
      expect(await out('config', '--services')).toBe('store\nweb\n');
      expect(await out('--profile', 'debug', 'config', '--services')).toBe('dbg\nstore\nweb\n');
      expect(await out('config', '--volumes')).toBe('data\n');
      expect(await out('config', '--networks')).toBe('default\n');
      expect(await out('config', '--profiles')).toBe('debug\n');
      expect(await out('config', '--images')).toBe('busybox:test\nbusybox:test\n');
      expect(await out('config', '--hash', 'web')).toMatch(/^web [0-9a-f]{64}\n$/);
      const hashes = (await out('config', '--hash', '*')).trim().split('\n').sort();
      expect(hashes).toEqual([
        expect.stringMatching(/^store [0-9a-f]{64}$/),
        expect.stringMatching(/^web [0-9a-f]{64}$/),
      ]);
      expect((await tcompose('config', '--hash', 'nope')).code).toBe(1);
      expect(await out('config', '-q')).toBe('');
    },
  );

  flagTest('tcompose config', ['--format', '--output'], 'choose form and place', async () => {
    expect(JSON.parse(await out('config', '--format', 'json')).name).toBe('flags');
    expect(await out('config', 'store')).not.toContain('httpd');
    const file = join(node.folder, 'config.yaml');
    expect(await out('config', '-o', file)).toBe('');
    expect(readFileSync(file, 'utf8')).toContain('name: flags');
  });

  const files = {
    '.env': 'FROM_DOTENV=1\nTAG=two\n',
    'web.env': 'FROM_FILE=1\n',
    'compose.yaml':
      'services: {web: {image: "busybox:${TAG:-one}", env_file: web.env, build: ./src, networks: [nowhere]}}\n',
  };
  const configOf = async (...args: string[]): Promise<Result> => {
    const folder = node.project('config', files);
    return node.tcompose(['config', '--no-consistency', ...args], { cwd: folder });
  };

  flagTest(
    'tcompose config',
    ['--no-consistency'],
    'does not look whether names exist',
    async () => {
      const folder = node.project('config', files);
      const checked = await node.tcompose(['config', '-q'], { cwd: folder });
      expect([checked.code, checked.stderr]).toEqual([
        1,
        expect.stringContaining('undefined network nowhere'),
      ]);
      expect((await configOf('-q')).code).toBe(0);
    },
  );

  flagTest(
    'tcompose config',
    ['--no-interpolate', '--no-normalize'],
    'leave what is written',
    async () => {
      expect((await configOf()).stdout).toContain('image: busybox:two');
      expect((await configOf('--no-interpolate')).stdout).toContain('busybox:${TAG:-one}');
      expect(await out('config')).toContain('flags_default');
      expect(await out('config', '--no-normalize')).not.toContain('flags_default');
    },
  );

  flagTest(
    'tcompose config',
    ['--no-path-resolution', '--no-env-resolution'],
    'read no more than the file',
    async () => {
      const plain = (await configOf()).stdout;
      expect(plain).toContain(`context: ${join(node.folder, 'projects/config/src')}`);
      expect(plain).toMatch(/environment:\n +FROM_FILE: "1"/);
      expect(plain).not.toContain('env_file');
      expect((await configOf('--no-path-resolution')).stdout).toMatch(/context: \.?\/?src/);
      const unread = (await configOf('--no-env-resolution')).stdout;
      expect(unread).not.toContain('FROM_FILE');
      expect(unread).toMatch(/env_file:\n +- path: .*web\.env/);
    },
  );

  flagTest('tcompose config', ['--environment'], 'shows all variables that count', async () => {
    const lines = (await configOf('--environment')).stdout.split('\n');
    expect(lines).toContain('FROM_DOTENV=1');
    expect(lines).toContain('COMPOSE_PROJECT_NAME=config');
    expect(lines).toContain('HOME=/root');
    expect(lines).not.toContain('FROM_FILE=1');
  });
});

describe('what is shown of many', () => {
  flagTest('tcompose ps', ['--status', '--filter'], 'only containers in a state', async () => {
    await tcompose('stop', '-t', '0', 'store');
    expect(await out('ps', '--status', 'exited', '--format', '{{.Service}}')).toBe('store\n');
    expect(await out('ps', '--filter', 'status=running', '--format', '{{.Service}}')).toBe('web\n');
    const both = await out('ps', '--status', 'exited', '--status', 'running', '--services');
    expect(both).toBe('store\nweb\n');
    expect((await tcompose('ps', '--status', 'bla')).stderr).toContain('status "bla"');
    await tcompose('start', 'store');
  });

  flagTest('tcompose logs', ['--index', '--no-color'], 'one container, plain', async () => {
    await tcompose('scale', 'web=2');
    await until(async () => (await out('logs', 'web')).includes('web-2 | up'), 10_000);
    const one = await out('logs', '--index', '2', 'web');
    expect(one).toContain('web-2 | up');
    expect(one).not.toContain('web-1 |');
    await tcompose('scale', 'web=1');
    const coloured = ['--ansi', 'always', 'logs', 'store'];
    expect(await out(...coloured)).toContain('\u001b[36m');
    expect(await out(...coloured, '--no-color')).not.toContain('\u001b');
  });

  flagTest('tcompose images', ['--format'], 'as a template', async () => {
    const list = await out(
      'images',
      '--format',
      '{{.ContainerName}} {{.Repository}}:{{.Tag}}',
      'web',
    );
    expect(list).toBe('flags-web-1 busybox:test\n');
  });

  flagTest(
    'tcompose ls',
    ['--all', '--filter'],
    'also what does not run, only some names',
    async () => {
      const resting = node.project('resting', {
        'compose.yaml':
          'services: {a: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000}}',
      });
      await node.tcompose(['create'], { cwd: resting });
      expect(await out('ls', '-q')).toBe('flags\n');
      expect(await out('ls', '-q', '--all')).toBe('flags\nresting\n');
      expect(await out('ls', '-q', '-a', '--filter', 'name=rest')).toBe('resting\n');
      await node.tcompose(['down'], { cwd: resting });
    },
  );

  flagTest(
    'tcompose start',
    ['--wait', '--wait-timeout'],
    'until it is healthy, or give up',
    async () => {
      const project = (test: string): string =>
        node.project('starting', {
          'compose.yaml': `services: {a: {image: "busybox:test", stop_grace_period: 100ms, command: [sh, -c, "rm -f /ok; sleep 1; touch /ok; exec sleep 1000"], healthcheck: {test: "${test}", interval: 200ms, start_period: 30s}}}`,
        });
      const folder = project('test -e /ok');
      await node.tcompose(['create'], { cwd: folder });
      expect((await node.tcompose(['start', '--wait'], { cwd: folder })).code).toBe(0);
      const health = ['ps', '--format', '{{.Health}}'];
      expect((await node.tcompose(health, { cwd: folder })).stdout).toBe('healthy\n');
      await node.tcompose(['down'], { cwd: folder });
      project('test -e /never');
      await node.tcompose(['create'], { cwd: folder });
      const late = await node.tcompose(['start', '--wait', '--wait-timeout', '2'], { cwd: folder });
      expect([late.code, late.stderr]).toEqual([
        1,
        expect.stringContaining('not healthy after 2s'),
      ]);
      await node.tcompose(['down'], { cwd: folder });
    },
  );

  it('unpause starts nothing that was stopped', async () => {
    await tcompose('stop', '-t', '0', 'store');
    await tcompose('pause', 'web');
    expect((await tcompose('unpause')).code).toBe(0);
    expect((await inspect('web')).State.Status).toBe('running');
    expect((await inspect('store')).State.Status).toBe('exited');
    await tcompose('start', 'store');
  });
});

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
      'compose.yaml': `${FILE}`.replace(
        '  dbg:',
        '  old:\n    image: busybox:test\n    stop_grace_period: 100ms\n    command: sleep 1000\n  dbg:',
      ),
    });
    expect((await tcompose('up', '-d', 'old')).code).toBe(0);
    node.project('flags', { 'compose.yaml': FILE });
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
