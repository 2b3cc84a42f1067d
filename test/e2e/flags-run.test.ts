// tcompose run, create, attach, events, stats, wait, volumes and push: what they do, and what each of their flags changes in the process, the container, the
// registry or the answer. One real node.
import { spawn } from 'node:child_process';
import {
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLines } from '../support/command-lines.ts';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { Terminal } from '../support/terminal.ts';
import { NODE, type Result, ROOT, TestNode, until } from '../support/test-node.ts';

let node: TestNode;

const SERVICE = 'image: "busybox:test", stop_grace_period: 100ms';
const MAIN = join(ROOT, 'dist/cli/tcompose/main.js');

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:23797', '--advertise-addr', '127.0.0.1']);
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

type Tcompose = (...args: string[]) => Promise<Result>;

function projectOf(name: string, files: Readonly<Record<string, string>>): Tcompose {
  const cwd = node.project(name, files);
  return (...args) => node.tcompose(args, { cwd });
}

async function names(project: string): Promise<string[]> {
  const filter = `label=com.docker.compose.project=${project}`;
  const list = await node.docker(['ps', '-a', '--filter', filter, '--format', '{{.Names}}']);
  return list.stdout.trim().split('\n').filter(Boolean).sort();
}

async function inspect(name: string, format: string): Promise<string> {
  return (await node.docker(['inspect', '-f', format, name])).stdout.trim();
}

describe('run', () => {
  const FILE = `
services:
  web:
    ${SERVICE.replaceAll(', ', '\n    ')}
    command: [sh, -c, "exec httpd -f -p 80 -h /bin"]
    ports: ["18950:80"]
    depends_on: [db]
  db:
    ${SERVICE.replaceAll(', ', '\n    ')}
    command: sleep 1000
`;
  let tcompose: Tcompose;

  beforeAll(() => {
    tcompose = projectOf('once', { 'compose.yaml': FILE });
  });

  afterAll(async () => {
    await tcompose('down');
    expect(await names('once')).toEqual([]);
    expect((await node.tswarm(['service', 'ls', '-q'])).stdout).toBe('');
  });

  flagTest('tcompose run', ['--no-deps', '--rm'], 'alone, and gone at its end', async () => {
    const result = await tcompose(
      'run',
      '--no-deps',
      '--rm',
      'web',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    );
    expect(result.stdout).toBe('out\n');
    expect(result.stderr).toContain('err\n');
    expect(result.code).toBe(7);
    await until(async () => (await names('once')).length === 0, 10_000);
  });

  it('starts what the service depends on, and keeps the container without --rm', async () => {
    expect((await tcompose('run', 'web', 'true')).code).toBe(0);
    const [db, one, ...more] = await names('once');
    expect([db, more]).toEqual(['once-db-1', []]);
    expect(one).toMatch(/^once-web-run-[0-9a-f]{12}$/);
    expect((await tcompose('ps', '-a', '--format', '{{.Name}}')).stdout).toContain(one);
    expect((await tcompose('ps', '--format', '{{.Name}}')).stdout).toBe('once-db-1\n');
    expect((await tcompose('up', '-d', '--remove-orphans', 'db')).stderr).not.toContain(
      'no longer',
    );
    await tcompose('down');
    expect(await names('once')).toEqual([]);
  });

  flagTest(
    'tcompose run',
    ['--detach', '--name', '--label'],
    'goes on under its name',
    async () => {
      const result = await tcompose(
        'run',
        '--no-deps',
        '-d',
        '--name',
        'mine',
        '-l',
        'a.b=c',
        'web',
        'sleep',
        '1000',
      );
      expect(result).toMatchObject({ code: 0, stdout: 'mine\n' });
      const format =
        '{{.State.Status}} {{index .Config.Labels "a.b"}} {{index .Config.Labels "com.docker.compose.oneoff"}}';
      await until(async () => (await inspect('mine', format)) === 'running c True', 10_000);
      await tcompose('down');
    },
  );

  flagTest(
    'tcompose run',
    ['--entrypoint', '--env', '--user', '--workdir', '--volume'],
    'reach the process',
    async () => {
      const folder = join(node.folder, 'mounted');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'file'), 'from the host\n');
      const run = (...words: string[]): Promise<Result> =>
        tcompose('run', '--rm', '--no-deps', ...words);
      const seen = await run(
        '-e',
        'X=1',
        '-u',
        '65534',
        '-w',
        '/tmp',
        '-v',
        `${folder}:/in:ro`,
        'web',
        'sh',
        '-c',
        'echo $X; id -u; pwd; cat /in/file; touch /in/x 2>&1',
      );
      expect(seen.stdout).toMatch(/^1\n65534\n\/tmp\nfrom the host\n.*Read-only file system\n$/);
      expect((await run('--entrypoint', 'echo one', 'web', 'two')).stdout).toBe('one two\n');
      const wrong = await run('-v', 'relative/path:/x', 'web', 'true');
      expect(wrong.code).toBe(1);
    },
  );

  flagTest('tcompose run', ['--cap-add', '--cap-drop'], 'change the rights', async () => {
    const caps = async (...flags: string[]): Promise<bigint> => {
      const run = await tcompose(
        'run',
        '--rm',
        '--no-deps',
        ...flags,
        'web',
        'grep',
        'CapEff',
        '/proc/self/status',
      );
      return BigInt(`0x${run.stdout.trim().split(/\s+/)[1]}`);
    };
    const plain = await caps();
    const NET_ADMIN = 1n << 12n;
    const CHOWN = 1n;
    expect([plain & NET_ADMIN, plain & CHOWN]).toEqual([0n, CHOWN]);
    expect((await caps('--cap-add', 'NET_ADMIN')) & NET_ADMIN).toBe(NET_ADMIN);
    expect((await caps('--cap-drop', 'CHOWN')) & CHOWN).toBe(0n);
  });

  flagTest(
    'tcompose run',
    ['--publish', '--service-ports'],
    'publish ports, which are closed without',
    async () => {
      const answers = async (port: number): Promise<boolean> =>
        (await node.inside('curl', ['-sf', '-m', '2', `http://127.0.0.1:${port}/true`])).code === 0;
      await tcompose('run', '--no-deps', '-d', '-p', '18951:80', 'web');
      await until(() => answers(18_951), 10_000);
      expect(await answers(18_950)).toBe(false);
      await tcompose('run', '--no-deps', '-d', '--service-ports', 'web');
      await until(() => answers(18_950), 10_000);
      await tcompose('down');
    },
  );

  flagTest('tcompose run', ['--use-aliases'], 'is found under the service’s name', async () => {
    const finds = async (): Promise<boolean> =>
      (await tcompose('exec', '-T', 'db', 'nslookup', 'web')).code === 0;
    await tcompose('up', '-d', 'db');
    await tcompose('run', '-d', 'web', 'sleep', '1000');
    expect(await finds()).toBe(false);
    await tcompose('run', '-d', '--use-aliases', 'web', 'sleep', '1000');
    await until(finds, 10_000);
    await tcompose('down');
  });

  flagTest('tcompose run', ['--build', '--pull', '--quiet'], 'see to the image', async () => {
    const files = {
      Dockerfile: 'FROM busybox:test\nCOPY v /v\n',
      'compose.yaml': 'services: {web: {build: .}}',
    };
    const built = projectOf('builtrun', { ...files, v: '1\n' });
    expect((await built('run', '--rm', 'web', 'cat', '/v')).stdout).toBe('1\n');
    projectOf('builtrun', { ...files, v: '2\n' });
    expect((await built('run', '--rm', 'web', 'cat', '/v')).stdout).toBe('1\n');
    const quiet = await built('run', '--rm', '--build', '--quiet', 'web', 'cat', '/v');
    expect(quiet).toMatchObject({ stdout: '2\n', stderr: '' });
    const missing = projectOf('missingrun', {
      'compose.yaml': 'services: {web: {image: "not/here:1"}}',
    });
    const never = await missing('run', '--rm', '--pull', 'never', 'web', 'true');
    expect([never.code, never.stderr]).toEqual([
      1,
      expect.stringContaining('pull_policy is never'),
    ]);
    await built('down', '--rmi', 'local');
  });

  flagTest(
    'tcompose run',
    ['--no-tty', '--no-interactive'],
    'with a terminal, without, without input',
    async () => {
      const cwd = node.project('once', { 'compose.yaml': FILE });
      const env = { TSWARM_HOST: `unix://${node.clusterSocket}` };
      const terminal = new Terminal(
        [
          NODE,
          MAIN,
          'run',
          '--rm',
          '--no-deps',
          'web',
          'sh',
          '-c',
          'tty; trap "stty size" WINCH; read x; while ! test -n "$x"; do read x; done; exit $x',
        ],
        { cwd, env, columns: 81, rows: 25 },
      );
      await terminal.shows('/dev/pts/0');
      await terminal.resizeUntilSeen(90, 30, '30 90');
      terminal.type('6\r');
      expect(await terminal.exited).toBe(6);
      const input = { cwd, input: 'typed\n' };
      const piped = await node.tcompose(['run', '--rm', '--no-deps', '-T', 'web', 'cat'], input);
      expect(piped.stdout).toBe('typed\n');
      const none = await node.tcompose(
        ['run', '--rm', '--no-deps', '-T', '--no-interactive', 'web', 'cat'],
        input,
      );
      expect(none).toMatchObject({ code: 0, stdout: '' });
    },
  );

  it('says why a command cannot be started', async () => {
    const result = await tcompose('run', '--rm', '--no-deps', 'web', 'nothing-here');
    expect(result.code).toBe(127);
    expect(result.stderr).toContain('exec: "nothing-here": executable file not found in $PATH');
    expect(result.stderr.match(/nothing-here/g)).toHaveLength(1);
    expect((await tcompose('run', 'nope')).stderr).toContain('no such service: nope');
  });
});

describe('create', () => {
  const ONE = `services: {web: {${SERVICE}, command: sleep 1000}}`;
  const states = async (tcompose: Tcompose): Promise<string> =>
    (await tcompose('ps', '-a', '--format', '{{.Name}} {{.State}}')).stdout;

  flagTest(
    'tcompose create',
    ['--scale', '--force-recreate', '--remove-orphans'],
    'make containers and start none',
    async () => {
      const tcompose = projectOf('made', { 'compose.yaml': ONE });
      expect((await tcompose('create', '--scale', 'web=2')).code).toBe(0);
      expect(await states(tcompose)).toBe('made-web-1 created\nmade-web-2 created\n');
      const before = await inspect('made-web-1', '{{.Id}}');
      await tcompose('create', '--scale', 'web=2');
      expect(await inspect('made-web-1', '{{.Id}}')).toBe(before);
      await tcompose('create', '--scale', 'web=2', '--force-recreate');
      expect(await inspect('made-web-1', '{{.Id}}')).not.toBe(before);
      expect((await tcompose('start')).code).toBe(0);
      expect(await states(tcompose)).toBe('made-web-1 running\nmade-web-2 running\n');
      projectOf('made', { 'compose.yaml': ONE.replace('web', 'other') });
      expect((await tcompose('create')).stderr).toContain('no longer in the file');
      expect((await tcompose('create', '--remove-orphans')).code).toBe(0);
      await until(async () => (await states(tcompose)) === 'made-other-1 created\n', 10_000);
      await tcompose('down');
    },
  );

  flagTest('tcompose create', ['--build', '--no-build', '--pull'], 'see to the image', async () => {
    const files = {
      Dockerfile: 'FROM busybox:test\nCOPY v /v\nCMD ["cat", "/v"]\n',
      'compose.yaml': 'services: {web: {build: .}}',
    };
    const tcompose = projectOf('createbuild', { ...files, v: '1' });
    const none = await tcompose('create', '--no-build');
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('is not built yet')]);
    await tcompose('create');
    const image = await inspect('createbuild-web-1', '{{.Image}}');
    projectOf('createbuild', { ...files, v: '2' });
    await tcompose('create', '--build');
    expect(await inspect('createbuild-web-1', '{{.Image}}')).not.toBe(image);
    await tcompose('down', '--rmi', 'local');
    const missing = projectOf('createpull', {
      'compose.yaml': 'services: {web: {image: "not/here:1"}}',
    });
    const never = await missing('create', '--pull', 'never');
    expect([never.code, never.stderr]).toEqual([
      1,
      expect.stringContaining('pull_policy is never'),
    ]);
  });

  flagTest('tcompose up', ['--no-start'], 'is create', async () => {
    const tcompose = projectOf('nostart', { 'compose.yaml': ONE });
    expect((await tcompose('up', '--no-start')).code).toBe(0);
    expect(await states(tcompose)).toBe('nostart-web-1 created\n');
    await tcompose('down');
  });
});

describe('attach', () => {
  const FILE = `services: {web: {${SERVICE}, scale: 2, stdin_open: true, command: [sh, -c, "trap 'echo usr' USR1; while :; do read x && echo $$HOSTNAME $$x || sleep 0.1; done"]}, tty: {${SERVICE}, tty: true, stdin_open: true, command: sh}}`;

  flagTest(
    'tcompose attach',
    ['--index', '--no-stdin', '--no-sig-proxy'],
    'which one, and what reaches it',
    async () => {
      const cwd = node.project('joined', { 'compose.yaml': FILE });
      await node.tcompose(['up', '-d'], { cwd });
      const attach = (...words: string[]) => {
        commandLines.push(['tcompose', 'attach', ...words]);
        const env = { ...process.env, TSWARM_HOST: `unix://${node.clusterSocket}` };
        const child = spawn(NODE, [MAIN, 'attach', ...words], { cwd, env });
        const seen = { text: '' };
        child.stdout.on('data', (data) => {
          seen.text += String(data);
        });
        const ended = new Promise((resolve) =>
          child.once('close', (code, signal) => resolve(code ?? signal)),
        );
        return { child, seen, ended };
      };
      const host = await inspect('joined-web-2', '{{.Config.Hostname}}');
      const watching = attach('--index', '2', '--no-stdin', '--no-sig-proxy', 'web');
      const typing = attach('--index', '2', 'web');
      // Both are joined once what is typed comes back to both.
      await until(() => {
        typing.child.stdin.write('hello\n');
        watching.child.stdin.write('ignored\n');
        const line = `${host} hello\n`;
        return watching.seen.text.includes(line) && typing.seen.text.includes(line);
      }, 15_000);
      expect(watching.seen.text).not.toContain('ignored');
      typing.child.kill('SIGUSR1');
      await until(() => {
        typing.child.stdin.write('again\n');
        return typing.seen.text.includes('usr\n');
      }, 15_000);
      watching.child.kill('SIGTERM');
      expect(await watching.ended).toBe('SIGTERM');
      expect(await inspect('joined-web-2', '{{.State.Status}}')).toBe('running');
      typing.child.kill('SIGKILL');
      await typing.ended;
      await node.tcompose(['down'], { cwd });
    },
  );

  flagTest('tcompose attach', ['--detach-keys'], 'leave it running', async () => {
    const cwd = node.project('keys', { 'compose.yaml': FILE });
    await node.tcompose(['up', '-d', 'tty'], { cwd });
    const env = { TSWARM_HOST: `unix://${node.clusterSocket}` };
    const first = new Terminal([NODE, MAIN, 'attach', '--detach-keys', 'ctrl-x,x', 'tty'], {
      cwd,
      env,
    });
    await first.shows('# ');
    first.type('\u0018x');
    expect(await first.exited).toBe(0);
    expect(await inspect('keys-tty-1', '{{.State.Status}}')).toBe('running');
    const second = new Terminal([NODE, MAIN, 'attach', 'tty'], { cwd, env });
    await second.shows('# ');
    second.type('exit 3\r');
    expect(await second.exited).toBe(3);
    await node.tcompose(['down'], { cwd });
  });
});

describe('events, stats, wait and volumes', () => {
  const FILE = `services: {web: {${SERVICE}, command: sleep 1000, volumes: ["stuff:/data"]}, job: {${SERVICE}, command: [sh, -c, "sleep 1; exit 5"]}}\nvolumes: {stuff: {}, unused: {}}`;
  let tcompose: Tcompose;

  beforeAll(async () => {
    tcompose = projectOf('watched', { 'compose.yaml': FILE });
    await tcompose('up', '-d');
  });

  afterAll(async () => {
    await tcompose('down', '-v');
  });

  flagTest(
    'tcompose events',
    ['--since', '--until', '--json'],
    'between two times, in each form',
    async () => {
      await until(
        async () => (await tcompose('ps', '-a', 'job')).stdout.includes('Exited (5)'),
        10_000,
      );
      const until1 = ['--since', '1h', '--until', '0s'];
      const lines = (await tcompose('events', ...until1)).stdout;
      expect(lines).toMatch(
        /^\d{4}-\d\d-\d\d [\d:.]{15} container start [0-9a-f]{64} \(.*name=watched-web-1/m,
      );
      const json = (await tcompose('events', '--json', ...until1, 'job')).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(json.map(({ action }) => action)).toEqual(['create', 'start', 'die']);
      expect(json[2]).toMatchObject({
        service: 'job',
        type: 'container',
        attributes: { exitCode: '5' },
      });
      expect((await tcompose('events', '--since', '2100-01-01', '--until', '0s')).stdout).toBe('');
    },
  );

  flagTest(
    'tcompose stats',
    ['--no-stream', '--all', '--format', '--no-trunc'],
    'one picture',
    async () => {
      const table = (await tcompose('stats', '--no-stream')).stdout;
      expect(table).toMatch(
        /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS\n[0-9a-f]{12} +watched-web-1 +[\d.]+% +[\d.]+[KM]iB \/ .* 1\n$/,
      );
      const all = (
        await tcompose('stats', '--no-stream', '--all', '--format', '{{.Name}} {{.PIDs}}')
      ).stdout;
      expect(all).toBe('watched-job-1 --\nwatched-web-1 1\n');
      const ids = (await tcompose('stats', '--no-stream', '--no-trunc', '--format', '{{.ID}}'))
        .stdout;
      expect(ids).toMatch(/^[0-9a-f]{64}\n$/);
    },
  );

  flagTest('tcompose volumes', ['--quiet', '--format'], 'choose and show', async () => {
    expect((await tcompose('volumes')).stdout).toBe(
      'DRIVER   VOLUME NAME\nlocal    watched_stuff\n',
    );
    expect((await tcompose('volumes', '-q')).stdout).toBe('watched_stuff\n');
    expect((await tcompose('volumes', '--format', '{{.Name}} {{.Driver}}', 'web')).stdout).toBe(
      'watched_stuff local\n',
    );
    expect((await tcompose('volumes', '-q', 'job')).stdout).toBe('');
  });

  flagTest(
    'tcompose wait',
    ['--down-project'],
    'the code of what ended, and the project gone',
    async () => {
      await tcompose('start', 'job');
      const waited = await tcompose('wait', 'job');
      expect(waited).toMatchObject({
        code: 5,
        stdout: 'container "watched-job-1" exited with status code 5\n',
      });
      await tcompose('start', 'job');
      expect((await tcompose('wait', '--down-project', 'job', 'web')).code).toBe(5);
      expect(await names('watched')).toEqual([]);
      const nothing = await tcompose('wait', 'job');
      expect([nothing.code, nothing.stderr]).toEqual([
        42,
        expect.stringContaining('no containers'),
      ]);
    },
  );
});

describe('cp', () => {
  const FILE = `services: {web: {${SERVICE}, scale: 2, command: sleep 1000}}`;
  let cwd: string;
  const tcompose = (...args: string[]): Promise<Result> => node.tcompose(args, { cwd });
  const inside = async (script: string, index = '1'): Promise<string> =>
    (await tcompose('exec', '-T', '--index', index, 'web', 'sh', '-c', script)).stdout;

  beforeAll(async () => {
    cwd = node.project('copied', { 'compose.yaml': FILE, 'src/one': '1\n', 'src/sub/two': '2\n' });
    symlinkSync('one', join(cwd, 'src/link'));
    expect((await tcompose('up', '-d')).code).toBe(0);
    await inside('mkdir /there');
  });

  afterAll(async () => {
    await tcompose('down');
  });

  it('puts a folder into one that is there, or makes it, and leaves no name out', async () => {
    expect((await tcompose('cp', 'src', 'web:/there')).code).toBe(0);
    expect((await tcompose('cp', 'src/.', 'web:/new')).code).toBe(0);
    expect((await tcompose('cp', 'src/one', 'web:/there/named')).code).toBe(0);
    expect(await inside('cd /there; find . | sort; cd /new; find . | sort; cat /there/named')).toBe(
      '.\n./named\n./src\n./src/link\n./src/one\n./src/sub\n./src/sub/two\n' +
        '.\n./link\n./one\n./sub\n./sub/two\n1\n',
    );
    expect((await tcompose('cp', 'web:/there/src', 'back')).code).toBe(0);
    expect((await tcompose('cp', 'web:/there/src/.', 'back')).code).toBe(0);
    expect(readdirSync(join(cwd, 'back'), { recursive: true }).sort()).toEqual([
      'link',
      'one',
      'sub',
      'sub/two',
    ]);
    expect(readFileSync(join(cwd, 'back/sub/two'), 'utf8')).toBe('2\n');
    const tar = await tcompose('cp', 'web:/there/named', '-');
    expect(tar.stdout).toContain('named\0');
  });

  it.each([
    [['web:/nope', 'x'], 'could not find /nope in container copied-web-1'],
    [['nope:/x', 'x'], 'no such service: nope'],
    [['a', 'b'], 'one of both must be SERVICE:PATH'],
    [['missing', 'web:/x'], 'missing does not exist'],
    [['web:/new', 'src/one'], 'src/one is a file'],
    [['src', 'web:/there/named'], '/there/named is a file'],
    [['web:/there/named', 'no/where/'], 'no/where'],
  ])('says what is wrong with %j', async (args, words) => {
    const result = await tcompose('cp', ...args);
    expect([result.code, result.stderr]).toEqual([1, expect.stringContaining(words)]);
  });

  flagTest(
    'tcompose cp',
    ['--archive', '--follow-link', '--all', '--index'],
    'owners, links, containers',
    async () => {
      chownSync(join(cwd, 'src/one'), 1234, 1234);
      await tcompose('cp', 'src/one', 'web:/plain');
      await tcompose('cp', '--archive', 'src/one', 'web:/kept');
      expect(await inside('stat -c %u /plain /kept')).toBe('0\n1234\n');
      await tcompose('cp', 'src/link', 'web:/link');
      await tcompose('cp', '--follow-link', 'src/link', 'web:/file');
      expect(await inside('readlink /link; cat /file')).toBe('one\n1\n');
      await tcompose('cp', '-L', 'web:/there/src/link', 'followed');
      expect(readFileSync(join(cwd, 'followed'), 'utf8')).toBe('1\n');
      await tcompose('cp', '--index', '2', 'src/one', 'web:/second');
      expect(await inside('ls /second')).toBe('');
      expect(await inside('ls /second', '2')).toBe('/second\n');
      await tcompose('cp', '--all', 'src/one', 'web:/both');
      expect((await inside('ls /both')) + (await inside('ls /both', '2'))).toBe('/both\n/both\n');
    },
  );
});

describe('push', () => {
  flagTest(
    'tcompose push',
    ['--quiet', '--ignore-push-failures', '--include-deps'],
    'to the registry of each image',
    async () => {
      await using registry = await registryInside(node);
      const tags = async (name: string): Promise<string> =>
        (await node.inside('curl', ['-s', `http://${registry.host}/v2/${name}/tags/list`])).stdout;
      const tcompose = projectOf('pushed', {
        Dockerfile: 'FROM busybox:test\nENV A=1\n',
        'compose.yaml': `
services:
  bad: {build: ., image: "127.0.0.1:9/no/registry:1"}
  web: {build: ., image: "${registry.host}/web:1", depends_on: [db]}
  db: {build: ., image: "${registry.host}/db"}
  local: {build: .}
`,
      });
      expect((await tcompose('build')).code).toBe(0);
      const quiet = await tcompose('push', '--quiet', 'web');
      expect(quiet).toMatchObject({ code: 0, stdout: '', stderr: '' });
      expect(JSON.parse(await tags('web'))).toMatchObject({ tags: ['1'] });
      expect(await tags('db')).toContain('NAME_UNKNOWN');
      expect((await tcompose('push', '--include-deps', 'web')).code).toBe(0);
      expect(JSON.parse(await tags('db'))).toMatchObject({ tags: ['latest'] });
      const failed = await tcompose('push');
      expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('127.0.0.1:9')]);
      const ignored = await tcompose('push', '--ignore-push-failures');
      expect([ignored.code, ignored.stderr]).toEqual([
        0,
        expect.stringContaining('Image pushed-local  Skipped'),
      ]);
      await tcompose('down', '--rmi', 'all');
    },
  );
});
