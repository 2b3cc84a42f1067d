// Goal: tswarm container run, create, start, attach, cp, commit and export do what docker's do. Method: a node of one's own, what comes out and what is left. That
// flags make the same container as docker's is in long/flags-container-docker.test.ts.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { Terminal } from '../support/terminal.ts';
import { NODE, ROOT, TestNode, until } from '../support/test-node.ts';
import { tswarmOn } from '../support/tswarm-on.ts';

let node: TestNode;
const { out, refused } = tswarmOn(() => node);

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
  writeFileSync(join(node.folder, 'vars'), '# some\nA=b\nC=d e\n');
  writeFileSync(join(node.folder, 'labels'), 'x=y\n');
  await out('container', 'run', '-d', '--name', 'other', 'busybox:test', 'sleep', '1000');
  await out('network', 'create', '--subnet', '10.81.0.0/24', '-d', 'bridge', 'side');
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

describe('streams', () => {
  flagTest(
    'tswarm container run',
    ['--rm', '--interactive', '--attach', '--tty'],
    'output, input, exit code',
    async () => {
      const said = await node.tswarm([
        'container',
        'run',
        '--rm',
        'busybox:test',
        'sh',
        '-c',
        'echo out; echo err >&2; exit 3',
      ]);
      expect(said).toMatchObject({ code: 3, stdout: 'out\n', stderr: 'err\n' });
      const fed = await node.tswarm(['container', 'run', '--rm', '-i', 'busybox:test', 'cat'], {
        input: 'in\n',
      });
      expect(fed).toMatchObject({ code: 0, stdout: 'in\n' });
      const half = [
        'container',
        'run',
        '--rm',
        '-a',
        'stdout',
        'busybox:test',
        'sh',
        '-c',
        'echo out; echo err >&2',
      ];
      expect(await node.tswarm(half)).toMatchObject({ stdout: 'out\n', stderr: '' });
      expect(await refused('container', 'run', '-it', '--rm', 'busybox:test', 'true')).toContain(
        'TTY',
      );
      expect(await out('container', 'ls', '-aq', '--filter', 'status=exited')).toBe('');
    },
  );

  it('ends as a shell does when the program is missing, and leaves nothing with --rm', async () => {
    const missing = await node.tswarm([
      'container',
      'run',
      '--rm',
      'busybox:test',
      'nosuchprogram',
    ]);
    expect([missing.code, missing.stderr]).toEqual([
      127,
      expect.stringContaining('executable file not found'),
    ]);
    const image = await node.tswarm(['container', 'run', '--pull', 'never', 'none:none', 'true']);
    expect([image.code, image.stderr]).toEqual([125, expect.stringMatching(/no such image/i)]);
    expect((await node.docker(['ps', '-aq', '--filter', 'status=created'])).stdout).toBe('');
  });

  flagTest(
    'tswarm container run',
    ['--pull', '--quiet', '--cidfile'],
    'where the image and the id go',
    async () => {
      const file = join(node.folder, 'cid');
      await out(
        'container',
        'run',
        '--cidfile',
        file,
        '--pull',
        'missing',
        '--quiet',
        '--name',
        'noted',
        'busybox:test',
        'true',
      );
      expect(readFileSync(file, 'utf8')).toMatch(/^[0-9a-f]{64}$/);
      expect(
        await refused('container', 'run', '--cidfile', file, 'busybox:test', 'true'),
      ).toContain('container ID file found');
      expect(await refused('container', 'run', '--pull', 'sometimes', 'busybox:test')).toContain(
        'missing',
      );
      await out('container', 'rm', 'noted');
    },
  );

  flagTest(
    'tswarm container create',
    ['--rm', '--attach', '--pull', '--quiet', '--cidfile', '--env-file'],
    'as run',
    async () => {
      const file = join(node.folder, 'cid2');
      const args = [
        '--rm',
        '-a',
        'stdout',
        '--pull',
        'never',
        '-q',
        '--cidfile',
        file,
        '--env-file',
        join(node.folder, 'vars'),
      ];
      const id = (
        await out('container', 'create', ...args, 'busybox:test', 'sh', '-c', 'echo $C')
      ).trim();
      expect(readFileSync(file, 'utf8')).toBe(id);
      expect(await out('container', 'start', '-a', id)).toBe('d e\n');
      expect(
        await refused('container', 'create', '--rm', '--restart', 'always', 'busybox:test'),
      ).toContain('conflicting');
    },
  );

  flagTest(
    'tswarm container start',
    ['--attach', '--interactive', '--detach-keys'],
    'joined before it starts',
    async () => {
      await out(
        'container',
        'create',
        '-i',
        '--name',
        'echo',
        'busybox:test',
        'sh',
        '-c',
        'cat; exit 5',
      );
      const joined = await node.tswarm(
        ['container', 'start', '-a', '-i', '--detach-keys', 'ctrl-x', 'echo'],
        { input: 'hello\n' },
      );
      expect(joined).toMatchObject({ code: 5, stdout: 'hello\n' });
      expect(await refused('container', 'start', '-a', 'echo', 'other')).toContain('multiple');
      await out('container', 'rm', 'echo');
    },
  );

  flagTest(
    'tswarm container run',
    ['--detach-keys', '--sig-proxy', '--no-sig-proxy'],
    'a terminal that is left',
    async () => {
      const words = [
        NODE,
        join(ROOT, 'dist/cli/tswarm/main.js'),
        'container',
        'run',
        '-it',
        '--sig-proxy',
        '--detach-keys',
        'ctrl-x',
        '--name',
        'tty',
        'busybox:test',
        'sh',
      ];
      const terminal = new Terminal(words, {
        env: { TSWARM_HOST: `unix://${node.clusterSocket}` },
      });
      await terminal.shows('#');
      terminal.type('echo $((40+2))\n');
      await terminal.shows('42');
      terminal.type('\u0018');
      expect(await terminal.exited).toBe(0);
      expect(await out('container', 'inspect', '-f', '{{.State.Status}}', 'tty')).toBe('running\n');
      await out('container', 'rm', '-f', 'tty');
      const plain = ['container', 'run', '--rm', '--no-sig-proxy', 'busybox:test', 'echo', 'plain'];
      expect(await out(...plain)).toBe('plain\n');
    },
  );

  flagTest(
    'tswarm container attach',
    ['--no-stdin', '--sig-proxy', '--no-sig-proxy', '--detach-keys'],
    'joins what runs',
    async () => {
      const script = 'read a; echo got $a; exit 6';
      await out(
        'container',
        'run',
        '-d',
        '-i',
        '--name',
        'reads',
        'busybox:test',
        'sh',
        '-c',
        script,
      );
      const joined = node.tswarm(
        ['container', 'attach', '--sig-proxy', '--detach-keys', 'ctrl-x', 'reads'],
        { input: 'word\n' },
      );
      expect(await joined).toMatchObject({ code: 6, stdout: 'got word\n' });
      expect(await refused('container', 'attach', 'reads')).toContain('stopped container');
      await out('container', 'rm', 'reads');
      const late = 'until [ -e /go ]; do sleep 0.1; done; echo late';
      await out('container', 'run', '-d', '--name', 'late', 'busybox:test', 'sh', '-c', late);
      const attached = out('container', 'attach', '--no-stdin', '--no-sig-proxy', 'late');
      const past = ['--since', '1h', '--until', '0s', '--filter', 'event=attach'];
      const isAttached = async (): Promise<boolean> =>
        (await out('events', ...past, '--filter', 'container=late')) !== '';
      await until(isAttached, 30_000, () => 'nobody has attached');
      await out('container', 'exec', 'late', 'touch', '/go');
      expect(await attached).toBe('late\n');
      await out('container', 'rm', 'late');
    },
  );

  flagTest(
    'tswarm container exec',
    ['--env-file', '--detach-keys'],
    'variables from a file',
    async () => {
      const args = [
        '--env-file',
        join(node.folder, 'vars'),
        '--detach-keys',
        'ctrl-x',
        '-e',
        'A=2',
      ];
      expect(await out('container', 'exec', ...args, 'other', 'sh', '-c', 'echo $A $C')).toBe(
        '2 d e\n',
      );
    },
  );

  it('ps, logs and exec are there without the word container', async () => {
    expect(await out('exec', '-e', 'A=1', 'other', 'sh', '-c', 'echo $A')).toBe('1\n');
    expect(await out('ps', '--format', '{{.Names}}')).toMatch(/^other$/m);
    await out('container', 'run', '--name', 'talker', 'busybox:test', 'echo', 'said');
    expect(await out('logs', '--tail', '1', 'talker')).toBe('said\n');
    await out('container', 'rm', 'talker');
  });
});

describe('files and images', () => {
  flagTest(
    'tswarm container cp',
    ['--archive', '--follow-link', '--quiet'],
    'both ways',
    async () => {
      mkdirSync(join(node.folder, 'from'));
      writeFileSync(join(node.folder, 'from/file'), 'content');
      await out('container', 'cp', '-q', '-a', join(node.folder, 'from'), 'other:/copied');
      await node.docker(['exec', 'other', 'ln', '-s', '/copied/file', '/link']);
      await out('container', 'cp', '-L', 'other:/link', join(node.folder, 'back'));
      expect(readFileSync(join(node.folder, 'back'), 'utf8')).toBe('content');
      expect(await refused('container', 'cp', 'other:/none', node.folder)).toContain('/none');
      expect(await refused('container', 'cp', '/a', '/b')).toContain('container');
    },
  );

  flagTest(
    'tswarm container commit',
    ['--author', '--change', '--message', '--pause', '--no-pause'],
    'an image of it',
    async () => {
      const args = ['-a', 'me', '-m', 'why', '-c', 'CMD ["x"]'];
      expect(await out('container', 'commit', '--no-pause', ...args, 'other', 'made:1')).toMatch(
        /^sha256:/,
      );
      await out('container', 'commit', '-p', 'other', 'made:2');
      const shown = await out(
        'image',
        'inspect',
        '-f',
        '{{.Author}} {{.Comment}} {{json .Config.Cmd}}',
        'made:1',
      );
      expect(shown).toBe('me why ["x"]\n');
      expect(await refused('container', 'commit', 'none', 'made:3')).toMatch(/no such container/i);
    },
  );

  flagTest('tswarm container export', ['--output'], 'its files', async () => {
    const file = join(node.folder, 'export.tar');
    await out('container', 'export', '-o', file, 'other');
    expect(readFileSync(file).includes('copied/file')).toBe(true);
    expect(await refused('container', 'export', '-o', file, 'none')).toMatch(/no such container/i);
  });
});

flagTest(
  'tswarm top',
  ['--containers', '--stack', '--service', '--node', '--format', '--json', '--no-stream'],
  'what runs, and what it uses',
  async () => {
    const here = '127.0.0.1:23893';
    await out('init', '--advertise-addr', here, '--listen-addr', here);
    await out(
      'service',
      'create',
      '--name',
      'busy',
      'busybox:test',
      'sh',
      '-c',
      'while :; do :; done',
    );
    await until(async () => (await out('top', '--service', 'busy')).includes('busy'), 30_000);
    const table = await out('top', '--no-stream', '--service', 'busy');
    expect(table).toMatch(
      /^NAME +CONTAINERS +CPU % +MEM USAGE +NET I\/O +BLOCK I\/O +PIDS\nbusy +1 +[1-9]/,
    );
    const [row] = (await out('top', '--containers', '--json', '--service', 'busy')).split('\n');
    expect(JSON.parse(row ?? '')).toMatchObject({
      Service: 'busy',
      Node: expect.stringMatching(/./),
    });
    expect(await out('top', '--node', 'nowhere', '--format', '{{.Name}}')).toBe('');
    expect(await out('top', '--stack', 'none', '--format', '{{.Name}}')).toBe('');
    await out('service', 'rm', 'busy');
  },
);
