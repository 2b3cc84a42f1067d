// tcompose attach, events, stats, wait, volumes, cp and push: what they do, and what each of their flags changes in the container, the registry or the
// answer. One real node. How containers are made: flags-run.test.ts.
import { spawn } from 'node:child_process';
import { chownSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLines } from '../support/command-lines.ts';
import { ComposeNode, SERVICE, TCOMPOSE, type Tcompose } from '../support/compose-node.ts';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { Terminal } from '../support/terminal.ts';
import { NODE, type Result, until } from '../support/test-node.ts';

let node: ComposeNode;

beforeAll(async () => {
  node = new ComposeNode();
  await node.up(23800);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const projectOf = (name: string, files: Readonly<Record<string, string>>): Tcompose =>
  node.projectOf(name, files);
const names = (project: string): Promise<string[]> => node.containers(project);
const inspect = (name: string, format: string): Promise<string> => node.inspect(name, format);

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
        const child = spawn(NODE, [TCOMPOSE, 'attach', ...words], { cwd, env });
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
    const first = new Terminal([NODE, TCOMPOSE, 'attach', '--detach-keys', 'ctrl-x,x', 'tty'], {
      cwd,
      env,
    });
    await first.shows('# ');
    first.type('\u0018x');
    expect(await first.exited).toBe(0);
    expect(await inspect('keys-tty-1', '{{.State.Status}}')).toBe('running');
    const second = new Terminal([NODE, TCOMPOSE, 'attach', 'tty'], { cwd, env });
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
