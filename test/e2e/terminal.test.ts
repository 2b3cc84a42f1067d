// On a terminal: the stock docker client's `run -it`, `attach` and `exec -it`, and tcompose's progress and exec. Keys, exit codes, detaching, the window's
// size while a program runs, and a cursor that is visible again however a command ends.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Terminal, type TerminalOptions } from '../support/terminal.ts';
import { NODE, ROOT, TestNode } from '../support/test-node.ts';

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:23794', '--advertise-addr', '127.0.0.1']);
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const IMAGE = 'busybox:test';
const SERVICE = 'image: "busybox:test", stop_grace_period: 100ms';
/** Says what the terminal tells it. */
const TALKER =
  'trap "echo size; stty size" WINCH; trap "echo int" INT; trap "exit 3" TERM; stty size; echo on; while :; do sleep 0.1; done';

function docker(words: readonly string[], options: TerminalOptions = {}): Terminal {
  return new Terminal(['docker', '-H', `unix://${node.socket}`, ...words], options);
}

function tcompose(words: readonly string[], options: TerminalOptions): Terminal {
  return ours('tcompose', words, options);
}

function ours(cli: string, words: readonly string[], options: TerminalOptions): Terminal {
  const env = { TSWARM_HOST: `unix://${node.clusterSocket}` };
  const main = join(ROOT, `dist/cli/${cli}/main.js`);
  return new Terminal([NODE, main, ...words], { ...options, env });
}

describe('docker run -it', () => {
  it('gives the program a terminal of the right size, its keys, and returns its exit code', async () => {
    const run = docker(['run', '-it', '--rm', IMAGE, 'sh'], { columns: 91, rows: 31 });
    await run.shows('# ');
    run.type('stty size; tty\r');
    await run.shows('31 91\r\n/dev/pts/0');
    run.type('exit 7\r');
    expect(await run.exited).toBe(7);
  });

  it('tells the program about a new size and Ctrl-C, and passes signals on', async () => {
    const run = docker(['run', '-it', '--rm', IMAGE, 'sh', '-c', TALKER]);
    await run.shows('on');
    await run.resizeUntilSeen(120, 40, 'size\r\n40 120');
    run.type('\u0003');
    await run.shows('int');
    run.signal('SIGTERM');
    expect(await run.exited).toBe(3);
  });

  it.each([
    ['ctrl-p,ctrl-q', [], '\u0010\u0011'],
    ['ctrl-x,x', ['--detach-keys', 'ctrl-x,x'], '\u0018x'],
  ])('detaches with %s; attach finds the program as it was', async (_, flags, keys) => {
    const run = docker(['run', '-it', '--name', 'kept', ...flags, IMAGE, 'sh']);
    await run.shows('# ');
    run.type('WHO=me\r');
    await run.shows(/WHO=me[\s\S]*# /);
    run.type(keys);
    expect(await run.exited).toBe(0);
    const state = ['inspect', '-f', '{{.State.Status}}', 'kept'];
    expect((await node.docker(state)).stdout).toBe('running\n');
    const attached = docker(['attach', 'kept'], { columns: 77, rows: 22 });
    await attached.shows('# ');
    attached.type('echo I am $WHO; stty size\r');
    await attached.shows('I am me\r\n22 77');
    attached.type('exit 5\r');
    expect(await attached.exited).toBe(5);
    await node.docker(['rm', 'kept']);
  });
});

describe('exec on a terminal', () => {
  it('docker exec -it and tcompose exec follow the size and return the exit code', async () => {
    const cwd = node.project('exec', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000}}`,
    });
    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    const size = { columns: 66, rows: 20 };
    for (const terminal of [
      docker(['exec', '-it', 'exec-web-1', 'sh', '-c', TALKER], size),
      tcompose(['exec', 'web', 'sh', '-c', TALKER], { ...size, cwd }),
    ]) {
      await terminal.shows('20 66\r\non');
      await terminal.resizeUntilSeen(101, 33, 'size\r\n33 101');
      terminal.type('\u0003');
      await terminal.shows('int');
      terminal.close();
    }
    const quick = tcompose(['exec', 'web', 'sh', '-c', 'test -t 0 && exit 9'], { cwd });
    expect(await quick.exited).toBe(9);
    const without = tcompose(['exec', '-T', 'web', 'sh', '-c', 'test -t 0 && exit 9; exit 8'], {
      cwd,
    });
    expect(await without.exited).toBe(8);
    await node.tcompose(['down'], { cwd });
  });
});

describe('progress of tcompose up', () => {
  const ESCAPE = '\u001b';
  const HIDE = `${ESCAPE}[?25l`;
  const SHOW = `${ESCAPE}[?25h`;

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 130],
    ['SIGHUP', 129],
  ] as const)('shows the cursor again after %s', async (signal, code) => {
    const name = `cursor-${signal.toLowerCase()}`;
    const cwd = node.project(name, {
      'compose.yaml': `services: {slow: {${SERVICE}, command: sleep 1000, healthcheck: {test: "false", interval: 60s}}}`,
    });
    const up = tcompose(['up', '-d', '--wait'], { cwd });
    await up.shows('Waiting');
    expect(up.output.lastIndexOf(HIDE)).toBeGreaterThan(up.output.lastIndexOf(SHOW));
    up.signal(signal);
    expect(await up.exited).toBe(code);
    expect(up.output.lastIndexOf(SHOW)).toBeGreaterThan(up.output.lastIndexOf(HIDE));
    await node.tcompose(['down'], { cwd });
  });

  it('redraws in place, and colours only when it may', async () => {
    const cwd = node.project('drawn', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000}}`,
    });
    const up = tcompose(['up', '-d'], { cwd });
    expect(await up.exited).toBe(0);
    expect(up.output).toMatch(new RegExp(`${ESCAPE}\\[\\d+A`));
    expect(up.output).toContain(`${ESCAPE}[32m`);
    expect(up.output).toMatch(/✔.* Container drawn-web-1 .*Started/);
    await node.tcompose(['down'], { cwd });
  });
});

describe('progress of a build', () => {
  it('says after Ctrl-C what did not come to its end, below a whole picture', async () => {
    const cwd = node.project('longbuild', {
      Dockerfile: `FROM ${IMAGE}\nRUN sleep 1000\n`,
      'compose.yaml': 'services: {one: {build: .}}',
    });
    const build = tcompose(['build'], { cwd, columns: 90, rows: 20 });
    await build.shows(/Image longbuild-one +Building \[0 2\/2\] RUN sleep 1000/);
    build.type('\u0003');
    expect(await build.exited).toBe(130);
    const seen = build.output.replaceAll('\u001b', '<ESC>');
    expect(seen).toMatch(/\[\+\] Building 1\/1<ESC>\[K\r\n[^\r\n]*Interrupted/);
    // What the terminal echoes stays in front of the row otherwise.
    expect(seen).not.toMatch(/[^\r]<ESC>\[\d+A/);
  });
});

describe('progress of a rollout', () => {
  it('says what each task waits for; Ctrl-C ends the looking, not the rollout', async () => {
    const size = { columns: 100, rows: 30 };
    const quick = ['--update-monitor', '100ms', '--stop-grace-period', '100ms'];
    const flags = ['--name', 'stuck', '--constraint', 'node.labels.none==1', ...quick];
    const words = ['service', 'create', ...flags, '--no-resolve-image', IMAGE, 'sleep', '1000'];
    const create = ours('tswarm', words, size);
    await create.shows(/Task stuck\.1 +pending +no suitable node \(scheduling constraints not/);
    create.type('\u0003');
    expect(await create.exited).toBe(130);
    expect(create.output).toContain('the rollout goes on. See it with: tswarm service ps stuck');
    expect(create.output.lastIndexOf('[?25h')).toBeGreaterThan(create.output.lastIndexOf('[?25l'));
    const again = ['service', 'update', '--constraint-rm', 'node.labels.none==1', 'stuck'];
    expect(await ours('tswarm', again, size).exited).toBe(0);
    await node.tswarm(['service', 'rm', 'stuck']);
  });
});
