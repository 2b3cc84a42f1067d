// Bad input, and what it gets: one clear message, the right exit code, nothing left behind. Each case is a row of the list that the product promises.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NODE, TestNode, until } from '../support/test-node.ts';

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
  // The first `up` makes the cluster by itself and says so.
  const cwd = node.project('first', {
    'compose.yaml':
      'services: {a: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000}}',
  });
  const up = await node.tcompose(['up', '-d'], { cwd });
  expect(up.stderr).toContain('creating a single-node cluster');
  expect(up.code).toBe(0);
  await node.tcompose(['down'], { cwd });
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

async function refused(name: string, yaml: string, env: Record<string, string> = {}) {
  const cwd = node.project(name, { 'compose.yaml': yaml });
  const before = node.leftovers().length;
  const result = await node.tcompose(['up', '-d'], { cwd, env });
  expect(result.stderr).not.toMatch(/\bat .*\.(js|ts):\d+/);
  return { ...result, cwd, before };
}

it.each([
  [
    'an unknown key',
    'services:\n  web:\n    image: busybox:test\n    stop_grace_period: 100ms\n    imagee: x\n',
    ["additional properties 'imagee' not allowed", 'compose.yaml:5:5', 'imagee: x', 'image'],
  ],
  [
    'a YAML error',
    'services:\n  web:\n    image: "busybox\n',
    ['compose.yaml:3:', 'image: "busybox'],
  ],
  [
    'a missing variable',
    'services:\n  web:\n    image: "${WHICH:?tell me}"\n',
    ['required variable WHICH is missing a value: tell me', 'compose.yaml:3:'],
  ],
  [
    'an unsupported key',
    'services:\n  web:\n    image: busybox:test\n    stop_grace_period: 100ms\n    provider: {type: x}\n',
    ['services.web.provider', 'not supported'],
  ],
  [
    'a missing secret file',
    'services:\n  web:\n    image: busybox:test\n    stop_grace_period: 100ms\n    secrets: [s]\nsecrets: {s: {file: ./nowhere}}\n',
    ['nowhere'],
  ],
  [
    'a memory limit below the minimum',
    'services:\n  web:\n    image: busybox:test\n    stop_grace_period: 100ms\n    deploy: {resources: {limits: {memory: 1m}}}\n',
    ['emory'],
  ],
  [
    'an undefined network',
    'services:\n  web:\n    image: busybox:test\n    stop_grace_period: 100ms\n    networks: [x]\n',
    ['service "web" refers to undefined network x'],
  ],
])('%s', async (_, yaml, words) => {
  const result = await refused('bad', yaml);
  expect(result.code).toBe(1);
  for (const word of words) expect(result.stderr).toContain(word);
  expect((await node.tswarm(['service', 'ls', '-q'])).stdout).toBe('');
});

it('an image that does not exist', async () => {
  const result = await refused('noimage', 'services: {web: {image: "127.0.0.1:9/no/such:image"}}');
  expect(result.code).toBe(1);
  expect(result.stderr).toContain('127.0.0.1:9');
  expect((await node.tswarm(['service', 'ls', '-q'])).stdout).toBe('');
});

it.each([
  ['not found', 'nothing-here', 127, 'not found'],
  ['not executable', '/etc/passwd', 126, 'permission denied'],
])('a command that is %s', async (_, command, code, words) => {
  const result = await refused(
    'command',
    `services: {web: {image: "busybox:test", stop_grace_period: 100ms, command: ${command}}}`,
  );
  expect(result.code).toBe(1);
  expect(result.stderr.toLowerCase()).toContain(words);
  const id = (
    await node.docker(['ps', '-aq', '--filter', 'label=com.docker.compose.project=command'])
  ).stdout.trim();
  if (id !== '')
    expect((await node.docker(['inspect', '-f', '{{.State.ExitCode}}', id])).stdout.trim()).toBe(
      String(code),
    );
  await node.tcompose(['down'], { cwd: result.cwd });
  expect(node.leftovers().length).toBeLessThanOrEqual(result.before);
});

it('a port that is taken, and by whom', async () => {
  const script =
    "require('net').createServer().listen(18090, '0.0.0.0', () => console.log('ready'))";
  const listener = spawn('nsenter', [`--net=${node.netns}`, NODE, '-e', script]);
  await new Promise((resolve) => listener.stdout.once('data', resolve));
  try {
    const result = await refused(
      'taken',
      'services: {web: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 100, ports: ["18090:80"]}}',
    );
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('18090');
    expect(result.stderr).toMatch(/by .*node.*\(pid \d+\)/i);
    await node.tcompose(['down'], { cwd: result.cwd });
  } finally {
    listener.kill('SIGKILL');
  }
});

it('a port that another service has', async () => {
  const one = node.project('one', {
    'compose.yaml':
      'services: {web: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 100, ports: ["18091:80"]}}',
  });
  expect((await node.tcompose(['up', '-d'], { cwd: one })).code).toBe(0);
  const result = await refused(
    'two',
    'services: {web: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 100, ports: ["18091:80"]}}',
  );
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/18091.*one_web/);
  await node.tcompose(['down'], { cwd: one });
});

it('a bind source that is missing', async () => {
  const result = await refused(
    'bind',
    'services: {web: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 100, volumes: [{type: bind, source: ./nowhere, target: /x, bind: {create_host_path: false}}]}}',
  );
  expect(result.code).toBe(1);
  expect(result.stderr).toContain('nowhere');
  await node.tcompose(['down'], { cwd: result.cwd });
});

it('a corrupt layer: digest mismatch, nothing kept', async () => {
  const folder = join(node.folder, 'corrupt');
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  const zeros = '0'.repeat(64);
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(folder, `blobs/sha256/${zeros}`), '{"schemaVersion":2}');
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          digest: `sha256:${zeros}`,
          size: 19,
          annotations: { 'org.opencontainers.image.ref.name': 'bad:1' },
        },
      ],
    }),
  );
  const tar = join(node.folder, 'corrupt.tar');
  await node.inside('tar', ['-C', folder, '-cf', tar, '.']);
  const before = (await node.tswarm(['image', 'ls', '-q'])).stdout;
  const result = await node.tswarm(['image', 'load', '-i', tar]);
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/digest|does not match/);
  expect((await node.tswarm(['image', 'ls', '-q'])).stdout).toBe(before);
});

it('a full disk while an image is unpacked: a clean error, nothing half-registered', async () => {
  const small = join(node.folder, 'small');
  mkdirSync(small);
  const full = new TestNode();
  try {
    await full.inside('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', full.dataRoot]);
    await full.start();
    const big = join(node.folder, 'big');
    mkdirSync(big);
    await node.inside('dd', [
      'if=/dev/urandom',
      `of=${join(big, 'file')}`,
      'bs=1M',
      'count=40',
      'status=none',
    ]);
    await node.inside('tar', ['-C', big, '-cf', join(node.folder, 'big.tar'), '.']);
    const result = await full.tswarm(['image', 'import', join(node.folder, 'big.tar'), 'big:1']);
    expect(result.code).toBe(1);
    expect(result.stderr.toLowerCase()).toContain('no space');
    expect((await full.tswarm(['image', 'ls', '-q'])).stdout).toBe('');
    expect((await full.tswarm(['info'])).code).toBe(0);
  } finally {
    await full[Symbol.asyncDispose]();
  }
});

it('two ups at once end in one running project', async () => {
  const cwd = node.project('twice', {
    'compose.yaml':
      'services: {web: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000}, two: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000}}',
  });
  const results = await Promise.all([
    node.tcompose(['up', '-d'], { cwd }),
    node.tcompose(['up', '-d'], { cwd }),
  ]);
  expect(results.map((result) => result.code)).toEqual([0, 0]);
  expect((await node.tcompose(['ps', '-q'], { cwd })).stdout.trim().split('\n')).toHaveLength(2);
  await node.tcompose(['down'], { cwd });
});

it('Ctrl-C in the middle of up: exit code 130, and down leaves nothing', async () => {
  const cwd = node.project('interrupt', {
    'compose.yaml':
      'services: {slow: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000, healthcheck: {test: "false", interval: 60s}}}',
  });
  const result = await node.tcompose(['up', '-d', '--wait'], { cwd, interruptAfterMs: 1500 });
  expect(result.code).toBe(130);
  expect(result.stderr).toContain('Interrupted');
  await node.tcompose(['down'], { cwd });
  expect(node.leftovers().filter((line) => /shim|^link /.test(line))).toEqual([]);
});

it('Ctrl-C while an image is built: at once, nothing of the build is left', async () => {
  const cwd = node.project('slowbuild', {
    Dockerfile: 'FROM busybox:test\nRUN sleep 4321\n',
    'compose.yaml': 'services: {web: {build: ., command: sleep 1000}}',
  });
  const running = async (): Promise<boolean> =>
    (await node.inside('ps', ['axo', 'args'])).stdout.includes('sleep 4321');
  const before = node.leftovers().length;
  let interruptedAtMs = 0;
  const interruptWhen = until(running, 60_000).finally(() => {
    interruptedAtMs = performance.now();
  });
  const result = await node.tcompose(['up', '-d'], { cwd, interruptWhen });
  await interruptWhen;
  expect(result.code).toBe(130);
  expect(result.stderr).toContain('Interrupted: nothing was started.');
  expect(performance.now() - interruptedAtMs).toBeLessThan(10_000);
  await until(async () => !(await running()), 10_000);
  await until(() => node.leftovers().length <= before, 10_000);
  expect((await node.docker(['images', '-q', 'slowbuild-web'])).stdout).toBe('');
  expect((await node.tswarm(['service', 'ls', '-q'])).stdout).toBe('');
});

it('up again after what was wrong outside the file has been put right', async () => {
  const file = (command: string): string =>
    `services: {web: {image: "busybox:test", stop_grace_period: 100ms, command: ${command}, volumes: ["./run.sh:/run.sh"]}}`;
  const cwd = node.project('mended', {
    'run.sh': '#!/bin/sh\nexec sleep 1000\n',
    'compose.yaml': file('sleep 1000'),
  });
  chmodSync(join(cwd, 'run.sh'), 0o644);
  expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
  node.project('mended', { 'compose.yaml': file('/run.sh') });
  for (let attempt = 0; attempt < 2; attempt++) {
    const failed = await node.tcompose(['up', '-d'], { cwd });
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('permission denied')]);
    // Said once.
    expect(failed.stderr.match(/permission denied/g)).toHaveLength(1);
  }
  chmodSync(join(cwd, 'run.sh'), 0o755);
  const mended = await node.tcompose(['up', '-d'], { cwd });
  expect(mended.code, mended.stderr).toBe(0);
  expect((await node.tcompose(['ps'], { cwd })).stdout).toContain('Up ');
  await node.tcompose(['down'], { cwd });
});

it('a file that is no text does not reach the terminal as it is', async () => {
  const result = await refused('binary', '\u0007\u001b[31mservices\u0000');
  expect(result.code).toBe(1);
  expect(result.stderr).not.toMatch(/\p{Cc}(?<!\n)/u);
});

it('a script that is not executable in a bind mount is 126 for exec', async () => {
  const cwd = node.project('exec', {
    'run.sh': 'echo hi\n',
    'compose.yaml':
      'services: {web: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000, volumes: ["./run.sh:/run.sh"]}}',
  });
  chmodSync(join(cwd, 'run.sh'), 0o644);
  await node.tcompose(['up', '-d'], { cwd });
  expect((await node.tcompose(['exec', '-T', 'web', '/run.sh'], { cwd })).code).toBe(126);
  expect((await node.tcompose(['exec', '-T', 'web', 'nothing-here'], { cwd })).code).toBe(127);
  await node.tcompose(['down'], { cwd });
});
