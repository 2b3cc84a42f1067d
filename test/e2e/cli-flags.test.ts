// Flags and verbs of tcompose that look at a project or into its containers, each by its answer; wrong words are refused by name.
// What changes containers and images: cli-flags-change.test.ts.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLines } from '../support/command-lines.ts';
import { ComposeNode, FLAGS_FILE, type InspectedState } from '../support/compose-node.ts';
import { flagTest } from '../support/flag-tests.ts';
import { NODE, type Result, ROOT, until } from '../support/test-node.ts';

let node: ComposeNode;
let cwd: string;

beforeAll(async () => {
  node = new ComposeNode();
  await node.up(23792);
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
    expect(await out('top', 'web')).toMatch(
      /^SERVICE +# +UID +PID .*\n(web +1 .*\n)*web +1 .*httpd -f -p 80.*\n(web +1 .*\n)*$/,
    );
  });
});

describe('exec', () => {
  flagTest(
    'tcompose exec',
    ['--no-tty', '--env', '--user', '--workdir', '--privileged'],
    'reach the process',
    async () => {
      const result = await tcompose(
        ...['exec', '-T', '-e', 'X=1', '-u', 'nobody', '-w', '/bin', 'web'],
        ...['sh', '-c', 'echo $X; id -u; pwd'],
      );
      expect(result.stdout).toBe('1\n65534\n/bin\n');
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
