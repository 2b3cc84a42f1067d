// tswarm-init: process 1 of a container. Method: the real program in a pid namespace of its own.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IS_SANITIZED, PATIENCE, program } from './programs.ts';

const INIT = program('tswarm-init');
const NAMESPACE = ['--pid', '--fork', '--mount-proc', '--kill-child'];

let folder = '';

function run(...command: readonly string[]): { status: number | null; out: string; err: string } {
  const result = spawnSync('unshare', [...NAMESPACE, INIT, '--', ...command]);
  return { status: result.status, out: result.stdout.toString(), err: result.stderr.toString() };
}

/** The host's number of process 1 in the namespace that `parent` (unshare) made. */
async function firstProcess(parent: ChildProcess): Promise<number> {
  for (let i = 0; i < 200 * PATIENCE; i++) {
    const path = `/proc/${parent.pid}/task/${parent.pid}/children`;
    const pid = Number(readFileSync(path, 'utf8').trim().split(' ')[0]);
    if (pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'tswarm-init') return pid;
    await sleep(10);
  }
  throw new Error('tswarm-init did not start');
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-init-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('status', () => {
  it("is the program's own, or 128 and the signal", () => {
    expect(run('sh', '-c', 'exit 0').status).toBe(0);
    expect(run('sh', '-c', 'exit 37').status).toBe(37);
    expect(run('sh', '-c', 'kill -KILL $$').status).toBe(137);
    expect(run('sh', '-c', 'kill -SEGV $$').status).toBe(139);
  });

  it("is the shell's for a program that cannot be run", () => {
    expect(run('no-such-program')).toMatchObject({ status: 127 });
    expect(run('/etc/passwd')).toMatchObject({ status: 126 });
    expect(run('no-such-program').err).toContain('no-such-program: not found');
    expect(spawnSync(INIT, []).status).toBe(2);
    expect(spawnSync(INIT, ['--']).status).toBe(2);
  });
});

describe('process 1', () => {
  it('reaps orphans', () => {
    const script =
      'for i in $(seq 50); do (sleep 0 &); done; sleep 0.3; ps -eo stat= | grep -c Z || true';
    expect(run('sh', '-c', script)).toMatchObject({ status: 0, out: '0\n' });
  });

  it('ends with the program, though others still run', () => {
    const begin = Date.now();
    expect(run('sh', '-c', 'sleep 100 & exit 4').status).toBe(4);
    expect(Date.now() - begin).toBeLessThan(5000 * PATIENCE);
  });

  it('passes signals on, to the program that set its own handlers', async () => {
    for (const [signal, name] of [
      ['SIGTERM', 'TERM'],
      ['SIGINT', 'INT'],
      ['SIGHUP', 'HUP'],
      ['SIGUSR1', 'USR1'],
      ['SIGWINCH', 'WINCH'],
    ] as const) {
      const script = `trap 'echo got ${name}; exit 9' ${name}; echo ready; while :; do sleep 0.02; done`;
      const child = spawn('unshare', [...NAMESPACE, INIT, '--', 'sh', '-c', script]);
      let out = '';
      child.stdout.on('data', (data: Buffer) => {
        out += data.toString();
      });
      const pid = await firstProcess(child);
      while (!out.includes('ready')) await sleep(5);
      const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
      process.kill(pid, signal);
      expect(await ended).toBe(9);
      expect(out).toBe(`ready\ngot ${name}\n`);
    }
  });

  it('gives the program an empty signal mask and a process group of its own', () => {
    const script =
      'grep -E "^Sig(Blk|Ign)" /proc/self/status; [ $(ps -o pgid= -p $$) = $$ ] && echo own';
    const { out } = run('sh', '-c', script);
    expect(out).toMatch(/SigBlk:\t0{16}\n/);
    expect(out).toContain('own\n');
  });

  it('hands the terminal to the program', () => {
    const inner = `${INIT} -- sh -c 'ps -o pgid=,tpgid= -p $$'`;
    const result = spawnSync('unshare', [
      ...NAMESPACE,
      'script',
      '-qec',
      inner,
      join(folder, 'typescript'),
    ]);
    const [group, foreground] = result.stdout.toString().trim().split(/\s+/);
    expect(Number(group)).toBeGreaterThan(0);
    expect(foreground).toBe(group);
  });

  it('is static and needs no other file', () => {
    const elf = readFileSync(INIT);
    const at = Number(elf.readBigUInt64LE(32));
    const size = elf.readUInt16LE(54);
    const types = Array.from({ length: elf.readUInt16LE(56) }, (_, i) =>
      elf.readUInt32LE(at + i * size),
    );
    // PT_INTERP names the dynamic loader.
    expect(types.includes(3)).toBe(IS_SANITIZED);
  });
});
