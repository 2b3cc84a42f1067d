// Writes beside etcd: `node --conditions=source test/bench/raft-etcd.ts [ROUNDS] [one,three,raft]`. The
// same client program (grpc-js, unary calls to the leader) writes 256-byte values: configs through
// the control API of real managers over mutual TLS, keys of etcd over plain HTTP/2; and it calls a
// server that does nothing, which is the floor. One and three nodes on loopback; all sides run all
// the time, and each round has a turn of every side. Then Raft alone: failover and transfer.
// Medians of the rounds, with lowest and highest.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ControlService,
  CreateObjectRequest,
  DeployStackRequest,
  SpecUnion,
} from '#protocol/generated/control';
import { ConfigSpec, StackSpec } from '#protocol/generated/specs';
import { ManagerGroup } from '#test/support/manager-group';
import type { Measured } from '#test/support/raft-host/member-program';
import { ProcessGroup } from '#test/support/raft-host/process-group';
import { startEcho } from './echo-peer.ts';
import { EtcdPeer, unary } from './etcd-peer.ts';
import { median } from './figures.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const PARTS = (process.argv[3] ?? 'one,three,raft').split(',');
const WARM_UP = 500;
/** Under load, for all sides: code that is compiled as it runs takes that long to be what it stays. */
const WARM_UP_MS = 8_000;
/** Writes one after another per turn. */
const SEQUENTIAL = 200;
const CLIENTS = 64;
const PARALLEL_MS = 800;
/** Configs of one stack: about 300 KB in one call and one transaction. */
const BATCH = 1_000;
const BATCHES = 10;
const BATCH_CLIENTS = 2;
const VALUE = new Uint8Array(256).fill(0x61);
const { createObject, deployStack } = ControlService.methods;

const samples = new Map<string, number[]>();

function record(name: string, value: number): void {
  const list = samples.get(name);
  if (list === undefined) samples.set(name, [value]);
  else list.push(value);
}

/** One server or cluster. */
interface Side {
  readonly name: string;
  put(key: string): Promise<unknown>;
  /** Many objects in one call; only ours has such a call without a limit of its own. */
  readonly batch?: (name: string) => Promise<unknown>;
  stop(): Promise<void>;
}

function configRequest(name: string): Buffer {
  const spec = SpecUnion.create({ config: ConfigSpec.create({ name, data: VALUE }) });
  return Buffer.from(CreateObjectRequest.encode(CreateObjectRequest.create({ spec })));
}

function stackRequest(name: string): Buffer {
  const config = (_: unknown, i: number): ConfigSpec =>
    ConfigSpec.create({ name: `${name}-${i}`, data: VALUE });
  const stack = StackSpec.create({ name, configs: Array.from({ length: BATCH }, config) });
  return Buffer.from(DeployStackRequest.encode(DeployStackRequest.create({ stack })));
}

async function etcd(count: number): Promise<Side> {
  const peer = new EtcdPeer();
  await peer.start(count);
  return {
    name: `etcd ${count}`,
    put: (key) => peer.put(key, VALUE),
    stop: () => peer.stop(),
  };
}

async function tswarm(count: number): Promise<Side> {
  const group = new ManagerGroup();
  await group.create(count);
  const leader = await group.leader();
  const channel = leader.channel(leader.admin());
  return {
    name: `tswarm ${count}`,
    put: (name) => unary(channel, createObject.path, configRequest(name)),
    batch: (name) => unary(channel, deployStack.path, stackRequest(name)),
    stop: () => group.close(),
  };
}

/** A server in a process of its own that does nothing. */
async function echo(plain: boolean): Promise<Side> {
  const { channel, stop } = await startEcho(plain);
  return {
    name: plain ? 'grpc-js alone, clear' : 'grpc-js alone, mutual TLS',
    put: (name) => unary(channel, createObject.path, configRequest(name)),
    stop,
  };
}

/** All run all the time and are written to in turns, so that the machine's moods hit all. */
async function compare(sides: readonly Side[]): Promise<void> {
  for (const side of sides) {
    for (let i = 0; i < WARM_UP; i++) await side.put(`warm${i}`);
    await parallel(side, 'warm', WARM_UP_MS);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of sides) {
      await sequential(side, round);
      const rate = await parallel(side, `par${round}`, PARALLEL_MS);
      record(`${side.name}: ${CLIENTS} clients, writes per s`, rate);
      if (side.batch !== undefined) await batches(side.name, side.batch, round);
    }
  }
}

async function sequential({ name, put }: Side, round: number): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < SEQUENTIAL; i++) {
    const startMs = performance.now();
    await put(`seq${round}-${i}`);
    times.push(performance.now() - startMs);
  }
  const sorted = times.toSorted((a, b) => a - b);
  record(`${name}: 1 client, p50 ms`, median(sorted));
  record(`${name}: 1 client, p99 ms`, sorted[Math.floor(sorted.length * 0.99)] ?? 0);
}

async function parallel(side: Side, prefix: string, durationMs: number): Promise<number> {
  let written = 0;
  const startMs = performance.now();
  const client = async (_: unknown, number: number): Promise<void> => {
    for (let i = 0; performance.now() - startMs < durationMs; i++) {
      await side.put(`${prefix}-${number}-${i}`);
      written++;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return (written * 1000) / (performance.now() - startMs);
}

async function batches(
  name: string,
  batch: (name: string) => Promise<unknown>,
  round: number,
): Promise<void> {
  let next = 0;
  const startMs = performance.now();
  const client = async (): Promise<void> => {
    while (next < BATCHES) await batch(`batch${round}-${next++}`);
  };
  await Promise.all(Array.from({ length: BATCH_CLIENTS }, client));
  const perSecond = (BATCHES * BATCH * 1000) / (performance.now() - startMs);
  record(`${name}: ${BATCH} configs per call, objects per s`, perSecond);
}

/** Raft alone: three processes, the leader proposes in its own process. */
async function raftOnly(folder: string): Promise<void> {
  const settings = { snapshotEveryEntries: 1_000_000, snapshotEveryBytes: 2 ** 40 };
  const group = await ProcessGroup.of(3, folder, settings);
  try {
    const leader = await group.leads();
    const run = async (count: number, clients: number): Promise<Measured> => {
      const [text = ''] = await leader.call({ kind: 'measure', count, clients, bytes: 256 });
      return JSON.parse(text) as Measured;
    };
    await run(WARM_UP, 1);
    const one = await run(1_000, 1);
    const many = await run(30_000, CLIENTS);
    record('raft 3: 1 in flight, p50 ms', one.p50Ms);
    record('raft 3: 1 in flight, syncs per write', one.syncsPerWrite);
    record('raft 3: 64 in flight, writes per s', many.perSecond);
    record('raft 3: 64 in flight, syncs per write', many.syncsPerWrite);
    for (let i = 0; i < 5; i++) {
      const from = await group.leads();
      const to = 1 + (from.raftId % 3);
      const startMs = performance.now();
      await from.call({ kind: 'transfer', to });
      record('raft 3: planned transfer, ms', performance.now() - startMs);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    for (let i = 0; i < 3; i++) {
      const from = await group.leads();
      const startMs = performance.now();
      await group.kill(from.raftId);
      await group.atLeader({ kind: 'propose', text: `after kill ${i}` });
      record('raft 3: kill -9 of the leader to the next write, ms', performance.now() - startMs);
      await group.start(from.raftId, 'restart');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  } finally {
    await group.close();
  }
}

for (const [part, count] of [
  ['one', 1],
  ['three', 3],
] as const) {
  if (!PARTS.includes(part)) continue;
  const sides = [await etcd(count), await tswarm(count)];
  if (count === 1) sides.push(await echo(false), await echo(true));
  try {
    await compare(sides);
  } finally {
    for (const side of sides) await side.stop();
  }
}
for (let round = 0; PARTS.includes('raft') && round < ROUNDS; round++) {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-bench-raft-'));
  try {
    await raftOnly(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
for (const [name, values] of [...samples].sort(([a], [b]) => a.localeCompare(b))) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [middle, from, to] = [median(values), low, high].map((value) => value.toFixed(3));
  process.stdout.write(`${name.padEnd(56)} ${middle}  (${from} to ${to})\n`);
}
