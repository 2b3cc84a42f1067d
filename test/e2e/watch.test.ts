// tcompose watch: files that change on this machine are in the containers a moment later, as develop.watch says; by what the containers see.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { commandLines } from '../support/command-lines.ts';
import { flagTest } from '../support/flag-tests.ts';
import { NODE, ROOT, TestNode, until } from '../support/test-node.ts';

let node: TestNode;
let running: { readonly child: ChildProcess; readonly ended: Promise<unknown> } | undefined;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:23798', '--advertise-addr', '127.0.0.1']);
  await node.importBusybox();
});

afterEach(async () => {
  running?.child.kill('SIGINT');
  await running?.ended;
  running = undefined;
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

/** tcompose that goes on. @returns what it has printed so far */
function start(cwd: string, ...args: string[]): () => string {
  commandLines.push(['tcompose', ...args]);
  const env = { ...process.env, TSWARM_HOST: `unix://${node.clusterSocket}` };
  const child = spawn(NODE, [join(ROOT, 'dist/cli/tcompose/main.js'), ...args], { cwd, env });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      text += String(data);
    });
  running = { child, ended: new Promise((resolve) => child.once('close', resolve)) };
  return () => text;
}

/** A project with one service that is built from `src`, with the given triggers. */
function project(name: string, watch: string): string {
  return node.project(name, {
    Dockerfile: 'FROM busybox:test\nCOPY src /app\nCMD ["sleep", "1000"]\n',
    'src/a': 'one\n',
    'compose.yaml': `services: {web: {build: ., stop_grace_period: 100ms, develop: {watch: [${watch}]}}}`,
  });
}

async function inside(cwd: string, script: string): Promise<string> {
  const result = await node.tcompose(['exec', '-T', 'web', 'sh', '-c', script], { cwd });
  return result.stdout;
}

const SYNC = '{action: sync, path: ./src, target: /app, ignore: ["*.tmp"]}';

describe('sync', () => {
  it('brings files in, changes and removes them, and leaves out what is ignored', async () => {
    const cwd = project('synced', SYNC);
    const text = start(cwd, 'watch');
    await until(() => text().includes('Watch enabled'), 30_000, text);
    writeFileSync(join(cwd, 'src/a'), 'two\n');
    await until(async () => (await inside(cwd, 'cat /app/a')) === 'two\n', 15_000, text);
    mkdirSync(join(cwd, 'src/deep/er'), { recursive: true });
    writeFileSync(join(cwd, 'src/deep/er/new'), 'new\n');
    writeFileSync(join(cwd, 'src/x.tmp'), 'x');
    writeFileSync(join(cwd, 'src/a~'), 'x');
    await until(async () => (await inside(cwd, 'cat /app/deep/er/new')) === 'new\n', 15_000, text);
    expect(await inside(cwd, 'ls /app')).toBe('a\ndeep\n');
    rmSync(join(cwd, 'src/a'));
    await until(async () => (await inside(cwd, 'ls /app')) === 'deep\n', 15_000, text);
    expect(text()).toMatch(/⦿ Syncing service "web" after 1 changes were detected/);
    await node.tcompose(['down', '--rmi', 'local'], { cwd });
  });

  it('restarts or runs a command afterwards', async () => {
    const cwd = project(
      'after',
      '{action: sync+restart, path: ./src/a, target: /app/a}, {action: sync+exec, path: ./conf, target: /conf, exec: {command: [sh, -c, "cp /conf /copied"]}}',
    );
    writeFileSync(join(cwd, 'conf'), '1');
    const started = (): Promise<string> =>
      node
        .docker(['inspect', '-f', '{{.State.StartedAt}} {{.Id}}', 'after-web-1'])
        .then(({ stdout }) => stdout);
    const text = start(cwd, 'watch');
    await until(() => text().includes('Watch enabled'), 30_000, text);
    const [time, id] = (await started()).split(' ');
    writeFileSync(join(cwd, 'src/a'), 'changed\n');
    await until(async () => !(await started()).startsWith(time ?? ''), 15_000, text);
    expect((await started()).split(' ')[1]).toBe(id);
    await until(async () => (await inside(cwd, 'cat /app/a')) === 'changed\n', 15_000, text);
    writeFileSync(join(cwd, 'conf'), '22');
    await until(async () => (await inside(cwd, 'cat /copied')) === '22', 15_000, text);
    await node.tcompose(['down', '--rmi', 'local'], { cwd });
  });
});

describe('flags', () => {
  const REBUILD = '{action: rebuild, path: ./src}';

  async function rebuilt(
    ...flags: string[]
  ): Promise<{ readonly text: string; readonly oldImageLeft: boolean }> {
    const cwd = project('rebuilt', REBUILD);
    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    const old = (await node.docker(['inspect', '-f', '{{.Image}}', 'rebuilt-web-1'])).stdout.trim();
    const text = start(cwd, 'watch', '--no-up', ...flags);
    // It says nothing with --quiet: what counts is the change that is seen in the end.
    let count = 0;
    await until(
      async () => {
        count += 1;
        writeFileSync(join(cwd, 'src/a'), `change ${'x'.repeat(count)}\n`);
        await new Promise((resolve) => setTimeout(resolve, 1500));
        return (await inside(cwd, 'cat /app/a')).startsWith('change');
      },
      60_000,
      text,
    );
    running?.child.kill('SIGINT');
    await running?.ended;
    const oldImageLeft = (await node.docker(['inspect', old])).code === 0;
    await node.tcompose(['down', '--rmi', 'local'], { cwd });
    return { text: text(), oldImageLeft };
  }

  flagTest(
    'tcompose watch',
    ['--no-up', '--no-prune', '--quiet'],
    'watch what runs, keep images, say nothing',
    async () => {
      const plain = await rebuilt();
      expect(plain.text).toContain('Rebuilding service "web"');
      expect(plain.oldImageLeft).toBe(false);
      const quiet = await rebuilt('--quiet', '--no-prune');
      expect(quiet.text).not.toContain('⦿');
      expect(quiet.oldImageLeft).toBe(true);
      const cwd = node.project('nowatch', {
        'compose.yaml': 'services: {web: {image: "busybox:test"}}',
      });
      const nothing = await node.tcompose(['watch'], { cwd });
      expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringContaining('develop.watch')]);
    },
  );

  flagTest('tcompose up', ['--watch'], 'beside the logs', async () => {
    const cwd = project('upwatch', SYNC);
    const text = start(cwd, 'up', '--watch');
    await until(() => text().includes('Watch enabled'), 30_000, text);
    writeFileSync(join(cwd, 'src/a'), 'seen\n');
    await until(async () => (await inside(cwd, 'cat /app/a')) === 'seen\n', 15_000, text);
    running?.child.kill('SIGINT');
    await running?.ended;
    expect(text()).toContain('Attaching to web');
    await node.tcompose(['down', '--rmi', 'local'], { cwd });
  });
});
