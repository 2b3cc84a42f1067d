// The flags of `tcompose` itself, of `up` and of `down`, each by what it does to containers, images, files or the answer, on one real node.
// Longer than 500 lines because one real node, which takes seconds to start, serves all of its tests.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLines } from '../support/command-lines.ts';
import { ComposeNode, SERVICE, TCOMPOSE, type Tcompose } from '../support/compose-node.ts';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { Terminal } from '../support/terminal.ts';
import { NODE, until } from '../support/test-node.ts';

let node: ComposeNode;

const ONE = `services: {web: {${SERVICE}, command: sleep 1000}}`;

beforeAll(async () => {
  node = new ComposeNode();
  await node.up(23795);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const projectOf = (name: string, files: Readonly<Record<string, string>>): Tcompose =>
  node.projectOf(name, files);
const names = (project: string): Promise<string[]> => node.containers(project);
/** `name id` of the project's containers, sorted. */
const ids = (project: string): Promise<string[]> => node.containers(project, '{{.Names}} {{.ID}}');

describe('the project', () => {
  flagTest(
    'tcompose',
    ['--file', '--project-name', '--project-directory'],
    'choose it',
    async () => {
      const folder = node.project('chosen', {
        'a/one.yaml': 'services: {web: {image: "busybox:test", volumes: ["./x:/x"]}}',
        'a/two.yaml': 'services: {web: {command: sleep 7}}',
      });
      const files = ['-f', join(folder, 'a/one.yaml'), '-f', join(folder, 'a/two.yaml')];
      const config = await node.tcompose(
        [
          ...files,
          '-p',
          'other',
          '--project-directory',
          join(folder, 'b'),
          'config',
          '--format',
          'json',
        ],
        { cwd: '/' },
      );
      const json = JSON.parse(config.stdout);
      expect(json.name).toBe('other');
      expect(json.services.web.command).toEqual(['sleep', '7']);
      expect(json.services.web.volumes[0].source).toBe(join(folder, 'b/x'));
      const input = 'services: {typed: {image: "busybox:test"}}';
      const typed = await node.tcompose(['-f', '-', 'config', '--services'], {
        cwd: folder,
        input,
      });
      expect(typed.stdout).toBe('typed\n');
    },
  );

  flagTest('tcompose', ['--profile'], 'brings its services along', async () => {
    const tcompose = projectOf('profiles', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000}, dbg: {${SERVICE}, command: sleep 1000, profiles: [debug]}}`,
    });
    await tcompose('up', '-d');
    expect(await names('profiles')).toEqual(['profiles-web-1']);
    await tcompose('--profile', 'debug', 'up', '-d');
    expect(await names('profiles')).toEqual(['profiles-dbg-1', 'profiles-web-1']);
    await tcompose('--profile', 'debug', 'down');
  });

  flagTest('tcompose', ['--env-file'], 'gives variables that reach the process', async () => {
    const tcompose = projectOf('env', {
      'my.env': 'WHO=file\n',
      '.env': 'WHO=dotenv\n',
      'compose.yaml': `services: {web: {${SERVICE}, environment: {WHO: "\${WHO}"}, command: sleep 1000}}`,
    });
    await tcompose('--env-file', 'my.env', 'up', '-d');
    expect((await tcompose('exec', '-T', 'web', 'sh', '-c', 'echo $WHO')).stdout).toBe('file\n');
    await tcompose('up', '-d');
    expect((await tcompose('exec', '-T', 'web', 'sh', '-c', 'echo $WHO')).stdout).toBe('dotenv\n');
    await tcompose('down');
  });

  flagTest('tcompose', ['--host'], 'chooses the node', async () => {
    const cwd = node.project('host', { 'compose.yaml': ONE });
    const other = { cwd, env: {} };
    const wrong = await node.tcompose(['-H', 'unix:///nowhere.sock', 'ps'], other);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('/nowhere.sock')]);
    const right = await node.tcompose(['-H', `unix://${node.clusterSocket}`, 'ps'], other);
    expect(right.code).toBe(0);
  });
});

describe('what is shown', () => {
  flagTest('tcompose', ['--progress'], 'in each of its forms', async () => {
    const tcompose = projectOf('progress', { 'compose.yaml': ONE });
    const up = async (mode: string): Promise<string> =>
      (await tcompose('--progress', mode, 'up', '-d', '--force-recreate')).stderr;
    expect(await up('plain')).toMatch(/^ Container progress-web-1 {2}Started$/m);
    expect(await up('quiet')).toBe('');
    const lines = (await up('json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({ id: 'Container progress-web-1', status: 'Done', text: 'Started' }),
    );
    expect(await up('tty')).toContain('\u001b[?25l');
    await tcompose('down');
  });

  flagTest('tcompose', ['--ansi'], 'without colours and redrawing, or with', async () => {
    const cwd = node.project('ansi', { 'compose.yaml': ONE });
    const env = { TSWARM_HOST: `unix://${node.clusterSocket}` };
    const never = new Terminal([NODE, TCOMPOSE, '--ansi', 'never', 'up', '-d'], { cwd, env });
    expect(await never.exited).toBe(0);
    expect(never.output).not.toContain('\u001b');
    const always = await node.tcompose(['--ansi', 'always', 'logs', 'nope'], { cwd });
    expect(always.stderr).toContain('\u001b[31mError:\u001b[0m');
    await node.tcompose(['down'], { cwd });
  });
});

/** tcompose that goes on until it is interrupted. */
function attached(
  cwd: string,
  ...args: string[]
): { text: () => string; stop: () => Promise<number> } {
  commandLines.push(['tcompose', ...args]);
  const env = { ...process.env, TSWARM_HOST: `unix://${node.clusterSocket}` };
  const child = spawn(NODE, [TCOMPOSE, ...args], { cwd, env });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      text += String(data);
    });
  const ended = new Promise<number>((resolve) =>
    child.once('close', (code) => resolve(code ?? -1)),
  );
  return {
    text: () => text,
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}

describe('up', () => {
  const TALK = `services: {web: {${SERVICE}, command: [sh, -c, "echo hello; exec sleep 1000"]}}`;

  flagTest(
    'tcompose up',
    ['--detach'],
    'returns while containers run; without it, logs until Ctrl-C',
    async () => {
      const cwd = node.project('detach', { 'compose.yaml': TALK });
      expect((await node.tcompose(['up', '--detach'], { cwd })).stdout).toBe('');
      expect(await names('detach')).toHaveLength(1);
      await node.tcompose(['down'], { cwd });
      const up = attached(cwd, 'up');
      await until(() => up.text().includes('web-1 | hello'), 15_000, up.text);
      expect(await up.stop()).toBe(130);
      expect(up.text()).toContain('Gracefully Stopping');
      const state = await node.tcompose(['ps', '-a', '--format', '{{.State}}'], { cwd });
      expect(state.stdout).toBe('exited\n');
      await node.tcompose(['down'], { cwd });
    },
  );

  it('again right after Ctrl-C: each container starts once, and shows only what is new', async () => {
    const cwd = node.project('again', {
      'compose.yaml': `services: {web: {${SERVICE}, scale: 4, command: [sh, -c, "echo hello; exec sleep 1000"]}}`,
    });
    const hellos = (text: string): number => text.match(/web-\d +\| hello$/gm)?.length ?? 0;
    for (let run = 1; run <= 3; run += 1) {
      const up = attached(cwd, 'up');
      await until(() => hellos(up.text()) >= 4, 15_000, up.text);
      // One that is started twice is within this.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(hellos(up.text()), up.text()).toBe(4);
      expect(hellos((await node.tcompose(['logs'], { cwd })).stdout)).toBe(run * 4);
      expect(await up.stop()).toBe(130);
    }
    await node.tcompose(['down'], { cwd });
  });

  flagTest('tcompose up', ['--timestamps', '--no-log-prefix'], 'change the lines', async () => {
    const cwd = node.project('lines', { 'compose.yaml': TALK });
    for (const [flag, line] of [
      ['--timestamps', /^web-1 \| \d{4}-\d\d-\d\dT[\d:.]+Z hello$/m],
      ['--no-log-prefix', /^hello$/m],
    ] as const) {
      const up = attached(cwd, 'up', flag);
      await until(() => line.test(up.text()), 15_000, up.text);
      await up.stop();
      await node.tcompose(['down'], { cwd });
    }
  });

  flagTest('tcompose up', ['--build', '--no-build'], 'build anew, or not at all', async () => {
    const files = {
      Dockerfile: 'FROM busybox:test\nCOPY v /v\nCMD ["sleep", "1000"]\n',
      'compose.yaml': 'services: {web: {build: ., stop_grace_period: 100ms}}',
    };
    const tcompose = projectOf('building', { ...files, v: '1' });
    const version = async (): Promise<string> =>
      (await tcompose('exec', '-T', 'web', 'cat', '/v')).stdout;
    const none = await tcompose('up', '-d', '--no-build');
    expect([none.code, none.stderr]).toEqual([
      1,
      expect.stringContaining('image building-web of service web is not built yet'),
    ]);
    expect(await names('building')).toEqual([]);
    expect((await tcompose('up', '-d')).code).toBe(0);
    expect(await version()).toBe('1');
    projectOf('building', { ...files, v: '2' });
    expect((await tcompose('up', '-d')).code).toBe(0);
    expect(await version()).toBe('1');
    expect((await tcompose('up', '-d', '--build')).code).toBe(0);
    expect(await version()).toBe('2');
    await tcompose('down', '--rmi', 'local');
  });

  flagTest('tcompose up', ['--pull'], 'never, missing, always', async () => {
    await using registry = await registryInside(node);
    const image = `${registry.host}/pulled:1`;
    const tcompose = projectOf('pulling', {
      'compose.yaml': `services: {web: {image: "${image}", stop_grace_period: 100ms, command: sleep 1000}}`,
    });
    const push = async (text: string): Promise<void> => {
      const folder = join(node.folder, 'pulled');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'Dockerfile'), `FROM busybox:test\nRUN echo ${text} > /text\n`);
      const env = { DOCKER_BUILDKIT: '0' };
      const built = await node.docker(['build', '-q', '-t', image, folder], { env });
      expect(built.code, built.stderr).toBe(0);
      expect((await node.docker(['push', '-q', image])).code).toBe(0);
      await node.docker(['rmi', image]);
    };
    const text = async (): Promise<string> =>
      (await tcompose('exec', '-T', 'web', 'cat', '/text')).stdout;
    await push('first');
    const never = await tcompose('up', '-d', '--pull', 'never');
    expect([never.code, never.stderr]).toEqual([
      1,
      expect.stringContaining('pull_policy is never'),
    ]);
    expect((await tcompose('up', '-d', '--pull', 'missing')).code).toBe(0);
    expect(await text()).toBe('first\n');
    await tcompose('down');
    await node.docker(['tag', image, 'first:kept']);
    await push('second');
    await node.docker(['tag', 'first:kept', image]);
    expect((await tcompose('up', '-d', '--pull', 'missing')).code).toBe(0);
    expect(await text()).toBe('first\n');
    expect((await tcompose('up', '-d', '--pull', 'always')).code).toBe(0);
    expect(await text()).toBe('second\n');
    await tcompose('down');
  });

  flagTest('tcompose up', ['--force-recreate'], 'replaces what has not changed', async () => {
    const tcompose = projectOf('forced', { 'compose.yaml': ONE });
    await tcompose('up', '-d');
    const before = await ids('forced');
    await tcompose('up', '-d');
    expect(await ids('forced')).toEqual(before);
    await tcompose('up', '-d', '--force-recreate');
    expect(await ids('forced')).not.toEqual(before);
    expect(await names('forced')).toEqual(['forced-web-1']);
    await tcompose('down');
  });

  flagTest(
    'tcompose up',
    ['--no-deps', '--scale', '--remove-orphans'],
    'choose what runs',
    async () => {
      const web = `web: {${SERVICE}, command: sleep 1000, depends_on: [db]}`;
      const db = `db: {${SERVICE}, command: sleep 1000}`;
      const tcompose = projectOf('parts', { 'compose.yaml': `services: {${web}, ${db}}` });
      await tcompose('up', '-d', '--no-deps', 'web');
      expect(await names('parts')).toEqual(['parts-web-1']);
      await tcompose('up', '-d', '--scale', 'web=2');
      expect(await names('parts')).toEqual(['parts-db-1', 'parts-web-1', 'parts-web-2']);
      projectOf('parts', { 'compose.yaml': `services: {${db}}` });
      expect((await tcompose('up', '-d')).stderr).toContain('no longer in the file');
      expect(await names('parts')).toHaveLength(3);
      await tcompose('up', '-d', '--remove-orphans');
      await until(async () => (await names('parts')).length === 1, 10_000);
      expect(await names('parts')).toEqual(['parts-db-1']);
      await tcompose('down');
    },
  );

  flagTest(
    'tcompose up',
    ['--wait', '--wait-timeout'],
    'until all is healthy, or give up',
    async () => {
      const healthy = (test: string): string =>
        `services: {web: {${SERVICE}, command: [sh, -c, "sleep 1; touch /ok; exec sleep 1000"], healthcheck: {test: "${test}", interval: 200ms, start_period: 30s}}}`;
      const tcompose = projectOf('waiting', { 'compose.yaml': healthy('test -e /ok') });
      expect((await tcompose('up', '--wait')).code).toBe(0);
      expect((await tcompose('ps', '--format', '{{.Health}}')).stdout).toBe('healthy\n');
      projectOf('waiting', { 'compose.yaml': healthy('test -e /never') });
      const late = await tcompose('up', '--wait', '--wait-timeout', '2');
      expect([late.code, late.stderr]).toEqual([
        1,
        expect.stringContaining('application not healthy after 2s'),
      ]);
      await tcompose('down');
    },
  );
});

describe('up in the foreground', () => {
  const job = (script: string): string =>
    `{${SERVICE}, command: [sh, -c, "trap 'exit 9' TERM; ${script}; while :; do sleep 0.1; done"]}`;
  const ends = (code: number): string => job(`echo working; sleep 1; echo done; exit ${code}`);
  const goesOn = job('echo here');

  it('ends when all containers have ended, and says how', async () => {
    const tcompose = projectOf('allend', {
      'compose.yaml': `services: {a: ${ends(3)}, b: ${ends(0)}}`,
    });
    const up = await tcompose('up');
    expect(up.code).toBe(0);
    expect(up.stdout).toMatch(/a-1 \| done\n[\s\S]*a-1 exited with code 3\n/);
    expect(up.stdout).toContain('b-1 exited with code 0\n');
    await tcompose('down');
  });

  flagTest(
    'tcompose up',
    ['--abort-on-container-exit', '--abort-on-container-failure', '--exit-code-from', '--timeout'],
    'end with the first',
    async () => {
      const states = async (tcompose: Tcompose): Promise<string> =>
        (await tcompose('ps', '-a', '--format', '{{.Service}} {{.ExitCode}}')).stdout;
      const tcompose = projectOf('aborted', {
        'compose.yaml': `services: {a: ${ends(3)}, ok: ${ends(0)}, on: ${goesOn}}`,
      });
      const failure = await tcompose('up', '--abort-on-container-failure');
      expect([failure.code, failure.stderr]).toEqual([
        3,
        expect.stringContaining('Aborting on container exit'),
      ]);
      expect(await states(tcompose)).toBe('a 3\nok 0\non 9\n');
      const exit = await tcompose(
        'up',
        '--force-recreate',
        '--abort-on-container-exit',
        'ok',
        'on',
      );
      expect(exit.code).toBe(0);
      const from = await tcompose('up', '--force-recreate', '--exit-code-from', 'on', 'ok', 'on');
      expect(from.code).toBe(9);
      const wrong = await tcompose('up', '--exit-code-from', 'nope');
      expect([wrong.code, wrong.stderr]).toEqual([
        1,
        expect.stringContaining('no such service: nope'),
      ]);
      await tcompose('down');
      const stubborn = projectOf('stubbornup', {
        'compose.yaml': `services: {a: ${ends(4)}, on: {image: "busybox:test", stop_grace_period: 60s, command: [sh, -c, "trap : TERM; while :; do sleep 0.1; done"]}}`,
      });
      const short = await stubborn('up', '--abort-on-container-exit', '--timeout', '1');
      expect(short.code).toBe(4);
      expect(short.ms).toBeLessThan(30_000);
      await stubborn('down', '-t', '0');
    },
  );

  flagTest(
    'tcompose up',
    ['--attach', '--no-attach', '--attach-dependencies'],
    'choose whose logs',
    async () => {
      const tcompose = projectOf('attached', {
        'compose.yaml': `services: {web: ${ends(0).replace('{image', '{depends_on: [db], image')}, db: ${ends(0)}}`,
      });
      const shown = async (...flags: string[]): Promise<string[]> => {
        const { stdout } = await tcompose('up', '--force-recreate', ...flags);
        return [
          ...new Set(stdout.split('\n').flatMap((line) => /^(\w+)-1 +\|/.exec(line)?.[1] ?? [])),
        ].sort();
      };
      expect(await shown()).toEqual(['db', 'web']);
      expect(await shown('--no-attach', 'db')).toEqual(['web']);
      expect(await shown('--attach', 'db')).toEqual(['db']);
      expect(await shown('web')).toEqual(['web']);
      const both = ['--attach-dependencies', '--always-recreate-deps', 'web'];
      expect(await shown(...both)).toEqual(['db', 'web']);
      const detached = await tcompose('up', '-d', '--attach', 'web');
      expect([detached.code, detached.stderr]).toEqual([
        1,
        expect.stringContaining('--detach cannot be combined with'),
      ]);
      await tcompose('down');
    },
  );

  flagTest('tcompose up', ['--no-color'], 'no colours in log lines', async () => {
    const cwd = node.project('plain', { 'compose.yaml': `services: {web: ${ends(0)}}` });
    const env = { TSWARM_HOST: `unix://${node.clusterSocket}` };
    for (const [flags, isColoured] of [
      [[], true],
      [['--no-color'], false],
    ] as const) {
      const words = ['--progress', 'quiet', 'up', '--force-recreate', ...flags];
      const terminal = new Terminal([NODE, TCOMPOSE, ...words], { cwd, env });
      expect(await terminal.exited).toBe(0);
      expect(terminal.output).toContain('done');
      expect(terminal.output.includes('\u001b[36m')).toBe(isColoured);
    }
    await node.tcompose(['down'], { cwd });
  });

  flagTest('tcompose up', ['--no-recreate', '--quiet-pull'], 'change less, say less', async () => {
    const tcompose = projectOf('kept', { 'compose.yaml': ONE });
    await tcompose('up', '-d');
    const before = await ids('kept');
    projectOf('kept', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 2000}, new: {${SERVICE}, command: sleep 1000}}`,
    });
    await node.docker(['stop', 'kept-web-1']);
    expect((await tcompose('up', '-d', '--no-recreate')).code).toBe(0);
    const states = await tcompose('ps', '--format', '{{.Service}} {{.State}}');
    expect(states.stdout).toBe('new running\nweb running\n');
    expect(await ids('kept')).toEqual(expect.arrayContaining(before));
    expect(await names('kept')).toEqual(['kept-new-1', 'kept-web-1']);
    await tcompose('down');
    await using registry = await registryInside(node);
    const image = `${registry.host}/quiet:1`;
    await node.docker(['tag', 'busybox:test', image]);
    await node.docker(['push', '-q', image]);
    const pulling = projectOf('quietpull', {
      'compose.yaml': `services: {web: {image: "${image}", stop_grace_period: 100ms, command: sleep 1000}}`,
    });
    const lines = async (...flags: string[]): Promise<number> =>
      (await pulling('up', '-d', '--pull', 'always', ...flags)).stderr.match(/Pulling/g)?.length ??
      0;
    expect(await lines()).toBeGreaterThan(1);
    expect(await lines('--quiet-pull')).toBe(1);
    await pulling('down', '--rmi', 'all');
  });
});

describe('down', () => {
  flagTest('tcompose down', ['--volumes'], 'removes data too', async () => {
    const tcompose = projectOf('data', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000, volumes: ["kept:/d"]}}\nvolumes: {kept: {}}`,
    });
    const volumes = async (): Promise<string> =>
      (await node.docker(['volume', 'ls', '-q', '--filter', 'name=data_kept'])).stdout;
    await tcompose('up', '-d');
    await tcompose('exec', '-T', 'web', 'touch', '/d/file');
    await tcompose('down');
    expect(await volumes()).toBe('data_kept\n');
    await tcompose('up', '-d');
    expect((await tcompose('exec', '-T', 'web', 'ls', '/d')).stdout).toBe('file\n');
    await tcompose('down', '--volumes');
    expect(await volumes()).toBe('');
  });

  flagTest(
    'tcompose down',
    ['--rmi'],
    'removes images without a name of their own, or all',
    async () => {
      const tcompose = projectOf('images', {
        Dockerfile: 'FROM busybox:test\nCMD ["sleep", "1000"]\n',
        'compose.yaml':
          'services: {a: {build: ., stop_grace_period: 100ms}, b: {build: ., image: "named:1", stop_grace_period: 100ms}}',
      });
      const images = async (): Promise<string[]> => {
        const list = await node.docker(['images', '--format', '{{.Repository}}']);
        return ['images-a', 'named'].filter((name) => list.stdout.split('\n').includes(name));
      };
      await tcompose('up', '-d');
      expect(await images()).toEqual(['images-a', 'named']);
      await tcompose('down');
      expect(await images()).toEqual(['images-a', 'named']);
      expect((await tcompose('down', '--rmi', 'local')).code).toBe(0);
      expect(await images()).toEqual(['named']);
      await node.docker(['create', '--name', 'user', 'named:1']);
      const used = await tcompose('down', '--rmi', 'all');
      expect([used.code, used.stderr]).toEqual([
        0,
        expect.stringContaining('Image named:1  Still in use'),
      ]);
      await node.docker(['rm', 'user']);
      expect((await tcompose('down', '--rmi', 'all')).code).toBe(0);
      expect(await images()).toEqual([]);
    },
  );

  flagTest(
    'tcompose down',
    ['--remove-orphans'],
    'takes what is no longer in the file',
    async () => {
      const tcompose = projectOf('orphans', { 'compose.yaml': ONE.replace('web', 'old') });
      await tcompose('up', '-d');
      projectOf('orphans', { 'compose.yaml': ONE });
      expect((await tcompose('down', '--remove-orphans')).code).toBe(0);
      expect(await names('orphans')).toEqual([]);
    },
  );

  flagTest('tcompose down', ['--timeout'], 'cuts the grace period short', async () => {
    const tcompose = projectOf('stubborn', {
      'compose.yaml':
        'services: {web: {image: "busybox:test", stop_grace_period: 60s, command: [sh, -c, "trap : TERM; while :; do sleep 1; done"]}}',
    });
    await tcompose('up', '-d');
    const down = await tcompose('down', '--timeout', '0');
    expect(down.code).toBe(0);
    expect(down.ms).toBeLessThan(20_000);
    expect(down.stderr).toContain('Container stubborn-web-1  Removed');
  });
});
