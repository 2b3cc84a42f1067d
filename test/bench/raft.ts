// Figures of the Raft host on this machine: `node --conditions=source test/bench/raft.ts [ROUNDS]`.
// Per round, interleaved: a raw O_DSYNC write and write+fdatasync (what the disk takes), sequential
// proposals, 64 proposals in flight, restart with 100,000 entries. Prints the median of the rounds;
// 256-byte values.
import {
  closeSync,
  constants,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRaftNode } from '#manager/host/raft/client';
import { compileRaftOptions } from '#manager/host/raft/options';
import type { RaftNode } from '#manager/host/raft/raft-node';
import { SILENT_LOG } from '#test/support/raft-host/silent-log';

const ROUNDS = Number(process.argv[2] ?? 5);
const SEQUENTIAL = 2_000;
const CLIENTS = 64;
const PER_CLIENT = 500;
const RESTART_ENTRIES = 100_000;
const VALUE = new Uint8Array(256).fill(0x61);

type Figures = Map<string, number[]>;

function record(figures: Figures, name: string, value: number): void {
  const list = figures.get(name);
  if (list === undefined) figures.set(name, [value]);
  else list.push(value);
}

function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0;
}

function rawDisk(folder: string, figures: Figures): void {
  const block = new Uint8Array(4096).fill(1);
  const size = 8 * 1024 * 1024;
  const path = join(folder, 'raw');
  const plain = openSync(path, 'w');
  writeSync(plain, new Uint8Array(size));
  fdatasyncSync(plain);
  const synced = openSync(path, constants.O_WRONLY | constants.O_DSYNC);
  const one: number[] = [];
  const two: number[] = [];
  for (let i = 0; i < 500; i++) {
    const offset = (i * 4096) % size;
    const start = performance.now();
    writeSync(synced, block, 0, 4096, offset);
    const middle = performance.now();
    writeSync(plain, block, 0, 4096, offset);
    fdatasyncSync(plain);
    one.push(middle - start);
    two.push(performance.now() - middle);
  }
  closeSync(synced);
  closeSync(plain);
  record(figures, 'disk: O_DSYNC write of 4 KiB, p50 ms', percentile(one, 0.5));
  record(figures, 'disk: write + fdatasync, p50 ms', percentile(two, 0.5));
}

function member(dataDir: string, snapshotEveryEntries: number): RaftNode {
  const options = compileRaftOptions({
    dataDir,
    clusterId: 'bench',
    raftId: 1,
    startMode: 'bootstrap',
    snapshotEveryEntries,
    snapshotEveryBytes: 1024 * 1024 * 1024,
  });
  const node = createRaftNode(options, { log: SILENT_LOG });
  node.onApply(() => {});
  node.provideSnapshot(() => new Uint8Array(1024));
  return node;
}

async function sequential(node: RaftNode, figures: Figures): Promise<void> {
  for (let i = 0; i < 300; i++) await node.propose(VALUE);
  const before = node.status();
  const times: number[] = [];
  for (let i = 0; i < SEQUENTIAL; i++) {
    const start = performance.now();
    await node.propose(VALUE);
    times.push(performance.now() - start);
  }
  const after = node.status();
  record(figures, '1 in flight: p50 ms', percentile(times, 0.5));
  record(figures, '1 in flight: p99 ms', percentile(times, 0.99));
  record(figures, '1 in flight: syncs per write', (after.walSyncs - before.walSyncs) / SEQUENTIAL);
  record(figures, '1 in flight: bytes per write', (after.walBytes - before.walBytes) / SEQUENTIAL);
}

async function parallel(node: RaftNode, figures: Figures): Promise<void> {
  const before = node.status();
  const start = performance.now();
  const client = async (): Promise<void> => {
    for (let i = 0; i < PER_CLIENT; i++) await node.propose(VALUE);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const seconds = (performance.now() - start) / 1000;
  const after = node.status();
  const total = CLIENTS * PER_CLIENT;
  record(figures, '64 in flight: writes per s', total / seconds);
  record(figures, '64 in flight: syncs per write', (after.walSyncs - before.walSyncs) / total);
  record(figures, '64 in flight: bytes per write', (after.walBytes - before.walBytes) / total);
}

async function restart(folder: string, figures: Figures): Promise<void> {
  const dataDir = join(folder, 'restart');
  const first = member(dataDir, 10 * RESTART_ENTRIES);
  await first.start();
  const start = performance.now();
  await Promise.all(Array.from({ length: RESTART_ENTRIES / 2 }, () => first.propose(VALUE)));
  await Promise.all(Array.from({ length: RESTART_ENTRIES / 2 }, () => first.propose(VALUE)));
  const seconds = (performance.now() - start) / 1000;
  record(figures, 'all at once: writes per s', RESTART_ENTRIES / seconds);
  await first.stop();
  const second = member(dataDir, 10 * RESTART_ENTRIES);
  let applied = 0;
  second.onApply(() => {
    applied++;
  });
  const begin = performance.now();
  await second.start();
  if (applied !== RESTART_ENTRIES) throw new Error(`only ${applied} entries came back`);
  record(figures, 'restart with 100,000 entries: ms', performance.now() - begin);
  await second.stop();
}

const figures: Figures = new Map();
for (let round = 0; round < ROUNDS; round++) {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-bench-raft-'));
  try {
    rawDisk(folder, figures);
    const node = member(join(folder, 'member'), 10_000);
    const begin = performance.now();
    await node.start();
    record(figures, 'start of a new member: ms', performance.now() - begin);
    await sequential(node, figures);
    await parallel(node, figures);
    await node.stop();
    await restart(folder, figures);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
for (const [name, values] of figures) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const text = [percentile(values, 0.5), low, high].map((value) => value.toFixed(3));
  process.stdout.write(`${name.padEnd(42)} ${text[0]}  (${text[1]} to ${text[2]})\n`);
}
