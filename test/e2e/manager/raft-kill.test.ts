// Goal: a manager killed with SIGKILL at any moment, also while it starts, comes back with every
// acknowledged change, applied once. Method: a real process proposes and prints what is
// acknowledged; it is killed after a random time and started again on the same folder,
// TSWARM_TEST_KILLS times. (SIGKILL keeps the page cache: power cuts are what
// test/unit/manager/wal/crash.test.ts is for.)
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from 'vitest';
import { Prng } from '#test/support/prng';

const KILLS = Number(process.env.TSWARM_TEST_KILLS ?? 24);
/** Lives are long enough to start in about half of the cases. */
const MAX_LIFE_MS = 900;
const PROGRAM = new URL('../../support/raft-host/proposer.ts', import.meta.url).pathname;

interface Life {
  readonly held: ReadonlySet<number> | null;
  readonly acked: readonly number[];
  readonly problems: readonly string[];
}

const folder = mkdtempSync(join(tmpdir(), 'tswarm-raft-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function expand(ranges: string): Set<number> {
  const held = new Set<number>();
  for (const range of ranges.split(',')) {
    if (range === '') continue;
    const [from = 0, to = 0] = range.split('-').map(Number);
    for (let seq = from; seq <= to; seq++) held.add(seq);
  }
  return held;
}

function killLater(child: ChildProcess, lifeMs: number): void {
  setTimeout(() => child.kill('SIGKILL'), lifeMs);
}

/** Runs the program for a while. `lifeMs` null: until it has printed its state. */
async function live(first: number, lifeMs: number | null): Promise<Life> {
  const args = ['--conditions=source', PROGRAM, folder, String(first)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise((resolve) => child.on('close', resolve));
  let held: Set<number> | null = null;
  const acked: number[] = [];
  const problems: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => problems.push(chunk.toString()));
  if (lifeMs !== null) killLater(child, lifeMs);
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, rest = ''] = line.split(' ');
    if (word === 'state') {
      held = expand(rest);
      if (lifeMs === null) child.kill('SIGKILL');
    } else if (word === 'ack') acked.push(Number(rest));
    else problems.push(line);
  }
  await closed;
  return { held, acked, problems };
}

describe('kill -9', () => {
  it(`loses no acknowledged change in ${KILLS} kills`, { timeout: KILLS * 4_000 }, async () => {
    const prng = new Prng(20);
    const acked = new Set<number>();
    let first = 1;
    let started = 0;
    // Lives adapt to the machine: about half of them get as far as to open the log.
    let baseMs = 60;
    for (let kill = 0; kill < KILLS; kill++) {
      const life = await live(first, baseMs + prng.below(MAX_LIFE_MS));
      baseMs = life.held === null ? Math.min(3_000, baseMs * 1.3 + 20) : Math.max(60, baseMs * 0.8);
      expect(life.problems, `kill ${kill}`).toEqual([]);
      if (life.held !== null) {
        started++;
        const { held } = life;
        expect(
          [...acked].filter((seq) => !held.has(seq)),
          `kill ${kill}`,
        ).toEqual([]);
      }
      for (const seq of life.acked) acked.add(seq);
      for (const seq of [...life.acked, ...(life.held ?? [])]) first = Math.max(first, seq + 100);
    }
    const last = await live(first, null);
    expect(last.problems).toEqual([]);
    const missing = [...acked].filter((seq) => !last.held?.has(seq));
    expect(missing).toEqual([]);
    expect(started).toBeGreaterThan(KILLS / 4);
    expect(acked.size).toBeGreaterThan(KILLS);
  });
});
