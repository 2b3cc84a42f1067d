// tswarm-shim: life of a container under its keeper, from create to delete, and the shim itself.
// Method: the real shim and the real runtime as root, over a bundle that binds the host's /usr.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { IS_SANITIZED, PATIENCE, program } from './programs.ts';
import { Client, type Container, RUNTIME } from './shim-client.ts';
import { container, containers, residentKb, started, until } from './shim-fixture.ts';

const RUNC = '/usr/sbin/runc';

describe('life of a container', () => {
  it('goes from created over running to stopped, and leaves its files', async () => {
    const made = container('exec sleep 1000');
    expect(made.create()).toEqual({ status: 0, stderr: '' });
    const created = await made.request({ op: 'state' });
    expect(created).toMatchObject({
      ok: true,
      status: 'created',
      startedAt: null,
      exit: null,
      execs: 0,
    });
    for (const name of ['shim.pid', 'container.pid']) {
      const [pid, start] = readFileSync(join(made.state, name), 'utf8').trim().split(' ');
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]).toBe(start);
    }
    expect(Number(readFileSync(join(made.state, 'container.pid'), 'utf8').split(' ')[0])).toBe(
      created.pid,
    );
    expect(statSync(made.state).mode & 0o777).toBe(0o700);
    expect(statSync(join(made.state, 'shim.sock')).mode & 0o777).toBe(0o600);
    expect(await made.request({ op: 'start' })).toMatchObject({
      ok: true,
      startedAt: expect.stringMatching(/^\d{4}-.*\.\d{9}Z$/),
    });
    const running = await made.request({ op: 'state' });
    expect(running).toMatchObject({ status: 'running' });
    expect(Math.abs(Date.parse(running.startedAt ?? '') - Date.now())).toBeLessThan(10_000);
    expect(await made.request({ op: 'start' })).toMatchObject({ ok: false, code: 'bad_state' });
    const end = made.wait();
    expect(await made.request({ op: 'kill', signal: 9 })).toEqual({ ok: true });
    expect(await end).toMatchObject({ exitCode: 137, signal: 9, oomKilled: false });
    expect(made.exitFile()).toEqual(await end);
    expect(await made.request({ op: 'state' })).toMatchObject({
      status: 'stopped',
      exit: await end,
      pid: 0,
    });
    expect(await made.request({ op: 'kill', signal: 9 })).toMatchObject({
      ok: false,
      code: 'bad_state',
    });
    const shim = made.shimPid();
    expect(await made.request({ op: 'delete' })).toEqual({ ok: true });
    await until(() => !existsSync(join(made.state, 'shim.sock')));
    await until(
      () =>
        !existsSync(`/proc/${shim}/exe`) ||
        spawnSync('readlink', [`/proc/${shim}/exe`]).status !== 0,
    );
    expect(readdirSync(made.state).filter((name) => name.endsWith('.sock'))).toEqual([]);
    expect(existsSync(join(made.state, 'exit.json'))).toBe(true);
    const state = spawnSync(RUNTIME, ['--root', join(made.folder, 'runtime'), 'state', made.id]);
    expect(state.status).not.toBe(0);
  });

  it('tells exit codes and signals as shells do', async () => {
    for (const [command, exitCode, signal] of [
      ['exit 0', 0, 0],
      ['exit 3', 3, 0],
      ['exit 255', 255, 0],
    ] as const) {
      const made = container(command);
      made.create();
      const end = made.wait();
      await made.request({ op: 'start' });
      expect(await end).toMatchObject({ exitCode, signal, oomKilled: false });
      const { startedAt = null, finishedAt = '' } = made.exitFile();
      expect(startedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
      expect((startedAt ?? '') < finishedAt).toBe(true);
    }
  });

  it('forwards any signal to the first process', async () => {
    const made = await started('trap "exit 42" USR1; echo ready; while :; do sleep 0.05; done');
    await until(() => made.logged('stdout') === 'ready\n');
    const end = made.wait();
    expect(await made.request({ op: 'kill', signal: 10, all: false })).toEqual({ ok: true });
    expect(await end).toMatchObject({ exitCode: 42 });
    expect(await made.request({ op: 'kill', signal: 99 })).toMatchObject({
      ok: false,
      code: 'invalid',
    });
  });

  it('kills all processes with all', async () => {
    const made = await started('sleep 1000 & sleep 1000 & wait');
    await until(async () => (await made.request({ op: 'state' })).status === 'running');
    const end = made.wait();
    expect(await made.request({ op: 'kill', signal: 9, all: true })).toEqual({ ok: true });
    expect(await end).toMatchObject({ exitCode: 137 });
  });

  it('records the end of a container that was never started', async () => {
    const made = container('true');
    made.create();
    const end = made.wait();
    expect(await made.request({ op: 'delete' })).toEqual({ ok: true });
    expect(await end).toMatchObject({ startedAt: null, exitCode: 137 });
    expect(made.exitFile()).toMatchObject({ startedAt: null });
  });

  it('deletes a running container and tells its end to those who wait', async () => {
    const made = await started('exec sleep 1000');
    const end = made.wait();
    expect(await made.request({ op: 'delete' })).toEqual({ ok: true });
    expect(await end).toMatchObject({ exitCode: 137, signal: 9 });
    expect(made.exitFile()).toEqual(await end);
  });

  it('answers a wait that comes late at once', async () => {
    const made = await started('exit 5');
    await until(() => existsSync(join(made.state, 'exit.json')));
    expect(await made.wait()).toMatchObject({ exitCode: 5 });
    const late = await made.attach({ stdout: true });
    expect((await late.collect()).ended).toMatchObject({ exitCode: 5 });
  });

  it('says that the kernel killed it for memory', async () => {
    const made = container(['perl', '-e', '$x = "x" x 300_000_000; exit 1'], {
      memoryBytes: 24 << 20,
    });
    expect(made.create()).toEqual({ status: 0, stderr: '' });
    await made.request({ op: 'start' });
    expect(await made.wait()).toMatchObject({ oomKilled: true, exitCode: 137, signal: 9 });
    expect(made.exitFile()).toMatchObject({ oomKilled: true });
  });
});

describe('memory counters', () => {
  it('are read from the folder that is named, in the form of v2', async () => {
    const folder = mkdtempSync('/run/tswarm-shim-test-');
    const events = join(folder, 'memory.events');
    writeFileSync(events, 'low 0\nhigh 0\nmax 5\noom 2\noom_kill 1\noom_group_kill 0\n');
    try {
      for (const kills of [1, 2]) {
        const made = await started('sleep 0.3', { shim: ['--cgroup-oom', folder] });
        const end = made.wait();
        writeFileSync(events, `low 0\nhigh 0\nmax 5\noom 2\noom_kill ${kills}\noom_group_kill 0\n`);
        expect(await end).toMatchObject({ exitCode: 0, oomKilled: kills > 1 });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('failing to create', () => {
  const failure = (made: Container): { status: number | null; code: string } => {
    const { status, stderr } = made.create();
    return { status, code: (JSON.parse(stderr) as { code: string }).code };
  };

  it('tells a missing program from one that cannot be run, and leaves nothing', async () => {
    const missing = container(['nope']);
    expect(failure(missing)).toEqual({ status: 1, code: 'not_found' });
    expect(existsSync(missing.state)).toBe(false);
    const folder = container(['/etc']);
    expect(failure(folder)).toEqual({ status: 1, code: 'not_executable' });
    const tty = container(['nope'], { tty: true });
    expect(failure(tty)).toEqual({ status: 1, code: 'not_found' });
    expect(existsSync(tty.state)).toBe(false);
  });

  it('says when the runtime cannot be run, or the bundle is broken', () => {
    const made = container('true');
    const { status, stderr } = made.create('/nonexistent/runtime');
    expect(status).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({
      op: 'execve',
      errno: 2,
      path: '/nonexistent/runtime',
    });
    writeFileSync(join(made.folder, 'config.json'), '{');
    mkdirSync(made.state);
    expect(made.create().status).toBe(1);
    expect(readdirSync(made.state)).toEqual([]);
  });

  it.skipIf(!existsSync(RUNC))('passes on what runc says', () => {
    const { status, stderr } = container(['nope']).create(RUNC);
    expect(status).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ code: 'not_found' });
  });

  it('refuses a second shim for the same state folder, and takes over from a killed one', async () => {
    const made = await started('exec sleep 1000');
    const again = made.create();
    expect(again.status).toBe(1);
    expect(JSON.parse(again.stderr)).toMatchObject({ code: 'already_exists' });
    expect(await made.request({ op: 'state' })).toMatchObject({ status: 'running' });
    process.kill(made.shimPid(), 'SIGKILL');
    await until(
      () =>
        spawnSync(RUNTIME, ['--root', join(made.folder, 'runtime'), 'delete', '--force', made.id])
          .status === 0,
    );
    expect(made.create()).toEqual({ status: 0, stderr: '' });
    expect(await made.request({ op: 'state' })).toMatchObject({ status: 'created' });
  });

  it('refuses a bad command line', () => {
    const shim = program('tswarm-shim');
    for (const args of [[], ['--id', 'x'], ['--nonsense'], ['--id', 'x', '--bundle', 'relative']]) {
      const run = spawnSync(shim, args);
      expect(run.status).toBe(2);
      expect(JSON.parse(run.stderr.toString())).toMatchObject({ code: 'bad_request' });
    }
  });

  it('works in a state folder whose path is too long for a socket address', async () => {
    const made = container('echo hi; exit 6', {});
    const long = join(made.folder, 'x'.repeat(120), 'y'.repeat(60));
    mkdirSync(long, { recursive: true });
    const deep = container('echo hi; exit 6', { state: join(long, 'state'), tty: true });
    expect(deep.create()).toEqual({ status: 0, stderr: '' });
    execFileSync('ln', ['-s', join(long, 'state'), join(made.folder, 's')]);
    const client = new Client(join(made.folder, 's/shim.sock'));
    expect(await client.request({ op: 'start' })).toMatchObject({ ok: true });
    await until(() => existsSync(join(long, 'state/exit.json')));
    expect(deep.exitFile()).toMatchObject({ exitCode: 6 });
    const last = new Client(join(made.folder, 's/shim.sock'));
    expect(await last.request({ op: 'delete' })).toEqual({ ok: true });
  });
});

describe('a full disk under the state folder', () => {
  it('does not lose the exit status', async () => {
    const disk = '/run/tswarm-shim-test-disk';
    mkdirSync(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    try {
      const made = container('sleep 0.3; exit 21', { state: join(disk, 'state') });
      expect(made.create()).toEqual({ status: 0, stderr: '' });
      const end = made.wait();
      await made.request({ op: 'start' });
      spawnSync('sh', ['-c', `cat /dev/zero > ${disk}/fill`]);
      expect(await end).toMatchObject({ exitCode: 21 });
      expect(existsSync(join(made.state, 'exit.json'))).toBe(false);
      execFileSync('rm', [join(disk, 'fill')]);
      await until(() => existsSync(join(made.state, 'exit.json')));
      expect(made.exitFile()).toEqual(await end);
    } finally {
      for (const made of containers.splice(0)) await made.remove();
      execFileSync('umount', ['-l', disk]);
      execFileSync('rmdir', [disk]);
    }
  });
});

describe('the shim itself', () => {
  it('is small, also after much output, and uses no time when idle', async () => {
    const made = await started('seq 1 300000; exec sleep 1000');
    const client = await made.attach({ stdout: true });
    await until(() => made.records().at(-1)?.log === '300000\n');
    client.close();
    await sleep(1500);
    const pid = made.shimPid();
    expect(residentKb(pid)).toBeLessThan(IS_SANITIZED ? 20_000 : 1100);
    const ticks = (): number => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(fields[11]) + Number(fields[12]);
    };
    const switches = (): string | undefined =>
      /voluntary_ctxt_switches:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    const before = [ticks(), switches()];
    await sleep(1500);
    expect([ticks(), switches()]).toEqual(before);
  });

  it('survives signals that service managers send, and leaves no descriptor to the container', async () => {
    const made = await started('ls /proc/self/fd | wc -l; exec sleep 1000');
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGPIPE'] as const)
      process.kill(made.shimPid(), signal);
    await until(() => made.logged('stdout') === '4\n');
    expect(await made.request({ op: 'state' })).toMatchObject({ status: 'running' });
    const stat = readFileSync(`/proc/${made.shimPid()}/stat`, 'utf8');
    expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]).toBe(String(made.shimPid()));
  });

  it('bounds the wait for output that a stray child holds', async () => {
    const made = await started(`setsid sleep ${4 * PATIENCE} & echo hi; exit 3`, {
      sharePids: true,
    });
    const begin = Date.now();
    expect(await made.wait()).toMatchObject({ exitCode: 3 });
    expect(Date.now() - begin).toBeLessThan(2600 * PATIENCE);
    expect(made.logged('stdout')).toBe('hi\n');
  });
});
