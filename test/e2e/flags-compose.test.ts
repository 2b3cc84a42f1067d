// Flags of tcompose that docker compose has as well, each by what it does to containers, images, files or the answer, on one real node.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComposeNode, SERVICE, type Tcompose } from '../support/compose-node.ts';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { run, until } from '../support/test-node.ts';

let node: ComposeNode;

beforeAll(async () => {
  node = new ComposeNode();
  await node.up(23811);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const BUSY = `${SERVICE}, command: sleep 1000`;

const projectOf = (name: string, files: Readonly<Record<string, string>>): Tcompose =>
  node.projectOf(name, files);

/** service → container id, of a project. */
async function ids(project: string): Promise<Readonly<Record<string, string>>> {
  const format = '{{.Label "com.docker.compose.service"}} {{.ID}}';
  const lines = await node.containers(project, format);
  return Object.fromEntries(lines.map((line) => line.split(' ') as [string, string]));
}

describe('names and files', () => {
  flagTest(
    'tcompose',
    ['--workdir', '--compatibility', '--all-resources', '--no-ansi', '--verbose', '--version'],
    'the project as it is understood',
    async () => {
      const file = `services: {web: {${BUSY}, build: .}, idle: {build: .}}\nvolumes: {spare: {}}`;
      const tcompose = projectOf('old', { 'compose.yaml': file });
      const plain = await tcompose('--no-ansi', '--verbose', 'config');
      expect(plain.stdout).not.toContain('spare');
      expect((await tcompose('--all-resources', 'config')).stdout).toContain('old_spare');
      const images = await tcompose('--compatibility', 'config', '--images');
      expect(images.stdout).toBe('busybox:test\nold_idle\n');
      const elsewhere = join(node.folder, 'elsewhere');
      mkdirSync(elsewhere);
      writeFileSync(join(elsewhere, 'compose.yaml'), `services: {far: {${BUSY}}}`);
      const there = await tcompose('--workdir', elsewhere, 'config', '--services');
      expect(there.stdout).toBe('far\n');
      expect((await tcompose('--version')).stdout).toBe((await tcompose('version')).stdout);
    },
  );

  flagTest('tcompose config', ['--variables', '--models'], 'lists', async () => {
    const file =
      'services: {web: {image: "${REPO:-local}/web:${TAG:?tag}", environment: {A: "${REPO}", B: "${X:+y}"}, models: [llm]}}\nmodels: {llm: {model: ai/x}}';
    const tcompose = projectOf('lists', { 'compose.yaml': file });
    const table = (await tcompose('config', '--variables')).stdout;
    expect(table.split('\n').map((line) => line.trim().split(/\s+/))).toEqual([
      ['NAME', 'REQUIRED', 'DEFAULT', 'VALUE', 'ALTERNATE', 'VALUE'],
      ['REPO', 'false', 'local'],
      ['TAG', 'true'],
      ['X', 'false', 'y'],
      [''],
    ]);
    const env = { TAG: '1' };
    const cwd = node.project('lists', {});
    expect((await node.tcompose(['config', '--models'], { cwd, env })).stdout).toBe('llm\n');
  });
});

describe('up, create, scale, restart and what is left over', () => {
  const FILE = `services: {web: {${BUSY}, depends_on: {db: {condition: service_started, restart: true}}}, db: {${BUSY}}}`;

  flagTest(
    'tcompose up',
    ['--always-recreate-deps', '--renew-anon-volumes', '--quiet-build', '--yes'],
    'what the named services depend on',
    async () => {
      const tcompose = projectOf('deps', { 'compose.yaml': FILE });
      expect((await tcompose('up', '-d', '--yes', '--quiet-build')).code).toBe(0);
      const before = await ids('deps');
      expect((await tcompose('up', '-d', '-V', 'web')).code).toBe(0);
      expect(await ids('deps')).toEqual(before);
      await tcompose('up', '-d', '--always-recreate-deps', 'web');
      const after = await ids('deps');
      expect(after.db).not.toBe(before.db);
      const both = await tcompose('up', '-d', '--always-recreate-deps', '--no-recreate');
      expect(both).toMatchObject({ code: 1 });
      expect(both.stderr).toContain('--always-recreate-deps and --no-recreate are incompatible');
    },
  );

  flagTest('tcompose restart', ['--no-deps'], 'alone, or with what depends on it', async () => {
    const tcompose = projectOf('deps', {});
    const started = async (): Promise<Readonly<Record<string, string>>> => {
      const pairs = Object.entries(await ids('deps')).map(async ([key, id]) => {
        const found = await node.docker(['inspect', '-f', '{{.State.StartedAt}}', id]);
        return [key, found.stdout.trim()] as const;
      });
      return Object.fromEntries(await Promise.all(pairs));
    };
    const first = await started();
    expect((await tcompose('restart', '--no-deps', 'db')).code).toBe(0);
    const second = await started();
    expect(second.web).toBe(first.web);
    expect(second.db).not.toBe(first.db);
    expect((await tcompose('restart', 'db')).code).toBe(0);
    const third = await started();
    expect(third.web).not.toBe(second.web);
    expect(third.db).not.toBe(second.db);
  });

  flagTest(
    'tcompose create',
    ['--no-recreate', '--quiet-pull', '--yes'],
    'leaves what is there',
    async () => {
      const before = await ids('deps');
      const tcompose = projectOf('deps', { 'compose.yaml': FILE.replaceAll('1000', '1001') });
      await tcompose('create', '--no-recreate', '--quiet-pull', '--yes');
      expect(await ids('deps')).toEqual(before);
      node.project('deps', { 'compose.yaml': FILE });
    },
  );

  flagTest('tcompose scale', ['--no-deps'], 'only the named service', async () => {
    const tcompose = projectOf('deps', {});
    await tcompose('down', 'db');
    expect(Object.keys(await ids('deps'))).toEqual(['web']);
    await tcompose('scale', '--no-deps', 'web=2');
    expect((await tcompose('ps', '-q')).stdout.trim().split('\n')).toHaveLength(2);
    expect(Object.keys(await ids('deps'))).toEqual(['web']);
    await tcompose('scale', 'web=1');
    expect(Object.keys(await ids('deps')).sort()).toEqual(['db', 'web']);
  });

  flagTest('tcompose ps', ['--no-orphans'], 'without what the file does not have', async () => {
    const tcompose = projectOf('deps', { 'compose.yaml': `services: {db: {${BUSY}}}` });
    expect((await tcompose('ps', '--services')).stdout).toBe('db\nweb\n');
    expect((await tcompose('ps', '--orphans=false', '--services')).stdout).toBe('db\n');
    expect((await tcompose('ps', '--no-orphans', '--services')).stdout).toBe('db\n');
  });

  flagTest('tcompose kill', ['--remove-orphans'], 'and takes orphans along', async () => {
    const tcompose = projectOf('deps', {});
    await tcompose('kill', '--remove-orphans', 'db');
    const left = (await tcompose('ps', '-a', '--services')).stdout;
    expect(left).toBe('db\n');
  });

  flagTest('tcompose rm', ['--volumes', '--all'], 'removes anonymous volumes', async () => {
    const file = `services: {web: {${BUSY}, volumes: [/data]}}`;
    const tcompose = projectOf('gone', { 'compose.yaml': file });
    await tcompose('up', '-d');
    const volumes = async (): Promise<string> => (await node.docker(['volume', 'ls', '-q'])).stdout;
    expect(await volumes()).not.toBe('');
    await tcompose('rm', '-f', '-s', '-v', '-a');
    expect(await volumes()).toBe('');
  });
});

describe('run', () => {
  flagTest(
    'tcompose run',
    ['--env-from-file', '--quiet-pull', '--quiet-build', '--remove-orphans', '--interactive'],
    'with variables of a file',
    async () => {
      const tcompose = projectOf('once', {
        'compose.yaml': `services: {web: {${BUSY}}, old: {${BUSY}}}`,
      });
      await tcompose('up', '-d', 'old');
      const cwd = node.project('once', {
        'compose.yaml': `services: {web: {${BUSY}}}`,
        vars: 'A=1\nB="two ${A}"\n',
        wrong: 'A B=1\n',
      });
      const flags = ['--rm', '-T', '--quiet-pull', '--quiet-build', '--remove-orphans'];
      const once = await node.tcompose(
        ['run', ...flags, '--env-from-file', 'vars', '-e', 'A=3', 'web', 'sh', '-c', 'echo $A $B'],
        { cwd },
      );
      expect(once.stdout).toBe('3 two 1\n');
      // The orphan goes in the background; what --rm removes is gone.
      expect(Object.keys(await ids('once'))).not.toContain('web');
      await until(async () => !('old' in (await ids('once'))), 20_000);
      const typed = await node.tcompose(['run', '--rm', '-T', '-i', 'web', 'cat'], {
        cwd,
        input: 'x',
      });
      expect(typed.stdout).toBe('x');
      const wrong = await node.tcompose(['run', '--env-from-file', 'wrong', 'web', 'true'], {
        cwd,
      });
      expect(wrong.code).toBe(1);
      expect(wrong.stderr).toContain('--env-from-file wrong: line 1: ');
    },
  );
});

flagTest('tcompose run', ['--no-TTY'], 'is -T under its other name', async () => {
  const tcompose = projectOf('once', {});
  expect((await tcompose('run', '--rm', '--no-TTY', 'web', 'echo', 'x')).stdout).toBe('x\n');
});

flagTest('tcompose exec', ['--no-TTY'], 'is -T under its other name', async () => {
  const tcompose = projectOf('once', {});
  await tcompose('up', '-d');
  expect((await tcompose('exec', '--no-TTY', 'web', 'echo', 'x')).stdout).toBe('x\n');
  await tcompose('down', '-t', '0');
});

describe('images', () => {
  flagTest(
    'tcompose commit',
    ['--author', '--change', '--index', '--message', '--pause', '--no-pause'],
    'an image of a container',
    async () => {
      const tcompose = projectOf('shot', { 'compose.yaml': `services: {web: {${BUSY}}}` });
      await tcompose('up', '-d');
      await tcompose('exec', '-T', 'web', 'sh', '-c', 'echo kept > /kept');
      const flags = ['-a', 'me', '-m', 'why', '-c', 'ENV A=1', '-c', 'CMD ["cat", "/kept"]'];
      const made = await tcompose(
        'commit',
        ...flags,
        '--pause',
        '--index',
        '1',
        'web',
        'shot/web:2',
      );
      expect(made).toMatchObject({ code: 0, stderr: '' });
      expect(made.stdout).toMatch(/^sha256:/);
      const { stdout } = await node.docker(['inspect', 'shot/web:2']);
      const [{ Author, Comment, Config }] = JSON.parse(stdout);
      expect({ Author, Comment }).toEqual({ Author: 'me', Comment: 'why' });
      expect(Config.Env).toContain('A=1');
      const ran = await node.docker(['run', '--rm', '--network', 'none', 'shot/web:2']);
      expect(ran.stdout).toBe('kept\n');
      expect((await tcompose('commit', '--no-pause', 'web')).stdout).toMatch(/^sha256:/);
      expect((await tcompose('commit', '--index', '7', 'web')).stderr).toContain('"web" #7');
    },
  );

  flagTest('tcompose export', ['--index', '--output'], 'its files', async () => {
    const tcompose = projectOf('shot', {});
    const file = join(node.folder, 'shot.tar');
    expect((await tcompose('export', '--index', '1', '-o', file, 'web')).code).toBe(0);
    const list = await run('tar', ['-tf', file], {});
    expect(list.stdout.split('\n')).toContain('kept');
    await tcompose('down', '-t', '0');
  });

  flagTest(
    'tcompose config',
    ['--resolve-image-digests', '--lock-image-digests'],
    'images by what their registry has',
    async () => {
      await using registry = await registryInside(node);
      const image = `${registry.host}/team/app:1`;
      await node.docker(['tag', 'busybox:test', image]);
      await node.docker(['push', image]);
      const tcompose = projectOf('pins', {
        'compose.yaml': `services: {web: {image: "${image}"}, own: {build: .}}`,
      });
      const pinned = await tcompose('config', '--resolve-image-digests', '--format', 'json');
      const { services } = JSON.parse(pinned.stdout);
      expect(services.web.image).toMatch(new RegExp(`^${image}@sha256:[0-9a-f]{64}$`));
      const lock = await tcompose('config', '--lock-image-digests');
      expect(lock.stdout).toBe(`services:\n  web:\n    image: ${services.web.image}\n`);
      const missing = projectOf('pins', {
        'compose.yaml': `services: {web: {image: "${registry.host}/none:1"}}`,
      });
      const failed = await missing('config', '--lock-image-digests');
      expect(failed.code).toBe(1);
      expect(failed.stderr).toContain(`image ${registry.host}/none:1 of service web has no digest`);
    },
  );

  flagTest('tcompose', ['--parallel'], 'all images come in, some at a time', async () => {
    const tcompose = projectOf('lanes', {
      'compose.yaml':
        'services: {a: {build: {dockerfile_inline: "FROM busybox:test"}}, b: {build: {dockerfile_inline: "FROM busybox:test"}}}',
    });
    expect((await tcompose('--parallel', '1', 'create')).code).toBe(0);
    expect((await tcompose('--parallel', '0', 'create')).stderr).toContain('--parallel 0: must be');
    await tcompose('down', '--rmi', 'all');
  });
});

describe('refused by name', () => {
  const refusal = async (...args: string[]): Promise<string> => {
    const tcompose = projectOf('no', { 'compose.yaml': `services: {web: {${BUSY}}}` });
    const { code, stderr } = await tcompose(...args);
    expect(code).toBe(1);
    return stderr;
  };

  flagTest(
    'tcompose build',
    ['--builder', '--check', '--print', '--provenance', '--sbom'],
    'what the builder does not do',
    async () => {
      for (const flag of ['--builder=x', '--check', '--print', '--provenance=max', '--sbom=true'])
        expect(await refusal('build', flag)).toContain(
          `error: ${flag.split('=')[0]} is not supported: `,
        );
      // Asked for what happens anyway.
      const tcompose = projectOf('no', {});
      expect((await tcompose('build', '--provenance=false', '--sbom=false')).code).toBe(0);
    },
  );

  flagTest('tcompose build', ['--ssh', '--memory'], 'what a build is given', async () => {
    const path = join(node.folder, 'agent.sock');
    const agent = createServer((socket) => socket.end()).listen(path);
    const tcompose = projectOf('given', {
      'compose.yaml': `
services:
  base: {build: {dockerfile_inline: "FROM busybox:test\\nRUN mkdir /from && echo base >/from/base"}}
  app:
    build:
      context: .
      dockerfile: app.Dockerfile
      secrets: [token, {source: cert, target: tls}]
      additional_contexts: {base: "service:base", more: ./more}
      tags: ["given-app:extra"]
      extra_hosts: ["db=10.1.2.3"]
      shm_size: 8m
      ulimits: {nofile: {soft: 321, hard: 400}}
secrets: {token: {environment: TOKEN}, cert: {file: ./cert}}
`,
      'app.Dockerfile': `FROM busybox:test
COPY --from=base /from /from
COPY --from=more a.txt /more
RUN --mount=type=secret,id=token,required --mount=type=secret,id=tls --mount=type=ssh,required \\
    (cat /run/secrets/token /run/secrets/tls; test -S $SSH_AUTH_SOCK && echo agent; \\
    grep -o 10.1.2.3 /etc/hosts; df -k /dev/shm | grep -c ' 8192 '; ulimit -n) | tr -d ' ' >/seen
`,
      '.env': 'TOKEN="from the environment\\n"\n',
      cert: 'certificate\n',
      'more/a.txt': 'more\n',
    });
    try {
      const built = await tcompose('build', '--memory', '64m', '--ssh', `default=${path}`);
      expect([built.code, built.stderr]).toEqual([0, expect.not.stringContaining('Error')]);
      // Each step, and what it writes, is a line behind the image that it is of.
      expect(built.stderr).toContain(' Image given-base  [0 1/2] FROM busybox:test\n');
      const small = await tcompose('build', '--memory', '1k', '--ssh', `default=${path}`);
      expect([small.code, small.stderr]).toEqual([1, expect.stringContaining('6MB')]);
      expect((await tcompose('build', '--memory', 'much')).stderr).toContain('--memory: ');
      const look = ['run', '--rm', 'given-app:extra', 'cat', '/seen', '/from/base', '/more'];
      expect((await node.docker(look)).stdout).toBe(
        'fromtheenvironment\ncertificate\nagent\n10.1.2.3\n1\n321\nbase\nmore\n',
      );
      const without = await tcompose('build', '--no-cache');
      expect([without.code, without.stderr]).toEqual([1, expect.stringContaining('SSH key')]);
    } finally {
      agent.close();
    }
  });

  flagTest('tcompose up', ['--menu'], 'has no menu', async () => {
    expect(await refusal('up', '--menu')).toContain('error: --menu is not supported: ');
  });

  it.each([
    ['publish', 'me/app'],
    ['bridge', 'convert'],
    ['alpha', 'viz', '--networks'],
  ])('%s', async (...args) => {
    expect(await refusal(...args)).toContain(`error: "${args[0]}" is not supported: `);
  });
});

describe('--dry-run', () => {
  it('says what would become of containers and images, and touches nothing', async () => {
    const file = `services: {web: {${BUSY}, volumes: ["data:/data"]}, own: {build: {dockerfile_inline: "FROM busybox:test"}, ${BUSY.replace('image: "busybox:test", ', '')}}}\nvolumes: {data: {}}`;
    const tcompose = projectOf('dry', { 'compose.yaml': file });
    await tcompose('up', '-d');
    const before = await ids('dry');
    const dry = async (...args: string[]): Promise<readonly string[]> =>
      (await tcompose('--dry-run', ...args)).stdout
        .trim()
        .split('\n')
        .map((line) => line.replace('DRY-RUN MODE -  ', ''));
    expect(await dry('stop', 'web')).toEqual(['Container dry-web-1  Stopped']);
    expect(await dry('start')).toEqual(['nothing to do']);
    expect(await dry('build')).toEqual(['Image dry-own  Built']);
    expect(await dry('pull', '--policy', 'missing')).toEqual(['nothing to do']);
    expect(await dry('rm', '-s', 'own')).toEqual([
      'Container dry-own-1  Stopped',
      'Container dry-own-1  Removed',
    ]);
    expect(await dry('down', '-v', '--rmi', 'local')).toEqual([
      'Container dry-own-1  Stopped',
      'Container dry-own-1  Removed',
      'Container dry-web-1  Stopped',
      'Container dry-web-1  Removed',
      'Network dry_default  Removed',
      'Volume dry_data  Removed',
      'Image dry-own  Removed',
    ]);
    expect(await ids('dry')).toEqual(before);
    expect((await tcompose('--dry-run', 'exec', 'web', 'true')).stderr).toContain(
      'cannot be tried out',
    );
  });

  it('is what then happens: down of one service leaves the others', async () => {
    const tcompose = projectOf('dry', {});
    expect((await tcompose('down', 'own')).code).toBe(0);
    expect(Object.keys(await ids('dry'))).toEqual(['web']);
    expect((await tcompose('down', '-v', 'web')).code).toBe(0);
    expect(await ids('dry')).toEqual({});
    expect((await node.docker(['volume', 'ls', '-q'])).stdout).toBe('');
    expect((await tcompose('down', 'nobody')).stderr).toContain('no such service: nobody');
  });
});
