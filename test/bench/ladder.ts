// Where one write's time goes: `node --conditions=source test/bench/ladder.ts [ROUNDS] [MANAGERS]`.
// One client calls, in turns: a server that does nothing; a manager that only lets the call in
// (History); one that asks the Raft thread, and with several managers the others, but writes nothing
// (ReadIndex); one that writes (CreateObject); and etcd. The step between two of them is what was
// added. Medians of the rounds, in microseconds, with lowest and highest.
import {
  ControlService,
  CreateObjectRequest,
  HistoryRequest,
  SpecUnion,
} from '#protocol/generated/control';
import { ConfigSpec } from '#protocol/generated/specs';
import { ManagerGroup } from '#test/support/manager-group';
import { startEcho } from './echo-peer.ts';
import { EtcdPeer, unary } from './etcd-peer.ts';
import { median } from './figures.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const MANAGERS = Number(process.argv[3] ?? 1);
const WARM_UP = 1_000;
const CALLS = 200;
const VALUE = new Uint8Array(256).fill(0x61);
const { createObject, history, readIndex } = ControlService.methods;

interface Step {
  readonly name: string;
  readonly call: (key: string) => Promise<unknown>;
  readonly p50Micros: number[];
}

function configRequest(name: string): Buffer {
  const spec = SpecUnion.create({ config: ConfigSpec.create({ name, data: VALUE }) });
  return Buffer.from(CreateObjectRequest.encode(CreateObjectRequest.create({ spec })));
}

async function measure({ call, p50Micros }: Step, prefix: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < CALLS; i++) {
    const startMs = performance.now();
    await call(`${prefix}-${i}`);
    times.push((performance.now() - startMs) * 1000);
  }
  p50Micros.push(median(times));
}

const etcd = new EtcdPeer();
await etcd.start(MANAGERS);
const group = new ManagerGroup();
await group.create(MANAGERS);
const leader = await group.leader();
const channel = leader.channel(leader.admin());
const echo = await startEcho(false);
const short = Buffer.from(HistoryRequest.encode(HistoryRequest.create({ limit: 1 })));
const step = (name: string, call: Step['call']): Step => ({ name, call, p50Micros: [] });
const steps: readonly Step[] = [
  step('grpc-js alone, mutual TLS', (key) =>
    unary(echo.channel, createObject.path, configRequest(key)),
  ),
  step('manager: call let in', () => unary(channel, history.path, short)),
  step('+ Raft thread asked', () => unary(channel, readIndex.path, Buffer.alloc(0))),
  step('write', (key) => unary(channel, createObject.path, configRequest(key))),
  step('etcd: write', (key) => etcd.put(key, VALUE)),
];
try {
  for (const { call } of steps) for (let i = 0; i < WARM_UP; i++) await call(`warm-${i}`);
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of steps) await measure(one, `round${round}`);
  }
} finally {
  await Promise.all([etcd.stop(), group.close(), echo.stop()]);
}
for (const { name, p50Micros } of steps) {
  const figures = [median(p50Micros), Math.min(...p50Micros), Math.max(...p50Micros)];
  const [middle, low, high] = figures.map((micros) => micros.toFixed(0).padStart(6));
  process.stdout.write(`${name.padEnd(28)} ${middle}  (${low} to ${high})\n`);
}
