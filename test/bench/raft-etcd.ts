// Writes beside etcd: `node --conditions=source test/bench/raft-etcd.ts [ROUNDS]`. The same client
// program (grpc-js, unary calls to the leader) writes 256-byte values: configs through the control
// API of real managers over mutual TLS, keys of etcd over plain HTTP/2. One and three nodes on
// loopback, sides interleaved; then failover, transfer and restart of ours. Medians of the rounds.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ControlService, CreateObjectRequest, SpecUnion } from '#protocol/generated/control';
import { ConfigSpec } from '#protocol/generated/specs';
import { ManagerGroup } from '#test/support/manager-group';
import type { Measured } from '#test/support/raft-host/member-program';
import { ProcessGroup } from '#test/support/raft-host/process-group';
import { EtcdPeer, unary } from './etcd-peer.ts';
import { median } from './figures.ts';

const ROUNDS = Number(process.argv[2] ?? 3);
const WARM_UP = 300;
const SEQUENTIAL = 1_000;
const CLIENTS = 64;
const PARALLEL_MS = 1_000;
/** Turns of the sides per round. */
const TURNS = 5;
const VALUE = new Uint8Array(256).fill(0x61);

const samples = new Map<string, number[]>();

function record(name: string, value: number): void {
  const list = samples.get(name);
  if (list === undefined) samples.set(name, [value]);
  else list.push(value);
}

/** One cluster of either kind. */
interface Side {
  readonly name: string;
  put(key: string): Promise<unknown>;
  stop(): Promise<void>;
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
  const { path } = ControlService.methods.createObject;
  return {
    name: `tswarm ${count}`,
    put(name) {
      const spec = SpecUnion.create({ config: ConfigSpec.create({ name, data: VALUE }) });
      const bytes = CreateObjectRequest.encode(CreateObjectRequest.create({ spec }));
      return unary(channel, path, Buffer.from(bytes));
    },
    stop: () => group.close(),
  };
}

/** Both run all the time and are written to in turns, so that the machine's moods hit both. */
async function compare(sides: readonly Side[]): Promise<void> {
  for (const { put } of sides) for (let i = 0; i < WARM_UP; i++) await put(`warm${i}`);
  const times = new Map<Side, number[]>(sides.map((side) => [side, []]));
  const rates = new Map<Side, number[]>(sides.map((side) => [side, []]));
  for (let turn = 0; turn < TURNS; turn++) {
    for (const side of sides) {
      for (let i = 0; i < SEQUENTIAL / TURNS; i++) {
        const startMs = performance.now();
        await side.put(`seq${turn}-${i}`);
        times.get(side)?.push(performance.now() - startMs);
      }
    }
  }
  for (let turn = 0; turn < TURNS; turn++) {
    for (const side of sides) rates.get(side)?.push(await parallel(side, turn));
  }
  for (const side of sides) {
    const sorted = (times.get(side) ?? []).toSorted((a, b) => a - b);
    record(`${side.name}: 1 client, p50 ms`, sorted[Math.floor(sorted.length / 2)] ?? 0);
    record(`${side.name}: 1 client, p99 ms`, sorted[Math.floor(sorted.length * 0.99)] ?? 0);
    record(`${side.name}: ${CLIENTS} clients, writes per s`, median(rates.get(side) ?? []));
  }
}

async function parallel(side: Side, turn: number): Promise<number> {
  let written = 0;
  const startMs = performance.now();
  const client = async (_: unknown, number: number): Promise<void> => {
    for (let i = 0; performance.now() - startMs < PARALLEL_MS; i++) {
      await side.put(`par${turn}-${number}-${i}`);
      written++;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return (written * 1000) / (performance.now() - startMs);
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
    const one = await run(SEQUENTIAL, 1);
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

for (let round = 0; round < ROUNDS; round++) {
  for (const count of [1, 3]) {
    const sides = [await etcd(count), await tswarm(count)];
    try {
      await compare(sides);
    } finally {
      for (const side of sides) await side.stop();
    }
  }
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
