// tswarm image (build: flags-build.test.ts): each flag by what is in the store or the registry afterwards, each command with something that it refuses. One node, and a registry where one is
// needed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { NODE, type Result, ROOT, TestNode } from '../support/test-node.ts';
import { jsonLines, tswarmOn } from '../support/tswarm-on.ts';

let node: TestNode;
const { out, refused } = tswarmOn(() => node);

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const tswarm = (...args: string[]): Promise<Result> => node.tswarm(args);

describe('image', () => {
  const names = async (...flags: string[]): Promise<string[]> =>
    (await out('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', ...flags))
      .trim()
      .split('\n')
      .sort();

  /** An archive of one image, as docker save writes it. */
  async function saved(image: string): Promise<string> {
    const file = join(node.folder, 'saved.tar');
    expect((await node.docker(['save', '-o', file, image])).code).toBe(0);
    return file;
  }

  flagTest('tswarm image import', ['--change', '--message'], 'into the configuration', async () => {
    const tar = join(node.folder, 'empty.tar');
    await node.inside('tar', ['-cf', tar, '-T', '/dev/null']);
    await out(
      'image',
      'import',
      tar,
      'imported:1',
      '-c',
      'ENV A=1',
      '--change',
      'CMD ["x"]',
      '-m',
      'why',
    );
    const format = '{{.Config.Env}} {{.Config.Cmd}}';
    expect((await node.docker(['inspect', '-f', format, 'imported:1'])).stdout).toBe('[A=1] [x]\n');
    expect(
      (await node.docker(['history', '--format', '{{.Comment}}', 'imported:1'])).stdout,
    ).toContain('why');
  });

  flagTest(
    'tswarm image ls',
    ['--all', '--filter', '--format', '--quiet', '--json', '--no-trunc'],
    'choose and show',
    async () => {
      expect(await names()).toEqual(['busybox:test', 'imported:1']);
      expect(await names('--filter', 'reference=busy*')).toEqual(['busybox:test']);
      expect(await out('image', 'ls', '-q', '-f', 'reference=busy*')).toMatch(/^[0-9a-f]{12}\n$/);
      expect(await out('image', 'ls', '-q', '--no-trunc', 'busybox:test')).toMatch(
        /^sha256:[0-9a-f]{64}\n$/,
      );
      const rows = jsonLines(await out('image', 'ls', '--json'));
      expect(rows.map(({ Repository }) => Repository).sort()).toEqual(['busybox', 'imported']);
      // An image that another one was built from, and that has lost its name, is shown with --all only.
      const folder = join(node.folder, 'derived');
      const build = async (text: string): Promise<void> => {
        await node.inside('mkdir', ['-p', folder]);
        writeFileSync(join(folder, 'Dockerfile'), text);
        const built = await node.docker(['build', '-q', '-t', 'base:1', folder], {
          env: { DOCKER_BUILDKIT: '0' },
        });
        expect(built.code, built.stderr).toBe(0);
      };
      await build('FROM busybox:test\nENV STEP=1\n');
      await build('FROM base:1\nENV STEP=2\n');
      const shown = await names();
      expect(shown).toContain('base:1');
      expect((await names('--all')).length).toBeGreaterThanOrEqual(shown.length);
      expect(await names('--all')).toContain('<none>:<none>');
    },
  );

  flagTest('tswarm image load', ['--input', '--quiet'], 'from a file, without words', async () => {
    const file = await saved('imported:1');
    await node.docker(['rmi', 'imported:1']);
    expect(await out('image', 'load', '--input', file)).toBe('Loaded image: imported:1\n');
    expect(await names()).toContain('imported:1');
    const piped = await node.inside('sh', [
      '-c',
      `${NODE} ${join(ROOT, 'dist/cli/tswarm/main.js')} -H unix://${node.clusterSocket} image load < ${file}`,
    ]);
    expect(piped.stdout).toContain('Loaded image: imported:1');
    const quiet = await tswarm('image', 'load', '-q', '-i', file);
    expect([quiet.code, quiet.stderr]).toEqual([0, '']);
  });

  flagTest('tswarm image ls', ['--digests'], 'of what came from a registry', async () => {
    await using registry = await registryInside(node);
    const name = `${registry.host}/known:1`;
    await node.docker(['tag', 'busybox:test', name]);
    expect((await node.docker(['push', '-q', name])).code).toBe(0);
    const text = await out('image', 'ls', '--digests', `${registry.host}/known`);
    expect(text).toMatch(
      /^REPOSITORY +TAG +DIGEST +IMAGE ID.*\n\S+\/known +1 +sha256:[0-9a-f]{64} /,
    );
    expect(await out('image', 'ls', '--digests', 'imported')).toContain('<none>');
    await node.docker(['rmi', name]);
  });

  flagTest('tswarm image pull', ['--quiet', '--platform'], 'choose and show', async () => {
    await using registry = await registryInside(node);
    const name = `${registry.host}/busybox:1`;
    await node.docker(['tag', 'busybox:test', name]);
    expect((await node.docker(['push', '-q', name])).code).toBe(0);
    await node.docker(['rmi', name]);
    const loud = await tswarm('image', 'pull', name);
    expect([loud.code, loud.stdout]).toEqual([0, expect.stringContaining('Status: ')]);
    const quiet = await tswarm('image', 'pull', '--quiet', name);
    expect(quiet).toMatchObject({ code: 0, stdout: `${name}\n`, stderr: '' });
    const other = await tswarm('image', 'pull', '--platform', 'linux/s390x', name);
    expect(other.code, other.stdout).toBe(1);
    expect(other.stderr).toContain('s390x');
    await node.docker(['rmi', name]);
  });

  flagTest('tswarm image rm', ['--no-prune'], 'parents stay', async () => {
    const folder = join(node.folder, 'parents');
    await node.inside('mkdir', ['-p', folder]);
    const build = async (text: string): Promise<string> => {
      writeFileSync(join(folder, 'Dockerfile'), text);
      return (await out('image', 'build', '-q', '-t', 'child:1', folder)).trim();
    };
    const parent = await build('FROM busybox:test\nENV PARENT=1\n');
    await build('FROM child:1\nENV CHILD=1\n');
    await out('image', 'rm', '--no-prune', 'child:1');
    expect((await node.docker(['image', 'inspect', parent])).code).toBe(0);
    await out('image', 'rm', parent);
  });

  flagTest('tswarm image rm', ['--force'], 'also when a stopped container uses it', async () => {
    await node.docker(['create', '--name', 'stopped', 'imported:1']);
    expect(await refused('image', 'rm', 'imported:1')).toContain('must force');
    expect(await out('image', 'rm', '--force', 'imported:1')).toContain('Untagged: imported:1');
    expect(await names()).not.toContain('imported:1');
    await node.docker(['rm', 'stopped']);
  });

  flagTest('tswarm system df', ['--format', '--json'], 'counts what is there', async () => {
    const [images = ''] = (await out('system', 'df', '--json')).split('\n');
    expect(JSON.parse(images)).toMatchObject({ Type: 'Images' });
    expect(await out('system', 'df', '--format', '{{.Type}} {{.Active}}')).toContain('Images ');
    const text = await out('system', 'df');
    expect(text).toMatch(/^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +[1-9]/);
    expect(readFileSync(join(node.dataRoot, 'node-tag'), 'utf8')).not.toBe('');
  });
});

describe('image names, archives and registries', () => {
  beforeAll(async () => {
    const folder = join(node.folder, 'layers');
    await node.inside('mkdir', ['-p', folder]);
    writeFileSync(join(folder, 'note'), 'noted\n');
    for (const [tag, rest] of [
      ['piped:1', ''],
      ['piped:2', 'COPY note /n\n'],
    ] as const) {
      const input = `FROM busybox:test\nENV PIPED=1\n${rest}`;
      const built = await node.tswarm(['image', 'build', '-t', tag, '-f', '-', folder], { input });
      expect(built.code, built.stderr).toBe(0);
    }
  });

  flagTest('tswarm image push', ['--all-tags', '--quiet'], 'one tag or all', async () => {
    await using registry = await registryInside(node);
    const name = `${registry.host}/pushed`;
    const tags = async (): Promise<unknown> =>
      JSON.parse(
        (await node.inside('curl', ['-s', `http://${name.replace('/', '/v2/')}/tags/list`])).stdout,
      ).tags.sort();
    for (const tag of ['latest', '1', '2'])
      await out('image', 'tag', 'busybox:test', `${name}:${tag}`);
    expect(await out('image', 'push', `${name}:1`)).toMatch(
      /^1: digest: sha256:\w{64} size: \d+\n/,
    );
    expect(await tags()).toEqual(['1']);
    const quiet = await tswarm('image', 'push', '--quiet', name);
    expect(quiet).toMatchObject({ code: 0, stdout: `${name}\n`, stderr: '' });
    expect(await tags()).toEqual(['1', 'latest']);
    await out('image', 'push', '--all-tags', name);
    expect(await tags()).toEqual(['1', '2', 'latest']);
    expect(await refused('image', 'push', '-a', `${name}:1`)).toContain("can't be used");
    expect(await refused('image', 'push', `${name}:none`)).toContain('none');
    for (const tag of ['latest', '1', '2']) await out('image', 'rm', `${name}:${tag}`);
  });

  it('tag', async () => {
    expect(await out('image', 'tag', 'busybox:test', 'second')).toBe('');
    expect(await out('image', 'ls', 'second', '--format', '{{.Tag}}')).toBe('latest\n');
    expect(await refused('image', 'tag', 'none', 'third')).toContain('No such image: none');
    expect(await refused('image', 'tag', 'second', 'Bad:Name')).toContain('reference');
  });

  flagTest('tswarm image save', ['--output'], 'to a file or standard output', async () => {
    const file = join(node.folder, 'two.tar');
    expect(await out('image', 'save', '--output', file, 'busybox:test', 'second')).toBe('');
    const listed = await node.inside('tar', ['-xOf', file, 'manifest.json']);
    expect(JSON.parse(listed.stdout)).toHaveLength(1);
    expect(JSON.parse(listed.stdout)[0].RepoTags.sort()).toEqual(['busybox:test', 'second:latest']);
    await out('image', 'rm', 'second');
    expect(await out('image', 'load', '-i', file)).toContain('Loaded image: second:latest\n');
    expect((await out('image', 'save', 'second')).slice(257, 262)).toBe('ustar');
    expect(await refused('image', 'save', '-o', '/no/where', 'second')).toContain('/no/where');
    const none = join(node.folder, 'none.tar');
    expect(await refused('image', 'save', '-o', none, 'none')).toContain('No such image');
    expect(existsSync(none)).toBe(false);
  });

  flagTest(
    'tswarm image history',
    ['--format', '--human', '--no-human', '--no-trunc', '--quiet', '--json'],
    'its steps',
    async () => {
      expect(await out('image', 'history', '-H', 'piped:2')).toContain(' ago ');
      const table = await out('image', 'history', 'piped:2');
      expect(table).toMatch(/^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n\w{12} +.* ago +/);
      expect(table).toMatch(/\n<missing> +/);
      const raw = await out('image', 'history', '--no-human', 'piped:2');
      expect(raw).toMatch(/^IMAGE +CREATED AT +.*\n\w{12} +\d{4}-\d\d-\d\dT\S+Z +.* 6\s/);
      const format = ['--format', '{{.ID}} {{.CreatedBy}}'];
      expect(await out('image', 'history', '--no-trunc', ...format, 'piped:2')).toMatch(
        /^sha256:\w{64} .*COPY .* \/n/,
      );
      expect(await out('image', 'history', '-q', 'piped:2')).toMatch(/^\w{12}\n<missing>\n/);
      const [newest] = jsonLines(await out('image', 'history', '--json', 'piped:2'));
      expect(newest).toMatchObject({ Size: '6B' });
      expect(await refused('image', 'history', 'none')).toContain('No such image: none');
    },
  );

  flagTest('tswarm image inspect', ['--format'], 'as a template', async () => {
    expect(await out('image', 'inspect', '--format', '{{.Os}}', 'second')).toBe('linux\n');
    expect(JSON.parse(await out('image', 'inspect', 'second', 'piped:1'))).toHaveLength(2);
    expect(await refused('image', 'inspect', 'none')).toContain('No such image: none');
  });

  flagTest('tswarm image prune', ['--all', '--filter', '--force'], 'what goes', async () => {
    const asked = await node.tswarm(['image', 'prune'], { input: 'n\n' });
    expect([asked.code, asked.stdout]).toEqual([
      1,
      expect.stringContaining('all dangling images.\nAre you sure'),
    ]);
    expect(await out('image', 'prune', '--force', '--filter', 'label=none')).toMatch(/^Total /);
    const gone = await out('image', 'prune', '--all', '--force');
    expect(gone).toMatch(/^Deleted Images:\n(.*\n)*untagged: piped:1\n/);
    expect(gone).toMatch(/\nTotal reclaimed space: /);
    expect(await out('image', 'ls', '-q')).toBe('');
    expect(await refused('image', 'prune', '-f', '--filter', 'nope=1')).toContain('nope');
  });
});
