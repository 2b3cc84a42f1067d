// One member in a process of its own, driven over the channel of `fork`: calls by name, answered by
// number; applied texts and changes of the status are told. To be killed at any time.
import { createRaftNode } from '#manager/host/raft/client';
import { compileRaftOptions, type RaftNodeSettings } from '#manager/host/raft/options';
import type { RaftIdentity, RaftPeer, RaftStatus } from '#manager/host/raft/raft-node';
import { messageOf } from '#protocol/errors';
import { SILENT_LOG } from './silent-log.ts';

/** What the parent asks for. */
export type MemberCall =
  | { readonly kind: 'identity'; readonly identity: RaftIdentity }
  | { readonly kind: 'peers'; readonly peers: readonly RaftPeer[] }
  | { readonly kind: 'propose'; readonly text: string }
  | { readonly kind: 'addLearner' | 'promote' | 'removeMember'; readonly raftId: number }
  | { readonly kind: 'transfer'; readonly to: number }
  | { readonly kind: 'texts' }
  /** The main thread does nothing for so long. */
  | { readonly kind: 'stall'; readonly ms: number }
  /** Proposes `count` values of `bytes`, `clients` at a time; the answer is JSON of `Measured`. */
  | {
      readonly kind: 'measure';
      readonly count: number;
      readonly clients: number;
      readonly bytes: number;
    };

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly syncsPerWrite: number;
}

export type FromMember =
  | { readonly type: 'status'; readonly status: RaftStatus }
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly code: string | null;
      readonly message: string;
      readonly texts: readonly string[];
    };

const settings = JSON.parse(process.argv[2] ?? '{}') as RaftNodeSettings;
const node = createRaftNode(compileRaftOptions(settings), { log: SILENT_LOG });
let texts: string[] = [];
node.onApply(({ data }) => texts.push(Buffer.from(data).toString()));
node.onSnapshotRestore((bytes) => {
  texts = JSON.parse(Buffer.from(bytes).toString()) as string[];
});
node.provideSnapshot(() => Buffer.from(JSON.stringify(texts)));
node.onStatusChange((status) => tell({ type: 'status', status }));

function tell(message: FromMember): void {
  process.send?.(message);
}

async function measure(count: number, clients: number, bytes: number): Promise<Measured> {
  const value = new Uint8Array(bytes).fill(0x61);
  const times: number[] = [];
  const before = node.status().walSyncs;
  const startMs = performance.now();
  const client = async (): Promise<void> => {
    for (let i = 0; i < count / clients; i++) {
      const sentMs = performance.now();
      await node.propose(value);
      times.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - startMs) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  return {
    perSecond: times.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    syncsPerWrite: (node.status().walSyncs - before) / times.length,
  };
}

async function perform(call: MemberCall): Promise<void> {
  switch (call.kind) {
    case 'identity':
      return node.setIdentity(call.identity);
    case 'peers':
      return node.setPeers(call.peers);
    case 'propose':
      await node.propose(Buffer.from(call.text));
      return;
    case 'addLearner':
      return node.addLearner(call.raftId);
    case 'promote':
      return node.promote(call.raftId);
    case 'removeMember':
      return node.removeMember(call.raftId);
    case 'transfer':
      return node.transferLeadership(call.to);
    case 'stall':
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, call.ms);
      return;
    case 'texts':
    case 'measure':
      return;
  }
}

async function resultOf(call: MemberCall): Promise<readonly string[]> {
  if (call.kind === 'texts') return texts;
  if (call.kind !== 'measure') return [];
  return [JSON.stringify(await measure(call.count, call.clients, call.bytes))];
}

process.on('message', ({ id, call }: { readonly id: number; readonly call: MemberCall }) => {
  const done = perform(call).then(() => resultOf(call));
  done.then(
    (held) => tell({ type: 'answer', id, code: null, message: '', texts: held }),
    (error: unknown) => {
      const code = (error as { code?: string }).code ?? 'internal';
      tell({ type: 'answer', id, code, message: messageOf(error), texts: [] });
    },
  );
});
process.on('disconnect', () => process.exit(0));
await node.start();
tell({ type: 'status', status: node.status() });
