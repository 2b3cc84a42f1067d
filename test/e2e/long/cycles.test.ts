// A thousand containers started and taken away on one node, while shims, containers, their runtime and the daemon itself are killed at random moments:
// afterwards the kernel and the disk hold what they held before, and `tswarm doctor` finds nothing. The seed is printed, so that a failure can be repeated.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestNode, until } from '../../support/test-node.ts';

const CYCLES = Number(process.env.TSWARM_CYCLES ?? 1000);
const AT_ONCE = 4;
/** One of so many cycles has a kill in it. */
const KILL_EVERY = 10;
/** Cycles between two ends of the daemon. */
const RESTART_EVERY = 50;
/** A descriptor that is open at one moment and closed at the next is no leak; a thousand containers would leak a thousand. */
const DESCRIPTORS_SLACK = 20;

let node: TestNode;
beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
});
afterAll(() => node[Symbol.asyncDispose]());

let random = (Number(process.env.TSWARM_SEED ?? Date.now()) >>> 0) | 1;
function below(limit: number): number {
  random ^= random << 13;
  random ^= random >>> 17;
  random ^= random << 5;
  return (random >>> 0) % limit;
}

/** Everything of the node outside of its own memory, without what differs from run to run. */
function traces(): Record<string, string[]> {
  const tag = readFileSync(join(node.dataRoot, 'node-tag'), 'utf8').trim();
  const groups = readdirSync('/sys/fs/cgroup')
    .map((name) => join('/sys/fs/cgroup', name, `tswarm-${tag}`))
    .filter((path) => existsSync(path))
    .flatMap((path) => find(path, ['-mindepth', '1', '-type', 'd']));
  return {
    kernel: node
      .leftovers()
      .map((line) => line.replace(/^process \d+/, 'process'))
      .sort(),
    groups,
    run: find(node.runRoot, []),
    containers: find(node.dataRoot, ['-path', '*/containers/*']),
    layers: find(node.dataRoot, ['-type', 'd', '-path', '*/overlay/*', '-prune']),
  };
}

function find(path: string, args: string[]): string[] {
  return spawnSync('find', [path, ...args], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line !== '')
    .sort();
}

const descriptors = (): number => readdirSync(`/proc/${node.pid}/fd`).length;

/** A process of the node that is not the daemon: a shim, a runtime at work, or a container's program. */
function victim(): number | undefined {
  const pids = node.processes().filter((pid) => {
    try {
      return /tswarm-(shim|runtime)/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    } catch {
      return false;
    }
  });
  return pids[below(pids.length || 1)];
}

function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined && pid > 1) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function cycle(name: string): Promise<void> {
  const flags = below(2) === 0 ? ['--network', 'none'] : ['-v', '/data', '--memory', '32m'];
  const words = below(4) === 0 ? ['true'] : ['sleep', '1000'];
  await node.docker(['run', '-d', '--name', name, ...flags, 'busybox:test', ...words]);
  if (below(3) === 0) await node.docker(['exec', name, 'true']);
  if (below(2) === 0) await node.docker(['stop', '-t', '0', name]);
  await node.docker(['rm', '-f', '-v', name]);
}

let restarted: Promise<void> = Promise.resolve();

async function restart(): Promise<void> {
  await node.stop('SIGKILL');
  await node.start();
}

async function worker(first: number): Promise<void> {
  for (let n = first; n < CYCLES; n += AT_ONCE) {
    await restarted;
    const running = cycle(`cycle-${n}`);
    if (below(KILL_EVERY) === 0) {
      await new Promise((done) => setTimeout(done, below(120)));
      kill(victim());
    }
    // In the middle of the cycle of this worker, and somewhere in those of the others.
    if (n % RESTART_EVERY === RESTART_EVERY - 1) {
      await new Promise((done) => setTimeout(done, below(200)));
      restarted = restart();
      await restarted;
    }
    await running;
  }
}

it(
  `${CYCLES} cycles with kills leave nothing`,
  async () => {
    process.stderr.write(`TSWARM_SEED=${random}\n`);
    await node.docker(['run', '--rm', '-v', '/data', 'busybox:test', 'true']);
    const before = traces();
    await Promise.all(Array.from({ length: AT_ONCE }, (_, first) => worker(first)));
    // What a killed daemon or a killed shim left half done is removed as a user would: by name, with force.
    const left = (await node.docker(['ps', '-aq'])).stdout.split('\n').filter((id) => id !== '');
    if (left.length > 0) expect((await node.docker(['rm', '-f', '-v', ...left])).code).toBe(0);
    const more = (): string[] => {
      const now = traces();
      return Object.keys(now).flatMap((key) =>
        (now[key] ?? []).filter((line) => !before[key]?.includes(line)),
      );
    };
    // What is gone besides (the node's name server, with the last network) is no leak.
    await until(
      () => more().length === 0,
      60_000,
      () => `left behind:\n${more().join('\n')}`,
    );
    const settled = descriptors();
    for (let n = 0; n < 40; n++) await cycle(`after-${n}`);
    expect(descriptors()).toBeLessThan(settled + DESCRIPTORS_SLACK);
    const doctor = await node.tswarm(['doctor']);
    expect([doctor.code, doctor.stdout]).toEqual([
      0,
      expect.stringMatching(/left-overs +ok +none/),
    ]);
  },
  30 * 60_000,
);
