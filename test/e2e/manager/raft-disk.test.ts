// Goal: a disk that fails or fills up costs no acknowledged change. A failed write ends the process
// with exit code 70; below the low-water mark changes are refused by a clear error, and taken again
// later. Method: RLIMIT_FSIZE on a running process makes its next write fail; a small tmpfs fills
// up (root).
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRaftNode } from '#manager/host/raft/client';
import { compileRaftOptions } from '#manager/host/raft/options';
import { SILENT_LOG } from '#test/support/raft-host/silent-log';

const PROGRAM = new URL('../../support/raft-host/proposer.ts', import.meta.url).pathname;
const MIB = 1024 * 1024;
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-raft-disk-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly acked: readonly string[];
  readonly state: string;
  readonly stderr: string;
}

/** Runs the proposer; after `acks` acknowledgements calls `action`, once. */
async function run(acks: number, action: (pid: number) => void): Promise<Ended> {
  const args = ['--conditions=source', PROGRAM, join(folder, 'raft'), '1000'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const code = new Promise<number | null>((resolve) => child.on('close', resolve));
  const acked: string[] = [];
  let state = '';
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, rest = ''] = line.split(' ');
    if (word === 'state') state = rest;
    if (word === 'ack') acked.push(rest);
    if (word === 'ack' && acked.length === acks) action(child.pid ?? 0);
    if (word === 'state' && acks === 0) child.kill('SIGKILL');
  }
  return { code: await code, acked, state, stderr };
}

describe('a failing disk', () => {
  it('ends the process with code 70; what was acknowledged is there afterwards', async () => {
    const first = await run(50, (pid) => {
      const limit = spawnSync('prlimit', ['--pid', String(pid), '--fsize=4096']);
      expect(limit.status).toBe(0);
    });
    expect(first.code).toBe(70);
    expect(first.stderr).toContain('writing the log failed');
    expect(first.acked.length).toBeGreaterThanOrEqual(50);
    const second = await run(0, () => {});
    const [from = 0, to = 0] = second.state.split('-').map(Number);
    expect(from).toBe(1000);
    expect(to).toBeGreaterThanOrEqual(Math.max(...first.acked.map(Number)));
  });
});

describe.skipIf(process.getuid?.() !== 0)('a full disk', () => {
  it('refuses changes below the low-water mark and takes them again above it', async () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=180m', 'tmpfs', disk]);
    expect(mounted.status).toBe(0);
    try {
      const options = compileRaftOptions({
        dataDir: join(disk, 'raft'),
        clusterId: 'full',
        raftId: 1,
        startMode: 'bootstrap',
      });
      const node = createRaftNode(options, { log: SILENT_LOG });
      await node.start();
      await node.propose(Buffer.from('before'));
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(100 * MIB));
      const refusal = await until(() =>
        node.propose(Buffer.from('x')).then(
          () => null,
          (error: { code: string; message: string }) => error,
        ),
      );
      expect(refusal.code).toBe('no_space');
      expect(refusal.message).toContain(join(disk, 'raft'));
      rmSync(join(disk, 'ballast'));
      await until(() =>
        node.propose(Buffer.from('after')).then(
          (proposed) => proposed,
          () => null,
        ),
      );
      await node.stop();
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});

async function until<T>(action: () => Promise<T | null>): Promise<T> {
  for (let i = 0; i < 100; i++) {
    const result = await action();
    if (result !== null) return result;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not happen within 5 s');
}
