// Goal: a full disk costs nothing that was there, leaves nothing half-made, is named in every error, and is over when there is room again. Method: a node whose data root is a
// small file system of its own (a tmpfs, and ext4 on a loop device, which finds out about its room in other moments); it is filled to the last byte, and everything is tried.
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../support/cluster-lab/kernel.ts';
import { dockerArchiveOf, imageOfTars, tarOf } from '../../support/image-tar.ts';
import { type NodeRegistry, registryInside } from '../../support/node-registry.ts';
import { type Result, TestNode, until } from '../../support/test-node.ts';

const DISK_BYTES = 128 * 1024 * 1024;
/** More than is left in every case. */
const BIG_BYTES = 12 * 1024 * 1024;
const FULL = /no space left on device/i;
const REPLACED = /\/spare|-json\.log|lost\+found|\/filler$/;
const NUMBERS = 'i=0; while :; do echo $i; i=$((i+1)); usleep 20000; done';
const TRAP = 'trap "exit 5" USR1; echo ready; while :; do usleep 20000; done';

describe.each(['tmpfs', 'ext4'])('a node on a full disk: %s', (kind) => {
  const node = new TestNode();
  const filler = join(node.dataRoot, 'filler');
  let registry: NodeRegistry;
  let before: readonly string[] = [];
  /** Its id: of what is restarted all the time there is now more, now less. */
  let phoenix = '-';

  const docker = (...args: string[]): Promise<Result> =>
    node.docker(args, { env: { DOCKER_BUILDKIT: '0' } });

  async function ok(...args: string[]): Promise<string> {
    const result = await docker(...args);
    expect([result.code, result.stderr], args.join(' ')).toEqual([0, expect.any(String)]);
    return result.stdout.trim();
  }

  /** Takes all but so many KiB. */
  function fill(leaveKib: number): void {
    const args = ['if=/dev/zero', `of=${filler}`, 'oflag=append', 'conv=notrunc'];
    try {
      must('dd', [...args, 'bs=4k', 'status=none']);
    } catch (error) {
      expect(String(error)).toMatch(FULL);
    }
    if (leaveKib === 0) return;
    const bytes = Number(must('stat', ['-c', '%s', filler]).trim());
    truncateSync(filler, bytes - leaveKib * 1024);
    must('sync', ['-f', filler]);
  }

  /** Everything that the node keeps, without what containers write and what is replaced all the time. */
  function kept(): string[] {
    const written = ['-path', '*/upper/*', '-o', '-path', '*/merged/*'];
    const found = must('find', [node.dataRoot, '(', ...written, ')', '-prune', '-o', '-print']);
    return found
      .split('\n')
      .filter((path) => path !== '' && !path.includes(phoenix) && !REPLACED.test(path))
      .sort();
  }

  const numbers = (): readonly { log: string; stream: string }[] =>
    readdirSync(join(node.dataRoot, 'containers'))
      .map((id) => join(node.dataRoot, 'containers', id, `${id}-json.log`))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, 'utf8'))
      .filter((text) => text.includes('"log":"0\\n"'))
      .flatMap((text) => text.trimEnd().split('\n'))
      .map((line) => JSON.parse(line) as { log: string; stream: string });

  const phoenixRuns = async (): Promise<number> =>
    Number(await ok('inspect', '-f', '{{.RestartCount}}', 'phoenix'));

  beforeAll(async () => {
    if (kind === 'tmpfs') {
      must('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=755`, 'tmpfs', node.dataRoot]);
    } else {
      const image = join(node.folder, 'disk');
      writeFileSync(image, '');
      truncateSync(image, DISK_BYTES);
      must('mkfs.ext4', ['-q', '-F', image]);
      must('mount', ['-o', 'loop', image, node.dataRoot]);
    }
    await node.start();
    await node.importBusybox();
    const layers = [await tarOf({ big: randomBytes(BIG_BYTES) })];
    const { config } = imageOfTars(layers, { compress: (tar) => tar });
    const tag = '127.0.0.1:25000/big:1';
    writeFileSync(join(node.folder, 'big.tar'), await dockerArchiveOf(config, layers, [tag]));
    registry = await registryInside(node);
    await ok('load', '-i', join(node.folder, 'big.tar'));
    await ok('push', tag);
    await ok('rmi', tag);
    for (const [name, script] of [
      ['counter', NUMBERS],
      ['ender', TRAP],
      ['halted', TRAP],
      ['removed', TRAP],
    ] as const) {
      await ok('run', '-d', '--name', name, 'busybox:test', 'sh', '-c', script);
    }
    const restarted = ['--restart', 'always', '--name', 'phoenix'];
    phoenix = await ok('run', '-d', ...restarted, 'busybox:test', 'false');
    await ok('create', '--name', 'waiting', 'busybox:test', 'sh', '-c', 'echo ran; exit 4');
    await ok('network', 'create', 'spare-net');
    await ok('volume', 'create', 'spare-volume');
    await ok('tag', 'busybox:test', 'other:test');
    before = kept();
  }, 120_000);

  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await node[Symbol.asyncDispose]();
  });

  it('refuses what needs room by name, and keeps nothing of it', async () => {
    fill(3 * 1024);
    const context = join(node.folder, 'context');
    mkdirSync(context, { recursive: true });
    writeFileSync(join(context, 'big'), randomBytes(BIG_BYTES));
    const copy = 'FROM busybox:test\nCOPY big /big\n';
    const run = `FROM busybox:test\nRUN dd if=/dev/urandom of=/big bs=1M count=${BIG_BYTES >> 20}\n`;
    writeFileSync(join(node.folder, 'rootfs.tar'), await tarOf({ big: randomBytes(BIG_BYTES) }));
    for (const [what, args, dockerfile] of [
      ['pull', ['pull', '127.0.0.1:25000/big:1'], ''],
      ['load', ['load', '-i', join(node.folder, 'big.tar')], ''],
      ['import', ['import', join(node.folder, 'rootfs.tar'), 'imported:1'], ''],
      ['build COPY', ['build', '--no-cache', '-t', 'built:1', context], copy],
      ['build RUN', ['build', '--no-cache', '-t', 'built:2', context], run],
    ] as const) {
      if (dockerfile !== '') writeFileSync(join(context, 'Dockerfile'), dockerfile);
      const result = await docker(...args);
      expect([what, result.code === 0], result.stdout).toEqual([what, false]);
      expect(result.stdout + result.stderr, what).toMatch(FULL);
      await until(
        () => JSON.stringify(kept()) === JSON.stringify(before),
        15_000,
        () => `${what} leaves ${kept().filter((path) => !before.includes(path))}`,
      );
    }
  }, 120_000);

  it('makes containers, volumes and networks whole or not at all when not a byte is left', async () => {
    fill(0);
    for (const [args, inverse] of [
      [
        ['create', '--name', 'made', '-v', '/data', 'busybox:test', 'true'],
        ['rm', '-v', 'made'],
      ],
      [
        ['volume', 'create', 'made'],
        ['volume', 'rm', 'made'],
      ],
      [
        ['network', 'create', 'made'],
        ['network', 'rm', 'made'],
      ],
    ] as const) {
      const result = await docker(...args);
      if (result.code === 0) await ok(...inverse);
      else expect(result.stderr, args.join(' ')).toMatch(FULL);
      expect((await docker(...inverse)).code, inverse.join(' ')).not.toBe(0);
      expect(kept(), args.join(' ')).toEqual(before);
    }
  }, 60_000);

  it('goes on: ends, exit codes, restarts, stops, execs', async () => {
    fill(0);
    expect(await ok('exec', 'counter', 'echo', 'inside')).toBe('inside');
    const runs = await phoenixRuns();
    await ok('kill', '-s', 'USR1', 'ender');
    expect(await ok('wait', 'ender')).toBe('5');
    await ok('stop', '-t', '0', 'halted');
    expect(await ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'halted')).toBe(
      'exited 137',
    );
    await until(
      async () => (await phoenixRuns()) > runs,
      60_000,
      () => `phoenix is not restarted:\n${node.log()}`,
    );
    // Its first start may need a block that is not there; then it says so and can be tried again.
    const started = await docker('start', 'waiting');
    if (started.code !== 0) expect(started.stderr).toMatch(FULL);
    else expect(await ok('wait', 'waiting')).toBe('4');
    fill(0);
    await node.stop('SIGKILL');
    await node.start();
    expect(await ok('inspect', '-f', '{{.State.ExitCode}}', 'ender')).toBe('5');
    expect(await ok('exec', 'counter', 'echo', 'inside')).toBe('inside');
  }, 120_000);

  it('lets go of things, which makes room', async () => {
    fill(0);
    await ok('rm', '-f', 'removed');
    fill(0);
    await ok('network', 'rm', 'spare-net');
    fill(0);
    await ok('volume', 'rm', 'spare-volume');
    fill(0);
    await ok('rmi', 'other:test');
    expect(await ok('network', 'ls', '-q', '--filter', 'name=spare-net')).toBe('');
    expect(await ok('images', '-q', 'other')).toBe('');
  }, 60_000);

  it('is as before when there is room again', async () => {
    rmSync(filler);
    const lines = numbers().length;
    await until(() => numbers().length > lines + 10, 20_000);
    // In order, with a word about what is missing.
    const written = numbers();
    const counted = written.filter(({ stream }) => stream === 'stdout').map(({ log }) => +log);
    expect(counted).toEqual([...counted].sort((a, b) => a - b));
    const lost = written.filter(({ stream }) => stream === 'stderr').map(({ log }) => log);
    expect(lost.join('')).toMatch(/tswarm-shim: \d+ log records before this line are lost/);
    if ((await ok('inspect', '-f', '{{.State.Status}}', 'waiting')) === 'created') {
      await ok('start', 'waiting');
    }
    expect(await ok('wait', 'waiting')).toBe('4');
    await ok('pull', '127.0.0.1:25000/big:1');
    await ok('run', '--rm', '-v', '/data', 'busybox:test', 'true');
    await until(() => readdirSync(join(node.dataRoot, 'spare')).length === 24, 10_000);
    await node.stop('SIGKILL');
    await node.start();
    expect(await ok('inspect', '-f', '{{.State.ExitCode}}', 'ender')).toBe('5');
    expect((await docker('inspect', 'removed')).code).not.toBe(0);
    const doctor = await node.tswarm(['doctor']);
    expect(doctor.stdout).toMatch(/left-overs +ok +none/);
    const names = (await ok('ps', '-aq')).split('\n');
    await ok('rm', '-f', ...names);
    expect(readFileSync(node.logFile, 'utf8')).not.toContain('bug');
  }, 120_000);
});
