// tcompose run and create: what they do, and what each of their flags changes in the process, the container or the image. One real node.
// What is done with containers that run: flags-running.test.ts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComposeNode, SERVICE, TCOMPOSE, type Tcompose } from '../support/compose-node.ts';
import { flagTest } from '../support/flag-tests.ts';
import { Terminal } from '../support/terminal.ts';
import { NODE, type Result, until } from '../support/test-node.ts';

let node: ComposeNode;

beforeAll(async () => {
  node = new ComposeNode();
  await node.up(23797);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const projectOf = (name: string, files: Readonly<Record<string, string>>): Tcompose =>
  node.projectOf(name, files);
const names = (project: string): Promise<string[]> => node.containers(project);
const inspect = (name: string, format: string): Promise<string> => node.inspect(name, format);

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
          TCOMPOSE,
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
